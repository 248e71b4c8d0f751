//===- FlashSlotMixers.cpp - gsa, abc -------------------------------------===//
//
// Attention to slots, each of which holds a weighted sum of the keys and of the
// values so far:
//   A = A diag(e^g) + k s^T;  p = softmax(c A^T q)
//   C = diag(e^g) C + s v^T;  o = C^T p
//
//===----------------------------------------------------------------------===//

#include "FlashLinearAttention.h"

#include <cmath>

using namespace linnet;
using namespace linnet::fla;
using mlir::Value;

/// The recurrences above for heads of q, k, s and v.
static Value attendSlots(ModelBuilder &m, Value q, Value k, Value s, Value v,
                         Value g, int64_t readers, double scale) {
  Value scores =
      m.scan(q, k, m.repeatHeads(s, readers),
             ir::ValueDiagonalTransitionAttr::get(m.context()), {g}, scale);
  return m.scan(m.softmax(scores), s, m.repeatHeads(v, readers),
                ir::DiagonalTransitionAttr::get(m.context()), {g});
}

// Zhang et al. 2024: a gate g = log sigmoid(f) / 8 per slot, s = 1 - e^g, and
//   q = φ(q), k = φ(k), v = silu(v);  o_proj(RMS(silu(o)))
Mixer fla::readGsa(ModelBuilder &m, const Frame &f) {
  // Not norm_eps, which the published code does not hand on.
  constexpr double kNormEps = 1e-5;
  Config &c = m.config();
  Heads s = readHeads(c, f, {.count = 4, .expandK = 1, .expandV = 1});
  for (const char *key : {"expand_k", "expand_v"})
    if (c.positive(key, 1) != 1)
      c.reject(key, "1");
  c.unsupported("clamp_min");
  c.unsupported("clamp_max");
  int64_t slots = c.size("num_slots", 64), taps = readTaps(c, false);
  double divisor = c.positive("gate_logit_normalizer", 8);
  ir::Activation feature = m.readActivation("feature_map", "swish");
  if (c.isNull("feature_map") ||
      (feature != ir::Activation::Relu && feature != ir::Activation::Silu &&
       feature != ir::Activation::Sigmoid))
    c.reject("feature_map", "one of relu, swish, sigmoid");

  // use_output_gate and use_norm have no effect in the published code.
  return [=, &m](Value h, const LayerInputs &) {
    Value q =
        m.activation(feature, project(m, h, "q", s.count, s.keyDim, taps));
    Value k =
        m.activation(feature, project(m, h, "k", s.kvCount, s.keyDim, taps));
    Value v = m.activation(ir::Activation::Silu,
                           project(m, h, "v", s.kvCount, s.valueDim, taps));
    Value g = logSigmoid(m, project(m, h, "f", s.kvCount, slots, 0), divisor);
    Value o = attendSlots(m, q, k, m.oneMinusExp(g), v, g, s.count / s.kvCount,
                          /*scale=*/1);
    o = m.activation(ir::Activation::Silu, m.mergeHeads(o));
    return m.linear(m.rmsNorm(o, "attn.g_norm", kNormEps), "attn.o_proj", f.d);
  };
}

// Peng et al. 2022: slots hold means over the time so far. With rotated q, k
// and the running sum z of e^s,
//   s' = e^(s - z), g = z_{t-1} - z_t;  o_proj(RMS(o) * silu(gate))
Mixer fla::readAbc(ModelBuilder &m, const Frame &f) {
  Config &c = m.config();
  Heads n = readHeads(c, f, {.count = 4, .expandK = 0.5, .expandV = 1});
  if (n.kvCount != n.count)
    c.reject("num_kv_heads", "num_heads");
  int64_t slots = c.size("num_slots", 64), taps = readTaps(c, false);
  bool rotates = c.flag("use_rope", true);
  double low = c.number("clamp_min", -32), high = c.number("clamp_max", 32);
  if (!(low <= high))
    c.reject("clamp_max", "clamp_min or more");
  Rope rope;
  if (rotates)
    rope = readRope(c, n.keyDim, f.maxPositions);

  return [=, &m](Value h, const LayerInputs &in) {
    auto rotated = [&](Value x) {
      return rotates ? m.rotary(x, in.position, rope) : x;
    };
    Value q = rotated(project(m, h, "q", n.count, n.keyDim, taps));
    Value k = rotated(project(m, h, "k", n.count, n.keyDim, taps));
    Value v = project(m, h, "v", n.count, n.valueDim, taps);
    Value s = m.linear(h, "attn.s_proj", n.count * slots);
    auto [weight, logDecay] = m.runningMean(m.clamp(s, low, high));
    Value o = attendSlots(m, q, k, m.splitHeads(weight, n.count), v,
                          m.splitHeads(logDecay, n.count), /*readers=*/1,
                          1 / std::sqrt(double(n.keyDim)));
    return readOut(m, f, o, "g_norm",
                   project(m, h, "g", n.count, n.valueDim, 0));
  };
}
