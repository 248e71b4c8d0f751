//===- FlashDeltaMixers.cpp - the delta rule's family ---------------------===//
//
// Mixers with a delta rule (Schlag et al. 2021; Yang et al. 2024):
//   S' = D S;  S = S' + β k (v - S'^T k)^T;  o = S^T q / sqrt(K)
//   o_proj(RMS(o) * act(gate))
//
// q, k and v are convolved; q and k have unit length unless said otherwise;
// β = sigmoid(b_proj h), doubled where negative eigenvalues are allowed.
//
//===----------------------------------------------------------------------===//

#include "FlashLinearAttention.h"

#include <cmath>

using namespace linnet;
using namespace linnet::fla;
using llvm::StringRef;
using mlir::Value;

namespace {

constexpr double kUnitLengthEps = 1e-6;

/// Heads of widths of their own; those of q and k serve several of v.
struct DeltaHeads {
  int64_t keyHeads, valueHeads, keyDim, valueDim, taps;
  bool doubled;
};

int64_t readDeltaTaps(Config &c) {
  int64_t taps = readTaps(c, true);
  if (!taps)
    c.reject("use_short_conv", "true");
  return std::max<int64_t>(taps, 1);
}

DeltaHeads readDeltaHeads(Config &c, int64_t heads, int64_t width,
                          double expandV) {
  DeltaHeads s;
  s.keyHeads = c.size("num_heads", heads);
  s.valueHeads = c.size("num_v_heads", s.keyHeads);
  c.divides("num_v_heads", s.valueHeads, "num_heads", s.keyHeads);
  s.keyDim = c.size("head_dim", width);
  double wide = double(s.keyDim) * c.positive("expand_v", expandV);
  if (!(wide >= 1 && wide <= double(Config::kMaxSize)) ||
      wide != std::trunc(wide))
    c.reject("expand_v", "a number that makes a width of head_dim");
  else
    s.valueDim = int64_t(wide);
  s.taps = readDeltaTaps(c);
  s.doubled = c.flag("allow_neg_eigval", false);
  return s;
}

Value writingStrength(ModelBuilder &m, Value h, int64_t heads, bool doubled) {
  Value beta =
      m.activation(ir::Activation::Sigmoid, m.linear(h, "attn.b_proj", heads));
  return doubled ? m.scaled(beta, 2) : beta;
}

/// -exp(A_log) softplus(a_proj h + dt_bias), one decay per head.
Value headDecay(ModelBuilder &m, Value h, int64_t heads) {
  Value step = m.addAlong(m.linear(h, "attn.a_proj", heads),
                          m.wideWeight("attn.dt_bias", {heads}), {2});
  return m.mulAlong(m.activation(ir::Activation::Softplus, step),
                    m.negativeExp(m.wideWeight("attn.A_log", {heads})), {2});
}

Value unitLength(ModelBuilder &m, Value x) {
  return m.l2Norm(x, kUnitLengthEps);
}

ir::DeltaTransitionAttr delta(ModelBuilder &m, StringRef decay) {
  return ir::DeltaTransitionAttr::get(m.context(), decay);
}

double rootOf(int64_t width) { return 1 / std::sqrt(double(width)); }

} // namespace

