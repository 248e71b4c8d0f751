//===- KimiLinear.cpp - kimi_linear, bailing_hybrid -----------------------===//
//
//   x += Mixer(RMS(x; input_layernorm))
//   x += MLP(RMS(x; post_attention_layernorm))
//
// Linear layers, the delta rule with a decay per key channel (Kimi Team 2025):
//   q, k, v = silu(conv(W h)) each, q and k of unit length;  β = sigmoid(b h)
//   f = F h + dt_bias;  g = -exp(A_log) softplus(f), or in bailing_hybrid
//   g = kda_lower_bound sigmoid(exp(A_log) f)
//   out(RMS(o; o_norm) * sigmoid(G h))
//
// Full layers: latent attention, in kimi_linear without positions, in
// bailing_hybrid with a gate per head. MLP as in deepseek_v3.
//
//===----------------------------------------------------------------------===//

#include "LatentAttention.h"
#include "Mixers.h"

#include <cmath>

using namespace linnet;
using mlir::Value;

namespace {

const char *const kFull = "full_attention";
const char *const kLinear = "linear_attention";
constexpr double kUnitLengthEps = 1e-6;

struct DeltaShape {
  int64_t heads, width, taps;
  double eps;
  /// Decays stay above this one; absent: unbounded.
  std::optional<double> lowerBound;
};

/// What differs between the two in names.
struct Names {
  std::string attention, out, mlp, bias;
  std::vector<const char *> experts;
};

Value deltaMixer(ModelBuilder &m, Value h, const DeltaShape &s,
                 const Names &names, bool lowRank, int64_t d) {
  int64_t inner = s.heads * s.width;
  auto at = [&](const char *part) { return names.attention + "." + part; };
  auto convolved = [&](const std::string &part) {
    Value x = m.linear(h, names.attention + "." + part + "_proj", inner);
    x = m.shortConv(x, names.attention + "." + part + "_conv1d", s.taps,
                    ir::Activation::Silu, /*bias=*/false);
    return m.splitHeads(x, s.heads);
  };
  // A matrix [inner, d], or the product of two narrow ones.
  auto project = [&](const std::string &part) {
    std::string name = names.attention + "." + part;
    if (!lowRank)
      return m.linear(h, name + "_proj", inner);
    return m.linear(m.linear(h, name + "_a_proj", s.width), name + "_b_proj",
                    inner);
  };
  Value q = m.l2Norm(convolved("q"), kUnitLengthEps);
  Value k = m.l2Norm(convolved("k"), kUnitLengthEps);
  Value v = convolved("v");
  Value f = m.addAlong(project("f"), m.wideWeight(at("dt_bias"), {inner}), {2});
  Value rate = lowRank ? m.flat(m.wideWeight(at("A_log"), {1, 1, s.heads, 1}))
                       : m.wideWeight(at("A_log"), {s.heads});
  rate = m.negativeExp(rate);
  Value g;
  if (s.lowerBound) {
    g = m.mulAlong(m.splitHeads(f, s.heads), m.negative(rate), {2});
    g = m.scaled(m.activation(ir::Activation::Sigmoid, g), *s.lowerBound);
  } else {
    f = m.activation(ir::Activation::Softplus, f);
    g = m.mulAlong(m.splitHeads(f, s.heads), rate, {2});
  }
  Value beta =
      m.activation(ir::Activation::Sigmoid, m.linear(h, at("b_proj"), s.heads));
  auto transition = ir::DeltaTransitionAttr::get(m.context(), "diagonal");
  Value o =
      m.scan(q, k, v, transition, {beta, g}, 1 / std::sqrt(double(s.width)));
  o = m.mergeHeads(m.rmsNorm(o, at("o_norm"), s.eps));
  o = m.glu(ir::Activation::Sigmoid, project("g"), o);
  return m.linear(o, names.attention + "." + names.out, d);
}

/// From a list, from lists of numbers that start at 1, or by the family's rule.
std::vector<std::string> mixerKinds(Config &c, int64_t layers, bool kimi) {
  std::vector<std::string> kinds =
      c.kinds("layer_types", layers, {kLinear, kFull});
  if (!kinds.empty())
    return kinds;
  kinds.assign(layers, kLinear);
  Config older = c.object("linear_attn_config");
  if (older.find("full_attn_layers")) {
    for (double number : older.numbers("full_attn_layers", {})) {
      if (!(number >= 1 && number <= double(layers)) ||
          number != std::floor(number))
        older.reject("full_attn_layers", "numbers of layers from 1 on");
      else
        kinds[int64_t(number) - 1] = kFull;
    }
    return kinds;
  }
  int64_t group = kimi ? 4 : c.size("layer_group_size", 6);
  for (int64_t i = 0; i < layers; ++i)
    if (kimi ? i > 0 && i % group == 0 : (i + 1) % group == 0)
      kinds[i] = kFull;
  return kinds;
}

DeltaShape readDelta(Config &c, bool kimi, int64_t heads) {
  DeltaShape s{};
  // The first of the keys that is there.
  Config older = c.object("linear_attn_config");
  s.heads = c.size("linear_num_heads", older.size("num_heads", heads));
  s.width =
      c.size("linear_head_dim",
             older.size("head_dim", kimi ? 128 : c.size("head_dim", 128)));
  s.taps = c.size("linear_conv_kernel_dim",
                  older.size("short_conv_kernel_size",
                             c.size("short_conv_kernel_size", 4)));
  s.eps = c.positive("rms_norm_eps", kimi ? 1e-5 : 1e-6);
  if (!kimi && c.flag("kda_safe_gate", true)) {
    s.lowerBound = c.number("kda_lower_bound", -5.0);
    if (!(*s.lowerBound <= 0))
      c.reject("kda_lower_bound", "a number of at most 0");
  }
  return s;
}

} // namespace

