//===- RecurrenceOps.cpp - recurrences that are not linear ----------------===//

#include "dialects/Linnet/Linnet.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace mlir::linnet;

/// Whether no dimension from `first` on is open.
static bool isStaticFrom(RankedTensorType type, int64_t first) {
  return llvm::none_of(type.getShape().drop_front(first),
                       ShapedType::isDynamic);
}

LogicalResult RecurrenceOp::verify() {
  if (getInputs().empty() || getOutputs().empty() || getFinal().empty())
    return emitOpError("expected inputs, outputs and states, but got ")
           << getInputs().size() << ", " << getOutputs().size() << " and "
           << getFinal().size();
  auto first = cast<RankedTensorType>(getInputs()[0].getType());
  for (Value value : llvm::concat<Value>(SmallVector<Value>(getInputs()),
                                         SmallVector<Value>(getOutputs()))) {
    auto type = cast<RankedTensorType>(value.getType());
    if (type.getRank() < 2 || first.getRank() < 2 || !isStaticFrom(type, 2) ||
        type.getShape().take_front(2) != first.getShape().take_front(2))
      return emitOpError("expected inputs and outputs [B, T, ...], open in "
                         "these two only, of the B and T of ")
             << first << ", but got " << type;
  }
  for (Type state : getFinal().getTypes()) {
    auto type = cast<RankedTensorType>(state);
    if (type.getRank() < 1 || !isStaticFrom(type, 1) ||
        type.getDimSize(0) != first.getDimSize(0))
      return emitOpError("expected states [B, ...], open in B only, of the B "
                         "of ")
             << first << ", but got " << type;
  }
  if (!getInitial().empty() && getInitial().getTypes() != getFinal().getTypes())
    return emitOpError("expected initial states of types ")
           << getFinal().getTypes() << ", but got " << getInitial().getTypes();
  return success();
}

/// The types of one token.
static void appendTokens(SmallVectorImpl<Type> &types, TypeRange sequences) {
  for (Type type : sequences) {
    auto tensor = cast<RankedTensorType>(type);
    SmallVector<int64_t> dims(tensor.getShape());
    dims.erase(dims.begin() + 1);
    types.push_back(tensor.clone(dims));
  }
}

FunctionType RecurrenceOp::getCellType() {
  SmallVector<Type> arguments, results;
  appendTokens(arguments, getInputs().getTypes());
  llvm::append_range(arguments, getInvariants().getTypes());
  llvm::append_range(arguments, getFinal().getTypes());
  appendTokens(results, getOutputs().getTypes());
  llvm::append_range(results, getFinal().getTypes());
  return FunctionType::get(getContext(), arguments, results);
}

LogicalResult RecurrenceOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto cell =
      symbols.lookupNearestSymbolFrom<func::FuncOp>(*this, getCellAttr());
  if (!cell)
    return emitOpError("expected a function, but found no ") << getCellAttr();
  if (cell.getFunctionType() != getCellType())
    return emitOpError("expected ")
           << getCellAttr() << " to have type " << getCellType() << ", but got "
           << cell.getFunctionType();
  return success();
}

SmallVector<StateSpec> RecurrenceOp::getStateSpecs(int64_t) {
  SmallVector<StateSpec> specs;
  for (auto [number, type] : llvm::enumerate(getFinal().getTypes()))
    specs.push_back({(getCell() + "." + Twine(number)).str(),
                     cast<RankedTensorType>(type), false});
  return specs;
}

std::string RecurrenceOp::getStreamingObstacle() {
  return getReverse() ? "it runs from the last token to the first" : "";
}

ValueRange RecurrenceOp::getStates() { return getInitial(); }

SmallVector<unsigned> RecurrenceOp::getTimeOperands() {
  return llvm::to_vector(llvm::seq<unsigned>(0, getInputs().size()));
}

StatefulResult RecurrenceOp::threadState(OpBuilder &builder, ValueRange states,
                                         Value) {
  // The number of tokens is the inputs': they may be a part of what they were.
  int64_t tokens =
      cast<RankedTensorType>(getInputs()[0].getType()).getDimSize(1);
  SmallVector<Type> outputs;
  for (Type type : getOutputs().getTypes()) {
    auto tensor = cast<RankedTensorType>(type);
    SmallVector<int64_t> dims(tensor.getShape());
    dims[1] = tokens;
    outputs.push_back(tensor.clone(dims));
  }
  auto threaded = RecurrenceOp::create(
      builder, getLoc(), outputs, getFinal().getTypes(), getCellAttr(),
      getInputs(), getInvariants(), states, getReverseAttr());
  return {SmallVector<Value>(threaded.getResults()),
          SmallVector<Value>(threaded.getFinal())};
}
