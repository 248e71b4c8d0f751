//===- Mamba.cpp - mamba --------------------------------------------------===//
//
//   h = RMS(x; norm);  [u | z] = in_proj h;  u = silu(conv(u) + b)
//   [dt | B | C] = x_proj u;  Δ = softplus(dt_proj dt);  A = -exp(A_log)
//   S_t[n, c] = exp(Δ_c A[n, c]) S_{t-1}[n, c] + B_n Δ_c u_c
//   y_c = sum_n S_t[n, c] C_n + D_c u_c
//   x += out_proj(y * silu(z))
//
// As a scan: one head, keys are the state's N entries, values the I channels.
//
//===----------------------------------------------------------------------===//

#include "ModelBuilder.h"

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
  const Json *rankValue = c.find("time_step_rank");
  int64_t rank = rankValue && *rankValue != "auto" ? c.size("time_step_rank")
                                                   : (d + 15) / 16;
  double eps = c.positive("layer_norm_epsilon", 1e-5);
  ir::Activation act = m.readActivation("hidden_act", "silu");
  bool bias = c.flag("use_bias", false);
  bool convBias = c.flag("use_conv_bias", true);

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

  auto transition = ir::FullTransitionAttr::get(m.context());
  m.stack("backbone.layers.", {}, [&](const LayerInputs &in) {
    Value h = m.rmsNorm(in.x, "norm", eps);
    auto uz = m.split(m.linear(h, "mixer.in_proj", 2 * inner, {.bias = bias}),
                      {inner, inner});
    Value u = m.shortConv(uz[0], "mixer.conv1d", taps, act, convBias);
    auto dtBC = m.split(m.linear(u, "mixer.x_proj", rank + 2 * states),
                        {rank, states, states});
    Value delta =
        m.activation(ir::Activation::Softplus,
                     m.linear(dtBC[0], "mixer.dt_proj", inner, {.bias = true}));
    // A_log is stored [I, N]; the scan wants [1, 1, 1, N, I].
    Value rate = m.negativeExp(m.wideWeight("mixer.A_log", {inner, states}));
    rate = m.prependUnits(m.transpose(rate), 3);

    Value y = m.scan(m.splitHeads(dtBC[2], 1), m.splitHeads(dtBC[1], 1),
                     m.splitHeads(m.mul(delta, u), 1), transition,
                     {m.splitHeads(delta, 1), rate});
    Value skip = m.mulAlong(u, m.wideWeight("mixer.D", {inner}), {2});
    y = m.glu(act, uz[1], m.add(m.mergeHeads(y), skip));
    return m.add(in.x, m.linear(y, "mixer.out_proj", d, {.bias = bias}));
  });

  m.head("", [&](Value x) {
    Value h = m.rmsNorm(x, "backbone.norm_f", eps);
    return m.linear(h, tied ? "backbone.embeddings" : "lm_head", vocabulary);
  });
  return Status();
}
