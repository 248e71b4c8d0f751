//===- Mamba2.cpp - mamba2 ------------------------------------------------===//
//
//   h = RMS(x; norm);  [z | xBC | dt] = in_proj h;  xBC = silu(conv(xBC) + b)
//   per head j of group g:  Δ_j = clamp(softplus(dt_j + dt_bias_j))
//   S_t = exp(-Δ_j exp(A_log_j)) S_{t-1} + B_g (Δ_j x_j)^T
//   y_j = S_t^T C_g + D_j x_j
//   x += out_proj(RMS(y * silu(z); over each group))
//
//===----------------------------------------------------------------------===//

#include "ModelBuilder.h"

#include <limits>

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
  double eps = c.positive("layer_norm_epsilon", 1e-5);
  ir::Activation act = m.readActivation("hidden_act", "silu");
  if (act != ir::Activation::Silu)
    c.reject("hidden_act", "silu");
  bool bias = c.flag("use_bias", false);
  bool convBias = c.flag("use_conv_bias", true);
  std::vector<double> limit = c.numbers(
      "time_step_limit", {0.0, std::numeric_limits<double>::infinity()});
  if (limit.size() != 2 || !(limit[0] <= limit[1])) {
    c.reject("time_step_limit", "two ascending numbers");
    limit = {0.0, 1.0};
  }
  // A softplus is positive: a lower bound of zero does nothing.
  double low =
      limit[0] > 0 ? limit[0] : -std::numeric_limits<double>::infinity();

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

  auto transition = ir::ScalarTransitionAttr::get(m.context());
  int64_t mixed = inner + 2 * groups * states;
  m.stack("backbone.layers.", {}, [&](const LayerInputs &in) {
    Value h = m.rmsNorm(in.x, "norm", eps);
    auto parts = m.split(
        m.linear(h, "mixer.in_proj", inner + mixed + heads, {.bias = bias}),
        {inner, mixed, heads});
    Value z = parts[0];
    auto xBC =
        m.split(m.shortConv(parts[1], "mixer.conv1d", taps, act, convBias),
                {inner, groups * states, groups * states});
    Value x = m.splitHeads(xBC[0], heads);
    Value dt =
        m.addAlong(parts[2], m.wideWeight("mixer.dt_bias", {heads}), {2});
    Value delta =
        m.clamp(m.activation(ir::Activation::Softplus, dt), low, limit[1]);
    Value rate = m.negativeExp(m.wideWeight("mixer.A_log", {heads}));

    Value y = m.scan(m.splitHeads(xBC[2], groups), m.splitHeads(xBC[1], groups),
                     m.mulAlong(x, delta, {0, 1, 2}), transition,
                     {m.mulAlong(delta, rate, {2})});
    y = m.add(y, m.mulAlong(x, m.wideWeight("mixer.D", {heads}), {2}));
    y = m.gatedRmsNorm(m.mergeHeads(y), z, "mixer.norm", eps,
                       ir::GateOrder::Before, groups);
    return m.add(in.x, m.linear(y, "mixer.out_proj", d, {.bias = bias}));
  });

  m.head("", [&](Value x) {
    Value h = m.rmsNorm(x, "backbone.norm_f", eps);
    return m.linear(h, tied ? "backbone.embeddings" : "lm_head", vocabulary);
  });
  return Status();
}
