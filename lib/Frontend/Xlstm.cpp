//===- Xlstm.cpp - xlstm --------------------------------------------------===//
//
// mLSTM (Beck et al. 2024). With cap(y) = c tanh(y / c), per head:
//
//   h = RMS(x; norm_mlstm);  i = cap(W_i h + b), f = cap(W_f h + b)
//   C_t = sigmoid(f) C_{t-1} + e^i k v^T;  n_t = sigmoid(f) n_{t-1} + e^i k
//   y = C_t^T q / (max(|n_t · q|, 1) + eps e^{m_t}),  q scaled by 1 / sqrt(dk)
//   x += out_proj(sigmoid(ogate h) * LN(y; per head))
//   x += proj_down(silu(proj_up_gate h) * proj_up h), h = RMS(x; norm_ffn)
//   logits = cap(head RMS(x; out_norm))
//
// With weight_mode fused, matrices of the same input are stored as one.
//
// The reference divides C and n by e^{m_t}, m_t = max(m_{t-1} + log sigmoid(f),
// i) and m before the first token 0. The caps bound the gates: C and n stand
// for themselves here, and m is left in the term of eps alone.
//
//===----------------------------------------------------------------------===//

#include "ModelBuilder.h"

#include <cmath>
#include <limits>
#include <numeric>

using namespace linnet;
using mlir::Value;

namespace {
struct Shape {
  int64_t d, heads, keys, values, inner;
  double gateCap, eps, normEps;
  bool bias, fused;
};

/// RMS norm, with a bias if there are any.
Value rmsNorm(ModelBuilder &m, Value x, const std::string &name,
              const Shape &s) {
  Value y = m.rmsNorm(x, name, s.normEps);
  if (s.bias)
    y = m.addAlong(y, m.wideWeight(name + ".bias", {s.d}), {2});
  return y;
}

/// Linear maps of `h`: `prefix` + `names`, or one of all of them.
llvm::SmallVector<Value> project(ModelBuilder &m, Value h,
                                 const std::string &prefix,
                                 const std::string &fused,
                                 llvm::ArrayRef<const char *> names,
                                 llvm::ArrayRef<int64_t> widths, bool bias) {
  if (!fused.empty()) {
    int64_t all = std::accumulate(widths.begin(), widths.end(), int64_t(0));
    return m.split(m.linear(h, prefix + fused, all, {.bias = bias}), widths);
  }
  llvm::SmallVector<Value> parts;
  for (auto [name, width] : llvm::zip_equal(names, widths))
    parts.push_back(m.linear(h, prefix + name, width, {.bias = bias}));
  return parts;
}

Value mlstm(ModelBuilder &m, Value h, Value position, const Shape &s) {
  auto heads = [&](Value x) { return m.splitHeads(x, s.heads); };
  auto qkvo = project(m, h, "mlstm_layer.", s.fused ? "qkv_opreact" : "",
                      {"q", "k", "v", "ogate_preact"},
                      {s.keys, s.keys, s.values, s.values}, s.bias);
  Value q = heads(qkvo[0]), k = heads(qkvo[1]), v = heads(qkvo[2]);
  auto gates = project(m, h, "mlstm_layer.", s.fused ? "ifgate_preact" : "",
                       {"igate_preact", "fgate_preact"}, {s.heads, s.heads},
                       /*bias=*/true);
  Value i = m.softCap(gates[0], s.gateCap), f = m.softCap(gates[1], s.gateCap);
  Value decay =
      m.negative(m.activation(ir::Activation::Softplus, m.negative(f)));

  // n is one more column of C, written by the value 1.
  Value weight = m.exp(i);
  Value written = m.concat({m.mulAlong(v, weight, {0, 1, 2}), heads(weight)});
  int64_t headDim = s.values / s.heads;
  Value read = m.scan(q, k, written, ir::ScalarTransitionAttr::get(m.context()),
                      {decay}, 1 / std::sqrt(double(s.keys) / double(s.heads)));
  auto parts = m.split(read, {headDim, 1});
  Value norm = m.clamp(m.abs(m.mergeParts(parts[1])), 1,
                       std::numeric_limits<double>::infinity());
  Value top =
      m.logCumsumExp(m.maximumAtStart(i, decay, position), decay, true).first;
  norm = m.add(norm, m.scaled(m.exp(top), s.eps));
  Value y = m.mergeHeads(m.divAlong(parts[0], norm, {0, 1, 2}));

  y = m.groupNorm(y, "mlstm_layer.multihead_norm", s.normEps, s.heads,
                  /*gate=*/{}, s.bias);
  return m.linear(m.glu(ir::Activation::Sigmoid, qkvo[3], y),
                  "mlstm_layer.out_proj", s.d, {.bias = s.bias});
}

/// int(hidden_size * the factor at `key`), a width of all heads.
int64_t readWidth(Config &c, const Shape &s, const char *key, double dflt) {
  double width = std::trunc(double(s.d) * c.positive(key, dflt));
  if (width >= 1 && width < double(Config::kMaxSize) &&
      int64_t(width) % s.heads == 0)
    return int64_t(width);
  c.reject(key, "a factor that makes of hidden_size (" + std::to_string(s.d) +
                    ") a multiple of num_heads (" + std::to_string(s.heads) +
                    ")");
  return s.heads;
}

Shape readShape(Config &c, int64_t d) {
  Shape s{};
  s.d = d;
  s.heads = c.size("num_heads", 8);
  s.keys = readWidth(c, s, "qk_dim_factor", 0.5);
  s.values = readWidth(c, s, "v_dim_factor", 1.0);
  double step = double(c.size("ffn_round_up_to_multiple_of", 64));
  double width = double(d) * c.positive("ffn_proj_factor", 2.667);
  width = std::floor((width + step - 1) / step) * step;
  if (width < 1 || width >= double(Config::kMaxSize)) {
    c.reject("ffn_proj_factor", "a number of which a network can be made");
    width = 1;
  }
  s.inner = int64_t(width);
  s.gateCap = c.positive("gate_soft_cap", 15);
  // Beyond, e^i and sums of it leave f32.
  if (s.gateCap > 40)
    c.reject("gate_soft_cap", "a number up to 40");
  s.eps = c.positive("eps", 1e-6);
  s.normEps = c.positive("norm_eps", 1e-6);
  s.bias = c.flag("use_bias", false);
  if (!c.flag("add_out_norm", true))
    c.reject("add_out_norm", "true");
  std::string mode = c.text("weight_mode", "single");
  s.fused = mode == "fused";
  if (!s.fused && mode != "single")
    c.reject("weight_mode", "single or fused");
  return s;
}
} // namespace

