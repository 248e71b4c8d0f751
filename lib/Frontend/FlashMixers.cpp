//===- FlashMixers.cpp - attention, gla, retnet, linear_attn --------------===//
//
// Mixers without a delta rule. Below, S is the state of a head, h the layer's
// normalised input, and o = S^T q / sqrt(K).
//
//===----------------------------------------------------------------------===//

#include "FlashLinearAttention.h"

#include <cmath>
#include <limits>

using namespace linnet;
using namespace linnet::fla;
using mlir::Value;

static double rootOf(int64_t width) { return 1 / std::sqrt(double(width)); }

/// The gate of the output, if the model has one.
static Value outputGate(ModelBuilder &m, Value h, const Heads &s, bool gated) {
  return gated ? project(m, h, "g", s.count, s.valueDim, 0) : Value();
}

namespace {

/// What softmax attention reads of the configuration.
struct SoftmaxHeads {
  int64_t heads, kvHeads, width;
  bool bias, norms;

  SoftmaxHeads(Config &c, const Frame &f) {
    heads = c.size("num_heads", 32);
    kvHeads = c.size("num_kv_heads", heads);
    c.divides("num_heads", heads, "num_kv_heads", kvHeads);
    if (f.d % heads)
      c.reject("num_heads", "a divisor of hidden_size");
    width = std::max<int64_t>(f.d / heads, 1);
    bias = c.flag("qkv_bias", false);
    norms = c.flag("qk_norm", false);
  }

  /// q, k or v of `h`.
  Value project(ModelBuilder &m, Value h, const std::string &name) const {
    constexpr double kQkEps = 1e-5;
    int64_t count = name == "q" ? heads : kvHeads;
    Value x =
        m.linear(h, "attn." + name + "_proj", count * width, {.bias = bias});
    x = m.splitHeads(x, count);
    return norms && name != "v" ? m.rmsNorm(x, "attn." + name + "_norm", kQkEps)
                                : x;
  }
};

} // namespace

//   softmax(rot(q) rot(k)^T / sqrt(K)) v
Mixer fla::readAttention(ModelBuilder &m, Config c, const Frame &f) {
  SoftmaxHeads s(c, f);
  AttentionOptions options{.scale = rootOf(s.width)};
  if (c.find("window_size"))
    options.window = c.size("window_size", std::nullopt, Config::kMaxContext);
  Rope rope = readRope(c, s.width, f.maxPositions);

  return [=, &m](Value h, const LayerInputs &in) {
    Value q = m.rotary(s.project(m, h, "q"), in.position, rope);
    Value k = m.rotary(s.project(m, h, "k"), in.position, rope);
    Value o = m.attention(q, k, s.project(m, h, "v"), options);
    return m.linear(m.mergeHeads(o), "attn.o_proj", f.d);
  };
}

Mixer fla::readTransformer(ModelBuilder &m, const Frame &f) {
  return readAttention(m, m.config(), f);
}

// Lin et al. 2025: attention without positions whose scores fade,
//   s_ij = q_i k_j / sqrt(K) + F_i - F_j,  F_t = sum_{l<=t} log sigmoid(f_l)
// F_i is the same for all keys and cancels. -F_j is one more channel of the
// key for each head of q that reads it, and the query picks its own.
Mixer fla::readForgettingTransformer(ModelBuilder &m, const Frame &f) {
  Config &c = m.config();
  SoftmaxHeads s(c, f);
  bool gated = c.flag("use_output_gate", false);
  c.unsupported("window_size");
  int64_t readers = s.heads / s.kvHeads;
  std::vector<float> own(s.heads * readers, 0);
  for (int64_t head = 0; head < s.heads; ++head)
    own[head * readers + head % readers] = float(1 / rootOf(s.width));

  return [=, &m](Value h, const LayerInputs &) {
    Value q = s.project(m, h, "q"), k = s.project(m, h, "k");
    Value f = m.linear(h, "attn.f_proj", s.heads, {.bias = true});
    Value one = m.constant({1}, {1, 1, 1, 1});
    // 0 - F, summed by a state of one entry.
    Value faded =
        m.scan(one, one, m.splitHeads(m.scaled(logSigmoid(m, f), -1), s.heads),
               ir::NoneTransitionAttr::get(m.context()), {});
    Value picks = m.atEveryToken(h, m.constant(own, {s.heads, readers}));
    k = m.concat({k, m.splitHeads(m.mergeHeads(faded), s.kvHeads)});
    Value o =
        m.mergeHeads(m.attention(m.concat({q, picks}), k, s.project(m, h, "v"),
                                 {.scale = rootOf(s.width)}));
    if (gated)
      o = m.glu(ir::Activation::Sigmoid,
                m.linear(h, "attn.g_proj", s.heads * s.width), o);
    return m.linear(o, "attn.o_proj", s.heads * s.width);
  };
}

