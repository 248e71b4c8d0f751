//===- ExpandStructures.cpp - structured maps as dense maps ---------------===//

#include "dialects/Linnet/Linnet.h"
#include "passes/Lower/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlir::linnet {
#define GEN_PASS_DEF_EXPANDSTRUCTURES
#include "passes/Lower/Passes.h.inc"
} // namespace mlir::linnet

using namespace mlir;
using namespace mlir::linnet;

/// The linear map that can add a bias to `result`: its own, or the first term's
/// of a sum.
static LinearOp findBiasTaker(Value result) {
  while (auto sum = result.getDefiningOp<arith::AddFOp>())
    result = sum.getLhs();
  auto last = result.getDefiningOp<LinearOp>();
  return last && !last.getBias() ? last : LinearOp();
}

namespace {
struct ExpandStructuredLinear : OpRewritePattern<LinearOp> {
  ExpandStructuredLinear(MLIRContext *context, Pass::Statistic &expanded)
      : OpRewritePattern(context), expanded(expanded) {}

  LogicalResult matchAndRewrite(LinearOp op,
                                PatternRewriter &rewriter) const override {
    Value result = op.getStructure().buildApply(rewriter, op.getLoc(),
                                                op.getInput(), op.getFactors());
    if (!result)
      return rewriter.notifyMatchFailure(op, "the structure is primitive");
    // A structure that ends in no linear map has nowhere to put the bias.
    if (op.getBias()) {
      LinearOp last = findBiasTaker(result);
      if (!last)
        return op.emitOpError("expected the structure to end in a linear map "
                              "that can take the bias");
      last.getBiasMutable().assign(op.getBias());
    }
    int64_t flops = op.getStructure().getFlops(op.getFactors().getTypes());
    remark::passed(op.getLoc(), remark::RemarkOpts::name("structure expanded")
                                    .category("linnet-expand-structures"))
        << remark::metric("FlopsPerRow", flops);
    rewriter.replaceOp(op, result);
    ++expanded;
    return success();
  }

  Pass::Statistic &expanded;
};

struct ExpandStructures : linnet::impl::ExpandStructuresBase<ExpandStructures> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<ExpandStructuredLinear>(&getContext(), expanded);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
