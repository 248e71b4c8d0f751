//===- Mamba.cpp - mamba, falcon_mamba ------------------------------------===//
//
//   h = RMS(x; norm);  [u | z] = in_proj h;  u = silu(conv(u) + b)
//   [dt | B | C] = x_proj u;  Δ = softplus(dt_proj dt);  A = -exp(A_log)
//   S_t[n, c] = exp(Δ_c A[n, c]) S_{t-1}[n, c] + B_n Δ_c u_c
//   y_c = sum_n S_t[n, c] C_n + D_c u_c
//   x += out_proj(y * silu(z))
//
// falcon_mamba divides dt, B and C by their root mean squares.
// flash-linear-attention says norm_eps and dt_rank where transformers says
// layer_norm_epsilon and time_step_rank.
//
//===----------------------------------------------------------------------===//

#include "Mixers.h"

using namespace linnet;
using mlir::Value;

Status linnet::importMamba(ModelBuilder &m) {
  Config &c = m.config();
  int64_t vocabulary = c.vocabulary();
  int64_t d = c.size("hidden_size");
  int64_t layers = c.layerCount("num_hidden_layers");
  int64_t inner = c.size("expand", 2) * d;
  if (c.find("intermediate_size") && c.size("intermediate_size") != inner)
    c.reject("intermediate_size",
             "expand * hidden_size, " + std::to_string(inner));
  int64_t states = c.size("state_size", 16);
  int64_t taps = c.size("conv_kernel", 4);
  const char *rankKey = c.has("dt_rank") ? "dt_rank" : "time_step_rank";
  const Json *rankValue = c.find(rankKey);
  int64_t rank =
      rankValue && *rankValue != "auto" ? c.size(rankKey) : (d + 15) / 16;
  double eps =
      c.positive(c.has("norm_eps") ? "norm_eps" : "layer_norm_epsilon", 1e-5);
  ir::Activation act = m.readActivation("hidden_act", "silu");
  bool bias = c.flag("use_bias", false);
  bool convBias = c.flag("use_conv_bias", true);

  MambaMixer mixer{inner, states, taps, rank, act, bias, convBias};
  if (m.modelType() == "falcon_mamba") {
    mixer.normEps = c.positive("mixer_rms_eps", 1e-6);
    mixer.normWeights = false;
  }

  bool tied = m.isTied("lm_head.weight", true);
  m.alias("backbone.embeddings.weight", "backbone.embedding.weight");
  if (Status status = m.begin({.vocabulary = vocabulary,
                               .hidden = d,
                               .layers = layers,
                               .maxPositions = kUnboundedContext});
      !status)
    return status;

  m.embed("backbone.", [&](const EmbedInputs &in) {
    return m.embedding(in.tokens, "embeddings", vocabulary, d);
  });

  m.stack("backbone.layers.", {}, [&](const LayerInputs &in) {
    Value h = m.rmsNorm(in.x, "norm", eps);
    return m.add(in.x, mixer.apply(m, h, "mixer"));
  });

  m.head("", [&](Value x) {
    Value h = m.rmsNorm(x, "backbone.norm_f", eps);
    return m.linear(h, tied ? "backbone.embeddings" : "lm_head", vocabulary);
  });
  return Status();
}
