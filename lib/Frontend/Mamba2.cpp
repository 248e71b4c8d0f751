//===- Mamba2.cpp - mamba2 ------------------------------------------------===//
//
//   h = RMS(x; norm);  [z | xBC | dt] = in_proj h;  xBC = silu(conv(xBC) + b)
//   per head j of group g:  Δ_j = clamp(softplus(dt_j + dt_bias_j))
//   S_t = exp(-Δ_j exp(A_log_j)) S_{t-1} + B_g (Δ_j x_j)^T
//   y_j = S_t^T C_g + D_j x_j
//   x += out_proj(RMS(y * silu(z); over each group))
//
// flash-linear-attention says norm_eps and dt_limit where transformers says
// layer_norm_epsilon and time_step_limit, and has three options more.
//
//===----------------------------------------------------------------------===//

#include "Mixers.h"

using namespace linnet;
using mlir::Value;

Status linnet::importMamba2(ModelBuilder &m) {
  Config &c = m.config();
  int64_t vocabulary = c.vocabulary();
  int64_t d = c.size("hidden_size");
  int64_t layers = c.layerCount("num_hidden_layers");
  int64_t heads = c.size("num_heads");
  int64_t headDim = c.size("head_dim", 64);
  int64_t inner = heads * headDim;
  if (int64_t expanded = c.size("expand", 2) * d; expanded != inner)
    c.reject("head_dim", "expand * hidden_size / num_heads (" +
                             std::to_string(expanded) + " / " +
                             std::to_string(heads) + ")");
  int64_t states = c.size("state_size", 128);
  int64_t groups = c.size("n_groups", 8);
  c.divides("num_heads", heads, "n_groups", groups);
  int64_t taps = c.size("conv_kernel", 4);
  bool flash = c.has("norm_eps");
  double eps = c.positive(flash ? "norm_eps" : "layer_norm_epsilon", 1e-5);
  // Files of transformers may say so too, without effect.
  if (flash) {
    c.unsupported("norm_before_gate");
    c.unsupported("D_has_hdim");
    if (!c.flag("rmsnorm", true))
      c.reject("rmsnorm", "true");
  }
  ir::Activation act = m.readActivation("hidden_act", "silu");
  if (act != ir::Activation::Silu)
    c.reject("hidden_act", "silu");
  bool bias = c.flag("use_bias", false);
  bool convBias = c.flag("use_conv_bias", true);
  Mamba2Mixer mixer{heads, headDim, states, groups, taps, eps, bias, convBias};
  mixer.readLimit(c, flash ? "dt_limit" : "time_step_limit");

  bool tied = m.isTied("lm_head.weight", false);
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
