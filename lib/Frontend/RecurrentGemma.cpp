//===- RecurrentGemma.cpp - recurrent_gemma -------------------------------===//
//
//   x = sqrt(d) E[tokens]
//   x += Mixer(RMS1(x; temporal_pre_norm))
//   x += MLP(RMS1(x; channel_pre_norm))
//   logits = c tanh(E RMS1(x; final_norm) / c)
//
// Recurrent layers, the RG-LRU (De et al. 2024, "Griffin"); r and i are gates
// by head, sigmoid(u_h W_h + b_h):
//   u = conv(linear_x h);   log a = -8 r softplus(recurrent_param)
//   s_t = a s_{t-1} + sqrt(1 - a^2) i u     (the root is 1 at position 0)
//   linear_out(act(linear_y h) * s)
//
// The others attend within a window. RMS1 multiplies by 1 + w.
//
//===----------------------------------------------------------------------===//

#include "ModelBuilder.h"

#include <cmath>

using namespace linnet;
using mlir::Value;

namespace {

const char *const kRecurrent = "recurrent";
const char *const kAttention = "attention";
constexpr double kDecayScale = 8;

struct Shape {
  int64_t d, heads, kvHeads, headDim, width, taps;
  ir::Activation act;
  bool bias;
  AttentionOptions attention;
  Rope rope;
};

Value recurrentMixer(ModelBuilder &m, Value h, Value position, const Shape &s) {
  Value y = m.linear(h, "temporal_block.linear_y", s.width, {.bias = true});
  Value u = m.linear(h, "temporal_block.linear_x", s.width, {.bias = true});
  u = m.shortConv(u, "temporal_block.conv_1d", s.taps, ir::Activation::Identity,
                  /*bias=*/true);
  auto gate = [&](const std::string &name) {
    std::string stem = "temporal_block.rg_lru." + name + "_gate_";
    return m.activation(
        ir::Activation::Sigmoid,
        m.linearPerHead(u, stem + "weight", stem + "bias", s.heads));
  };
  Value rate = m.negative(m.activation(
      ir::Activation::Softplus,
      m.wideWeight("temporal_block.rg_lru.recurrent_param", {s.width})));
  Value step = m.scaled(gate("recurrent"), kDecayScale);
  Value input = m.keepVariance(m.mul(u, gate("input")),
                               m.mulAlong(step, rate, {2}), position);
  Value state = m.vectorScan(input, step, rate);
  return m.linear(m.glu(s.act, y, state), "temporal_block.linear_out", s.d,
                  {.bias = true});
}

Value attentionMixer(ModelBuilder &m, Value h, Value position, const Shape &s) {
  auto project = [&](const std::string &name, int64_t heads) {
    Value x = m.linear(h, "temporal_block." + name, heads * s.headDim,
                       {.bias = s.bias});
    return m.splitHeads(x, heads);
  };
  Value q = m.rotary(project("q_proj", s.heads), position, s.rope);
  Value k = m.rotary(project("k_proj", s.kvHeads), position, s.rope);
  Value o = m.attention(q, k, project("v_proj", s.kvHeads), s.attention);
  return m.linear(m.mergeHeads(o), "temporal_block.o_proj", s.d,
                  {.bias = true});
}

/// The pattern repeats over the layers.
std::vector<std::string> layerKinds(Config &c, int64_t layers) {
  const Json *list = c.find("block_types");
  int64_t length = list && list->is_array() ? list->size() : 1;
  if (length == 0)
    c.reject("block_types", "at least one entry");
  std::vector<std::string> pattern =
      c.kinds("block_types", length, {kRecurrent, kAttention});
  if (pattern.empty())
    pattern = {kRecurrent, kRecurrent, kAttention};
  std::vector<std::string> kinds;
  for (int64_t i = 0; i < layers; ++i)
    kinds.push_back(pattern[i % pattern.size()]);
  return kinds;
}

Shape readShape(ModelBuilder &m) {
  Config &c = m.config();
  Shape s;
  s.d = c.size("hidden_size");
  s.heads = c.size("num_attention_heads");
  s.kvHeads = c.size("num_key_value_heads", s.heads);
  c.divides("num_attention_heads", s.heads, "num_key_value_heads", s.kvHeads);
  c.divides("hidden_size", s.d, "num_attention_heads", s.heads);
  s.headDim = std::max<int64_t>(s.d / s.heads, 1);
  if (c.size("head_dim", s.headDim) != s.headDim)
    c.reject("head_dim",
             "hidden_size / num_attention_heads, " + std::to_string(s.headDim));
  s.width = c.size("lru_width", s.d);
  c.divides("lru_width", s.width, "num_attention_heads", s.heads);
  s.taps = c.size("conv1d_width", 4);
  s.act = m.readActivation("hidden_activation", "gelu_pytorch_tanh");
  s.bias = c.flag("attention_bias", false);
  s.attention.scale = 1 / std::sqrt(double(s.headDim));
  s.attention.window =
      c.size("attention_window_size", 2048, Config::kMaxContext);
  return s;
}

} // namespace

Status linnet::importRecurrentGemma(ModelBuilder &m) {
  Config &c = m.config();
  int64_t vocabulary = c.vocabulary();
  int64_t layers = c.layerCount("num_hidden_layers");
  // Counts gate and up together.
  int64_t inner = c.size("intermediate_size");
  if (inner % 2 != 0)
    c.reject("intermediate_size", "an even number");
  Shape s = readShape(m);
  double eps = c.positive("rms_norm_eps", 1e-6);
  double cap = c.positive("logits_soft_cap", 30);
  int64_t maxPositions =
      c.size("max_position_embeddings", 8192, Config::kMaxContext);
  s.rope = readRope(c, s.headDim, maxPositions, {.partial = 0.5});
  std::vector<std::string> kinds = layerKinds(c, layers);
  bool tied = m.isTied("lm_head.weight", true);
  m.ignore("*.rotary_emb.inv_freq");
  if (Status status = m.begin({.vocabulary = vocabulary,
                               .hidden = s.d,
                               .layers = layers,
                               .maxPositions = maxPositions});
      !status)
    return status;

  // The factor is a bfloat16 whatever the weights are.
  llvm::APFloat factor(std::sqrt(double(s.d)));
  bool lossy;
  factor.convert(llvm::APFloat::BFloat(), llvm::APFloat::rmNearestTiesToEven,
                 &lossy);
  m.embed("model.", [&](const EmbedInputs &in) {
    return m.scaled(m.embedding(in.tokens, "embed_tokens", vocabulary, s.d),
                    factor.convertToDouble());
  });

  m.stack("model.layers.", kinds, [&](const LayerInputs &in) {
    Value h = m.rmsNorm(in.x, "temporal_pre_norm", eps, /*unitOffset=*/true);
    h = kinds[in.number] == kAttention ? attentionMixer(m, h, in.position, s)
                                       : recurrentMixer(m, h, in.position, s);
    Value x = m.add(in.x, h);
    h = m.rmsNorm(x, "channel_pre_norm", eps, /*unitOffset=*/true);
    return m.add(x,
                 m.gatedMlp(h, "mlp_block", inner / 2, s.act, /*bias=*/true));
  });

  m.head("", [&](Value x) {
    Value h = m.rmsNorm(x, "model.final_norm", eps, /*unitOffset=*/true);
    h = m.linear(h, tied ? "model.embed_tokens" : "lm_head", vocabulary);
    return m.softCap(h, cap);
  });
  return Status();
}