Status linnet::importKimiLinear(ModelBuilder &m) {
  bool kimi = m.modelType() == "kimi_linear";
  Config &c = m.config();
  int64_t vocabulary = c.vocabulary();
  int64_t d = c.size("hidden_size");
  int64_t layers = c.layerCount("num_hidden_layers");
  int64_t inner = c.size("intermediate_size");
  int64_t width = c.size("moe_intermediate_size", 1024);
  ir::Activation act = m.readActivation("hidden_act", "silu");
  int64_t maxPositions =
      c.size("model_max_length",
             c.size("max_position_embeddings", 131072, Config::kMaxContext),
             Config::kMaxContext);
  LatentAttention attention = LatentAttention::read(c);
  if (!kimi)
    attention.readRotation(c, maxPositions, /*interleaved=*/true,
                           {.theta = 6e6});
  DeltaShape delta = readDelta(c, kimi, attention.heads);
  double eps = delta.eps;
  int64_t experts = c.size("num_experts", 256);
  int64_t shared = c.size("num_shared_experts", 1);
  RouteOptions route = readGroupedRouter(
      c, experts,
      kimi ? RouteOptions{.chosen = 8, .scale = 2.446}
           : RouteOptions{
                 .chosen = 8, .scale = 2.5, .groups = 8, .topGroups = 4});
  Names names = kimi ? Names{"self_attn",
                             "o_proj",
                             "block_sparse_moe",
                             "e_score_correction_bias",
                             {"w1", "w3", "w2"}}
                     : Names{"attention",
                             "dense",
                             "mlp",
                             "expert_bias",
                             {"gate_proj", "up_proj", "down_proj"}};
  route.bias = names.mlp + ".gate." + names.bias;

  std::vector<std::string> mixers = mixerKinds(c, layers, kimi);
  std::vector<std::string> mlps =
      c.kinds("mlp_layer_types", layers, {"dense", "sparse"});
  double dense = c.number("first_k_dense_replace", kimi ? 1 : 2);
  std::vector<std::string> kinds;
  for (int64_t i = 0; i < layers; ++i) {
    if (int64_t(mlps.size()) <= i)
      mlps.push_back(double(i) < dense ? "dense" : "sparse");
    kinds.push_back(mixers[i] + (mlps[i] == "sparse" ? "_experts" : ""));
  }
  if (kimi)
    for (std::string part : {"gate", "up", "down"})
      m.alias("block_sparse_moe." + part + "_proj.weight",
              "mlp." + part + "_proj.weight");
  bool tied = m.isTied("lm_head.weight", false);
  m.ignore("*.rotary_emb.inv_freq");
  std::string table = kimi ? "model.embed_tokens" : "model.word_embeddings";
  if (Status status = m.begin({.vocabulary = vocabulary,
                               .hidden = d,
                               .layers = layers,
                               .maxPositions = maxPositions});
      !status)
    return status;

  m.embed("", [&](const EmbedInputs &in) {
    return m.embedding(in.tokens, table, vocabulary, d);
  });

  m.stack("model.layers.", kinds, [&](const LayerInputs &in) {
    Value h = m.rmsNorm(in.x, "input_layernorm", eps);
    if (mixers[in.number] == kLinear) {
      h = deltaMixer(m, h, delta, names, kimi, d);
    } else {
      Value o = attention.apply(m, h, names.attention, in.position);
      if (!kimi) {
        Value gate = m.linear(h, names.attention + ".g_proj", attention.heads);
        gate = m.activation(ir::Activation::Sigmoid, gate);
        o = m.mulAlong(o, gate, {0, 1, 2});
      }
      h = m.linear(m.mergeHeads(o), names.attention + "." + names.out, d,
                   {.bias = attention.bias});
    }
    Value x = m.add(in.x, h);
    h = m.rmsNorm(x, "post_attention_layernorm", eps);
    if (mlps[in.number] == "dense")
      return m.add(x, m.gatedMlp(h, names.mlp, inner, act));
    Choice choice = m.route(h, names.mlp + ".gate", experts, route);
    Value y = m.experts(h, choice, names.mlp + ".experts.{*}.", names.experts,
                        experts, width, act);
    y = m.add(
        y, m.gatedMlp(h, names.mlp + ".shared_experts", shared * width, act));
    return m.add(x, y);
  });

  m.head("", [&](Value x) {
    Value h = m.rmsNorm(x, "model.norm", eps);
    return m.linear(h, tied ? table : "lm_head", vocabulary);
  });
  return Status();
}