// Yang et al. 2023, with a gate of low rank:
//   g = log sigmoid(W1 W0 h + b) / 16;  S = diag(e^g) S + k v^T
Mixer fla::readGla(ModelBuilder &m, const Frame &f) {
  constexpr int64_t kGateRank = 16;
  constexpr double kGateDivisor = 16;
  Config &c = m.config();
  Heads s = readHeads(c, f, {.count = 4, .expandK = 0.5, .expandV = 1});
  int64_t taps = readTaps(c, false);
  bool gated = c.flag("use_output_gate", true);
  double low = c.find("clamp_min") ? c.number("clamp_min")
                                   : -std::numeric_limits<double>::infinity();
  ir::Activation feature = ir::Activation::Identity;
  if (c.find("feature_map")) {
    feature = m.readActivation("feature_map", "relu");
    if (feature != ir::Activation::Relu && feature != ir::Activation::Silu &&
        feature != ir::Activation::Sigmoid)
      c.reject("feature_map", "none or one of relu, swish, sigmoid");
  }

  return [=, &m](Value h, const LayerInputs &) {
    auto map = [&](Value x) {
      return feature == ir::Activation::Identity ? x : m.activation(feature, x);
    };
    Value q = map(project(m, h, "q", s.count, s.keyDim, taps));
    Value k = map(project(m, h, "k", s.kvCount, s.keyDim, taps));
    Value v = project(m, h, "v", s.kvCount, s.valueDim, taps);
    Value g = m.linear(m.linear(h, "attn.gk_proj.0", kGateRank),
                       "attn.gk_proj.1", s.kvCount * s.keyDim, {.bias = true});
    g = m.clamp(logSigmoid(m, g, kGateDivisor), low,
                std::numeric_limits<double>::infinity());
    Value o = m.scan(q, k, m.repeatHeads(v, s.count / s.kvCount),
                     ir::DiagonalTransitionAttr::get(m.context()),
                     {m.splitHeads(g, s.kvCount)}, rootOf(s.keyDim));
    return readOut(m, f, o, gated ? "g_norm_swish_gate" : "g_norm",
                   outputGate(m, h, s, gated));
  };
}

// Sun et al. 2023, with rotated q and k:
//   S = γ S + k v^T,  γ = 1 - 2^(-5 - head)
Mixer fla::readRetNet(ModelBuilder &m, const Frame &f) {
  Config &c = m.config();
  Heads s = readHeads(c, f, {.count = 8, .expandK = 1, .expandV = 2});
  bool gated = c.flag("use_output_gate", true);
  c.unsupported("feature_map");
  Rope rope = readRope(c, s.keyDim, f.maxPositions);
  std::vector<float> decay;
  for (int64_t head = 0; head < s.count; ++head)
    decay.push_back(float(std::log1p(-std::exp2(-5.0 - double(head)))));

  // The reference reads use_short_conv but has no convolutions.
  return [=, &m](Value h, const LayerInputs &in) {
    Value q = project(m, h, "q", s.count, s.keyDim, 0);
    Value k = project(m, h, "k", s.kvCount, s.keyDim, 0);
    Value v = project(m, h, "v", s.kvCount, s.valueDim, 0);
    Value o =
        m.scan(m.rotary(q, in.position, rope), m.rotary(k, in.position, rope),
               m.repeatHeads(v, s.count / s.kvCount),
               ir::ScalarTransitionAttr::get(m.context()),
               {m.constant(decay, {1, 1, s.count})}, rootOf(s.keyDim));
    return readOut(m, f, o, gated ? "g_norm_swish_gate" : "g_norm",
                   outputGate(m, h, s, gated));
  };
}

// Katharopoulos et al. 2020, with features φ of q and k:
//   elu(x) + 1, relu, x itself, or (W1 x + b1) * (W2 x + b2)
//   S = S + φ(k) v^T
Mixer fla::readLinearAttention(ModelBuilder &m, const Frame &f) {
  constexpr double kSumEps = 1e-4;
  Config &c = m.config();
  Heads s = readHeads(c, f, {.count = 4, .expandK = 1, .expandV = 1});
  std::string map = c.text("feature_map", "elementwise_product");
  if (map != "elementwise_product" && map != "elu" && map != "relu" &&
      map != "identity")
    c.reject("feature_map", "elementwise_product, elu, relu or identity");
  c.unsupported("tie_feature_map_qk");
  c.unsupported("norm_feature_map");
  bool normQ = c.flag("norm_q", false), normK = c.flag("norm_k", false);

  return [=, &m](Value h, const LayerInputs &) {
    auto feature = [&](const char *name, int64_t heads, bool norm) {
      Value x = project(m, h, name, heads, s.keyDim, 0);
      std::string layer = std::string("attn.feature_map_") + name + ".layer";
      if (map == "elementwise_product") // The same for every head.
        x = m.mul(m.linear(x, layer + "1", s.keyDim, {.bias = true}),
                  m.linear(x, layer + "2", s.keyDim, {.bias = true}));
      if (map == "elu")
        x = eluPlusOne(m, x);
      if (map == "relu")
        x = m.activation(ir::Activation::Relu, x);
      return norm ? m.sumNorm(x, kSumEps) : x;
    };
    Value q = feature("q", s.count, normQ), k = feature("k", s.kvCount, normK);
    Value v = project(m, h, "v", s.kvCount, s.valueDim, 0);
    Value o =
        m.scan(q, k, m.repeatHeads(v, s.count / s.kvCount),
               ir::NoneTransitionAttr::get(m.context()), {}, rootOf(s.keyDim));
    return readOut(m, f, o, "norm", Value());
  };
}
