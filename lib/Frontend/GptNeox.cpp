//===- GptNeox.cpp - gpt_neox ---------------------------------------------===//
//
//   [q | k | v] per head = query_key_value LN(x; input_layernorm)
//   a = dense Attn(rotary q, rotary k, v)
//   x += a + MLP(LN(x; post_attention_layernorm))          (parallel residual)
//   x += a;  x += MLP(LN(x; post_attention_layernorm))     (without)
//   logits = embed_out LN(x; final_layer_norm)
//
//===----------------------------------------------------------------------===//

#include "ModelBuilder.h"

#include <cmath>

using namespace linnet;
using mlir::Value;

Status linnet::importGptNeox(ModelBuilder &m) {
  Config &c = m.config();
  int64_t vocabulary = c.vocabulary();
  int64_t d = c.size("hidden_size");
  int64_t layers = c.layerCount("num_hidden_layers");
  int64_t inner = c.size("intermediate_size");
  int64_t heads = c.size("num_attention_heads");
  c.divides("hidden_size", d, "num_attention_heads", heads);
  int64_t headDim = std::max<int64_t>(d / heads, 1);
  double eps = c.positive("layer_norm_eps", 1e-5);
  ir::Activation act = m.readActivation("hidden_act", "gelu");
  bool bias = c.flag("attention_bias", true);
  bool parallel = c.flag("use_parallel_residual", true);
  int64_t maxPositions =
      c.size("max_position_embeddings", 2048, Config::kMaxContext);
  // Published files have names of their own for the rotary parameters.
  Rope rope = readRope(c, headDim, maxPositions,
                       {.theta = c.positive("rotary_emb_base", 10000.0),
                        .partial = c.positive("rotary_pct", 0.25)});
  bool tied = m.isTied("embed_out.weight", false);
  m.ignore("gpt_neox.layers.*.attention.bias");
  m.ignore("gpt_neox.layers.*.attention.masked_bias");
  m.ignore("*.rotary_emb.inv_freq");
  if (Status status = m.begin({.vocabulary = vocabulary,
                               .hidden = d,
                               .layers = layers,
                               .maxPositions = maxPositions});
      !status)
    return status;

  m.embed("gpt_neox.", [&](const EmbedInputs &in) {
    return m.embedding(in.tokens, "embed_in", vocabulary, d);
  });

  auto mlp = [&](Value x) {
    Value h = m.layerNorm(x, "post_attention_layernorm", eps);
    h = m.linear(h, "mlp.dense_h_to_4h", inner, {.bias = true});
    return m.linear(m.activation(act, h), "mlp.dense_4h_to_h", d,
                    {.bias = true});
  };
  m.stack("gpt_neox.layers.", {}, [&](const LayerInputs &in) {
    Value h = m.layerNorm(in.x, "input_layernorm", eps);
    Value fused =
        m.linear(h, "attention.query_key_value", 3 * d, {.bias = bias});
    auto qkv = m.split(m.splitHeads(fused, heads), {headDim, headDim, headDim});
    Value o = m.attention(m.rotary(qkv[0], in.position, rope),
                          m.rotary(qkv[1], in.position, rope), qkv[2],
                          {.scale = 1 / std::sqrt(double(headDim))});
    o = m.linear(m.mergeHeads(o), "attention.dense", d, {.bias = bias});
    Value x = m.add(in.x, o);
    return m.add(x, mlp(parallel ? in.x : x));
  });

  m.head("", [&](Value x) {
    Value h = m.layerNorm(x, "gpt_neox.final_layer_norm", eps);
    return m.linear(h, tied ? "gpt_neox.embed_in" : "embed_out", vocabulary);
  });
  return Status();
}
