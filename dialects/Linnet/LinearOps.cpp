//===- LinearOps.cpp - linear maps and lookups ----------------------------===//

#include "dialects/Linnet/Linnet.h"

using namespace mlir;
using namespace mlir::linnet;

LogicalResult LinearOp::inferReturnTypes(MLIRContext *,
                                         std::optional<Location> loc,
                                         Adaptor adaptor,
                                         SmallVectorImpl<Type> &types) {
  auto input = cast<RankedTensorType>(adaptor.getInput().getType());
  Location where = loc.value_or(UnknownLoc::get(input.getContext()));
  auto error = [&] { return mlir::emitError(where); };
  auto shape =
      adaptor.getStructure().inferShape(adaptor.getFactors().getTypes(), error);
  if (failed(shape))
    return failure();
  if (input.getRank() == 0)
    return error() << "expected an input of rank 1 or more";
  SmallVector<int64_t> dims(input.getShape());
  dims.back() = shape->out;
  types.push_back(RankedTensorType::get(dims, input.getElementType()));
  return success();
}

LogicalResult LinearOp::verify() {
  auto shape = getStructure().inferShape(getFactors().getTypes(),
                                         [&] { return emitOpError(); });
  if (failed(shape))
    return failure();
  auto input = cast<RankedTensorType>(getInput().getType());
  if (input.getRank() == 0 || input.getShape().back() != shape->in)
    return emitOpError("expected the input's last dimension to be ")
           << shape->in << ", but got " << input;
  if (!getBias())
    return success();
  ArrayRef<int64_t> bias = cast<ShapedType>(getBias().getType()).getShape();
  if (bias != ArrayRef<int64_t>{shape->out})
    return emitOpError("expected the bias to have shape [")
           << shape->out << "], but got " << getBias().getType();
  return success();
}

LogicalResult EmbeddingOp::inferReturnTypes(MLIRContext *context,
                                            std::optional<Location>,
                                            Adaptor adaptor,
                                            SmallVectorImpl<Type> &types) {
  SmallVector<int64_t> dims(
      cast<ShapedType>(adaptor.getIds().getType()).getShape());
  dims.push_back(cast<ShapedType>(adaptor.getTable().getType()).getDimSize(1));
  types.push_back(RankedTensorType::get(dims, Float32Type::get(context)));
  return success();
}

LogicalResult PositionsOp::inferReturnTypes(MLIRContext *context,
                                            std::optional<Location>,
                                            Adaptor adaptor,
                                            SmallVectorImpl<Type> &types) {
  types.push_back(RankedTensorType::get(
      cast<ShapedType>(adaptor.getIds().getType()).getShape(),
      IntegerType::get(context, 32)));
  return success();
}
