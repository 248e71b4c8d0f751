//===- DeepSeek.cpp - deepseek_v2, deepseek_v3 ----------------------------===//
//
//   x += o_proj MLA(RMS(x; input_layernorm))
//   x += MLP(RMS(x; post_attention_layernorm))
//
// After the first layers, MLP(h) = sum of the best experts + shared(h). v2
// weights experts by the softmax, v3 by sigmoids with a bias of the choice.
//
//===----------------------------------------------------------------------===//

#include "LatentAttention.h"
#include "Mixers.h"

using namespace linnet;
using mlir::Value;

namespace {
/// v2: softmax; the choice may be limited to the groups with the best expert.
RouteOptions readSoftmaxRouter(Config &c, int64_t experts) {
  RouteOptions route{.normalize = false};
  route.chosen =
      c.size("num_experts_per_tok", std::min<int64_t>(6, experts), experts);
  route.scale = c.positive("routed_scaling_factor", 1.0);
  std::string method = c.text("topk_method", "greedy");
  if (method == "group_limited_greedy") {
    route.groups = c.size("n_group", std::nullopt, experts);
    route.topGroups = c.size("topk_group", std::nullopt, route.groups);
    c.divides("n_routed_experts", experts, "n_group", route.groups);
    if (route.chosen > route.topGroups * (experts / route.groups))
      c.reject("topk_group", "groups of num_experts_per_tok experts or more");
  } else if (method != "greedy") {
    c.reject("topk_method", "greedy or group_limited_greedy");
  }
  return route;
}
} // namespace

Status linnet::importDeepSeek(ModelBuilder &m) {
  bool v3 = m.modelType() == "deepseek_v3";
  Config &c = m.config();
  int64_t vocabulary = c.vocabulary();
  int64_t d = c.size("hidden_size");
  int64_t layers = c.layerCount("num_hidden_layers");
  int64_t inner = c.size("intermediate_size");
  int64_t width = c.size("moe_intermediate_size", v3 ? 2048 : 1407);
  double eps = c.positive("rms_norm_eps", 1e-6);
  ir::Activation act = m.readActivation("hidden_act", "silu");
  int64_t maxPositions =
      c.size("max_position_embeddings", v3 ? 4096 : 2048, Config::kMaxContext);
  LatentAttention attention = LatentAttention::read(c);
  attention.readRotation(c, maxPositions,
                         !v3 || c.flag("rope_interleave", true));
  bool mlpBias = c.flag("mlp_bias", false);
  int64_t experts = c.size("n_routed_experts", v3 ? 256 : 64);
  int64_t shared =
      c.isNull("n_shared_experts") ? 0 : c.size("n_shared_experts", v3 ? 1 : 2);
  RouteOptions route =
      v3 ? readGroupedRouter(
               c, experts,
               {.chosen = 8, .scale = 2.5, .groups = 8, .topGroups = 4})
         : readSoftmaxRouter(c, experts);
  if (v3)
    route.bias = "mlp.gate.e_score_correction_bias";
  if (c.find("moe_layer_freq") && c.number("moe_layer_freq") != 1)
    c.reject("moe_layer_freq", "1");
  double dense = c.number("first_k_dense_replace", v3 ? 3 : 0);
  std::vector<std::string> kinds;
  for (int64_t i = 0; i < layers; ++i)
    kinds.push_back(double(i) < dense ? "dense" : "experts");
  bool tied = m.isTied("lm_head.weight", false);
  m.ignore("*.rotary_emb.inv_freq");
  // Multi-token prediction: layers behind the last.
  if (c.find("num_nextn_predict_layers"))
    for (int64_t i = 0; double(i) < c.number("num_nextn_predict_layers") &&
                        i < Config::kMaxLayers;
         ++i)
      m.ignore("model.layers." + std::to_string(layers + i) + ".*");
  if (Status status = m.begin({.vocabulary = vocabulary,
                               .hidden = d,
                               .layers = layers,
                               .maxPositions = maxPositions});
      !status)
    return status;

  m.embed("model.", [&](const EmbedInputs &in) {
    return m.embedding(in.tokens, "embed_tokens", vocabulary, d);
  });

  m.stack("model.layers.", kinds, [&](const LayerInputs &in) {
    Value h = m.rmsNorm(in.x, "input_layernorm", eps);
    Value o = m.mergeHeads(attention.apply(m, h, "self_attn", in.position));
    Value x = m.add(
        in.x, m.linear(o, "self_attn.o_proj", d, {.bias = attention.bias}));
    h = m.rmsNorm(x, "post_attention_layernorm", eps);
    if (kinds[in.number] == "dense")
      return m.add(x, m.gatedMlp(h, "mlp", inner, act, mlpBias));
    Choice choice = m.route(h, "mlp.gate", experts, route);
    Value y =
        m.experts(h, choice, "mlp.experts.{*}.",
                  {"gate_proj", "up_proj", "down_proj"}, experts, width, act);
    if (shared)
      y = m.add(y, m.gatedMlp(h, "mlp.shared_experts", shared * width, act));
    return m.add(x, y);
  });

  m.head("", [&](Value x) {
    Value h = m.rmsNorm(x, "model.norm", eps);
    return m.linear(h, tied ? "model.embed_tokens" : "lm_head", vocabulary);
  });
  return Status();
}
