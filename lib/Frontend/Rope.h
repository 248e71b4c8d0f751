//===- Rope.h - rotary frequencies from a configuration -------*- C++ -*-===//

#ifndef LIB_FRONTEND_ROPE_H
#define LIB_FRONTEND_ROPE_H

#include "Config.h"

#include <cstdint>
#include <vector>

namespace linnet {

/// What linnet.rotary needs: one inverse frequency per rotated pair, context
/// scaling folded in, and the factor on cos and sin.
struct Rope {
  std::vector<float> inverseFrequencies;
  float scaling = 1.0f;
  /// Whether pairs are neighbours rather than halves apart.
  bool interleaved = false;
};

/// Defaults of a family for keys that a configuration may leave out.
struct RopeDefaults {
  double theta = 10000.0;
  double partial = 1.0;
  /// Whether an odd number of rotated entries is one more in fact, at the
  /// frequencies of the odd number.
  bool takesOdd = false;
};

/// Reads `rope_parameters`, or the older `rope_theta`, `partial_rotary_factor`
/// and `rope_scaling`, for heads of `headDim` and a model trained for
/// `maxPositions` tokens. Types: default, linear, llama3, yarn.
Rope readRope(Config &config, int64_t headDim, int64_t maxPositions,
              RopeDefaults defaults = {});

} // namespace linnet

#endif // LIB_FRONTEND_ROPE_H
