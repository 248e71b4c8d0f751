//===- Rwkv.cpp - rwkv6, rwkv7 of flash-linear-attention ------------------===//
//
//   x = E[tokens];  the first layer: x = LN(x; pre_norm)
//   x += Mix(LN(x; attn_norm));  x += FFN(LN(x; ffn_norm))
//   logits = head LN(x; norm)
//
// Both parts read the token before: with Δ = h_{t-1} - h_t, a channel's input
// is h + μ Δ. Per head of width K and V:
//
// rwkv6 (Peng et al. 2024), where μ itself depends on the token:
//   [z_r | z_w | ...] = tanh(x_proj (h + μ Δ));  μ_r = W_r z_r + b_r, ...
//   w = -exp(W2 tanh(W1 (h + μ_w Δ)) + b);  r, k, v, g of their own h + μ Δ
//   o = (S_{t-1} + (u k) v^T)^T r;  S = diag(e^w) S_{t-1} + k v^T
//   o_proj(GN(o) silu(g))
//   FFN: sigmoid(receptance (h + μ Δ)) value(relu(key (h + μ' Δ))^2)
//
// rwkv7 (Peng et al. 2025), where v' is the first layer's v:
//   w = -sigmoid(W2 tanh(W1 h_w) + b) / sqrt(e);  a = sigmoid(A2 A1 h_a + b)
//   v += (v' - v) sigmoid(V2 V1 h_v + b) but in the first layer
//   κ = k k_k / |k k_k|;  k = k (1 + (a - 1) k_a)
//   S = diag(e^w) S - (κ a) (κ^T S) + k v^T;  o = S^T r
//   o_proj((GN(o) + (r · r_k k) v) G2 sigmoid(G1 h_g))
//   FFN: value(relu(key (h + μ Δ))^2)
//
//===----------------------------------------------------------------------===//

#include "FlashLinearAttention.h"

#include <cmath>

using namespace linnet;
using llvm::StringRef;
using mlir::Value;

