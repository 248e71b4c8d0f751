//===- ExpertScores.cpp - what experts add to their tokens ----------------===//

#include "ExpertScores.h"

#include "linnet/Support/Quote.h"

#include "llvm/ADT/STLExtras.h"

#include <bit>
#include <cmath>

namespace linnet::compress {
namespace {

/// The tap of a layer's mixture.
const TapMixture &tapOf(const TapRunner &runner, const Mixture &mixture) {
  size_t layer = size_t(mixture.layer);
  return *llvm::find_if(
      runner.layer(layer).mixtures, [&](const TapMixture &tap) {
        return runner.mapAt(layer, tap.router) == mixture.router;
      });
}

double normOf(const float *row, int64_t width) {
  double sum = 0;
  for (int64_t i = 0; i < width; ++i)
    sum += double(row[i]) * double(row[i]);
  return std::sqrt(sum);
}

/// Adds the tokens in `ranges` of a step.
void add(ExpertScores &sums, const TapMixture &tap,
         const std::vector<Activations> &shown,
         llvm::ArrayRef<TokenRange> ranges, int64_t tokens) {
  auto choices = int64_t(tap.outputs.size());
  const Activations &indices = shown[tap.indices.number];
  for (int64_t choice = 0; choice < choices; ++choice) {
    const Activations &output = shown[tap.outputs[size_t(choice)].number];
    int64_t width = int64_t(output.size()) / tokens;
    for (const TokenRange &range : ranges)
      for (int64_t token = range.first; token < range.last; ++token) {
        auto expert = size_t(
            std::bit_cast<int32_t>(indices[size_t(token * choices + choice)]));
        sums.scores[expert] += normOf(output.data() + token * width, width);
        ++sums.tokens[expert];
      }
  }
}

Result<ExpertScores> scoreLayer(TapRunner &runner, const Mixture &mixture,
                                const HiddenStates &states,
                                const Windows &windows) {
  const TapMixture &tap = tapOf(runner, mixture);
  Result<OpenTap> opened = runner.openMixture(size_t(mixture.layer), tap);
  if (!opened)
    return opened.error();
  ExpertScores sums{std::vector<double>(size_t(mixture.experts)),
                    std::vector<int64_t>(size_t(mixture.experts))};
  auto addStep = [&](const std::vector<Activations> &shown,
                     const std::vector<TokenRange> &seen) {
    add(sums, tap, shown, seen, runner.stepTokens());
  };
  if (Status status = runner.runFitted(*opened, states, windows, addStep);
      !status)
    return status.error();
  for (size_t e = 0; e < sums.scores.size(); ++e)
    if (sums.tokens[e])
      sums.scores[e] /= double(sums.tokens[e]);
  return sums;
}

} // namespace

Result<std::vector<ExpertScores>>
scoreExperts(TapRunner &runner, const std::vector<Mixture> &mixtures,
             const std::vector<LinearMap> &maps, const Windows &windows,
             const CompressReport &report) {
  Result<HiddenStates> states = runner.begin(windows);
  if (!states)
    return states.error();
  std::vector<ExpertScores> found;
  size_t layer = 0;
  for (const Mixture &mixture : mixtures) {
    if (Status status = runner.advanceTo(layer, size_t(mixture.layer), *states);
        !status)
      return status.error();
    layer = size_t(mixture.layer);
    if (report.progress)
      report.progress("scoring", maps[mixture.router].name);
    Result<ExpertScores> scores = scoreLayer(runner, mixture, *states, windows);
    if (!scores)
      return scores.error();
    if (!llvm::all_of(scores->scores,
                      [](double score) { return std::isfinite(score); }))
      return makeError("expected finite outputs of the experts of ",
                       quoteName(maps[mixture.router].name),
                       ", but got others");
    found.push_back(scores.take());
  }
  return found;
}

} // namespace linnet::compress
