//===- SkipZeros.cpp - linear maps of inputs that are mostly zero ---------===//
//
// Follows the input of a map back to where its zeros are made. A wrong answer
// costs time, not correctness: kernels look at the entries.
//
//===----------------------------------------------------------------------===//

#include "dialects/Linnet/Linnet.h"
#include "passes/Lower/Passes.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/Remarks.h"

namespace mlir::linnet {
#define GEN_PASS_DEF_SKIPZEROS
#include "passes/Lower/Passes.h.inc"
} // namespace mlir::linnet

using namespace mlir;
using namespace mlir::linnet;

/// Whether an operand of `op`, a maximum, is zero everywhere.
static bool hasZeroOperand(Operation *op) {
  return llvm::any_of(op->getOperands(), [](Value operand) {
    return matchPattern(operand, m_AnyZeroFloat());
  });
}

/// Operands of `op` whose zeros are zeros of its result.
static SmallVector<Value> zeroOperands(Operation *op) {
  if (auto own = dyn_cast<ZerosOpInterface>(op)) {
    SmallVector<Value> operands;
    for (unsigned number : own.getZeroOperands())
      operands.push_back(op->getOperand(number));
    return operands;
  }
  if (isa<arith::MulFOp>(op))
    return llvm::to_vector(op->getOperands());
  if (isa<arith::NegFOp, arith::ExtFOp, arith::TruncFOp, tensor::CastOp,
          tensor::ExtractSliceOp, tensor::ExpandShapeOp,
          tensor::CollapseShapeOp>(op))
    return {op->getOperand(0)};
  return {};
}

/// The operation that makes the zeros of `value`, or null.
static Operation *findSource(Value value) {
  SmallVector<Value> open{value};
  llvm::SmallPtrSet<Operation *, 8> seen;
  while (!open.empty()) {
    Operation *op = open.pop_back_val().getDefiningOp();
    if (!op || !seen.insert(op).second)
      continue;
    auto own = dyn_cast<ZerosOpInterface>(op);
    if (own && own.makesZeros())
      return op;
    if (isa<arith::MaximumFOp, arith::MaxNumFOp>(op) && hasZeroOperand(op))
      return op;
    llvm::append_range(open, zeroOperands(op));
  }
  return nullptr;
}

namespace {
struct SkipZeros : linnet::impl::SkipZerosBase<SkipZeros> {
  void runOnOperation() override {
    getOperation()->walk([&](LinearOp op) {
      Operation *source = findSource(op.getInput());
      if (!source)
        return;
      if (!op.getStructure().canSkipInputs()) {
        remark::missed(op.getLoc(), remark::RemarkOpts::name("zeros read")
                                        .category("linnet-skip-zeros"))
            << remark::reason("its input holds zeros of {0}, but the kernel of "
                              "{1} reads weights of several inputs together",
                              source->getName().getStringRef(),
                              structureOf(op));
        return;
      }
      op.setSkipsZeros(true);
      int64_t inputs =
          cast<ShapedType>(op.getInput().getType()).getShape().back();
      remark::passed(op.getLoc(), remark::RemarkOpts::name("zeros skipped")
                                      .category("linnet-skip-zeros"))
          << remark::metric("Source", source->getName().getStringRef())
          << remark::metric("Inputs", inputs);
      ++marked;
    });
  }

private:
  static std::string structureOf(LinearOp op) {
    std::string text;
    llvm::raw_string_ostream(text) << op.getStructure();
    return text;
  }
};
} // namespace
