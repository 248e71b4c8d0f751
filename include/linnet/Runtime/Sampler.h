//===- Sampler.h - choosing the next token --------------------*- C++ -*-===//
//
// Greedy, or random under temperature, top-k and top-p. The same logits,
// options and seed give the same tokens on every run.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_RUNTIME_SAMPLER_H
#define LINNET_RUNTIME_SAMPLER_H

#include "linnet/Runtime/linnet.h"

#include <cstdint>
#include <utility>
#include <vector>

namespace linnet {

struct SamplerOptions {
  /// Divides the logits; 0 (or less, or not a number): take the largest.
  double temperature = 0;
  /// Only the k largest logits are eligible; 0 (or less): all.
  int64_t topK = 0;
  /// Of these, only the smallest set of likeliest tokens whose probabilities
  /// reach p is eligible, at least one; 1 (or more, or not a number): all.
  double topP = 1;
  uint64_t seed = 0;
};

/// Draws tokens. One per sequence; not shared between threads.
class LINNET_API Sampler {
public:
  explicit Sampler(const SamplerOptions &options = {});

  /// The index chosen of `count` logits. Equal logits rank by index; NaN and
  /// -infinity are never chosen. -1 if nothing can be chosen.
  int32_t sample(const float *logits, int64_t count);

private:
  double uniform();

  SamplerOptions options;
  uint64_t counter;
  /// Eligible (logit, token), reused between calls.
  std::vector<std::pair<float, int32_t>> candidates;
  std::vector<double> weights;
};

/// The index of the largest of `count` logits, the first of equals; NaN and
/// -infinity are never chosen. -1 if there is none.
LINNET_API int32_t argmax(const float *logits, int64_t count);

} // namespace linnet

#endif // LINNET_RUNTIME_SAMPLER_H
