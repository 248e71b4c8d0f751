//===- Gemma2.cpp - gemma2 ------------------------------------------------===//
//
//   x = sqrt(d) E[tokens]
//   x += RMS1(Attn(RMS1(x; input)); post_attention)
//   x += RMS1(MLP(RMS1(x; pre_feedforward)); post_feedforward)
//   logits = cap(E RMS1(x; norm)),   cap(s) = c tanh(s / c)
//
// Scores are capped as well, before the mask. RMS1 multiplies by 1 + w.
//
//===----------------------------------------------------------------------===//

#include "ModelBuilder.h"

#include <cmath>

using namespace linnet;
using mlir::Value;

namespace {

const char *const kFull = "full_attention";
const char *const kSliding = "sliding_attention";

/// Null is no cap.
std::optional<double> readCap(Config &c, std::string_view key, double dflt) {
  if (c.isNull(key))
    return std::nullopt;
  return c.positive(key, dflt);
}

/// The models were trained with the factor rounded like the table.
double roundLikeTable(double factor, Value embedded) {
  auto lookup = embedded.getDefiningOp<ir::EmbeddingOp>();
  auto type =
      llvm::cast<mlir::FloatType>(lookup.getTable().getType().getElementType());
  llvm::APFloat rounded(factor);
  bool lossy;
  rounded.convert(type.getFloatSemantics(), llvm::APFloat::rmNearestTiesToEven,
                  &lossy);
  return rounded.convertToDouble();
}

} // namespace

Status linnet::importGemma2(ModelBuilder &m) {
  Config &c = m.config();
  int64_t vocabulary = c.vocabulary();
  int64_t d = c.size("hidden_size");
  int64_t layers = c.layerCount("num_hidden_layers");
  int64_t inner = c.size("intermediate_size");
  int64_t heads = c.size("num_attention_heads");
  int64_t kvHeads = c.size("num_key_value_heads", 4);
  c.divides("num_attention_heads", heads, "num_key_value_heads", kvHeads);
  int64_t headDim = c.size("head_dim", 256);
  double eps = c.positive("rms_norm_eps", 1e-6);
  ir::Activation act =
      m.readActivation("hidden_activation", "gelu_pytorch_tanh");
  const LinearOptions map{.bias = c.flag("attention_bias", false)};
  c.unsupported("use_bidirectional_attention");
  AttentionOptions full{
      .scale = 1 / std::sqrt(c.positive("query_pre_attn_scalar", 256)),
      .softCap = readCap(c, "attn_logit_softcapping", 50)};
  AttentionOptions sliding = full;
  sliding.window = c.size("sliding_window", 4096, Config::kMaxContext);
  std::optional<double> cap = readCap(c, "final_logit_softcapping", 30);
  int64_t maxPositions =
      c.size("max_position_embeddings", 8192, Config::kMaxContext);
  Rope rope = readRope(c, headDim, maxPositions);
  std::vector<std::string> kinds =
      c.kinds("layer_types", layers, {kFull, kSliding});
  if (kinds.empty())
    for (int64_t i = 0; i < layers; ++i)
      kinds.push_back(i % 2 == 0 ? kSliding : kFull);
  bool tied = m.isTied("lm_head.weight", true);
  m.ignore("*.rotary_emb.inv_freq");
  if (Status status = m.begin({.vocabulary = vocabulary,
                               .hidden = d,
                               .layers = layers,
                               .maxPositions = maxPositions});
      !status)
    return status;

  auto norm = [&](Value x, llvm::StringRef name) {
    return m.rmsNorm(x, name, eps, /*unitOffset=*/true);
  };
  m.embed("model.", [&](const EmbedInputs &in) {
    Value x = m.embedding(in.tokens, "embed_tokens", vocabulary, d);
    return m.scaled(x, roundLikeTable(std::sqrt(double(d)), x));
  });

  m.stack("model.layers.", kinds, [&](const LayerInputs &in) {
    Value h = norm(in.x, "input_layernorm");
    Value q = m.linear(h, "self_attn.q_proj", heads * headDim, map);
    Value k = m.linear(h, "self_attn.k_proj", kvHeads * headDim, map);
    Value v = m.linear(h, "self_attn.v_proj", kvHeads * headDim, map);
    q = m.rotary(m.splitHeads(q, heads), in.position, rope);
    k = m.rotary(m.splitHeads(k, kvHeads), in.position, rope);
    Value o = m.attention(q, k, m.splitHeads(v, kvHeads),
                          kinds[in.number] == kSliding ? sliding : full);
    o = m.linear(m.mergeHeads(o), "self_attn.o_proj", d, map);
    Value x = m.add(in.x, norm(o, "post_attention_layernorm"));

    h = norm(x, "pre_feedforward_layernorm");
    h = m.gatedMlp(h, "mlp", inner, act);
    return m.add(x, norm(h, "post_feedforward_layernorm"));
  });

  m.head("", [&](Value x) {
    Value logits =
        m.linear(norm(x, "model.norm"), tied ? "model.embed_tokens" : "lm_head",
                 vocabulary);
    return cap ? m.softCap(logits, *cap) : logits;
  });
  return Status();
}
