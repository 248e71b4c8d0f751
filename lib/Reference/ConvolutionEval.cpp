//===- ConvolutionEval.cpp - time-invariant recurrences as convolutions ---===//

#include "Interpreter.h"

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

void addConvolutionOps(OpTable &table) { table.add(evalLongConv); }

} // namespace linnet::reference
