//===- FunctionEval.cpp - calls, weights and stacks of layers -------------===//

#include "Interpreter.h"

#include "linnet/Support/SeededBasis.h"

#include <algorithm>

namespace linnet::reference {

/// Sets the results of `op`, one tensor each.
static Status setResults(Operation *op, std::vector<TensorRef> tensors,
                         Scope &scope) {
  for (auto [result, tensor] : llvm::zip_equal(op->getResults(), tensors))
    if (Status status = scope.set(result, std::move(tensor)); !status)
      return status;
  return {};
}

static Status evalCall(mlir::func::CallOp op, Scope &scope) {
  std::vector<TensorRef> arguments;
  for (Value operand : op.getOperands())
    arguments.push_back(scope.getRef(operand));
  Result<std::vector<TensorRef>> results =
      scope.interpreter.call(op.getCallee(), std::move(arguments));
  if (!results)
    return results.error();
  return setResults(op, results.take(), scope);
}

static Status evalWeight(ir::WeightOp op, Scope &scope) {
  std::string key = op.getKey().str();
  if (op.getLayer())
    key = ir::resolveWeightKey(key, scope.getIndex(op.getLayer()));
  Result<TensorRef> weight = scope.interpreter.loadWeight(
      key, mlir::cast<RankedTensorType>(op.getType()));
  if (!weight)
    return weight.error();
  return scope.set(op.getResult(), weight.take());
}

static Status evalSeededBasis(ir::SeededBasisOp op, Scope &scope) {
  ArrayRef<int64_t> shape =
      mlir::cast<RankedTensorType>(op.getType()).getShape();
  Result<HostTensor> basis = makeZeros({shape[0], shape[1]});
  if (!basis)
    return basis.error();
  for (int64_t row = 0; row < shape[0]; ++row)
    fillBasisRow(op.getSeed(), row, shape[1],
                 basis->values.data() + row * shape[1]);
  return scope.set(op.getResult(), basis.take());
}

namespace {
/// A state operand of a stack on its way through the layers.
struct StackedState {
  HostTensor stacked;

  int64_t sliceSize() const { return stacked.size() / stacked.shape[0]; }

  TensorRef slice(int64_t layer) const {
    auto first = stacked.values.begin() + layer * sliceSize();
    return std::make_shared<HostTensor>(
        std::vector<int64_t>(stacked.shape.begin() + 1, stacked.shape.end()),
        std::vector<double>(first, first + sliceSize()));
  }

  Status replace(int64_t layer, const HostTensor &state) {
    Status status = expectShape("a new state", state.shape,
                                ArrayRef<int64_t>(stacked.shape).drop_front());
    if (status)
      llvm::copy(state.values, stacked.values.begin() + layer * sliceSize());
    return status;
  }
};
} // namespace

static Status evalStack(ir::StackOp op, Scope &scope) {
  std::vector<TensorRef> carried;
  for (Value value : op.getCarried())
    carried.push_back(scope.getRef(value));
  std::vector<StackedState> states;
  for (Value value : op.getStates())
    states.push_back({scope.get(value)});

  // The states of function f are firstState[f] .. firstState[f + 1].
  size_t plain = op.getCarried().size() + 1 + op.getInvariants().size();
  auto module = op->getParentOfType<mlir::ModuleOp>();
  std::vector<size_t> firstState{0};
  for (mlir::Attribute name : op.getFunctions()) {
    auto callee = module.lookupSymbol<mlir::func::FuncOp>(
        mlir::cast<mlir::FlatSymbolRefAttr>(name));
    firstState.push_back(firstState.back() + callee.getNumArguments() - plain);
  }

  std::vector<int64_t> occurrences(op.getFunctions().size(), 0);
  for (auto [layer, number] : llvm::enumerate(op.getOrder())) {
    int64_t occurrence = occurrences[number]++;
    std::vector<TensorRef> arguments = carried;
    arguments.push_back(
        std::make_shared<HostTensor>(HostTensor::scalar(double(layer))));
    for (Value value : op.getInvariants())
      arguments.push_back(scope.getRef(value));
    for (size_t s = firstState[number]; s < firstState[number + 1]; ++s)
      arguments.push_back(states[s].slice(occurrence));
    auto name = mlir::cast<mlir::FlatSymbolRefAttr>(op.getFunctions()[number]);
    Result<std::vector<TensorRef>> results =
        scope.interpreter.call(name.getValue(), std::move(arguments));
    if (!results)
      return makeError("layer ", layer, ": ", results.error().str());
    size_t stateCount = firstState[number + 1] - firstState[number];
    if (results->size() != carried.size() + stateCount)
      return makeError("layer ", layer, ": expected @", name.getValue().str(),
                       " to return ", carried.size() + stateCount,
                       " values, but got ", results->size());
    std::copy_n(results->begin(), carried.size(), carried.begin());
    for (size_t s = 0; s < stateCount; ++s)
      if (Status status = states[firstState[number] + s].replace(
              occurrence, *(*results)[carried.size() + s]);
          !status)
        return status;
  }
  for (StackedState &state : states)
    carried.push_back(std::make_shared<HostTensor>(std::move(state.stacked)));
  return setResults(op, std::move(carried), scope);
}

void addFunctionOps(OpTable &table) {
  table.add(evalCall);
  table.add(evalWeight);
  table.add(evalSeededBasis);
  table.add(evalStack);
}

} // namespace linnet::reference
