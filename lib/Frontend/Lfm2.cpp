//===- Lfm2.cpp - lfm2 ----------------------------------------------------===//
//
//   x += Mixer(RMS(x; operator_norm))
//   x += w2(silu(w1 h) * w3 h), h = RMS(x; ffn_norm)
//
// Mixers: grouped attention with norms of q and k, or a gated convolution
//   [B | C | u] = in_proj h;  out_proj(C * conv(B * u))
//
//===----------------------------------------------------------------------===//

#include "ModelBuilder.h"

#include <cmath>

using namespace linnet;
using mlir::Value;

namespace {
constexpr const char *kConv = "conv", *kAttention = "full_attention";

/// What each layer mixes with, from one of two spellings.
std::vector<std::string> layerKinds(Config &c, int64_t layers) {
  std::vector<std::string> kinds =
      c.kinds("layer_types", layers, {kConv, kAttention});
  if (!kinds.empty())
    return kinds;
  if (!c.find("full_attn_idxs"))
    return std::vector<std::string>(layers, kAttention);
  kinds.assign(layers, kConv);
  for (int64_t i : c.ids("full_attn_idxs"))
    if (i >= 0 && i < layers)
      kinds[i] = kAttention;
    else
      c.reject("full_attn_idxs",
               "numbers of layers below " + std::to_string(layers));
  return kinds;
}

/// The width of the MLP: two thirds of the given one, rounded up.
int64_t innerWidth(Config &c) {
  const char *key = c.find("block_ff_dim") ? "block_ff_dim" // older
                                           : "intermediate_size";
  int64_t width = c.size(key);
  bool adjusted = c.flag("block_auto_adjust_ff_dim", true);
  double factor = c.positive("block_ffn_dim_multiplier", 1);
  int64_t step = c.size("block_multiple_of", 256);
  if (!adjusted)
    return width;
  double wide = std::trunc(factor * double(2 * width / 3));
  if (wide >= 1 && wide < double(Config::kMaxSize))
    return (int64_t(wide) + step - 1) / step * step;
  c.reject("block_ffn_dim_multiplier",
           "a number of which a network can be made");
  return 1;
}
} // namespace

Status linnet::importLfm2(ModelBuilder &m) {
  Config &c = m.config();
  int64_t vocabulary = c.vocabulary();
  int64_t d = c.size("hidden_size");
  int64_t layers = c.layerCount("num_hidden_layers");
  int64_t heads = c.size("num_attention_heads");
  int64_t kvHeads = c.size("num_key_value_heads", 8);
  c.divides("num_attention_heads", heads, "num_key_value_heads", kvHeads);
  c.divides("hidden_size", d, "num_attention_heads", heads);
  int64_t headDim = std::max<int64_t>(d / heads, 1);
  int64_t inner = innerWidth(c);
  int64_t taps = c.size("conv_L_cache", 3);
  bool convBias = c.flag("conv_bias", false);
  double eps = c.positive("norm_eps", 1e-5);
  int64_t maxPositions =
      c.size("max_position_embeddings", 128000, Config::kMaxContext);
  Rope rope = readRope(c, headDim, maxPositions, {.theta = 1e6});
  std::vector<std::string> kinds = layerKinds(c, layers);
  bool tied = m.isTied("lm_head.weight", c.flag("tie_embedding", true));
  if (c.find("tie_embedding") && c.flag("tie_embedding", true) != tied)
    c.reject("tie_embedding", tied ? "true, as tie_word_embeddings"
                                   : "false, as tie_word_embeddings");
  if (Status status = m.begin({.vocabulary = vocabulary,
                               .hidden = d,
                               .layers = layers,
                               .maxPositions = maxPositions});
      !status)
    return status;

  m.embed("model.", [&](const EmbedInputs &in) {
    return m.embedding(in.tokens, "embed_tokens", vocabulary, d);
  });

  auto convolve = [&](Value h) {
    auto parts = m.split(m.linear(h, "conv.in_proj", 3 * d, {.bias = convBias}),
                         {d, d, d});
    Value y = m.shortConv(m.mul(parts[0], parts[2]), "conv.conv", taps,
                          ir::Activation::Identity, convBias);
    return m.linear(m.mul(parts[1], y), "conv.out_proj", d, {.bias = convBias});
  };
  auto attend = [&](Value h, Value position) {
    auto project = [&](const char *part, int64_t count) {
      return m.splitHeads(m.linear(h, part, count * headDim), count);
    };
    Value q = project("self_attn.q_proj", heads);
    Value k = project("self_attn.k_proj", kvHeads);
    Value v = project("self_attn.v_proj", kvHeads);
    q = m.rotary(m.rmsNorm(q, "self_attn.q_layernorm", eps), position, rope);
    k = m.rotary(m.rmsNorm(k, "self_attn.k_layernorm", eps), position, rope);
    Value o = m.attention(q, k, v, {.scale = 1 / std::sqrt(double(headDim))});
    return m.linear(m.mergeHeads(o), "self_attn.out_proj", d);
  };
  m.stack("model.layers.", kinds, [&](const LayerInputs &in) {
    Value h = m.rmsNorm(in.x, "operator_norm", eps);
    h = kinds[in.number] == kConv ? convolve(h) : attend(h, in.position);
    Value x = m.add(in.x, h);
    h = m.rmsNorm(x, "ffn_norm", eps);
    Value y = m.glu(ir::Activation::Silu, m.linear(h, "feed_forward.w1", inner),
                    m.linear(h, "feed_forward.w3", inner));
    return m.add(x, m.linear(y, "feed_forward.w2", d));
  });

  m.head("", [&](Value x) {
    Value h = m.rmsNorm(x, "model.embedding_norm", eps);
    return m.linear(h, tied ? "model.embed_tokens" : "lm_head", vocabulary);
  });
  return Status();
}