namespace {

struct Shape {
  int64_t d, inner, heads, keyDim, valueDim;
  double eps;
  bool normFirst, normBias;
  // Widths of the low ranks: rwkv6's mix, the decay, and rwkv7's gates.
  int64_t mixRank, decayRank, gateRank, aRank, vRank;
};

/// up(act(down(x))) of `name`.{0,2}.
Value lowRank(ModelBuilder &m, Value x, const std::string &name, int64_t rank,
              int64_t out, ir::Activation act, bool bias = true) {
  Value z = m.linear(x, name + ".0", rank);
  if (act != ir::Activation::Identity)
    z = m.activation(act, z);
  return m.linear(z, name + ".2", out, {.bias = bias});
}

/// h + μ Δ with the stored μ.
Value mixed(ModelBuilder &m, Value h, Value shift, StringRef name, int64_t d) {
  return m.lerp(h, shift, m.wideWeight(name, {d}));
}

Value mix6(ModelBuilder &m, Value h, const Shape &s) {
  Value shift = m.tokenShift(h);
  // r, w, k, v, g share the weights of the mix.
  constexpr int64_t kParts = 5;
  Value z = m.activation(ir::Activation::Tanh,
                         m.linear(mixed(m, h, shift, "attn.x_proj.0.mu", s.d),
                                  "attn.x_proj.0.linear", kParts * s.mixRank));
  auto parts =
      m.split(z, llvm::SmallVector<int64_t>(size_t(kParts), s.mixRank));
  Value up = m.weight("attn.x_proj.2.weight", {s.d, kParts * s.mixRank});
  Value bias = m.wideWeight("attn.x_bias", {kParts, s.d});
  auto input = [&](int64_t part) {
    Value w = m.columns(up, part * s.mixRank, s.mixRank);
    return m.lerp(h, shift, m.linear(parts[part], w, m.row(bias, part)));
  };
  int64_t keys = s.heads * s.keyDim, values = s.heads * s.valueDim;
  Value r = m.linear(input(0), "attn.r_proj.linear", keys);
  Value w = m.negativeExp(lowRank(m, input(1), "attn.w_proj.linear.lora",
                                  s.decayRank, keys, ir::Activation::Tanh));
  Value k = m.linear(input(2), "attn.k_proj.linear", keys);
  Value v = m.linear(input(3), "attn.v_proj.linear", values);
  Value g = m.linear(input(4), "attn.g_proj.linear", values);

  Value bonus =
      m.prependUnits(m.wideWeight("attn.bonus", {s.heads, s.keyDim}), 2);
  Value o = m.scanBefore(m.splitHeads(r, s.heads), m.splitHeads(k, s.heads),
                         m.splitHeads(v, s.heads),
                         ir::DiagonalTransitionAttr::get(m.context()),
                         {m.splitHeads(w, s.heads)}, bonus);
  o = m.groupNorm(m.mergeHeads(o), "attn.g_norm", s.eps, s.heads, g);
  return m.linear(o, "attn.o_proj", s.d);
}

Value ffn6(ModelBuilder &m, Value h, const Shape &s) {
  Value shift = m.tokenShift(h);
  Value k = m.linear(mixed(m, h, shift, "ffn.key.mu", s.d), "ffn.key.linear",
                     s.inner);
  Value v = m.linear(m.activation(ir::Activation::Relu2, k), "ffn.value", s.d);
  Value r = m.linear(mixed(m, h, shift, "ffn.receptance.mu", s.d),
                     "ffn.receptance.linear", s.d);
  return m.glu(ir::Activation::Sigmoid, r, v);
}

/// The output and the first layer's v.
std::pair<Value, Value> mix7(ModelBuilder &m, Value h, const LayerInputs &in,
                             const Shape &s) {
  constexpr double kUnitLengthEps = 1e-6;
  Value shift = m.tokenShift(h);
  auto input = [&](StringRef name) {
    Value amount = m.wideWeight(("attn.x_" + name).str(), {1, 1, s.d});
    return m.lerp(h, shift, m.flatten(amount));
  };
  auto heads = [&](Value x) { return m.splitHeads(x, s.heads); };
  auto gate = [&](StringRef name, int64_t rank) {
    return m.activation(ir::Activation::Sigmoid,
                        lowRank(m, input(name.take_front()),
                                ("attn." + name + ".lora").str(), rank, s.d,
                                ir::Activation::Identity));
  };
  Value r = m.linear(input("r"), "attn.r_proj", s.d);
  Value w = lowRank(m, input("w"), "attn.w_lora.lora", s.decayRank, s.d,
                    ir::Activation::Tanh);
  w = m.scaled(m.activation(ir::Activation::Sigmoid, w), -std::exp(-0.5));
  Value k = m.linear(input("k"), "attn.k_proj", s.d);
  Value v = m.linear(input("v"), "attn.v_proj", s.d);
  Value first = in.number == 0 ? v : in.handed;
  if (in.number > 0)
    v = m.lerp(v, m.sub(first, v), gate("v_lora", s.vRank));
  Value a = gate("a_lora", s.aRank);
  Value g = lowRank(m, input("g"), "attn.g_lora.lora", s.gateRank, s.d,
                    ir::Activation::Sigmoid, /*bias=*/false);

  Value unit =
      m.l2Norm(heads(m.mulAlong(k, m.wideWeight("attn.k_k", {s.d}), {2})),
               kUnitLengthEps);
  k = m.lerp(k, m.sub(m.mul(k, a), k), m.wideWeight("attn.k_a", {s.d}));
  Value q = heads(r), keys = heads(k), values = heads(v);
  Value o = m.scan(q, keys, values,
                   ir::RankOneTransitionAttr::get(m.context(), "diagonal"),
                   {unit, m.scaled(m.mul(unit, heads(a)), -1), heads(w)});
  o = m.groupNorm(m.mergeHeads(o), "attn.g_norm", double(s.keyDim) * s.eps,
                  s.heads);
  Value now = m.sumLast(m.mulAlong(
      m.mul(q, keys), m.wideWeight("attn.r_k", {s.heads, s.keyDim}), {2, 3}));
  o = m.add(o, m.mergeHeads(m.mulAlong(values, now, {0, 1, 2})));
  return {m.linear(m.mul(o, g), "attn.o_proj", s.d), first};
}

Value ffn7(ModelBuilder &m, Value h, const Shape &s) {
  Value k = m.linear(mixed(m, h, m.tokenShift(h), "ffn.x_k", s.d), "ffn.key",
                     s.inner);
  return m.linear(m.activation(ir::Activation::Relu2, k), "ffn.value", s.d);
}

/// `intermediate_size`, or a multiple of the width, rounded up.
int64_t readInner(Config &c, int64_t d, double dflt) {
  if (c.find("intermediate_size"))
    return c.size("intermediate_size");
  double wide = std::trunc(double(d) * c.positive("hidden_ratio", dflt));
  if (wide < double(Config::kMaxSize))
    return (int64_t(wide) + 31) / 32 * 32;
  c.reject("hidden_ratio", "a number of which a network can be made");
  return 1;
}

void readShape6(Config &c, Shape &s, int64_t layers) {
  s.inner = readInner(c, s.d, 3.5);
  fla::Heads heads = fla::readHeads(
      c, {.d = s.d, .layers = layers, .maxPositions = 0, .eps = 0},
      {.count = 4, .expandK = 0.5, .expandV = 1});
  s.heads = heads.count;
  s.keyDim = heads.keyDim;
  s.valueDim = heads.valueDim;
  s.mixRank = c.size("proj_low_rank_dim", 32);
  s.decayRank = c.size("gate_low_rank_dim", 64);
}

void readShape7(Config &c, Shape &s) {
  s.inner = readInner(c, s.d, 4);
  bool counted = c.find("num_heads") && !c.find("head_dim");
  const char *key = counted ? "num_heads" : "head_dim";
  int64_t part = counted ? c.size(key) : c.size(key, 64);
  c.divides("hidden_size", s.d, key, part);
  s.heads = counted ? part : std::max<int64_t>(s.d / part, 1);
  s.keyDim = s.valueDim = std::max<int64_t>(s.d / s.heads, 1);
  // The reference cannot make a model of any other width either.
  std::vector<double> widths;
  if (const Json *value = c.find("value_dim"))
    widths = value->is_array() ? c.numbers("value_dim", {})
                               : std::vector<double>{c.number("value_dim")};
  for (double width : widths)
    if (width != double(s.d))
      c.reject("value_dim", "hidden_size (" + std::to_string(s.d) + ")");
  s.decayRank = c.size("decay_low_rank_dim", 64);
  s.gateRank = c.size("gate_low_rank_dim", 128);
  s.aRank = c.size("a_low_rank_dim", 64);
  s.vRank = c.size("v_low_rank_dim", 16);
}

} // namespace

