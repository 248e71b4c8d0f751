//===- AccumulateOps.cpp - running sums in the log domain -----------------===//

#include "dialects/Linnet/Linnet.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace mlir::linnet;

static RankedTensorType stateType(Value input) {
  auto x = cast<RankedTensorType>(input.getType());
  return RankedTensorType::get({x.getDimSize(0), 2, x.getDimSize(2)},
                               x.getElementType());
}

LogicalResult LogCumsumExpOp::inferReturnTypes(MLIRContext *,
                                               std::optional<Location>,
                                               Adaptor adaptor,
                                               SmallVectorImpl<Type> &types) {
  types.append(2, adaptor.getInput().getType());
  types.push_back(stateType(adaptor.getInput()));
  return success();
}

LogicalResult LogCumsumExpOp::verify() {
  auto x = cast<RankedTensorType>(getInput().getType());
  if (getDecay()) {
    auto decay = cast<RankedTensorType>(getDecay().getType());
    for (auto [letter, size, full] :
         llvm::zip(StringRef("btc"), decay.getShape(), x.getShape()))
      if (!fitsByBroadcast(letter, size, full))
        return emitOpError("expected a decay that fits ")
               << x << " (or a size that broadcasts), but got " << decay;
  }
  RankedTensorType want = stateType(getInput());
  if (getInitial() && failed(verifyCompatibleShape(
                          cast<ShapedType>(getInitial().getType()).getShape(),
                          want.getShape())))
    return emitOpError("expected a state ")
           << want << ", but got " << getInitial().getType();
  return success();
}

SmallVector<StateSpec> LogCumsumExpOp::getStateSpecs(int64_t) {
  return {{"state", cast<RankedTensorType>(getState().getType()), false}};
}

std::string LogCumsumExpOp::getStreamingObstacle() { return ""; }

ValueRange LogCumsumExpOp::getStates() {
  return OperandRange(getInitialMutable());
}

SmallVector<unsigned> LogCumsumExpOp::getTimeOperands() {
  SmallVector<unsigned> numbers{0};
  auto tokens = [](Value value) {
    return cast<RankedTensorType>(value.getType()).getDimSize(1);
  };
  if (getDecay() && (tokens(getDecay()) != 1 || tokens(getInput()) == 1))
    numbers.push_back(1);
  return numbers;
}

StatefulResult LogCumsumExpOp::threadState(OpBuilder &builder,
                                           ValueRange states, Value) {
  auto threaded = LogCumsumExpOp::create(
      builder, getLoc(), getInput(), getDecay(), states[0], getMaximumAttr());
  return {{threaded.getResult(), threaded.getBefore(), threaded.getState()},
          {threaded.getState()}};
}
