//===- SplitAlongTime.cpp - stateful operations in two parts --------------===//

#include "dialects/Linnet/Linnet.h"
#include "passes/Form/Passes.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/Remarks.h"

namespace mlir::linnet {
#define GEN_PASS_DEF_SPLITALONGTIME
#include "passes/Form/Passes.h.inc"
} // namespace mlir::linnet

using namespace mlir;
using namespace mlir::linnet;

/// Tokens [begin, end) of dimension 1.
static Value sliceTime(OpBuilder &builder, Value value, int64_t begin,
                       int64_t end) {
  auto type = cast<RankedTensorType>(value.getType());
  SmallVector<OpFoldResult> offsets(type.getRank(), builder.getIndexAttr(0));
  SmallVector<OpFoldResult> strides(type.getRank(), builder.getIndexAttr(1));
  SmallVector<OpFoldResult> sizes;
  for (int64_t size : type.getShape())
    sizes.push_back(builder.getIndexAttr(size));
  offsets[1] = builder.getIndexAttr(begin);
  sizes[1] = builder.getIndexAttr(end - begin);
  return tensor::ExtractSliceOp::create(builder, value.getLoc(), value, offsets,
                                        sizes, strides);
}

/// The operation on tokens [begin, end), with its result types inferred where
/// they follow from the operands; threadState knows them anyway.
static Operation *cloneOnTokens(OpBuilder &builder, StatefulOpInterface op,
                                int64_t begin, int64_t end) {
  SmallVector<Value> operands(op->getOperands());
  for (unsigned number : op.getTimeOperands())
    operands[number] = sliceTime(builder, operands[number], begin, end);
  Operation *clone = builder.clone(*op);
  clone->setOperands(operands);
  SmallVector<Type> types;
  auto infer = dyn_cast<InferTypeOpInterface>(clone);
  if (!infer)
    return clone;
  if (failed(infer.inferReturnTypes(
          builder.getContext(), clone->getLoc(), clone->getOperands(),
          clone->getAttrDictionary(), clone->getPropertiesStorage(),
          clone->getRegions(), types)))
    return nullptr;
  for (auto [result, type] : llvm::zip(clone->getResults(), types))
    result.setType(type);
  return clone;
}

/// Zeros for every state, or the operation's own initial states.
static SmallVector<Value>
initialStates(OpBuilder &builder, StatefulOpInterface op, int64_t tokens) {
  if (!op.getStates().empty())
    return SmallVector<Value>(op.getStates());
  SmallVector<Value> states;
  for (const StateSpec &spec : op.getStateSpecs(tokens))
    states.push_back(arith::ConstantOp::create(
        builder, op.getLoc(), cast<TypedAttr>(builder.getZeroAttr(spec.type))));
  return states;
}

/// Why `op` cannot be split at `at`; empty if it can.
static std::string findObstacle(StatefulOpInterface op, int64_t at) {
  for (Type type : op->getOperandTypes())
    if (auto shaped = dyn_cast<ShapedType>(type);
        shaped && !shaped.hasStaticShape())
      return "its shapes are dynamic";
  if (!op.getStreamingObstacle().empty())
    return op.getStreamingObstacle();
  if (cast<ShapedType>(op->getResult(0).getType()).getDimSize(1) <= at)
    return "it has no tokens after the split";
  if (!op.getStates().empty() && op.getStateSpecs(1).front().append)
    return "its cache is already placed";
  return "";
}

/// Replaces `op` by two of its kind joined by their state.
static void splitAt(StatefulOpInterface op, int64_t at) {
  OpBuilder builder(op);
  int64_t tokens = cast<ShapedType>(op->getResult(0).getType()).getDimSize(1);
  SmallVector<Value> states = initialStates(builder, op, tokens);
  SmallVector<StatefulResult> parts;
  for (auto [begin, end] : {std::pair(int64_t(0), at), std::pair(at, tokens)}) {
    auto clone =
        cast<StatefulOpInterface>(cloneOnTokens(builder, op, begin, end));
    Value position =
        arith::ConstantIndexOp::create(builder, op.getLoc(), begin);
    parts.push_back(clone.threadState(builder, states, position));
    states = parts.back().states;
    clone->erase();
  }
  // What is no state runs along time.
  for (OpResult result : op->getResults()) {
    Value first = parts[0].results[result.getResultNumber()],
          second = parts[1].results[result.getResultNumber()];
    if (!llvm::is_contained(parts[1].states, second))
      second = tensor::ConcatOp::create(builder, op.getLoc(), result.getType(),
                                        1, ValueRange{first, second});
    result.replaceAllUsesWith(second);
  }
  op->erase();
}

namespace {
struct SplitAlongTime : linnet::impl::SplitAlongTimeBase<SplitAlongTime> {
  using SplitAlongTimeBase::SplitAlongTimeBase;

  void runOnOperation() override {
    SmallVector<StatefulOpInterface> ops;
    getOperation()->walk([&](StatefulOpInterface op) { ops.push_back(op); });
    for (StatefulOpInterface op : ops) {
      std::string obstacle = findObstacle(op, at);
      if (!obstacle.empty()) {
        ++declined;
        op->emitRemark("not split along time: ") << obstacle;
        continue;
      }
      remark::passed(op->getLoc(), remark::RemarkOpts::name("split along time")
                                       .category("linnet-split-along-time"))
          << remark::metric("At", int64_t(at));
      splitAt(op, at);
      ++split;
    }
  }
};
} // namespace
