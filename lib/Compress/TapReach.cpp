//===- TapReach.cpp - where the outputs of maps go ------------------------===//

#include "TapReach.h"

#include "LinearMaps.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

namespace linnet::compress {

namespace ir = mlir::linnet;
using mlir::Value;

/// The only use of `value`, through operations that `passes`; null if there are
/// others.
static mlir::OpOperand *
follow(Value value, llvm::function_ref<bool(mlir::OpOperand &)> passes) {
  while (value.hasOneUse()) {
    mlir::OpOperand &use = *value.use_begin();
    if (!passes(use))
      return &use;
    value = use.getOwner()->getResult(0);
  }
  return nullptr;
}

/// Through changes of shape and rotations of pairs.
static mlir::OpOperand *followHeads(Value value) {
  return follow(value, [](mlir::OpOperand &use) {
    return use.getOperandNumber() == 0 &&
           mlir::isa<mlir::tensor::ExpandShapeOp, mlir::tensor::CollapseShapeOp,
                     ir::RotaryOp>(use.getOwner());
  });
}

/// The map that has its input by `use`; null if that is none.
static ir::LinearOp consumerOf(mlir::OpOperand *use) {
  return use && use->getOperandNumber() == 0
             ? mlir::dyn_cast<ir::LinearOp>(use->getOwner())
             : ir::LinearOp();
}

static std::optional<MapReach> findAttention(ir::LinearOp map) {
  mlir::OpOperand *use = followHeads(map.getResult());
  auto attention = use ? mlir::dyn_cast<ir::AttentionOp>(use->getOwner())
                       : ir::AttentionOp();
  if (!attention || !attention.getValue())
    return std::nullopt;
  Value given = use->get();
  if (mlir::cast<mlir::ShapedType>(given.getType()).getRank() != 4)
    return std::nullopt;
  if (given == attention.getQuery())
    return MapReach{ReachKind::Queries, {}, attention};
  if (given == attention.getKey())
    return MapReach{ReachKind::Keys, {}, attention};
  if (given != attention.getValue())
    return std::nullopt;
  ir::LinearOp consumer = consumerOf(followHeads(attention.getResult()));
  if (!consumer)
    return std::nullopt;
  return MapReach{ReachKind::Values, consumer, attention};
}

std::optional<MapReach> findReach(ir::LinearOp map) {
  mlir::OpOperand *use = follow(map.getResult(), [](mlir::OpOperand &use) {
    return isElementwise(use.getOwner());
  });
  if (ir::LinearOp consumer = consumerOf(use))
    if (producersOf(consumer.getInput()).contains(map))
      return MapReach{ReachKind::Channels, consumer, {}};
  return findAttention(map);
}

ShiftedInput::ShiftedInput(ir::LinearOp map, ir::LinearOp consumer)
    : builder(consumer) {
  auto result = mlir::cast<mlir::RankedTensorType>(map.getResult().getType());
  auto matrix = map.getFactors()[0].getDefiningOp<ir::WeightOp>();
  auto bias = map.getBias() ? map.getBias().getDefiningOp<ir::WeightOp>()
                            : ir::WeightOp();
  auto shift = ir::WeightOp::create(
      builder, map.getLoc(),
      mlir::RankedTensorType::get({result.getShape().back()},
                                  builder.getF32Type()),
      ((bias ? bias : matrix).getKey() + kShiftedKey).str(), matrix.getLayer());
  added.push_back(shift);
  auto other = ir::LinearOp::create(builder, map.getLoc(), map.getInput(),
                                    map.getFactors(), shift.getResult(),
                                    map.getStructure());
  added.push_back(other);
  known[map.getResult()] = other.getResult();
  shifted = this->shift(consumer.getInput());
}

ShiftedInput::~ShiftedInput() {
  for (mlir::Operation *op : llvm::reverse(added))
    op->erase();
}

/// `value` as it becomes.
Value ShiftedInput::shift(Value value) {
  if (auto place = known.find(value); place != known.end())
    return place->second;
  mlir::Operation *op = value.getDefiningOp();
  Value result = value;
  if (op && isElementwise(op)) {
    mlir::IRMapping mapping;
    bool isChanged = false;
    for (Value operand : op->getOperands()) {
      Value now = shift(operand);
      isChanged |= now != operand;
      mapping.map(operand, now);
    }
    if (isChanged) {
      added.push_back(builder.clone(*op, mapping));
      result = added.back()->getResult(0);
    }
  }
  known[value] = result;
  return result;
}

} // namespace linnet::compress
