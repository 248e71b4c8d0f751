//===- Bamba.cpp - bamba --------------------------------------------------===//
//
//   x += Mixer(RMS(x; input_layernorm));  x += MLP(RMS(x; pre_ff_layernorm))
//
// Mixers: mamba2, or in some layers grouped attention that rotates half of each
// head.
//
//===----------------------------------------------------------------------===//

#include "Mixers.h"

using namespace linnet;
using mlir::Value;

Status linnet::importBamba(ModelBuilder &m) {
  constexpr const char *kAttention = "attention", *kMamba = "mamba";
  constexpr double kRotated = 0.5;
  Config &c = m.config();
  int64_t vocabulary = c.vocabulary();
  int64_t d = c.size("hidden_size");
  int64_t layers = c.layerCount("num_hidden_layers");
  int64_t width = c.size("intermediate_size");
  double eps = c.positive("rms_norm_eps", 1e-5);
  ir::Activation act = m.readActivation("hidden_act", "silu");
  bool mlpBias = c.flag("mlp_bias", false);
  int64_t maxPositions =
      c.size("max_position_embeddings", 262144, Config::kMaxContext);
  GroupedAttention attention = GroupedAttention::read(c, d, 8);
  attention.bias = c.flag("attention_bias", false);
  attention.rope = readRope(c, attention.headDim, maxPositions,
                            {.partial = kRotated, .takesOdd = true});
  // The family rotates half of each head whatever this says.
  for (Config place : {c, c.object("rope_parameters")})
    if (place.number("partial_rotary_factor", kRotated) != kRotated)
      place.reject("partial_rotary_factor", "0.5");
  Mamba2Mixer mamba = Mamba2Mixer::read(c, "mamba_expand * hidden_size",
                                        c.size("mamba_expand", 2) * d, eps);
  if (act != ir::Activation::Silu)
    c.reject("hidden_act", "silu");
  std::vector<std::string> kinds(layers, kMamba);
  for (int64_t i : c.ids("attn_layer_indices"))
    if (i >= 0 && i < layers)
      kinds[i] = kAttention;
    else
      c.reject("attn_layer_indices",
               "numbers of layers below " + std::to_string(layers));
  bool tied = m.isTied("lm_head.weight", false);
  m.ignore("*.rotary_emb.inv_freq");
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
    h = kinds[in.number] == kAttention
            ? attention.apply(m, h, "self_attn", in.position)
            : mamba.apply(m, h, "mamba");
    Value x = m.add(in.x, h);
    h = m.rmsNorm(x, "pre_ff_layernorm", eps);
    return m.add(x, m.gatedMlp(h, "feed_forward", width, act, mlpBias));
  });

  m.head("", [&](Value x) {
    Value h = m.rmsNorm(x, "model.final_layernorm", eps);
    return m.linear(h, tied ? "model.embed_tokens" : "lm_head", vocabulary);
  });
  return Status();
}
