//===- OlmoHybrid.cpp - olmo_hybrid ---------------------------------------===//
//
// Linear layers, norms before the branches:
//   x += GDN(RMS(x; attention_layer_norm))
//   x += MLP(RMS(x; feedforward_layer_norm))
// Full layers, norms after them:
//   x += RMS(Attn(x); post_attention)
//   x += RMS(MLP(x); post_feedforward)
//
// GDN, the gated delta rule (Yang et al. 2024), q and k of unit length:
//   q, k, v = silu(conv(proj h));  g = -exp(A_log) softplus(a_proj h + dt_bias)
//   β = sigmoid(b_proj h), twice that where negative eigenvalues are allowed
//   o_proj(RMS(o; o_norm) * silu(g_proj h))
//
// Attention normalises q and k over all heads at once.
//
//===----------------------------------------------------------------------===//

#include "ModelBuilder.h"

#include <cmath>

using namespace linnet;
using llvm::StringRef;
using mlir::Value;

namespace {

const char *const kFull = "full_attention";
const char *const kLinear = "linear_attention";
constexpr double kUnitLengthEps = 1e-6;
constexpr double kOutputNormEps = 1e-5;

struct Shape {
  int64_t d, heads, kvHeads, headDim;
  int64_t keyHeads, valueHeads, keyDim, valueDim, taps;
  double eps;
  bool bias, negativeEigenvalues;
  std::optional<Rope> rope;
};

Value linearMixer(ModelBuilder &m, Value h, const Shape &s) {
  auto project = [&](StringRef name, int64_t heads, int64_t width) {
    Value x =
        m.linear(h, ("linear_attn." + name + "_proj").str(), heads * width);
    x = m.shortConv(x, ("linear_attn." + name + "_conv1d").str(), s.taps,
                    ir::Activation::Silu, /*bias=*/false);
    return m.splitHeads(x, heads);
  };
  Value q = m.l2Norm(project("q", s.keyHeads, s.keyDim), kUnitLengthEps);
  Value k = m.l2Norm(project("k", s.keyHeads, s.keyDim), kUnitLengthEps);
  Value v = project("v", s.valueHeads, s.valueDim);

  Value beta = m.activation(ir::Activation::Sigmoid,
                            m.linear(h, "linear_attn.b_proj", s.valueHeads));
  if (s.negativeEigenvalues)
    beta = m.scaled(beta, 2);
  Value dt =
      m.addAlong(m.linear(h, "linear_attn.a_proj", s.valueHeads),
                 m.wideWeight("linear_attn.dt_bias", {s.valueHeads}), {2});
  Value rate = m.negativeExp(m.wideWeight("linear_attn.A_log", {s.valueHeads}));
  Value g = m.mulAlong(m.activation(ir::Activation::Softplus, dt), rate, {2});

  auto transition = ir::DeltaTransitionAttr::get(m.context(), "scalar");
  Value o =
      m.scan(q, k, v, transition, {beta, g}, 1 / std::sqrt(double(s.keyDim)));
  Value z =
      m.splitHeads(m.linear(h, "linear_attn.g_proj", s.valueHeads * s.valueDim),
                   s.valueHeads);
  o = m.gatedRmsNorm(o, z, "linear_attn.o_norm", kOutputNormEps,
                     ir::GateOrder::After);
  return m.linear(m.mergeHeads(o), "linear_attn.o_proj", s.d);
}

Value fullMixer(ModelBuilder &m, Value x, Value position, const Shape &s) {
  const LinearOptions map{.bias = s.bias};
  Value q = m.linear(x, "self_attn.q_proj", s.heads * s.headDim, map);
  Value k = m.linear(x, "self_attn.k_proj", s.kvHeads * s.headDim, map);
  Value v = m.linear(x, "self_attn.v_proj", s.kvHeads * s.headDim, map);
  q = m.splitHeads(m.rmsNorm(q, "self_attn.q_norm", s.eps), s.heads);
  k = m.splitHeads(m.rmsNorm(k, "self_attn.k_norm", s.eps), s.kvHeads);
  if (s.rope) {
    q = m.rotary(q, position, *s.rope);
    k = m.rotary(k, position, *s.rope);
  }
  Value o = m.attention(q, k, m.splitHeads(v, s.kvHeads),
                        {.scale = 1 / std::sqrt(double(s.headDim))});
  return m.linear(m.mergeHeads(o), "self_attn.o_proj", s.d, map);
}

/// Positions are encoded only where a base is given.
std::optional<Rope> readOptionalRope(Config &c, int64_t headDim,
                                     int64_t maxPositions) {
  if (c.object("rope_parameters").find("rope_theta"))
    return readRope(c, headDim, maxPositions);
  c.unsupported("rope_theta");
  c.unsupported("rope_scaling");
  return std::nullopt;
}

Shape readShape(Config &c) {
  Shape s;
  s.d = c.size("hidden_size");
  s.heads = c.size("num_attention_heads");
  s.kvHeads = c.size("num_key_value_heads", s.heads);
  c.divides("num_attention_heads", s.heads, "num_key_value_heads", s.kvHeads);
  c.divides("hidden_size", s.d, "num_attention_heads", s.heads);
  s.headDim = c.size("head_dim", std::max<int64_t>(s.d / s.heads, 1));
  s.keyHeads = c.size("linear_num_key_heads", s.heads);
  s.valueHeads = c.size("linear_num_value_heads", s.heads);
  c.divides("linear_num_value_heads", s.valueHeads, "linear_num_key_heads",
            s.keyHeads);
  s.keyDim = c.size("linear_key_head_dim",
                    std::max<int64_t>(3 * s.d / (4 * s.keyHeads), 1));
  s.valueDim = c.size("linear_value_head_dim", 2 * s.keyDim);
  s.taps = c.size("linear_conv_kernel_dim", 4);
  s.eps = c.positive("rms_norm_eps", 1e-6);
  s.bias = c.flag("attention_bias", false);
  s.negativeEigenvalues = c.flag("linear_allow_neg_eigval", true);
  return s;
}

} // namespace