Status linnet::importRwkv(ModelBuilder &m) {
  Config &c = m.config();
  bool seven = m.modelType() == "rwkv7";
  Shape s{};
  int64_t vocabulary = c.vocabulary();
  s.d = c.size("hidden_size");
  int64_t layers = c.layerCount("num_hidden_layers");
  s.eps = c.positive("norm_eps", 1e-5);
  s.normFirst = c.flag("norm_first", true);
  s.normBias = c.flag("norm_bias", true);
  if (seven)
    readShape7(c, s);
  else
    readShape6(c, s, layers);
  if (m.readActivation("hidden_act", "sqrelu") != ir::Activation::Relu2)
    c.reject("hidden_act", "sqrelu");
  c.unsupported("attn");

  std::vector<std::string> kinds(layers, "later");
  kinds.front() = "first";
  bool tied = m.isTied("lm_head.weight", false);
  if (Status status = m.begin({.vocabulary = vocabulary,
                               .hidden = s.d,
                               .layers = layers,
                               .maxPositions = kUnboundedContext});
      !status)
    return status;

  m.embed("model.", [&](const EmbedInputs &in) {
    return m.embedding(in.tokens, "embeddings", vocabulary, s.d);
  });

  auto norm = [&](Value x, StringRef name) {
    return m.layerNorm(x, name, s.eps, s.normBias);
  };
  auto start = [&](const LayerInputs &in) {
    bool first = s.normFirst && in.number == 0;
    return first ? norm(in.x, "pre_norm") : in.x;
  };
  if (seven)
    m.stackHanding("model.layers.", kinds, [&](const LayerInputs &in) {
      Value x = start(in);
      auto [y, handed] = mix7(m, norm(x, "attn_norm"), in, s);
      x = m.add(x, y);
      return std::pair(m.add(x, ffn7(m, norm(x, "ffn_norm"), s)), handed);
    });
  else
    m.stack("model.layers.", kinds, [&](const LayerInputs &in) {
      Value x = start(in);
      x = m.add(x, mix6(m, norm(x, "attn_norm"), s));
      return m.add(x, ffn6(m, norm(x, "ffn_norm"), s));
    });

  m.head("", [&](Value x) {
    return m.linear(norm(x, "model.norm"),
                    tied ? "model.embeddings" : "lm_head", vocabulary);
  });
  return Status();
}
