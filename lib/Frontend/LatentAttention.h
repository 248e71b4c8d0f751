//===- LatentAttention.h - multi-head latent attention --------*- C++ -*-===//

#ifndef LIB_FRONTEND_LATENTATTENTION_H
#define LIB_FRONTEND_LATENTATTENTION_H

#include "ModelBuilder.h"

namespace linnet {

/// Multi-head latent attention (DeepSeek-AI 2024). Per head
///   q = [q_nope | rot(q_rope)] of q_proj h or q_b RMS(q_a h)
///   [c | k_rope] = kv_a h;  [k_nope | v] = kv_b RMS(c)
///   k = [k_nope | rot(k_rope)], k_rope shared by all heads
/// in absorbed form: with kv_b = [K | V] per head, k_nope . q = c . K^T q and
/// sum p v = V sum p c, so that all heads attend to one key [RMS(c) |
/// rot(k_rope)], of which the first part is the value. That is all a cache
/// holds of a token: latent + rope entries instead of heads (nope + rope +
/// value).
struct LatentAttention {
  int64_t heads, nope, rope, value, latent;
  /// Width of the queries' latent, if there is one.
  std::optional<int64_t> queryLatent;
  double scale;
  bool bias;
  /// None: no positions.
  std::optional<Rope> rotation;

  /// Reads all but the rotation; scale 1 / sqrt(nope + rope).
  static LatentAttention read(Config &config);
  /// Reads the rotation, which also changes the scale.
  void readRotation(Config &config, int64_t maxPositions, bool interleaved,
                    RopeDefaults defaults = {});
  /// The heads' outputs `[B, T, heads, value]`.
  mlir::Value apply(ModelBuilder &m, mlir::Value h, const std::string &name,
                    mlir::Value position) const;
};

} // namespace linnet

#endif // LIB_FRONTEND_LATENTATTENTION_H
