//===- FlashGateMixers.cpp - hgrn, hgrn2, lightnet ------------------------===//
//
// Mixers that write as much as they forget.
//
//===----------------------------------------------------------------------===//

#include "FlashLinearAttention.h"

#include <cmath>

using namespace linnet;
using namespace linnet::fla;
using llvm::StringRef;
using mlir::Value;

namespace {

/// Channels [B, T, width] of `name`_proj, convolved if `taps` is not 0.
Value channels(ModelBuilder &m, Value h, StringRef name, int64_t width,
               int64_t taps) {
  std::string stem = "attn." + name.str();
  Value x = m.linear(h, stem + "_proj", width);
  return taps ? m.shortConv(x, stem + "_conv1d", taps, ir::Activation::Identity,
                            /*bias=*/false)
              : x;
}

/// What is written, and the log of what stays.
struct ForgetGate {
  Value written, logDecay;
};

/// With a = b + (1 - b) sigmoid(x), 1 - a and log a. The bound b is a share of
/// the softmax over the layers of `model.lower_bounds`: the later the layer,
/// the more stays.
ForgetGate forget(ModelBuilder &m, Value x, const Frame &f, bool bounded) {
  Value written = m.activation(ir::Activation::Sigmoid, m.scaled(x, -1));
  if (!bounded)
    return {written, logSigmoid(m, x)};
  Value table = m.within(
      "", [&] { return m.wideWeight("model.lower_bounds", {f.layers, f.d}); });
  written = m.mulAlong(written, m.shareOfLaterLayers(table), {2});
  return {written, m.logOneMinus(written)};
}

/// Heads as wide as `expand_ratio` says.
int64_t readRatioHeads(Config &c, const Frame &f) {
  bool ratio = !c.isNull("expand_ratio");
  if (!ratio && !c.find("num_heads")) {
    c.reject("expand_ratio", "a number, or one at num_heads");
    return 1;
  }
  StringRef key = ratio ? "expand_ratio" : "num_heads";
  int64_t given = ratio ? c.size(key, 128) : c.size(key);
  c.divides("hidden_size", f.d, key, given);
  return ratio ? std::max<int64_t>(f.d / given, 1) : given;
}

} // namespace

// Qin et al. 2023: a vector as the state,
//   s = a s + (1 - a) silu(i);  o_proj(RMS(s) * silu(g))
Mixer fla::readHgrn(ModelBuilder &m, const Frame &f) {
  Config &c = m.config();
  int64_t ratio = c.size("expand_ratio", 1), width = f.d * ratio;
  int64_t taps = readTaps(c, false);
  bool bounded = c.flag("use_lower_bound", true);
  if (width > Config::kMaxSize || (bounded && ratio != 1)) {
    c.reject("expand_ratio", bounded ? "1 with use_lower_bound"
                                     : "a number that makes a width");
    width = f.d;
  }

  return [=, &m](Value h, const LayerInputs &) {
    Value i =
        m.activation(ir::Activation::Silu, channels(m, h, "i", width, taps));
    ForgetGate gate = forget(m, channels(m, h, "f", width, taps), f, bounded);
    Value one = m.constant({1}, {1, 1, 1, 1});
    Value s =
        m.mergeHeads(m.scan(one, one, m.splitHeads(m.mul(i, gate.written), 1),
                            ir::ValueDiagonalTransitionAttr::get(m.context()),
                            {m.splitHeads(gate.logDecay, 1)}));
    s = m.gatedRmsNorm(s, m.linear(h, "attn.g_proj", width), "attn.g_norm",
                       f.eps, ir::GateOrder::After);
    return m.linear(s, "attn.o_proj", f.d);
  };
}

// Qin et al. 2024: the same with a matrix as the state,
//   S = diag(a) S + (1 - a) i^T;  o_proj(RMS(S^T silu(q) / sqrt(K)))
Mixer fla::readHgrn2(ModelBuilder &m, const Frame &f) {
  // Not norm_eps, which the published code does not hand on.
  constexpr double kNormEps = 1e-5;
  Config &c = m.config();
  int64_t heads = readRatioHeads(c, f), taps = readTaps(c, false);
  bool bounded = c.flag("use_lower_bound", true);

  return [=, &m](Value h, const LayerInputs &) {
    Value q =
        m.activation(ir::Activation::Silu, channels(m, h, "q", f.d, taps));
    Value v = channels(m, h, "i", f.d, taps);
    ForgetGate gate = forget(m, channels(m, h, "f", f.d, taps), f, bounded);
    Value o = m.scan(m.splitHeads(q, heads), m.splitHeads(gate.written, heads),
                     m.splitHeads(v, heads),
                     ir::DiagonalTransitionAttr::get(m.context()),
                     {m.splitHeads(gate.logDecay, heads)},
                     std::sqrt(double(heads) / double(f.d)));
    o = m.rmsNorm(m.mergeHeads(o), "attn.g_norm", kNormEps);
    return m.linear(o, "attn.o_proj", f.d);
  };
}

// Qin et al. 2024: keys are a softmax over the time so far,
//   z = log(e^z + e^k);  S = diag(e^(z' - z)) S + e^(k - z) v^T
//   o_proj(RMS(S^T silu(q) / sqrt(K)) * silu(g1 g0 h))
// where z' is the z before.
Mixer fla::readLightNet(ModelBuilder &m, const Frame &f) {
  // As in hgrn2.
  constexpr double kNormEps = 1e-6;
  Config &c = m.config();
  int64_t heads = readRatioHeads(c, f), taps = readTaps(c, false);
  if (c.find("expand_ratio") && c.find("num_heads"))
    c.reject("num_heads", "null beside expand_ratio");
  int64_t rank = c.size("gate_low_rank_dim", 128);

  return [=, &m](Value h, const LayerInputs &) {
    Value q =
        m.activation(ir::Activation::Silu, channels(m, h, "q", f.d, taps));
    Value v = channels(m, h, "v", f.d, taps);
    auto [key, logDecay] = m.runningMean(channels(m, h, "k", f.d, taps));
    Value o = m.scan(m.splitHeads(q, heads), m.splitHeads(key, heads),
                     m.splitHeads(v, heads),
                     ir::DiagonalTransitionAttr::get(m.context()),
                     {m.splitHeads(logDecay, heads)},
                     std::sqrt(double(heads) / double(f.d)));
    Value gate =
        m.linear(m.linear(h, "attn.g_proj.0", rank), "attn.g_proj.1", f.d);
    o = m.gatedRmsNorm(m.mergeHeads(o), gate, "attn.g_norm", kNormEps,
                       ir::GateOrder::After);
    return m.linear(o, "attn.o_proj", f.d);
  };
}