// Yang et al. 2024: D = 1; q and k of an activation of their own, and of unit
// length or unit sum.
Mixer fla::readDeltaNet(ModelBuilder &m, const Frame &f) {
  Config &c = m.config();
  Heads s = readHeads(c, f, {.count = 16, .expandK = 1, .expandV = 1});
  int64_t taps = readDeltaTaps(c);
  bool gated = c.flag("use_gate", false), doubled, weighted;
  doubled = c.flag("allow_neg_eigval", false);
  weighted = c.flag("use_beta", true);
  std::string act = c.text("qk_activation", "silu");
  if (act != "silu" && act != "relu" && act != "elu" && act != "identity")
    c.reject("qk_activation", "silu, relu, elu or identity");
  std::string norm = c.text("qk_norm", "l2");
  if (norm != "l2" && norm != "sum")
    c.reject("qk_norm", "l2 or sum");

  return [=, &m](Value h, const LayerInputs &) {
    auto feature = [&](StringRef name) {
      Value x = project(m, h, name, s.count, s.keyDim, taps,
                        act == "silu" ? ir::Activation::Silu
                                      : ir::Activation::Identity);
      if (act == "relu")
        x = m.activation(ir::Activation::Relu, x);
      if (act == "elu")
        x = eluPlusOne(m, x);
      return norm == "l2" ? unitLength(m, x) : m.sumNorm(x, 0);
    };
    Value q = feature("q"), k = feature("k");
    Value v = project(m, h, "v", s.count, s.valueDim, taps);
    Value beta = weighted
                     ? writingStrength(m, h, s.count, doubled)
                     : m.constant(std::vector<float>(s.count, doubled ? 2 : 1),
                                  {1, 1, s.count});
    Value o = m.scan(q, k, v, delta(m, "none"), {beta}, rootOf(s.keyDim));
    return readOut(m, f, o, "o_norm",
                   gated ? project(m, h, "g", s.count, s.valueDim, 0)
                         : Value());
  };
}

// Yang et al. 2025: D = e^g, one per head of v.
Mixer fla::readGatedDeltaNet(ModelBuilder &m, const Frame &f) {
  Config &c = m.config();
  DeltaHeads s = readDeltaHeads(c, 6, 256, 2);
  bool gated = c.flag("use_gate", true);
  ir::Activation act = m.readActivation("output_gate_activation", "swish");
  if (act != ir::Activation::Silu && act != ir::Activation::Sigmoid)
    c.reject("output_gate_activation", "swish or sigmoid");

  return [=, &m](Value h, const LayerInputs &) {
    Value q = unitLength(m, project(m, h, "q", s.keyHeads, s.keyDim, s.taps));
    Value k = unitLength(m, project(m, h, "k", s.keyHeads, s.keyDim, s.taps));
    Value v = project(m, h, "v", s.valueHeads, s.valueDim, s.taps);
    Value beta = writingStrength(m, h, s.valueHeads, s.doubled);
    Value o = m.scan(q, k, v, delta(m, "scalar"),
                     {beta, headDecay(m, h, s.valueHeads)}, rootOf(s.keyDim));
    return readOut(
        m, f, o, "o_norm",
        gated ? project(m, h, "g", s.valueHeads, s.valueDim, 0) : Value(), act);
  };
}

// Siems et al. 2025: n corrections per token, the decay before the first.
Mixer fla::readGatedDeltaProduct(ModelBuilder &m, const Frame &f) {
  Config &c = m.config();
  DeltaHeads s = readDeltaHeads(c, 6, 256, 2);
  int64_t steps = c.size("num_householder", 1);
  bool decays = c.flag("use_forget_gate", true);
  bool gated = c.flag("use_output_gate", true);

  return [=, &m](Value h, const LayerInputs &) {
    Value q = unitLength(m, project(m, h, "q", s.keyHeads, s.keyDim, s.taps));
    Value k =
        unitLength(m, project(m, h, "k", steps * s.keyHeads, s.keyDim, s.taps));
    Value v = project(m, h, "v", steps * s.valueHeads, s.valueDim, s.taps);
    llvm::SmallVector<Value> parameters{
        writingStrength(m, h, steps * s.valueHeads, s.doubled)};
    if (decays) {
      Value g = headDecay(m, h, s.valueHeads);
      llvm::SmallVector<Value> groups(steps, m.zerosLike(g));
      groups[0] = g;
      parameters.push_back(m.concat(groups));
    }
    Value o = m.scan(q, k, v, delta(m, decays ? "scalar" : "none"), parameters,
                     rootOf(s.keyDim), steps);
    return readOut(m, f, o, "o_norm",
                   gated ? project(m, h, "g", s.valueHeads, s.valueDim, 0)
                         : Value());
  };
}

