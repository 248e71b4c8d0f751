//===- Phi3.cpp - phi3 ----------------------------------------------------===//
//
// Llama with the projections of one input in one matrix:
//   [q | k | v] = qkv_proj RMS(x; input_layernorm)
//   [gate | up] = gate_up_proj RMS(x; post_attention_layernorm)
//
//===----------------------------------------------------------------------===//

#include "ModelBuilder.h"

#include <cmath>

using namespace linnet;
using mlir::Value;

/// What this family calls yarn is longrope, which switches frequencies when a
/// text outgrows the original context.
static void checkRopeType(Config &c) {
  Config rope =
      c.object(c.find("rope_parameters") ? "rope_parameters" : "rope_scaling");
  for (const char *key : {"rope_type", "type"})
    if (rope.find(key) && rope.text(key) != "default")
      rope.reject(key, "default");
}

Status linnet::importPhi3(ModelBuilder &m) {
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
  double eps = c.positive("rms_norm_eps", 1e-5);
  ir::Activation act = m.readActivation("hidden_act", "silu");
  int64_t maxPositions =
      c.size("max_position_embeddings", 4096, Config::kMaxContext);
  AttentionOptions options{.scale = 1 / std::sqrt(double(headDim))};
  if (c.find("sliding_window"))
    options.window =
        c.size("sliding_window", std::nullopt, Config::kMaxContext);
  checkRopeType(c);
  Rope rope = readRope(c, headDim, maxPositions);
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

  int64_t queries = heads * headDim, keys = kvHeads * headDim;
  m.stack("model.layers.", {}, [&](const LayerInputs &in) {
    Value h = m.rmsNorm(in.x, "input_layernorm", eps);
    auto qkv = m.split(m.linear(h, "self_attn.qkv_proj", queries + 2 * keys),
                       {queries, keys, keys});
    Value q = m.rotary(m.splitHeads(qkv[0], heads), in.position, rope);
    Value k = m.rotary(m.splitHeads(qkv[1], kvHeads), in.position, rope);
    Value v = m.splitHeads(qkv[2], kvHeads);
    Value o = m.mergeHeads(m.attention(q, k, v, options));
    Value x = m.add(in.x, m.linear(o, "self_attn.o_proj", d));

    h = m.rmsNorm(x, "post_attention_layernorm", eps);
    auto parts =
        m.split(m.linear(h, "mlp.gate_up_proj", 2 * inner), {inner, inner});
    return m.add(x,
                 m.linear(m.glu(act, parts[0], parts[1]), "mlp.down_proj", d));
  });

  m.head("", [&](Value x) {
    Value h = m.rmsNorm(x, "model.norm", eps);
    return m.linear(h, tied ? "model.embed_tokens" : "lm_head", vocabulary);
  });
  return Status();
}
