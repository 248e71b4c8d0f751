//===- Bert.cpp - bert ----------------------------------------------------===//
//
//   x = LN(word[tokens] + type[token_types] + pos[positions])
//   x = LN(x + Wo Attn(x))
//   x = LN(x + W2 act(W1 x))
//
// An encoder with norms after the sums; its output is the last hidden state.
//
//===----------------------------------------------------------------------===//

#include "ModelBuilder.h"

#include <cmath>

using namespace linnet;
using llvm::StringRef;
using mlir::Value;

Status linnet::importBert(ModelBuilder &m) {
  Config &c = m.config();
  int64_t vocabulary = c.vocabulary();
  int64_t d = c.size("hidden_size");
  int64_t layers = c.layerCount("num_hidden_layers");
  int64_t heads = c.size("num_attention_heads");
  c.divides("hidden_size", d, "num_attention_heads", heads);
  int64_t inner = c.size("intermediate_size");
  int64_t maxPositions = c.size("max_position_embeddings", 512);
  int64_t types = c.size("type_vocab_size", 2);
  double eps = c.positive("layer_norm_eps", 1e-12);
  ir::Activation act = m.readActivation("hidden_act", "gelu");
  c.unsupported("is_decoder");
  c.unsupported("add_cross_attention");
  if (c.text("position_embedding_type", "absolute") != "absolute")
    c.reject("position_embedding_type", "absolute");

  std::string prefix =
      m.choosePrefix("embeddings.word_embeddings.weight", {"", "bert."});
  m.alias(".LayerNorm.weight", ".LayerNorm.gamma");
  m.alias(".LayerNorm.bias", ".LayerNorm.beta");
  m.ignore(prefix + "embeddings.position_ids");
  m.ignore(prefix + "pooler.*");
  // The heads of pre-training.
  m.ignore("cls.*");
  if (Status status = m.begin({.encoder = true,
                               .vocabulary = vocabulary,
                               .hidden = d,
                               .layers = layers,
                               .maxPositions = maxPositions,
                               .fixedPositions = true});
      !status)
    return status;

  m.embed(prefix + "embeddings.", [&](const EmbedInputs &in) {
    Value words = m.embedding(in.tokens, "word_embeddings", vocabulary, d);
    Value kinds = m.embedding(in.tokenTypes, "token_type_embeddings", types, d);
    Value places = m.embedding(m.positions(in.tokens, in.position),
                               "position_embeddings", maxPositions, d);
    return m.layerNorm(m.add(m.add(words, kinds), places), "LayerNorm", eps);
  });

  m.stack(prefix + "encoder.layer.", {}, [&](const LayerInputs &in) {
    Value x = in.x;
    auto project = [&](StringRef name) {
      return m.splitHeads(m.linear(x, name, d, {.bias = true}), heads);
    };
    Value q = project("attention.self.query");
    Value k = project("attention.self.key");
    Value v = project("attention.self.value");
    Value o = m.attention(q, k, v,
                          {.scale = 1 / std::sqrt(double(d) / double(heads)),
                           .causal = false,
                           .keyMask = in.keyMask});
    o = m.linear(m.mergeHeads(o), "attention.output.dense", d, {.bias = true});
    x = m.layerNorm(m.add(x, o), "attention.output.LayerNorm", eps);

    Value h = m.linear(x, "intermediate.dense", inner, {.bias = true});
    h = m.linear(m.activation(act, h), "output.dense", d, {.bias = true});
    return m.layerNorm(m.add(x, h), "output.LayerNorm", eps);
  });
  return Status();
}
