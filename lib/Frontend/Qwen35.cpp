//===- Qwen35.cpp - qwen3_next; qwen3_5_text, alone or inside qwen3_5 -----===//
//
//   x += Mixer(RMS1(x; input_layernorm));  x += MLP(RMS1(x; post_attention))
//
// Linear layers, the gated delta rule:
//   [q | k | v] = silu(conv(in_proj_qkv h));  q, k of unit length per head
//   β = sigmoid(in_proj_b h);  g = -exp(A_log) softplus(in_proj_a h + dt_bias)
//   S' = e^g S;  S = S' + β k (v - S'^T k)^T;  o = S^T q / sqrt(dk)
//   out_proj(RMS(o; norm) * silu(in_proj_z h))
//
// Full layers: [q | gate] per head, RMS1 on q and k, rotary, attention,
//   o_proj(o * sigmoid(gate))
//
// qwen3_next stores the projections of a key head together, and in some layers
// MLP is a mixture: sum of the best experts + sigmoid(gate h) shared(h).
//
// RMS1 multiplies by 1 + w. The three position streams of M-RoPE coincide on
// text: plain rotary.
//
//===----------------------------------------------------------------------===//

#include "ModelBuilder.h"

#include <cmath>

using namespace linnet;
using mlir::Value;

namespace {

const char *const kFull = "full_attention";
const char *const kLinear = "linear_attention";
const char *const kNext = "qwen3_next";
constexpr double kUnitLengthEps = 1e-6;

struct Shape {
  int64_t d, heads, kvHeads, headDim;
  int64_t keyHeads, valueHeads, keyDim, valueDim, taps;
  double eps;
  bool bias;
  Rope rope;
  /// Mixtures of experts, with one that is always chosen.
  int64_t experts, expertWidth, sharedWidth;
  RouteOptions route;
};

/// What the recurrence reads: q, k, v before the convolution's end, the gate,
/// β before the sigmoid and the step before its bias.
struct LinearInputs {
  Value q, k, v, z, beta, step;
};

LinearInputs flatInputs(ModelBuilder &m, Value h, const Shape &s) {
  int64_t keys = s.keyHeads * s.keyDim, values = s.valueHeads * s.valueDim;
  Value mixed = m.linear(h, "linear_attn.in_proj_qkv", 2 * keys + values);
  mixed = m.shortConv(mixed, "linear_attn.conv1d", s.taps, ir::Activation::Silu,
                      /*bias=*/false);
  auto qkv = m.split(mixed, {keys, keys, values});
  return {qkv[0],
          qkv[1],
          qkv[2],
          m.linear(h, "linear_attn.in_proj_z", values),
          m.linear(h, "linear_attn.in_proj_b", s.valueHeads),
          m.linear(h, "linear_attn.in_proj_a", s.valueHeads)};
}

/// Per key head: q | k | v | z, and b | a. The convolution's channels are in
/// flat order.
LinearInputs groupedInputs(ModelBuilder &m, Value h, const Shape &s) {
  int64_t keys = s.keyHeads * s.keyDim, values = s.valueHeads * s.valueDim;
  int64_t group = s.valueHeads / s.keyHeads, wide = group * s.valueDim;
  Value qkvz = m.linear(h, "linear_attn.in_proj_qkvz", 2 * keys + 2 * values);
  auto parts =
      m.split(m.splitHeads(qkvz, s.keyHeads), {s.keyDim, s.keyDim, wide, wide});
  Value ba = m.linear(h, "linear_attn.in_proj_ba", 2 * s.valueHeads);
  auto steps = m.split(m.splitHeads(ba, s.keyHeads), {group, group});
  Value taps =
      m.wideWeight("linear_attn.conv1d.weight", {2 * keys + values, 1, s.taps});
  auto convolve = [&](Value x, int64_t begin, int64_t count) {
    return m.shortConv(m.mergeParts(x), m.rows(taps, begin, count),
                       ir::Activation::Silu);
  };
  return {convolve(parts[0], 0, keys),
          convolve(parts[1], keys, keys),
          convolve(parts[2], 2 * keys, values),
          m.mergeParts(parts[3]),
          m.mergeParts(steps[0]),
          m.mergeParts(steps[1])};
}

Value linearMixer(ModelBuilder &m, Value h, const Shape &s) {
  LinearInputs in =
      m.modelType() == kNext ? groupedInputs(m, h, s) : flatInputs(m, h, s);
  Value q = m.l2Norm(m.splitHeads(in.q, s.keyHeads), kUnitLengthEps);
  Value k = m.l2Norm(m.splitHeads(in.k, s.keyHeads), kUnitLengthEps);
  Value v = m.splitHeads(in.v, s.valueHeads);

  Value beta = m.activation(ir::Activation::Sigmoid, in.beta);
  Value dt = m.addAlong(
      in.step, m.wideWeight("linear_attn.dt_bias", {s.valueHeads}), {2});
  Value rate = m.negativeExp(m.wideWeight("linear_attn.A_log", {s.valueHeads}));
  Value g = m.mulAlong(m.activation(ir::Activation::Softplus, dt), rate, {2});

  auto transition = ir::DeltaTransitionAttr::get(m.context(), "scalar");
  Value o =
      m.scan(q, k, v, transition, {beta, g}, 1 / std::sqrt(double(s.keyDim)));
  Value z = m.splitHeads(in.z, s.valueHeads);
  o = m.gatedRmsNorm(o, z, "linear_attn.norm", s.eps, ir::GateOrder::After);
  return m.linear(m.mergeHeads(o), "linear_attn.out_proj", s.d);
}

Value fullMixer(ModelBuilder &m, Value h, Value position, const Shape &s) {
  Value qGate = m.linear(h, "self_attn.q_proj", s.heads * 2 * s.headDim,
                         {.bias = s.bias});
  auto parts = m.split(m.splitHeads(qGate, s.heads), {s.headDim, s.headDim});
  Value k =
      m.linear(h, "self_attn.k_proj", s.kvHeads * s.headDim, {.bias = s.bias});
  Value v =
      m.linear(h, "self_attn.v_proj", s.kvHeads * s.headDim, {.bias = s.bias});
  Value q = m.rmsNorm(parts[0], "self_attn.q_norm", s.eps, /*unitOffset=*/true);
  k = m.rmsNorm(m.splitHeads(k, s.kvHeads), "self_attn.k_norm", s.eps,
                /*unitOffset=*/true);
  Value o = m.attention(
      m.rotary(q, position, s.rope), m.rotary(k, position, s.rope),
      m.splitHeads(v, s.kvHeads), {.scale = 1 / std::sqrt(double(s.headDim))});
  o = m.glu(ir::Activation::Sigmoid, parts[1], o);
  return m.linear(m.mergeHeads(o), "self_attn.o_proj", s.d, {.bias = s.bias});
}

/// Without a list every n-th layer is a full one.
std::vector<std::string> layerKinds(Config &c, int64_t layers) {
  std::vector<std::string> kinds =
      c.kinds("layer_types", layers, {kLinear, kFull});
  int64_t interval = c.size("full_attention_interval", 4);
  if (kinds.empty())
    for (int64_t i = 0; i < layers; ++i)
      kinds.push_back((i + 1) % interval == 0 ? kFull : kLinear);
  return kinds;
}

/// The experts and the shared one.
Value mixture(ModelBuilder &m, Value h, const Shape &s, ir::Activation act) {
  Choice choice = m.route(h, "mlp.gate", s.experts, s.route);
  Value routed = m.experts(h, choice, "mlp.experts.{*}.",
                           {"gate_proj", "up_proj", "down_proj"}, s.experts,
                           s.expertWidth, act);
  Value shared = m.gatedMlp(h, "mlp.shared_expert", s.sharedWidth, act);
  Value gate = m.activation(ir::Activation::Sigmoid,
                            m.linear(h, "mlp.shared_expert_gate", 1));
  return m.add(routed, m.mulAlong(shared, m.dropUnit(gate), {0, 1}));
}

/// Which layers have experts: every n-th but those listed.
std::vector<bool> sparseLayers(Config &c, Shape &s, int64_t layers) {
  std::vector<bool> sparse(layers, false);
  s.experts = c.find("num_experts") && c.number("num_experts") == 0
                  ? 0
                  : c.size("num_experts", 512);
  if (s.experts == 0)
    return sparse;
  s.expertWidth = c.size("moe_intermediate_size", 512);
  s.sharedWidth = c.size("shared_expert_intermediate_size", 512);
  s.route.chosen = c.size("num_experts_per_tok", 10, s.experts);
  s.route.normalize = c.flag("norm_topk_prob", true);
  int64_t step = c.size("decoder_sparse_step", 1);
  for (int64_t i = 0; i < layers; ++i)
    sparse[i] = (i + 1) % step == 0;
  for (double number : c.numbers("mlp_only_layers", {})) {
    if (!(number >= 0 && number < double(layers)) ||
        number != double(int64_t(number)))
      c.reject("mlp_only_layers", "numbers of layers");
    else
      sparse[int64_t(number)] = false;
  }
  return sparse;
}

} // namespace

