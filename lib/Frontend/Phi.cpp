//===- Phi.cpp - phi ------------------------------------------------------===//
//
//   h = LN(x; input_layernorm)
//   x += dense Attn(rotary q, rotary k, v) + fc2(act(fc1 h))
//   logits = lm_head LN(x; final_layernorm)
//
// Every map has a bias, the head included. With qk_layernorm, q and k are
// normalised per head before they rotate.
//
//===----------------------------------------------------------------------===//

#include "ModelBuilder.h"

#include <cmath>

using namespace linnet;
using mlir::Value;

Status linnet::importPhi(ModelBuilder &m) {
  Config &c = m.config();
  int64_t vocabulary = c.vocabulary();
  int64_t d = c.size("hidden_size");
  int64_t layers = c.layerCount("num_hidden_layers");
  int64_t inner = c.size("intermediate_size");
  int64_t heads = c.size("num_attention_heads");
  int64_t kvHeads = c.size("num_key_value_heads", heads);
  c.divides("num_attention_heads", heads, "num_key_value_heads", kvHeads);
  c.divides("hidden_size", d, "num_attention_heads", heads);
  int64_t headDim = c.size("head_dim", std::max<int64_t>(d / heads, 1));
  double eps = c.positive("layer_norm_eps", 1e-5);
  ir::Activation act = m.readActivation("hidden_act", "gelu_new");
  bool normsQk = c.flag("qk_layernorm", false);
  int64_t maxPositions =
      c.size("max_position_embeddings", 2048, Config::kMaxContext);
  Rope rope = readRope(c, headDim, maxPositions, {.partial = 0.5});
  // The head's bias has no place beside an embedding.
  c.unsupported("tie_word_embeddings");
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

  const LinearOptions biased{.bias = true};
  m.stack("model.layers.", {}, [&](const LayerInputs &in) {
    Value h = m.layerNorm(in.x, "input_layernorm", eps);
    Value q = m.splitHeads(
        m.linear(h, "self_attn.q_proj", heads * headDim, biased), heads);
    Value k = m.splitHeads(
        m.linear(h, "self_attn.k_proj", kvHeads * headDim, biased), kvHeads);
    Value v = m.splitHeads(
        m.linear(h, "self_attn.v_proj", kvHeads * headDim, biased), kvHeads);
    if (normsQk) {
      q = m.layerNorm(q, "self_attn.q_layernorm", eps);
      k = m.layerNorm(k, "self_attn.k_layernorm", eps);
    }
    Value o = m.attention(m.rotary(q, in.position, rope),
                          m.rotary(k, in.position, rope), v,
                          {.scale = 1 / std::sqrt(double(headDim))});
    o = m.linear(m.mergeHeads(o), "self_attn.dense", d, biased);
    Value up = m.activation(act, m.linear(h, "mlp.fc1", inner, biased));
    return m.add(m.add(in.x, o), m.linear(up, "mlp.fc2", d, biased));
  });

  m.head("", [&](Value x) {
    Value h = m.layerNorm(x, "model.final_layernorm", eps);
    return m.linear(h, "lm_head", vocabulary, biased);
  });
  return Status();
}
