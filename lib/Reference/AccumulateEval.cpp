//===- AccumulateEval.cpp - running sums in the log domain ----------------===//

#include "Interpreter.h"

#include <cmath>
#include <limits>

namespace linnet::reference {

/// log(e^a + e^b); NaN and infinities as the formula has them.
static double logAddExp(double a, double b) {
  if (std::isnan(a) || std::isnan(b))
    return a + b;
  double high = std::max(a, b);
  return a == b ? high + std::log(2.0)
                : high + std::log1p(std::exp(std::min(a, b) - high));
}

static double maximum(double a, double b) {
  return std::isnan(a) || std::isnan(b) ? a + b : std::max(a, b);
}

static Status evalLogCumsumExp(ir::LogCumsumExpOp op, Scope &scope) {
  const HostTensor &x = scope.get(op.getInput());
  int64_t batch = x.shape[0], tokens = x.shape[1], channels = x.shape[2];
  Result<HostTensor> state = makeZeros({batch, 2, channels});
  if (!state)
    return state.error();
  if (op.getInitial()) {
    const HostTensor &given = scope.get(op.getInitial());
    if (Status status = expectShape("a state", given.shape, state->shape);
        !status)
      return status;
    state->values = given.values;
  }
  const HostTensor *decay = op.getDecay() ? &scope.get(op.getDecay()) : nullptr;
  for (int d = 0; decay && d < 3; ++d)
    if (decay->shape[d] != x.shape[d] && decay->shape[d] != 1)
      return expectShape("a decay", decay->shape, x.shape);
  auto decayAt = [&](int64_t b, int64_t t, int64_t c) {
    if (!decay)
      return 0.0;
    const std::vector<int64_t> &s = decay->shape;
    return decay
        ->values[((s[0] == 1 ? 0 : b) * s[1] + (s[1] == 1 ? 0 : t)) * s[2] +
                 (s[2] == 1 ? 0 : c)];
  };
  HostTensor z = x, before = x;
  constexpr double kEmpty = -std::numeric_limits<double>::infinity();
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t c = 0; c < channels; ++c) {
      double &seen = state->values[(b * 2) * channels + c];
      double &stored = state->values[(b * 2 + 1) * channels + c];
      double running = seen == 0 ? kEmpty : stored;
      for (int64_t t = 0; t < tokens; ++t) {
        int64_t at = (b * tokens + t) * channels + c;
        before.values[at] = running;
        double faded = running + decayAt(b, t, c);
        running = op.getMaximum() ? maximum(faded, x.values[at])
                                  : logAddExp(faded, x.values[at]);
        z.values[at] = running;
      }
      seen = running == kEmpty ? 0 : 1;
      stored = running == kEmpty ? 0 : running;
    }
  if (Status status = scope.set(op.getResult(), std::move(z)); !status)
    return status;
  if (Status status = scope.set(op.getBefore(), std::move(before)); !status)
    return status;
  return scope.set(op.getState(), state.take());
}

void addAccumulateOps(OpTable &table) { table.add(evalLogCumsumExp); }

} // namespace linnet::reference
