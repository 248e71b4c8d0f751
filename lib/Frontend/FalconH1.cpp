//===- FalconH1.cpp - falcon_h1 -------------------------------------------===//
//
// Attention and mamba2 side by side in every layer, with a fixed factor on
// every branch (a to d, m0, m1 and those within mamba2):
//
//   x = embedding_multiplier E[tokens];  h = RMS(x; input_layernorm)
//   x += a Mamba2(b h) + c Attention(d h)
//   h = RMS(x; pre_ff_layernorm);  x += m1 down(up h * silu(m0 gate h))
//   logits = lm_head_multiplier head RMS(x; final_layernorm)
//
//===----------------------------------------------------------------------===//

#include "Mixers.h"

using namespace linnet;
using mlir::Value;

namespace {
/// `count` factors at `key`, ones where it is absent.
std::vector<double> readFactors(Config &c, const char *key, size_t count) {
  std::vector<double> factors = c.numbers(key, std::vector<double>(count, 1.0));
  if (factors.size() != count)
    c.reject(key, std::to_string(count) + " numbers");
  factors.resize(count, 1.0);
  return factors;
}

Mamba2Mixer readMamba(Config &c, int64_t d, double eps) {
  int64_t expanded = c.size("mamba_expand", 2) * d;
  bool given = c.find("mamba_d_ssm");
  Mamba2Mixer mamba =
      Mamba2Mixer::read(c, given ? "mamba_d_ssm" : "mamba_expand * hidden_size",
                        given ? c.size("mamba_d_ssm") : expanded, eps);
  mamba.outBias = c.flag("projectors_bias", false);
  mamba.factors = readFactors(c, "ssm_multipliers", 5);
  bool normFirst = c.flag("mamba_norm_before_gate", true);
  mamba.norm = normFirst ? ir::GateOrder::After : ir::GateOrder::Before;
  if (!c.flag("mamba_rms_norm", false))
    mamba.norm.reset();
  return mamba;
}
} // namespace

Status linnet::importFalconH1(ModelBuilder &m) {
  Config &c = m.config();
  int64_t vocabulary = c.vocabulary();
  int64_t d = c.size("hidden_size");
  int64_t layers = c.layerCount("num_hidden_layers");
  int64_t width = c.size("intermediate_size");
  double eps = c.positive("rms_norm_eps", 1e-5);
  ir::Activation act = m.readActivation("hidden_act", "silu");
  if (act != ir::Activation::Silu)
    c.reject("hidden_act", "silu");
  bool mlpBias = c.flag("mlp_bias", false);
  int64_t maxPositions =
      c.size("max_position_embeddings", 8192, Config::kMaxContext);
  GroupedAttention attention = GroupedAttention::read(c, d, 8);
  attention.bias = c.flag("attention_bias", false);
  attention.rope = readRope(c, attention.headDim, maxPositions);
  // A factor of the keys is one of the scores.
  attention.scale *= c.positive("key_multiplier", 1.0);
  Mamba2Mixer mamba = readMamba(c, d, eps);
  double embeddingFactor = c.number("embedding_multiplier", 1.0);
  double attentionIn = c.number("attention_in_multiplier", 1.0);
  double attentionOut = c.number("attention_out_multiplier", 1.0);
  double mambaIn = c.number("ssm_in_multiplier", 1.0);
  double mambaOut = c.number("ssm_out_multiplier", 1.0);
  double headFactor = c.number("lm_head_multiplier", 1.0);
  std::vector<double> mlpFactors = readFactors(c, "mlp_multipliers", 2);
  bool tied = m.isTied("lm_head.weight", false);
  m.ignore("*.rotary_emb.inv_freq");
  if (Status status = m.begin({.vocabulary = vocabulary,
                               .hidden = d,
                               .layers = layers,
                               .maxPositions = maxPositions});
      !status)
    return status;

  m.embed("model.", [&](const EmbedInputs &in) {
    return m.scaled(m.embedding(in.tokens, "embed_tokens", vocabulary, d),
                    embeddingFactor);
  });

  m.stack("model.layers.", {}, [&](const LayerInputs &in) {
    Value h = m.rmsNorm(in.x, "input_layernorm", eps);
    Value scanned = mamba.apply(m, m.scaled(h, mambaIn), "mamba");
    Value attended =
        attention.apply(m, m.scaled(h, attentionIn), "self_attn", in.position);
    Value x = m.add(in.x, m.add(m.scaled(scanned, mambaOut),
                                m.scaled(attended, attentionOut)));

    h = m.rmsNorm(x, "pre_ff_layernorm", eps);
    Value gate =
        m.linear(h, "feed_forward.gate_proj", width, {.bias = mlpBias});
    Value up = m.linear(h, "feed_forward.up_proj", width, {.bias = mlpBias});
    Value down = m.linear(m.glu(act, m.scaled(gate, mlpFactors[0]), up),
                          "feed_forward.down_proj", d, {.bias = mlpBias});
    return m.add(x, m.scaled(down, mlpFactors[1]));
  });

  m.head("", [&](Value x) {
    Value h = m.rmsNorm(x, "model.final_layernorm", eps);
    Value logits =
        m.linear(h, tied ? "model.embed_tokens" : "lm_head", vocabulary);
    return m.scaled(logits, headFactor);
  });
  return Status();
}
