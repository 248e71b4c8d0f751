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

//===----------------------------------------------------------------------===//
// ssm_kernel
//===----------------------------------------------------------------------===//

int64_t SsmKernelOp::getValueWidth() {
  int64_t width = 1;
  for (auto [operand, letters] :
       llvm::zip(getParameters(), getTransition().getOperandDims())) {
    auto type = cast<RankedTensorType>(operand.getType());
    // The letters start with the time, which the operand lacks.
    size_t d = letters.drop_front().find('v');
    if (d != StringRef::npos && int64_t(d) < type.getRank())
      width = std::max(width, type.getDimSize(d));
  }
  return width;
}

int64_t SsmKernelOp::getHeads() {
  return cast<RankedTensorType>(getResult().getType()).getDimSize(0) /
         getValueWidth();
}

LogicalResult SsmKernelOp::verify() {
  auto result = cast<RankedTensorType>(getResult().getType());
  for (Type type : getOperation()->getOperandTypes())
    if (!cast<RankedTensorType>(type).hasStaticShape())
      return emitOpError("expected static shapes, but got ") << type;
  SmallVector<StringRef> dims = getTransition().getOperandDims();
  if (dims.size() != getParameters().size())
    return emitOpError("expected ")
           << dims.size() << " transition operands, but got "
           << getParameters().size();
  int64_t width = getValueWidth();
  if (!result.hasStaticShape() || result.getDimSize(1) < 1 ||
      result.getDimSize(0) < 1 || result.getDimSize(0) % width)
    return emitOpError("expected a filter [H ")
           << width << ", L], L >= 1, but got " << result;
  int64_t keys = cast<RankedTensorType>(getKey().getType()).getDimSize(1);
  bool isComplex = getTransition().getNormalForm().hasPhase();
  if (isComplex && keys % 2)
    return emitOpError("expected an even key width for a complex state, but "
                       "got ")
           << keys;
  auto check = [&](const Twine &name, Value operand,
                   StringRef letters) -> LogicalResult {
    auto type = cast<RankedTensorType>(operand.getType());
    bool fits = type.getRank() == int64_t(letters.size());
    for (int64_t d = 0; fits && d < type.getRank(); ++d) {
      char letter = letters[d];
      int64_t full = letter == 'h'   ? getHeads()
                     : letter == 'p' ? keys / 2
                     : letter == 'v' ? width
                                     : keys;
      fits = fitsByBroadcast(letter, type.getDimSize(d), full);
    }
    if (fits)
      return success();
    InFlightDiagnostic diag = emitOpError("expected ") << name << " of shape [";
    llvm::interleaveComma(letters, diag, [&](char letter) {
      diag << StringRef(&letter, 1).upper();
    });
    return diag << "] (or a size that broadcasts), but got " << type;
  };
  if (failed(check("the key", getKey(), "hk")) ||
      failed(check("the query", getQuery(), "hk")))
    return failure();
  for (auto [index, operand] : llvm::enumerate(getParameters()))
    if (failed(check("transition operand " + Twine(index), operand,
                     dims[index].drop_front())))
      return failure();
  return success();
}