Status linnet::importOlmoHybrid(ModelBuilder &m) {
  Config &c = m.config();
  int64_t vocabulary = c.vocabulary();
  int64_t layers = c.layerCount("num_hidden_layers");
  int64_t inner = c.size("intermediate_size");
  Shape s = readShape(c);
  ir::Activation act = m.readActivation("hidden_act", "silu");
  int64_t maxPositions =
      c.size("max_position_embeddings", std::nullopt, Config::kMaxContext);
  s.rope = readOptionalRope(c, s.headDim, maxPositions);
  std::vector<std::string> kinds =
      c.kinds("layer_types", layers, {kLinear, kFull});
  if (kinds.empty())
    for (int64_t i = 0; i < layers; ++i)
      kinds.push_back(i % 4 == 3 ? kFull : kLinear);

  bool tied = m.isTied("lm_head.weight", false);
  m.ignore("*.rotary_emb.inv_freq");
  // The norms of the two kinds are stored under either kind's names.
  m.alias(".attention_layer_norm.weight", ".input_layernorm.weight");
  m.alias(".feedforward_layer_norm.weight", ".post_attention_layernorm.weight");
  m.alias(".post_attention_layernorm.weight", ".feedforward_layer_norm.weight");
  if (Status status = m.begin({.vocabulary = vocabulary,
                               .hidden = s.d,
                               .layers = layers,
                               .maxPositions = maxPositions});
      !status)
    return status;

  m.embed("model.", [&](const EmbedInputs &in) {
    return m.embedding(in.tokens, "embed_tokens", vocabulary, s.d);
  });

  m.stack("model.layers.", kinds, [&](const LayerInputs &in) {
    if (kinds[in.number] == kFull) {
      Value h = fullMixer(m, in.x, in.position, s);
      Value x = m.add(in.x, m.rmsNorm(h, "post_attention_layernorm", s.eps));
      h = m.gatedMlp(x, "mlp", inner, act);
      return m.add(x, m.rmsNorm(h, "post_feedforward_layernorm", s.eps));
    }
    Value h = m.rmsNorm(in.x, "attention_layer_norm", s.eps);
    Value x = m.add(in.x, linearMixer(m, h, s));
    h = m.rmsNorm(x, "feedforward_layer_norm", s.eps);
    return m.add(x, m.gatedMlp(h, "mlp", inner, act));
  });

  m.head("", [&](Value x) {
    Value h = m.rmsNorm(x, "model.norm", s.eps);
    return m.linear(h, tied ? "model.embed_tokens" : "lm_head", vocabulary);
  });
  return Status();
}
