//===- WeightOps.cpp - weights by reference, stacks of layers -------------===//

#include "dialects/Linnet/Linnet.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;
using namespace mlir::linnet;

/// `key` with `number` for every `placeholder`.
static std::string resolve(StringRef key, StringRef placeholder,
                           int64_t number) {
  std::string resolved;
  while (true) {
    auto [head, tail] = key.split(placeholder);
    resolved += head;
    if (head.size() == key.size())
      return resolved;
    resolved += std::to_string(number);
    key = tail;
  }
}

std::string linnet::resolveWeightKey(StringRef key, int64_t layer) {
  return resolve(key, "{}", layer);
}

std::string linnet::resolveMemberKey(StringRef key, int64_t member) {
  return resolve(key, kMember, member);
}

LogicalResult WeightOp::verify() {
  if (getKey().empty())
    return emitOpError("expected a non-empty key");
  bool templated = getKey().contains("{}");
  if (templated && !getLayer())
    return emitOpError("expected a layer operand for key '") << getKey() << "'";
  if (!templated && getLayer())
    return emitOpError(
               "expected '{}' in the key of a weight with a layer, but got '")
           << getKey() << "'";
  auto type = cast<RankedTensorType>(getResult().getType());
  if (isStacked() && (type.getRank() == 0 || type.getDimSize(0) < 1))
    return emitOpError("expected a first dimension of members for key '")
           << getKey() << "', but got " << type;
  return success();
}

LogicalResult StackOp::verify() {
  int32_t count = getFunctions().size();
  for (int32_t entry : getOrder())
    if (entry < 0 || entry >= count)
      return emitOpError("expected entries of order below ")
             << count << ", but got " << entry;
  if (getResults().size() != getCarried().size() + getStates().size())
    return emitOpError("expected ")
           << getCarried().size() + getStates().size()
           << " results, one per carried value and state, but got "
           << getResults().size();
  SmallVector<Type> expected(getCarried().getTypes());
  llvm::append_range(expected, getStates().getTypes());
  for (auto [index, pair] :
       llvm::enumerate(llvm::zip(expected, getResultTypes())))
    if (std::get<0>(pair) != std::get<1>(pair))
      return emitOpError("expected result ")
             << index << " to have type " << std::get<0>(pair) << ", but got "
             << std::get<1>(pair);
  return success();
}

LogicalResult StackOp::verifySymbolUses(SymbolTableCollection &symbols) {
  SmallVector<Type> expected(getCarried().getTypes());
  expected.push_back(IndexType::get(getContext()));
  llvm::append_range(expected, getInvariants().getTypes());
  size_t state = 0;
  for (auto [number, attr] : llvm::enumerate(getFunctions())) {
    auto name = cast<FlatSymbolRefAttr>(attr);
    auto callee = symbols.lookupNearestSymbolFrom<func::FuncOp>(*this, name);
    if (!callee)
      return emitOpError("expected a function, but found no ") << name;
    ArrayRef<Type> inputs = callee.getArgumentTypes();
    if (inputs.size() < expected.size() ||
        inputs.take_front(expected.size()) != ArrayRef<Type>(expected))
      return emitOpError("expected ")
             << name << " to take the carried values, a layer number and the "
             << "invariant values, but got " << callee.getFunctionType();
    SmallVector<Type> returned(getCarried().getTypes());
    llvm::append_range(returned, inputs.drop_front(expected.size()));
    if (callee.getResultTypes() != ArrayRef<Type>(returned))
      return emitOpError("expected ")
             << name << " to return the carried values and its states, but got "
             << callee.getFunctionType();
    int64_t layers = llvm::count(getOrder(), int32_t(number));
    for (Type type : inputs.drop_front(expected.size())) {
      if (state >= getStates().size())
        return emitOpError("expected a state operand for each state of ")
               << name;
      auto stacked = cast<RankedTensorType>(getStates()[state].getType());
      auto single = dyn_cast<RankedTensorType>(type);
      if (!single || stacked.getRank() == 0 ||
          stacked.getDimSize(0) != layers ||
          stacked.getShape().drop_front() != single.getShape() ||
          stacked.getElementType() != single.getElementType())
        return emitOpError("expected state ")
               << state << " to be " << layers << " times " << type
               << ", but got " << stacked;
      ++state;
    }
  }
  if (state != getStates().size())
    return emitOpError("expected ")
           << state << " states, but got " << getStates().size();
  return success();
}