Status linnet::importQwen35(ModelBuilder &m) {
  // Published files hold the text model beside a vision tower.
  Config &c = m.config();
  c = c.overlaid("text_config");

  Shape s{};
  int64_t vocabulary = c.vocabulary();
  s.d = c.size("hidden_size");
  int64_t layers = c.layerCount("num_hidden_layers");
  int64_t inner = c.size("intermediate_size");
  s.heads = c.size("num_attention_heads");
  s.kvHeads = c.size("num_key_value_heads", s.heads);
  c.divides("num_attention_heads", s.heads, "num_key_value_heads", s.kvHeads);
  s.headDim = c.size("head_dim", 256);
  s.keyHeads = c.size("linear_num_key_heads", 16);
  s.valueHeads = c.size("linear_num_value_heads", 32);
  c.divides("linear_num_value_heads", s.valueHeads, "linear_num_key_heads",
            s.keyHeads);
  s.keyDim = c.size("linear_key_head_dim", 128);
  s.valueDim = c.size("linear_value_head_dim", 128);
  s.taps = c.size("linear_conv_kernel_dim", 4);
  s.eps = c.positive("rms_norm_eps", 1e-6);
  s.bias = c.flag("attention_bias", false);
  ir::Activation act = m.readActivation("hidden_act", "silu");
  if (act != ir::Activation::Silu)
    c.reject("hidden_act", "silu");
  if (!c.flag("attn_output_gate", true))
    c.reject("attn_output_gate", "true");
  bool next = m.modelType() == kNext;
  if (!next)
    c.unsupported("num_experts");
  int64_t maxPositions =
      c.size("max_position_embeddings", 32768, Config::kMaxContext);
  s.rope = readRope(c, s.headDim, maxPositions, {.partial = 0.25});
  std::vector<std::string> kinds = layerKinds(c, layers), names = kinds;
  std::vector<bool> sparse(layers, false);
  if (next)
    sparse = sparseLayers(c, s, layers);
  for (int64_t i = 0; i < layers; ++i)
    if (sparse[i])
      names[i] += "_experts";

  std::string prefix = m.choosePrefix("embed_tokens.weight",
                                      {"model.", "model.language_model."});
  bool tied = m.isTied("lm_head.weight", false);
  m.ignore("*.rotary_emb.inv_freq");
  m.ignore("model.visual.*");
  m.ignore("mtp.*"); // multi-token prediction
  if (Status status = m.begin({.vocabulary = vocabulary,
                               .hidden = s.d,
                               .layers = layers,
                               .maxPositions = maxPositions});
      !status)
    return status;

  m.embed(prefix, [&](const EmbedInputs &in) {
    return m.embedding(in.tokens, "embed_tokens", vocabulary, s.d);
  });

  m.stack(prefix + "layers.", names, [&](const LayerInputs &in) {
    Value h = m.rmsNorm(in.x, "input_layernorm", s.eps, /*unitOffset=*/true);
    h = kinds[in.number] == kFull ? fullMixer(m, h, in.position, s)
                                  : linearMixer(m, h, s);
    Value x = m.add(in.x, h);
    h = m.rmsNorm(x, "post_attention_layernorm", s.eps, /*unitOffset=*/true);
    return m.add(x, sparse[in.number] ? mixture(m, h, s, act)
                                      : m.gatedMlp(h, "mlp", inner, act));
  });

  m.head("", [&](Value x) {
    Value h = m.rmsNorm(x, prefix + "norm", s.eps, /*unitOffset=*/true);
    return m.linear(h, tied ? prefix + "embed_tokens" : "lm_head", vocabulary);
  });
  return Status();
}
