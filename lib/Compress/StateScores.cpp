//===- StateScores.cpp - what key channels of scans count -----------------===//

#include "StateScores.h"

#include "StageMoments.h"

#include "linnet/Support/Quote.h"

#include "llvm/ADT/STLExtras.h"

#include <cmath>

namespace linnet::compress {
namespace {

/// Adds the squares of the tokens in `ranges`.
void addSquares(const Activations &values, llvm::ArrayRef<TokenRange> ranges,
                std::vector<double> &sums) {
  for (const TokenRange &range : ranges)
    for (int64_t token = range.first; token < range.last; ++token)
      for (size_t i = 0; i < sums.size(); ++i) {
        double value = values[size_t(token) * sums.size() + i];
        sums[i] += value * value;
      }
}

Result<std::vector<double>> scoreScan(TapRunner &runner, const ScanState &state,
                                      const HiddenStates &states,
                                      const Windows &windows) {
  auto layer = size_t(state.layer);
  const TapScan &tap =
      *llvm::find_if(runner.layer(layer).scans, [&](const TapScan &scan) {
        return mlir::linnet::resolveWeightKey(scan.matrix, state.layer) ==
               state.name;
      });
  Result<OpenTap> opened = runner.openScan(layer, tap);
  if (!opened)
    return opened.error();
  std::vector<double> queries(size_t(state.queryHeads * state.channels)),
      keys(size_t(state.keyHeads * state.channels));
  int64_t count = 0;
  auto add = [&](const std::vector<Activations> &shown,
                 const std::vector<TokenRange> &seen) {
    addSquares(shown[tap.query.number], seen, queries);
    addSquares(shown[tap.key.number], seen, keys);
    count += countTokens(seen);
  };
  if (Status status = runner.runFitted(*opened, states, windows, add); !status)
    return status.error();
  std::vector<double> scores(size_t(state.units()));
  for (int64_t head = 0; head < state.heads; ++head) {
    auto placeOf = [&](int64_t heads, int64_t n) {
      return size_t(head * heads / state.heads * state.channels + n);
    };
    for (int64_t n = 0; n < state.channels; ++n)
      scores[placeOf(state.groups, n)] +=
          queries[placeOf(state.queryHeads, n)] *
          keys[placeOf(state.keyHeads, n)] / double(count) / double(count);
  }
  return scores;
}

} // namespace

Result<std::vector<std::vector<double>>>
scoreChannels(TapRunner &runner, const std::vector<ScanState> &states,
              const Windows &windows, const CompressReport &report) {
  Result<HiddenStates> hidden = runner.begin(windows);
  if (!hidden)
    return hidden.error();
  std::vector<std::vector<double>> found;
  size_t layer = 0;
  for (const ScanState &state : states) {
    if (Status status = runner.advanceTo(layer, size_t(state.layer), *hidden);
        !status)
      return status.error();
    layer = size_t(state.layer);
    if (report.progress)
      report.progress("scoring", state.name);
    Result<std::vector<double>> scores =
        scoreScan(runner, state, *hidden, windows);
    if (!scores)
      return scores.error();
    if (!llvm::all_of(*scores,
                      [](double score) { return std::isfinite(score); }))
      return makeError("expected finite queries and keys of the scan of ",
                       quoteName(state.name), ", but got others");
    found.push_back(scores.take());
  }
  return found;
}

} // namespace linnet::compress
