//===- Mixers.h - mixers that several families share ----------*- C++ -*-===//

#ifndef LIB_FRONTEND_MIXERS_H
#define LIB_FRONTEND_MIXERS_H

#include "ModelBuilder.h"

#include <limits>

namespace linnet {

/// Attention with grouped heads and matrices `name`.{q,k,v,o}_proj.
struct GroupedAttention {
  int64_t heads, kvHeads, headDim;
  double scale;
  std::optional<Rope> rope = std::nullopt;
  std::optional<int64_t> window = std::nullopt;
  bool bias = false;

  /// Reads the heads of the usual keys; scale 1 / sqrt(headDim).
  static GroupedAttention read(Config &config, int64_t hidden,
                               int64_t keyValueHeads = 0);
  mlir::Value apply(ModelBuilder &m, mlir::Value h, llvm::StringRef name,
                    mlir::Value position) const;
};

/// The selective scan of mamba, `name`.{in_proj,conv1d,x_proj,dt_proj,A_log,D,
/// out_proj}; as a scan: one head, keys are the state's N entries, values the I
/// channels.
struct MambaMixer {
  int64_t inner, states, taps, rank;
  ir::Activation act;
  bool bias, convBias;
  /// With it, RMS norms `name`.{dt,b,c}_layernorm.
  std::optional<double> normEps = std::nullopt;
  /// Whether these norms have weights.
  bool normWeights = true;

  mlir::Value apply(ModelBuilder &m, mlir::Value h, llvm::StringRef name) const;
};

/// The mixer of mamba2, `name`.{in_proj,conv1d,dt_bias,A_log,D,norm,out_proj}.
struct Mamba2Mixer {
  int64_t heads, headDim, states, groups, taps;
  double eps;
  bool bias, convBias;
  /// Bounds of the step.
  double low = 0, high = std::numeric_limits<double>::infinity();
  /// Whether out_proj has one where that is not `bias`.
  std::optional<bool> outBias = std::nullopt;
  /// Where the gate meets the norm; without it there is none: y silu(z).
  std::optional<ir::GateOrder> norm = ir::GateOrder::Before;
  /// Factors of z, x, B, C and the step before all else, or empty.
  std::vector<double> factors = {};

  /// Reads the keys mamba_{n_heads,d_head,...} and time_step_limit for the
  /// inner width at `innerKey`.
  static Mamba2Mixer read(Config &config, std::string_view innerKey,
                          int64_t inner, double eps);
  /// Reads the bounds at `key`.
  void readLimit(Config &config, std::string_view key = "time_step_limit");
  mlir::Value apply(ModelBuilder &m, mlir::Value h, llvm::StringRef name) const;
};

/// The router of deepseek_v3 among `experts`: sigmoid scores, the best groups
/// by their two best experts. `defaults` are for absent keys; the caller names
/// the bias.
RouteOptions readGroupedRouter(Config &config, int64_t experts,
                               const RouteOptions &defaults);

} // namespace linnet

#endif // LIB_FRONTEND_MIXERS_H
