//===- ConvolutionEval.cpp - time-invariant recurrences as convolutions ---===//

#include "ScanEval.h"

namespace linnet::reference {

static Status evalLongConv(ir::LongConvOp op, Scope &scope) {
  const HostTensor &x = scope.get(op.getInput());
  const HostTensor &filter = scope.get(op.getFilter());
  int64_t batch = x.shape[0], tokens = x.shape[1], channels = x.shape[2];
  int64_t rows = filter.shape[0], taps = filter.shape[1], before = taps - 1;
  if (taps < 1 || rows < 1 || channels % rows)
    return makeError("expected a filter [G, L] where G divides ", channels,
                     ", but got ", formatDims(filter.shape));
  const HostTensor *skip = op.getSkip() ? &scope.get(op.getSkip()) : nullptr;
  if (skip)
    if (Status status = expectShape("a skip", skip->shape, {channels}); !status)
      return status;
  Result<HostTensor> tail = makeZeros({batch, before, channels});
  if (!tail)
    return tail.error();
  if (op.getTail()) {
    const HostTensor &given = scope.get(op.getTail());
    if (Status status = expectShape("a tail", given.shape, tail->shape);
        !status)
      return status;
    tail->values = given.values;
  }
  HostTensor y = x, newTail = *tail;
  scope.interpreter.parallelFor(
      batch * channels, 2.0 * double(x.size()) * double(taps),
      [&](int64_t begin, int64_t end) {
        std::vector<double> inputs(before + tokens);
        for (int64_t item = begin; item < end; ++item) {
          int64_t b = item / channels, c = item % channels;
          for (int64_t t = 0; t < before; ++t)
            inputs[t] = tail->values[(b * before + t) * channels + c];
          for (int64_t t = 0; t < tokens; ++t)
            inputs[before + t] = x.values[(b * tokens + t) * channels + c];
          const double *h = filter.values.data() + c / (channels / rows) * taps;
          for (int64_t t = 0; t < tokens; ++t) {
            double sum = skip ? skip->values[c] * inputs[before + t] : 0;
            for (int64_t j = 0; j < taps; ++j)
              sum += h[j] * inputs[before + t - j];
            y.values[(b * tokens + t) * channels + c] = sum;
          }
          for (int64_t t = 0; t < before; ++t)
            newTail.values[(b * before + t) * channels + c] =
                inputs[tokens + t];
        }
      });
  if (Status status = scope.set(op.getResult(), std::move(y)); !status)
    return status;
  return scope.set(op.getNewTail(), std::move(newTail));
}

/// `tensor` with batch and time dimensions of one.
static HostTensor withBatchAndTime(const HostTensor &tensor) {
  HostTensor result = tensor;
  result.shape.insert(result.shape.begin(), 2, 1);
  return result;
}

/// The scan's answer to an impulse is the definition.
static Status evalSsmKernel(ir::SsmKernelOp op, Scope &scope) {
  auto type = mlir::cast<RankedTensorType>(op.getResult().getType());
  int64_t length = type.getDimSize(1), heads = op.getHeads(),
          width = op.getValueWidth();
  Result<HostTensor> impulse = makeZeros({1, length, heads, width});
  if (!impulse)
    return impulse.error();
  std::fill_n(impulse->values.begin(), heads * width, 1.0);
  HostTensor query = withBatchAndTime(scope.get(op.getQuery())),
             key = withBatchAndTime(scope.get(op.getKey()));
  std::vector<HostTensor> parameters;
  for (Value operand : op.getParameters())
    parameters.push_back(withBatchAndTime(scope.get(operand)));
  ScanTensors tensors{query, key, *impulse, op.getTransition()};
  for (const HostTensor &parameter : parameters)
    tensors.parameters.push_back(&parameter);
  tensors.scale = op.getScale().convertToDouble();
  Result<ScanOutputs> outputs = runScan(tensors, scope.interpreter);
  if (!outputs)
    return outputs.error();
  HostTensor filter = HostTensor::filled({heads * width, length});
  for (int64_t l = 0; l < length; ++l)
    for (int64_t c = 0; c < heads * width; ++c)
      filter.values[c * length + l] =
          outputs->result.values[l * heads * width + c];
  return scope.set(op.getResult(), std::move(filter));
}

void addConvolutionOps(OpTable &table) {
  table.add(evalLongConv);
  table.add(evalSsmKernel);
}

} // namespace linnet::reference
