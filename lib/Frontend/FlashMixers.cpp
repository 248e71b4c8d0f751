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

//   softmax(rot(q) rot(k)^T / sqrt(K)) v
Mixer fla::readAttention(ModelBuilder &m, Config c, const Frame &f) {
  int64_t heads = c.size("num_heads", 32);
  int64_t kvHeads = c.size("num_kv_heads", heads);
  c.divides("num_heads", heads, "num_kv_heads", kvHeads);
  if (f.d % heads)
    c.reject("num_heads", "a divisor of hidden_size");
  int64_t width = std::max<int64_t>(f.d / heads, 1);
  bool bias = c.flag("qkv_bias", false), norms = c.flag("qk_norm", false);
  AttentionOptions options{.scale = rootOf(width)};
  if (c.find("window_size"))
    options.window = c.size("window_size", std::nullopt, Config::kMaxContext);
  Rope rope = readRope(c, width, f.maxPositions);
  constexpr double kQkEps = 1e-5;

  return [=, &m](Value h, const LayerInputs &in) {
    auto heading = [&](const char *name, int64_t count) {
      return m.splitHeads(m.linear(h, std::string("attn.") + name + "_proj",
                                   count * width, {.bias = bias}),
                          count);
    };
    Value q = heading("q", heads), k = heading("k", kvHeads);
    Value v = heading("v", kvHeads);
    if (norms) {
      q = m.rmsNorm(q, "attn.q_norm", kQkEps);
      k = m.rmsNorm(k, "attn.k_norm", kQkEps);
    }
    Value o = m.attention(m.rotary(q, in.position, rope),
                          m.rotary(k, in.position, rope), v, options);
    return m.linear(m.mergeHeads(o), "attn.o_proj", f.d);
  };
}

Mixer fla::readTransformer(ModelBuilder &m, const Frame &f) {
  return readAttention(m, m.config(), f);
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
      if (map == "elementwise_product") {
        // The same map for every head.
        Value flat = m.mergeTime(x);
        flat = m.mul(m.linear(flat, layer + "1", s.keyDim, {.bias = true}),
                     m.linear(flat, layer + "2", s.keyDim, {.bias = true}));
        x = m.splitTime(flat, heads);
      }
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
