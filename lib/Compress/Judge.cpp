//===- Judge.cpp - how well the model predicts ----------------------------===//

#include "Judge.h"

#include <algorithm>
#include <cmath>

namespace linnet::compress {
namespace {

/// log(sum of exp) of one row.
double logSumExp(const float *row, int64_t size) {
  float largest = *std::max_element(row, row + size);
  double sum = 0;
  for (int64_t v = 0; v < size; ++v)
    sum += double(std::exp(row[v] - largest));
  return double(largest) + std::log(sum);
}

/// Calls `visit(logits of a token, the token after it)` for all scored tokens
/// of one step; logits are [tokens, size].
template <typename Visitor>
void visitScored(const Windows &windows, Part part, int64_t step,
                 Visitor visit) {
  auto [first, last] = windows.rangeOf(part, step);
  for (int64_t w = first; w < last; ++w)
    for (int64_t t = 0; t + 1 < windows.length; ++t) {
      int64_t row = w * windows.length + t;
      visit(row, windows.batchAt(step)[row + 1]);
    }
}

bool isEmpty(const Windows &windows, Part part, int64_t step) {
  auto [first, last] = windows.rangeOf(part, step);
  return first == last;
}

} // namespace

Result<double> meanNats(const TapRunner &runner, const OpenTap &end,
                        const HiddenStates &states, const Windows &windows,
                        Part part) {
  double sum = 0;
  int64_t scored = 0;
  std::vector<Activations> logits;
  for (int64_t step = 0; step < windows.batches(); ++step) {
    if (isEmpty(windows, part, step))
      continue;
    if (Status status = end.run(runner.inputsOf(states, step), logits); !status)
      return status.error();
    int64_t size = int64_t(logits.front().size()) / runner.stepTokens();
    visitScored(windows, part, step, [&](int64_t row, int32_t next) {
      const float *at = logits.front().data() + row * size;
      sum += logSumExp(at, size) - double(at[next]);
      ++scored;
    });
  }
  return scored ? sum / double(scored) : 0;
}

Result<CompressComparison> compareModels(const TapRunner &runner,
                                         const OpenTap &end,
                                         const HiddenStates &original,
                                         const HiddenStates &result,
                                         const Windows &windows, Part part) {
  CompressComparison sums;
  std::vector<Activations> before, after;
  for (int64_t step = 0; step < windows.batches(); ++step) {
    if (isEmpty(windows, part, step))
      continue;
    if (Status status = end.run(runner.inputsOf(original, step), before);
        !status)
      return status.error();
    if (Status status = end.run(runner.inputsOf(result, step), after); !status)
      return status.error();
    int64_t size = int64_t(before.front().size()) / runner.stepTokens();
    visitScored(windows, part, step, [&](int64_t row, int32_t next) {
      const float *p = before.front().data() + row * size,
                  *q = after.front().data() + row * size;
      double ofP = logSumExp(p, size), ofQ = logSumExp(q, size);
      sums.natsBefore += ofP - double(p[next]);
      double nats = ofQ - double(q[next]);
      sums.natsAfter += nats;
      sums.worstToken = std::max(sums.worstToken, nats);
      double divergence = 0;
      for (int64_t v = 0; v < size; ++v) {
        double logP = double(p[v]) - ofP;
        divergence += std::exp(logP) * (logP - (double(q[v]) - ofQ));
      }
      sums.divergence += divergence;
      sums.agreement += std::max_element(p, p + size) - p ==
                        std::max_element(q, q + size) - q;
      ++sums.tokens;
    });
  }
  if (sums.tokens == 0)
    return sums;
  for (double *sum :
       {&sums.natsBefore, &sums.natsAfter, &sums.divergence, &sums.agreement})
    *sum /= double(sums.tokens);
  return sums;
}

} // namespace linnet::compress
