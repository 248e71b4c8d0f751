//===- ConvolutionOps.cpp - time-invariant recurrences as convolutions ----===//

#include "dialects/Linnet/Linnet.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace mlir::linnet;

//===----------------------------------------------------------------------===//
// long_conv
//===----------------------------------------------------------------------===//

static RankedTensorType tailType(Value input, Value filter) {
  auto x = cast<RankedTensorType>(input.getType());
  int64_t taps = cast<RankedTensorType>(filter.getType()).getDimSize(1);
  return RankedTensorType::get({x.getDimSize(0),
                                ShapedType::isDynamic(taps) ? taps : taps - 1,
                                x.getDimSize(2)},
                               x.getElementType());
}

LogicalResult LongConvOp::inferReturnTypes(MLIRContext *,
                                           std::optional<Location> loc,
                                           Adaptor adaptor,
                                           SmallVectorImpl<Type> &types) {
  if (cast<RankedTensorType>(adaptor.getFilter().getType()).getDimSize(1) == 0)
    return emitOptionalError(loc, "expected a filter [G, L], L >= 1");
  types.push_back(adaptor.getInput().getType());
  types.push_back(tailType(adaptor.getInput(), adaptor.getFilter()));
  return success();
}

LogicalResult LongConvOp::verify() {
  auto x = cast<RankedTensorType>(getInput().getType());
  auto filter = cast<RankedTensorType>(getFilter().getType());
  if (!fitsByBroadcast('h', filter.getDimSize(0), x.getDimSize(2)))
    return emitOpError("expected a filter [G, L] where G divides ")
           << x.getDimSize(2) << ", but got " << filter;
  if (getSkip() && failed(verifyCompatibleShape(
                       cast<ShapedType>(getSkip().getType()).getShape(),
                       x.getShape().take_back())))
    return emitOpError("expected a skip [")
           << x.getDimSize(2) << "], but got " << getSkip().getType();
  auto want = tailType(getInput(), getFilter());
  if (getTail() &&
      failed(verifyCompatibleShape(
          cast<ShapedType>(getTail().getType()).getShape(), want.getShape())))
    return emitOpError("expected a tail ")
           << want << ", but got " << getTail().getType();
  return success();
}

SmallVector<StateSpec> LongConvOp::getStateSpecs(int64_t) {
  return {{"tail", cast<RankedTensorType>(getNewTail().getType()), false}};
}

std::string LongConvOp::getStreamingObstacle() { return ""; }

ValueRange LongConvOp::getStates() { return OperandRange(getTailMutable()); }

SmallVector<unsigned> LongConvOp::getTimeOperands() { return {0}; }

StatefulResult LongConvOp::threadState(OpBuilder &builder, ValueRange states,
                                       Value) {
  auto threaded = LongConvOp::create(builder, getLoc(), getInput(), getFilter(),
                                     getSkip(), states[0]);
  return {{threaded.getResult(), threaded.getNewTail()},
          {threaded.getNewTail()}};
}
