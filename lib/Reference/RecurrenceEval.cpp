//===- RecurrenceEval.cpp - a cell applied token by token -----------------===//

#include "Interpreter.h"

#include <algorithm>

namespace linnet::reference {
namespace {

/// A tensor [B, T, ...] as B rows of T tokens.
struct Sequence {
  explicit Sequence(const std::vector<int64_t> &shape)
      : batch(shape[0]), tokens(shape[1]), token{shape[0]} {
    token.insert(token.end(), shape.begin() + 2, shape.end());
    for (size_t d = 1; d < token.size(); ++d)
      entries *= token[d];
  }
  /// Calls body(offset in [B, T, ...], offset in [B, ...]) per row.
  void forRows(int64_t t,
               llvm::function_ref<void(int64_t, int64_t)> body) const {
    for (int64_t b = 0; b < batch; ++b)
      body((b * tokens + t) * entries, b * entries);
  }

  int64_t batch, tokens, entries = 1;
  std::vector<int64_t> token;
};

} // namespace

static TensorRef tokenOf(const HostTensor &tensor, int64_t t) {
  Sequence sequence(tensor.shape);
  std::vector<double> values(size_t(sequence.batch * sequence.entries));
  sequence.forRows(t, [&](int64_t from, int64_t to) {
    std::copy_n(tensor.values.begin() + from, sequence.entries,
                values.begin() + to);
  });
  return std::make_shared<HostTensor>(sequence.token, std::move(values));
}

/// `type` with the sizes that are open: B, and T in dimension 1.
static Result<HostTensor> zerosOf(Type type, int64_t batch, int64_t tokens) {
  std::vector<int64_t> shape =
      mlir::cast<RankedTensorType>(type).getShape().vec();
  for (auto [d, size] : llvm::enumerate(shape))
    if (mlir::ShapedType::isDynamic(size))
      size = d == 0 ? batch : tokens;
  return makeZeros(shape);
}

static Status evalRecurrence(ir::RecurrenceOp op, Scope &scope) {
  const HostTensor &first = scope.get(op.getInputs()[0]);
  int64_t batch = first.shape[0], tokens = first.shape[1];
  for (Value input : op.getInputs()) {
    const std::vector<int64_t> &shape = scope.get(input).shape;
    if (shape[0] != batch || shape[1] != tokens)
      return makeError("expected inputs of ", batch, " times ", tokens,
                       " tokens, but got ", formatDims(shape));
  }
  std::vector<TensorRef> states;
  for (auto [number, type] : llvm::enumerate(op.getFinal().getTypes())) {
    Result<HostTensor> zeros = zerosOf(type, batch, tokens);
    if (!zeros)
      return zeros.error();
    if (op.getInitial().empty()) {
      states.push_back(std::make_shared<HostTensor>(zeros.take()));
      continue;
    }
    states.push_back(scope.getRef(op.getInitial()[number]));
    if (Status status =
            expectShape("an initial state", states.back()->shape, zeros->shape);
        !status)
      return status;
  }
  std::vector<HostTensor> outputs;
  for (Type type : op.getOutputs().getTypes()) {
    Result<HostTensor> zeros = zerosOf(type, batch, tokens);
    if (!zeros)
      return zeros.error();
    outputs.push_back(zeros.take());
  }
  for (int64_t step = 0; step < tokens; ++step) {
    int64_t t = op.getReverse() ? tokens - 1 - step : step;
    std::vector<TensorRef> arguments;
    for (Value input : op.getInputs())
      arguments.push_back(tokenOf(scope.get(input), t));
    for (Value value : op.getInvariants())
      arguments.push_back(scope.getRef(value));
    llvm::append_range(arguments, states);
    Result<std::vector<TensorRef>> results =
        scope.interpreter.call(op.getCell(), std::move(arguments));
    if (!results)
      return makeError("token ", t, ": ", results.error().str());
    for (auto [output, result] : llvm::zip(outputs, *results)) {
      Sequence sequence(output.shape);
      if (Status status = expectShape("a token", result->shape, sequence.token);
          !status)
        return status;
      sequence.forRows(t, [&](int64_t to, int64_t from) {
        std::copy_n(result->values.begin() + from, sequence.entries,
                    output.values.begin() + to);
      });
    }
    states.assign(results->begin() + outputs.size(), results->end());
  }
  for (auto [value, output] : llvm::zip(op.getOutputs(), outputs))
    if (Status status = scope.set(value, std::move(output)); !status)
      return status;
  for (auto [value, state] : llvm::zip(op.getFinal(), states))
    if (Status status = scope.set(value, state); !status)
      return status;
  return {};
}

void addRecurrenceOps(OpTable &table) { table.add(evalRecurrence); }

} // namespace linnet::reference
