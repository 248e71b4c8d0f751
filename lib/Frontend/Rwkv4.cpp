//===- Rwkv4.cpp - rwkv ---------------------------------------------------===//
//
//   x = LN(E[tokens]; pre_ln)
//   h = LN(x; ln1), mixed with the token before: m h_t + (1 - m) h_{t-1}
//   k = W_k h', v = W_v h'', r = sigmoid(W_r h''')
//   o_t = (e^{u + k_t} v_t + num) / (e^{u + k_t} + den), where
//   num and den are the sums of e^{k_s - (t - 1 - s) e^w} v_s and of the same
//   without v_s over all s < t
//   x += W_o (r * o);  h = LN(x; ln2)
//   x += sigmoid(W_r h') * W_v relu(W_k h'')^2
//
// (Peng et al. 2023). The scan holds the mean num / den, z its weight log den.
//
//===----------------------------------------------------------------------===//

#include "ModelBuilder.h"

#include <cmath>

using namespace linnet;
using llvm::StringRef;
using mlir::Value;

namespace {
/// sum_s e^{k_s + ...} v_s / sum_s e^{k_s + ...} with the bonus u of the token.
Value weightedMean(ModelBuilder &m, Value k, Value v, int64_t width) {
  Value rate = m.negativeExp(m.wideWeight("attention.time_decay", {width}));
  Value bonus = m.wideWeight("attention.time_first", {width});
  auto [z, before] = m.logCumsumExp(k, m.prependUnits(rate, 2));
  Value g = m.sub(m.addAlong(before, rate, {2}), z);
  Value one = m.constant({1}, {1, 1, 1, 1});
  auto row = [&](Value x) { return m.splitHeads(x, 1); };
  Value mean = m.mergeHeads(m.scanBefore(
      one, one, row(m.mul(v, m.exp(m.sub(k, z)))),
      ir::ValueDiagonalTransitionAttr::get(m.context()), {row(g)}, Value()));
  // The share of e^{u + k} in the whole.
  Value share = m.activation(ir::Activation::Sigmoid,
                             m.sub(m.addAlong(k, bonus, {2}), before));
  return m.lerp(mean, m.sub(v, mean), share);
}
} // namespace

Status linnet::importRwkv4(ModelBuilder &m) {
  Config &c = m.config();
  int64_t vocabulary = c.vocabulary();
  int64_t d = c.size("hidden_size");
  int64_t layers = c.layerCount("num_hidden_layers");
  int64_t width = c.size("attention_hidden_size", d);
  int64_t inner = c.size("intermediate_size", 4 * d);
  double eps = c.positive("layer_norm_epsilon", 1e-5);
  // Every so many layers the reference halves x and what is added to it from
  // there on. Only the norms see that: their eps counts four times as much.
  double every = c.number("rescale_every", 6);
  if (every != std::trunc(every) || (every > 0 && double(layers) / every > 100))
    c.reject("rescale_every", "an integer, at least a hundredth of "
                              "num_hidden_layers if positive");
  auto halvings = [&](int64_t i) {
    return every > 0 ? int64_t(double(i) / every) : 0;
  };
  auto epsAfter = [&](double atStart, int64_t i) {
    return std::ldexp(atStart, int(2 * halvings(i)));
  };
  std::vector<std::string> kinds;
  for (int64_t i = 0; i < layers; ++i)
    kinds.push_back("halved_" + std::to_string(halvings(i)));
  bool tied = m.isTied("head.weight", false);
  if (Status status = m.begin({.vocabulary = vocabulary,
                               .hidden = d,
                               .layers = layers,
                               .maxPositions = kUnboundedContext});
      !status)
    return status;

  m.embed("rwkv.", [&](const EmbedInputs &in) {
    Value x = m.embedding(in.tokens, "embeddings", vocabulary, d);
    return m.layerNorm(x, "blocks.0.pre_ln", eps);
  });

  m.stack("rwkv.blocks.", kinds, [&](const LayerInputs &in) {
    double scaledEps = epsAfter(eps, in.number);
    Value h, shift;
    // `name` applied to m h_t + (1 - m) h_{t-1}.
    auto project = [&](const std::string &part, StringRef name, int64_t out) {
      Value kept =
          m.flatten(m.wideWeight((part + "time_mix_" + name).str(), {1, 1, d}));
      Value mixed = m.add(h, m.sub(shift, m.mulAlong(shift, kept, {2})));
      return m.linear(mixed, (part + name).str(), out);
    };
    h = m.layerNorm(in.x, "ln1", scaledEps);
    shift = m.tokenShift(h);
    Value k = project("attention.", "key", width);
    Value v = project("attention.", "value", width);
    Value r = project("attention.", "receptance", width);
    Value o = m.glu(ir::Activation::Sigmoid, r, weightedMean(m, k, v, width));
    Value x = m.add(in.x, m.linear(o, "attention.output", d));

    h = m.layerNorm(x, "ln2", scaledEps);
    shift = m.tokenShift(h);
    k = project("feed_forward.", "key", inner);
    r = project("feed_forward.", "receptance", d);
    v = m.linear(m.activation(ir::Activation::Relu2, k), "feed_forward.value",
                 d);
    return m.add(x, m.glu(ir::Activation::Sigmoid, r, v));
  });

  m.head("", [&](Value x) {
    // Not layer_norm_epsilon.
    Value h = m.layerNorm(x, "rwkv.ln_out", epsAfter(1e-5, layers));
    return m.linear(h, tied ? "rwkv.embeddings" : "head", vocabulary);
  });
  return Status();
}
