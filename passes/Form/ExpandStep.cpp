//===- ExpandStep.cpp - a step is a scan over one token -------------------===//

#include "dialects/Linnet/Linnet.h"
#include "passes/Form/Passes.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

namespace mlir::linnet {
#define GEN_PASS_DEF_EXPANDSTEP
#include "passes/Form/Passes.h.inc"
} // namespace mlir::linnet

using namespace mlir;
using namespace mlir::linnet;

/// The reassociation that joins (or splits) dimension 1 of size one with
/// dimension 0.
static SmallVector<ReassociationIndices> timeReassociation(int64_t rank) {
  SmallVector<ReassociationIndices> groups{{0, 1}};
  for (int64_t d = 2; d < rank; ++d)
    groups.push_back({d});
  return groups;
}

/// [B, ...] to [B, 1, ...].
static Value addTime(OpBuilder &builder, Location loc, Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  SmallVector<int64_t> dims(type.getShape());
  dims.insert(dims.begin() + 1, 1);
  return tensor::ExpandShapeOp::create(
      builder, loc, RankedTensorType::get(dims, type.getElementType()), value,
      timeReassociation(dims.size()));
}

namespace {
struct WriteStepAsScan : OpRewritePattern<StepOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(StepOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    auto timed = [&](Value value) { return addTime(rewriter, loc, value); };
    SmallVector<Value> parameters =
        llvm::map_to_vector(op.getParameters(), timed);
    Value bonus = op.getBonus() ? timed(op.getBonus()) : Value();
    auto scan =
        ScanOp::create(rewriter, loc, timed(op.getQuery()), timed(op.getKey()),
                       timed(op.getValue()), parameters, bonus, op.getInitial(),
                       /*resets=*/Value(), op.getTransition(),
                       op.getScaleAttr(), op.getReadoutAttr(), UnitAttr(),
                       /*form=*/ScanFormAttr(), op.getMicroStepsAttr());
    Value result = tensor::CollapseShapeOp::create(
        rewriter, loc, op.getResult().getType(), scan.getResult(),
        timeReassociation(
            cast<RankedTensorType>(scan.getResult().getType()).getRank()));
    rewriter.replaceOp(op, {result, scan.getState()});
    return success();
  }
};

struct ExpandStep : linnet::impl::ExpandStepBase<ExpandStep> {
  void runOnOperation() override {
    getOperation()->walk([&](StepOp) { ++expanded; });
    RewritePatternSet patterns(&getContext());
    patterns.add<WriteStepAsScan>(&getContext());
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};
} // namespace
