//===- MiniMax.cpp - minimax ----------------------------------------------===//
//
//   h = RMS(x; input_layernorm);           x = α_a h + β_a Mixer(h)
//   h = RMS(x; post_attention_layernorm);  x = α_m h + β_m Experts(h)
//
// The residual is the normalised input. Full layers: grouped heads, rotary.
// Linear layers, lightning attention of head j in layer i of L:
//   [q | k | v] = silu(qkv_proj h) per head
//   S_t = e^-s S_{t-1} + k v^T;  o = S_t^T q
//   s = 2^(-8 (j + 1) / H) (1 - i / (L - 1 + 1e-5) + 1e-5)
//   out_proj(sigmoid(output_gate h) * RMS(o; norm))
//
//===----------------------------------------------------------------------===//

#include "Mixers.h"

using namespace linnet;
using mlir::Value;

namespace {

const char *const kFull = "full_attention";
const char *const kLinear = "linear_attention";
constexpr double kMixerEps = 1e-6;

/// α and β of a branch.
struct Factors {
  double alpha, beta;

  static Factors read(Config &c, const std::string &branch) {
    return {c.number(branch + "_alpha_factor", 1.0),
            c.number(branch + "_beta_factor", 1.0)};
  }
  Value apply(ModelBuilder &m, Value h, Value branch) const {
    return m.add(m.scaled(h, alpha), m.scaled(branch, beta));
  }
};

Value lightning(ModelBuilder &m, Value h, const GroupedAttention &a,
                int64_t layers) {
  int64_t width = a.heads * a.headDim;
  Value qkv = m.activation(ir::Activation::Silu,
                           m.linear(h, "self_attn.qkv_proj", 3 * width));
  auto parts =
      m.split(m.splitHeads(qkv, a.heads), {a.headDim, a.headDim, a.headDim});
  auto transition = ir::ScalarTransitionAttr::get(m.context());
  Value o = m.mergeHeads(m.scan(parts[0], parts[1], parts[2], transition,
                                {m.lightningDecay(a.heads, layers)}));
  o = m.rmsNorm(o, "self_attn.norm", kMixerEps);
  Value gate = m.linear(h, "self_attn.output_gate", width);
  o = m.glu(ir::Activation::Sigmoid, gate, o);
  int64_t hidden =
      mlir::cast<mlir::RankedTensorType>(h.getType()).getShape().back();
  return m.linear(o, "self_attn.out_proj", hidden);
}

} // namespace

Status linnet::importMiniMax(ModelBuilder &m) {
  Config &c = m.config();
  int64_t vocabulary = c.vocabulary();
  int64_t d = c.size("hidden_size");
  int64_t layers = c.layerCount("num_hidden_layers");
  int64_t inner = c.size("intermediate_size");
  GroupedAttention full = GroupedAttention::read(c, d, 8);
  double eps = c.positive("rms_norm_eps", 1e-5);
  ir::Activation act = m.readActivation("hidden_act", "silu");
  if (act != ir::Activation::Silu)
    c.reject("hidden_act", "silu");
  int64_t experts = c.size("num_local_experts", 8);
  RouteOptions route{.chosen = c.size("num_experts_per_tok", 2, experts)};
  if (c.find("sliding_window"))
    full.window = c.size("sliding_window", std::nullopt, Config::kMaxContext);
  Factors fullFactors = Factors::read(c, "full_attn");
  Factors linearFactors = Factors::read(c, "linear_attn");
  Factors mlpFactors = Factors::read(c, "mlp");
  int64_t maxPositions =
      c.size("max_position_embeddings", 131072, Config::kMaxContext);
  full.rope = readRope(c, full.headDim, maxPositions, {.theta = 1e6});
  std::vector<std::string> kinds =
      c.kinds("layer_types", layers, {kFull, kLinear});
  if (kinds.empty())
    for (int64_t i = 0; i < layers; ++i)
      kinds.push_back(i % 2 ? kLinear : kFull);

  bool tied = m.isTied("lm_head.weight", false);
  m.ignore("*.rotary_emb.inv_freq");
  // Decays that follow from the layer's number.
  for (const char *constant :
       {"slope_rate", "query_decay", "key_decay", "diagonal_decay"})
    m.ignore(std::string("*.self_attn.") + constant);
  if (Status status = m.begin({.vocabulary = vocabulary,
                               .hidden = d,
                               .layers = layers,
                               .maxPositions = maxPositions});
      !status)
    return status;

  m.embed("model.", [&](const EmbedInputs &in) {
    return m.embedding(in.tokens, "embed_tokens", vocabulary, d);
  });

  m.stack("model.layers.", kinds, [&](const LayerInputs &in) {
    bool linear = kinds[in.number] == kLinear;
    Value h = m.rmsNorm(in.x, "input_layernorm", eps);
    Value x = linear ? linearFactors.apply(m, h, lightning(m, h, full, layers))
                     : fullFactors.apply(
                           m, h, full.apply(m, h, "self_attn", in.position));
    h = m.rmsNorm(x, "post_attention_layernorm", eps);
    Choice choice = m.route(h, "block_sparse_moe.gate", experts, route);
    return mlpFactors.apply(m, h,
                            m.experts(h, choice,
                                      "block_sparse_moe.experts.{*}.",
                                      {"w1", "w3", "w2"}, experts, inner, act));
  });

  m.head("", [&](Value x) {
    Value h = m.rmsNorm(x, "model.norm", eps);
    return m.linear(h, tied ? "model.embed_tokens" : "lm_head", vocabulary);
  });
  return Status();
}
