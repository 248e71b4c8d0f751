//===- Jamba.cpp - jamba --------------------------------------------------===//
//
//   x += Mixer(RMS(x; input_layernorm));  x += MLP(RMS(x; pre_ff_layernorm))
//
// Every n-th mixer is attention without positions, the others mamba with norms
// of dt, B and C. In every n-th layer MLP is the sum of the best experts.
//
//===----------------------------------------------------------------------===//

#include "Mixers.h"

using namespace linnet;
using mlir::Value;

namespace {
/// Layers `offset`, `offset + period`, ... of `layers`.
std::vector<bool> everyNth(Config &c, const std::string &what, int64_t layers,
                           int64_t period, int64_t offset) {
  period = c.size(what + "_period", period);
  std::string key = what + "_offset";
  double given = c.number(key, double(offset));
  if (!(given >= 0 && given < double(period)) ||
      given != double(int64_t(given))) {
    c.reject(key, "an integer in [0, " + std::to_string(period) + ")");
    given = 0;
  }
  std::vector<bool> chosen(layers);
  for (int64_t i = 0; i < layers; ++i)
    chosen[i] = i % period == int64_t(given);
  return chosen;
}
} // namespace

Status linnet::importJamba(ModelBuilder &m) {
  Config &c = m.config();
  int64_t vocabulary = c.vocabulary();
  int64_t d = c.size("hidden_size");
  int64_t layers = c.layerCount("num_hidden_layers");
  int64_t width = c.size("intermediate_size");
  GroupedAttention attention = GroupedAttention::read(c, d, 8);
  double eps = c.positive("rms_norm_eps", 1e-6);
  ir::Activation act = m.readActivation("hidden_act", "silu");
  const Json *rank = c.find("mamba_dt_rank");
  MambaMixer mamba{.inner = c.size("mamba_expand", 2) * d,
                   .states = c.size("mamba_d_state", 16),
                   .taps = c.size("mamba_d_conv", 4),
                   .rank = rank && *rank != "auto" ? c.size("mamba_dt_rank")
                                                   : (d + 15) / 16,
                   .act = act,
                   .bias = c.flag("mamba_proj_bias", false),
                   .convBias = c.flag("mamba_conv_bias", true),
                   .normEps = eps};
  int64_t experts = c.size("num_experts", 16);
  RouteOptions route{.chosen = c.size("num_experts_per_tok", 2, experts),
                     .normalize = false};
  std::vector<bool> attends = everyNth(c, "attn_layer", layers, 8, 4);
  std::vector<bool> sparse = everyNth(c, "expert_layer", layers, 2, 1);
  std::vector<std::string> kinds;
  for (int64_t i = 0; i < layers; ++i) {
    sparse[i] = sparse[i] && experts > 1;
    kinds.push_back(std::string(attends[i] ? "attention" : "mamba") +
                    (sparse[i] ? "_experts" : ""));
  }
  bool tied = m.isTied("lm_head.weight", false);
  if (Status status =
          m.begin({.vocabulary = vocabulary,
                   .hidden = d,
                   .layers = layers,
                   .maxPositions = c.size("max_position_embeddings", 262144,
                                          Config::kMaxContext)});
      !status)
    return status;

  m.embed("model.", [&](const EmbedInputs &in) {
    return m.embedding(in.tokens, "embed_tokens", vocabulary, d);
  });

  m.stack("model.layers.", kinds, [&](const LayerInputs &in) {
    Value h = m.rmsNorm(in.x, "input_layernorm", eps);
    Value x = m.add(in.x, attends[in.number]
                              ? attention.apply(m, h, "self_attn", in.position)
                              : mamba.apply(m, h, "mamba"));
    h = m.rmsNorm(x, "pre_ff_layernorm", eps);
    if (!sparse[in.number])
      return m.add(x, m.gatedMlp(h, "feed_forward", width, act));
    Choice choice = m.route(h, "feed_forward.router", experts, route);
    return m.add(x, m.experts(h, choice, "feed_forward.experts.{*}.",
                              {"gate_proj", "up_proj", "down_proj"}, experts,
                              width, act));
  });

  m.head("", [&](Value x) {
    Value h = m.rmsNorm(x, "model.final_layernorm", eps);
    return m.linear(h, tied ? "model.embed_tokens" : "lm_head", vocabulary);
  });
  return Status();
}