// Kimi Team 2025: D = diag(e^g), from a projection F of low rank:
//   g = -exp(A_log) softplus(F h + dt_bias), or with a bound b < 0,
//   g = b sigmoid(exp(A_log) (F h + dt_bias))
Mixer fla::readKda(ModelBuilder &m, const Frame &f) {
  Config &c = m.config();
  DeltaHeads s = readDeltaHeads(c, 16, 128, 1);
  std::optional<double> bound;
  if (c.find("lower_bound")) {
    bound = c.number("lower_bound");
    if (!(*bound < 0) || !std::isfinite(*bound))
      c.reject("lower_bound", "a negative number");
  }

  return [=, &m](Value h, const LayerInputs &) {
    Value q = unitLength(m, project(m, h, "q", s.keyHeads, s.keyDim, s.taps));
    Value k = unitLength(m, project(m, h, "k", s.keyHeads, s.keyDim, s.taps));
    Value v = project(m, h, "v", s.valueHeads, s.valueDim, s.taps);
    Value beta = writingStrength(m, h, s.valueHeads, s.doubled);

    int64_t channels = s.valueHeads * s.keyDim;
    Value step = m.linear(m.linear(h, "attn.f_proj.0", s.valueDim),
                          "attn.f_proj.1", channels);
    step = m.addAlong(step, m.wideWeight("attn.dt_bias", {channels}), {2});
    step = m.splitHeads(step, s.valueHeads);
    Value rate = m.negativeExp(m.wideWeight("attn.A_log", {s.valueHeads}));
    Value g;
    if (bound)
      g = m.scaled(m.activation(ir::Activation::Sigmoid,
                                m.scaled(m.mulAlong(step, rate, {2}), -1)),
                   *bound);
    else
      g = m.mulAlong(m.activation(ir::Activation::Softplus, step), rate, {2});

    Value o =
        m.scan(q, k, v, delta(m, "diagonal"), {beta, g}, rootOf(s.keyDim));
    Value gate =
        m.linear(m.linear(h, "attn.g_proj.0", s.valueDim), "attn.g_proj.1",
                 s.valueHeads * s.valueDim, {.bias = true});
    return readOut(m, f, o, "o_norm", m.splitHeads(gate, s.valueHeads),
                   ir::Activation::Sigmoid);
  };
}

// Hu et al. 2025: the state is erased along p before it decays, and q is
// corrected by p:
//   p = sigmoid(decay) k;  q = q - D p;  then q, k and p of unit length
//   S = e^g S + β k (v - S^T p)^T
Mixer fla::readComba(ModelBuilder &m, const Frame &f) {
  Config &c = m.config();
  DeltaHeads s = readDeltaHeads(c, 6, 256, 2);
  if (s.valueHeads != s.keyHeads)
    c.reject("num_v_heads", "num_heads");
  c.unsupported("allow_neg_eigval");
  bool gated = c.flag("use_output_gate", true);
  bool inner = c.flag("use_inner_decay", true);
  bool corrected = c.flag("use_output_correction", true);

  return [=, &m](Value h, const LayerInputs &) {
    Value q = project(m, h, "q", s.keyHeads, s.keyDim, s.taps);
    Value k = project(m, h, "k", s.keyHeads, s.keyDim, s.taps);
    Value v = project(m, h, "v", s.keyHeads, s.valueDim, s.taps);
    Value p = k;
    if (inner)
      p = m.mulAlong(p,
                     m.activation(ir::Activation::Sigmoid,
                                  m.wideWeight("attn.decay", {s.keyHeads})),
                     {2});
    if (corrected) {
      Value part = m.mulAlong(p, m.wideWeight("attn.D", {s.keyHeads}), {2});
      q = m.add(q, m.scaled(part, -1));
    }
    Value beta = writingStrength(m, h, s.keyHeads, /*doubled=*/false);
    Value written = m.mulAlong(unitLength(m, k), beta, {0, 1, 2});
    Value o = m.scan(
        unitLength(m, q), written, v,
        ir::RankOneTransitionAttr::get(m.context(), "scalar"),
        {unitLength(m, p), m.scaled(written, -1), headDecay(m, h, s.keyHeads)},
        rootOf(s.keyDim));
    return readOut(m, f, o, "o_norm",
                   gated ? project(m, h, "g", s.keyHeads, s.valueDim, 0)
                         : Value(),
                   ir::Activation::Sigmoid);
  };
}
