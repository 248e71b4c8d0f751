//===- GraniteMoeHybrid.cpp - granitemoehybrid ----------------------------===//
//
//   x = embedding_multiplier E[tokens]
//   x += residual_multiplier Mixer(RMS(x; input_layernorm))
//   h = RMS(x; post_attention_layernorm)
//   x += residual_multiplier (Experts(h) + Shared(h))
//   logits = head RMS(x; norm) / logits_scaling
//
// Mixers: mamba2 or grouped attention. A layer's experts are stored in one
// tensor, gate over up; weights are the softmax over the chosen logits.
//
//===----------------------------------------------------------------------===//

#include "Mixers.h"

using namespace linnet;
using mlir::Value;

Status linnet::importGraniteMoeHybrid(ModelBuilder &m) {
  Config &c = m.config();
  int64_t vocabulary = c.vocabulary();
  int64_t d = c.size("hidden_size");
  int64_t layers = c.layerCount("num_hidden_layers");
  int64_t width = c.size("intermediate_size");
  int64_t sharedWidth = c.size("shared_intermediate_size", 1024);
  GroupedAttention attention = GroupedAttention::read(c, d);
  attention.bias = c.flag("attention_bias", false);
  attention.scale = c.positive("attention_multiplier", 1.0);
  double eps = c.positive("rms_norm_eps", 1e-6);
  ir::Activation act = m.readActivation("hidden_act", "silu");
  if (act != ir::Activation::Silu)
    c.reject("hidden_act", "silu");
  double embeddingFactor = c.number("embedding_multiplier", 1.0);
  double residualFactor = c.number("residual_multiplier", 1.0);
  double logitsDivisor = c.positive("logits_scaling", 1.0);

  int64_t expanded = c.size("mamba_expand", 2) * d;
  Mamba2Mixer mamba =
      Mamba2Mixer::read(c, "mamba_expand * hidden_size", expanded, eps);

  int64_t experts =
      c.find("num_local_experts") && c.number("num_local_experts") == 0
          ? 0
          : c.size("num_local_experts", 8);
  RouteOptions route{.score = ir::RouteScore::SoftmaxChosen,
                     .normalize = false};
  if (experts)
    route.chosen = c.size("num_experts_per_tok", 2, experts);
  int64_t maxPositions =
      c.size("max_position_embeddings", 2048, Config::kMaxContext);
  std::string positions = c.find("position_embedding_type")
                              ? c.text("position_embedding_type")
                              : "nope";
  if (positions == "rope")
    attention.rope = readRope(c, attention.headDim, maxPositions);
  else if (positions != "nope")
    c.reject("position_embedding_type", "rope, nope or null");
  std::vector<std::string> kinds =
      c.kinds("layer_types", layers,
              {"linear_attention", "mamba", "full_attention", "attention"});
  if (kinds.empty())
    kinds.assign(layers, "mamba");
  for (std::string &kind : kinds)
    kind =
        kind == "attention" || kind == "full_attention" ? "attention" : "mamba";
  bool tied = m.isTied("lm_head.weight", false);
  m.ignore("*.rotary_emb.inv_freq");
  if (Status status = m.begin({.vocabulary = vocabulary,
                               .hidden = d,
                               .layers = layers,
                               .maxPositions = maxPositions});
      !status)
    return status;

  m.embed("model.", [&](const EmbedInputs &in) {
    return m.scaled(m.embedding(in.tokens, "embed_tokens", vocabulary, d),
                    embeddingFactor);
  });

  m.stack("model.layers.", kinds, [&](const LayerInputs &in) {
    Value h = m.rmsNorm(in.x, "input_layernorm", eps);
    h = kinds[in.number] == "attention"
            ? attention.apply(m, h, "self_attn", in.position)
            : mamba.apply(m, h, "mamba");
    Value x = m.add(in.x, m.scaled(h, residualFactor));

    h = m.rmsNorm(x, "post_attention_layernorm", eps);
    auto gateUp =
        m.split(m.linear(h, "shared_mlp.input_linear", 2 * sharedWidth),
                {sharedWidth, sharedWidth});
    Value y = m.linear(m.glu(act, gateUp[0], gateUp[1]),
                       "shared_mlp.output_linear", d);
    if (experts) {
      Choice choice =
          m.route(h, "block_sparse_moe.router.layer", experts, route);
      Value up = m.weight("block_sparse_moe.input_linear.weight",
                          {experts, 2 * width, d});
      Value down = m.weight("block_sparse_moe.output_linear.weight",
                            {experts, d, width});
      y = m.add(m.experts(h, choice, {up, down}, act), y);
    }
    return m.add(x, m.scaled(y, residualFactor));
  });

  m.head("", [&](Value x) {
    Value h = m.rmsNorm(x, "model.norm", eps);
    Value logits =
        m.linear(h, tied ? "model.embed_tokens" : "lm_head", vocabulary);
    return m.scaled(logits, 1 / logitsDivisor);
  });
  return Status();
}
