//===- Sampler.cpp - choosing the next token ------------------------------===//

#include "linnet/Runtime/Sampler.h"

#include "linnet/Support/SplitMix64.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace linnet {
namespace {

/// Likelier first, then the smaller token: a total order, so that the choice
/// does not depend on how the library sorts.
bool ranksBefore(const std::pair<float, int32_t> &a,
                 const std::pair<float, int32_t> &b) {
  return a.first != b.first ? a.first > b.first : a.second < b.second;
}

} // namespace

int32_t argmax(const float *logits, int64_t count) {
  int32_t best = -1;
  float largest = -std::numeric_limits<float>::infinity();
  for (int64_t i = 0; i < count; ++i)
    if (logits[i] > largest) {
      largest = logits[i];
      best = int32_t(i);
    }
  return best;
}

Sampler::Sampler(const SamplerOptions &options)
    : options(options), counter(options.seed) {}

double Sampler::uniform() { return nextUniform(counter); }

int32_t Sampler::sample(const float *logits, int64_t count) {
  int32_t likeliest = argmax(logits, count);
  if (likeliest < 0 || !(options.temperature > 0))
    return likeliest;
  // Infinite logits leave no probability to any other.
  if (std::isinf(logits[likeliest]))
    return likeliest;

  candidates.clear();
  for (int64_t i = 0; i < count; ++i)
    if (logits[i] > -std::numeric_limits<float>::infinity())
      candidates.emplace_back(logits[i], int32_t(i));
  if (options.topK > 0 && options.topK < int64_t(candidates.size())) {
    std::nth_element(candidates.begin(), candidates.begin() + options.topK,
                     candidates.end(), ranksBefore);
    candidates.resize(options.topK);
  }
  std::sort(candidates.begin(), candidates.end(), ranksBefore);

  weights.clear();
  double total = 0;
  for (const auto &[logit, token] : candidates) {
    weights.push_back(std::exp((double(logit) - double(logits[likeliest])) /
                               options.temperature));
    total += weights.back();
  }
  if (options.topP < 1) {
    double reached = 0;
    size_t kept = 0;
    while (kept < weights.size() &&
           (kept == 0 || reached < options.topP * total))
      reached += weights[kept++];
    weights.resize(kept);
    total = reached;
  }
  double left = uniform() * total;
  for (size_t i = 0; i < weights.size(); ++i) {
    left -= weights[i];
    if (left < 0)
      return candidates[i].second;
  }
  // Rounding may leave a remainder after the last.
  return candidates[weights.size() - 1].second;
}

} // namespace linnet
