//===- NormOps.cpp - norms, activations, rotary ---------------------------===//

#include "dialects/Linnet/Linnet.h"

using namespace mlir;
using namespace mlir::linnet;

LogicalResult NormOp::inferReturnTypes(MLIRContext *, std::optional<Location>,
                                       Adaptor adaptor,
                                       SmallVectorImpl<Type> &types) {
  types.push_back(adaptor.getInput().getType());
  return success();
}

LogicalResult NormOp::verify() {
  auto type = cast<RankedTensorType>(getInput().getType());
  if (type.getRank() == 0 || type.isDynamicDim(type.getRank() - 1))
    return emitOpError("expected a static last dimension, but got ") << type;
  int64_t width = type.getShape().back();
  if (width % static_cast<int64_t>(getGroups()))
    return emitOpError("expected groups to divide ")
           << width << ", but got " << getGroups();
  for (Value operand : {getWeight(), getBias()})
    if (operand && cast<ShapedType>(operand.getType()).getDimSize(0) != width)
      return emitOpError("expected weight and bias of shape [")
             << width << "], but got " << operand.getType();
  if (getGate() && getGate().getType() != type)
    return emitOpError("expected a gate of type ")
           << type << ", but got " << getGate().getType();
  if (getUnitOffset() && !getWeight())
    return emitOpError("expected a weight with unit_offset");
  return success();
}

LogicalResult ActivationOp::inferReturnTypes(MLIRContext *,
                                             std::optional<Location>,
                                             Adaptor adaptor,
                                             SmallVectorImpl<Type> &types) {
  types.push_back(adaptor.getInput().getType());
  return success();
}

LogicalResult GluOp::inferReturnTypes(MLIRContext *, std::optional<Location>,
                                      Adaptor adaptor,
                                      SmallVectorImpl<Type> &types) {
  types.push_back(adaptor.getGate().getType());
  return success();
}

LogicalResult ThresholdOp::inferReturnTypes(MLIRContext *,
                                            std::optional<Location>,
                                            Adaptor adaptor,
                                            SmallVectorImpl<Type> &types) {
  types.push_back(adaptor.getInput().getType());
  return success();
}

LogicalResult ThresholdOp::verify() {
  auto type = cast<RankedTensorType>(getInput().getType());
  int64_t count = cast<ShapedType>(getThresholds().getType()).getDimSize(0);
  if (type.getRank() == 0 || ShapedType::isDynamic(count) ||
      type.getShape().back() != count)
    return emitOpError("expected as many thresholds as the input has columns, "
                       "but got ")
           << getThresholds().getType() << " for " << type;
  return success();
}

LogicalResult RotaryOp::inferReturnTypes(MLIRContext *, std::optional<Location>,
                                         Adaptor adaptor,
                                         SmallVectorImpl<Type> &types) {
  types.push_back(adaptor.getInput().getType());
  return success();
}

LogicalResult RotaryOp::verify() {
  auto type = cast<RankedTensorType>(getInput().getType());
  if (type.getRank() != 4 || type.isDynamicDim(3))
    return emitOpError("expected an input [B, T, H, D] of static D, but got ")
           << type;
  int64_t pairs = getInverseFrequencies().size();
  if (2 * pairs > type.getDimSize(3))
    return emitOpError("expected at most ")
           << type.getDimSize(3) / 2 << " inverse frequencies, but got "
           << pairs;
  return success();
}