Status linnet::importXlstm(ModelBuilder &m) {
  Config &c = m.config();
  int64_t vocabulary = c.vocabulary();
  // Both have an older name.
  int64_t d = c.size(c.find("hidden_size") ? "hidden_size" : "embedding_dim");
  int64_t layers = c.layerCount(
      c.find("num_hidden_layers") ? "num_hidden_layers" : "num_blocks");
  Shape s = readShape(c, d);
  double cap = c.positive("output_logit_soft_cap", 30);
  bool tied = m.isTied("lm_head.weight", false);
  if (Status status = m.begin({.vocabulary = vocabulary,
                               .hidden = d,
                               .layers = layers,
                               .maxPositions = kUnboundedContext});
      !status)
    return status;

  m.embed("backbone.", [&](const EmbedInputs &in) {
    return m.embedding(in.tokens, "embeddings", vocabulary, d);
  });

  m.stack("backbone.blocks.", {}, [&](const LayerInputs &in) {
    Value h = rmsNorm(m, in.x, "norm_mlstm", s);
    Value x = m.add(in.x, mlstm(m, h, in.position, s));
    h = rmsNorm(m, x, "norm_ffn", s);
    auto parts =
        project(m, h, "ffn.", s.fused ? "proj_up_gate_z" : "",
                {"proj_up_gate", "proj_up"}, {s.inner, s.inner}, s.bias);
    Value y = m.glu(ir::Activation::Silu, parts[0], parts[1]);
    return m.add(x, m.linear(y, "ffn.proj_down", d, {.bias = s.bias}));
  });

  m.head("", [&](Value x) {
    Value h = m.rmsNorm(x, "backbone.out_norm", s.normEps);
    h = m.linear(h, tied ? "backbone.embeddings" : "lm_head", vocabulary);
    return m.softCap(h, cap);
  });
  return Status();
}
