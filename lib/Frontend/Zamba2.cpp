//===- Zamba2.cpp - zamba2 ------------------------------------------------===//
//
// mamba2 layers; some of them, the hybrid ones, get t from an attention block
// that hybrid layers share but for a matrix of their own and low-rank adapters:
//
//   x0 = x = E[tokens]
//   x += Mamba2(RMS(x; input_layernorm)),  or RMS(x + t; ...) with
//   a = Attention(RMS([x | x0]; input_layernorm))
//   [g | u] = (gate_up + adapter_j) RMS(a; pre_ff_layernorm)
//   t = linear down(gelu(g) * u)
//
// The j-th hybrid layer uses block j mod num_mem_blocks, which is stored under
// the first hybrid layer that uses it.
//
//===----------------------------------------------------------------------===//

#include "Mixers.h"

#include <cmath>
#include <limits>

using namespace linnet;
using mlir::Value;

namespace {
struct SharedBlock {
  int64_t d, width, heads, kvHeads, headDim, rank;
  double eps;
  ir::Activation act;
  std::optional<Rope> rope;
  bool adaptsAttention, bias;

  /// Of hybrid layer `j`, without `linear`.
  Value apply(ModelBuilder &m, Value x, Value x0, Value position,
              int64_t j) const;
};

Value SharedBlock::apply(ModelBuilder &m, Value x, Value x0, Value position,
                         int64_t j) const {
  auto adapted = [&](Value h, const std::string &name, int64_t out) {
    std::string adapter = name + "_adapter_list." + std::to_string(j) + ".";
    return m.linear(m.linear(h, adapter + "0", rank), adapter + "1", out);
  };
  Value h = m.rmsNorm(m.concat({x, x0}), "input_layernorm", eps);
  auto project = [&](const std::string &part, int64_t count) {
    int64_t out = count * headDim;
    Value y = m.linear(h, "self_attn." + part + "_proj", out);
    if (adaptsAttention)
      y = m.add(y, adapted(h, "self_attn.linear_" + part, out));
    return m.splitHeads(y, count);
  };
  Value q = project("q", heads), k = project("k", kvHeads);
  Value v = project("v", kvHeads);
  if (rope) {
    q = m.rotary(q, position, *rope);
    k = m.rotary(k, position, *rope);
  }
  Value a = m.attention(q, k, v, {.scale = 1 / std::sqrt(headDim / 2.0)});
  a = m.linear(m.mergeHeads(a), "self_attn.o_proj", d);

  h = m.rmsNorm(a, "pre_ff_layernorm", eps);
  const char *name = "feed_forward.gate_up_proj";
  auto gateUp = m.split(m.add(m.linear(h, name, 2 * width, {.bias = bias}),
                              adapted(h, name, 2 * width)),
                        {width, width});
  return m.linear(m.glu(act, gateUp[0], gateUp[1]), "feed_forward.down_proj", d,
                  {.bias = bias});
}

SharedBlock readShared(ModelBuilder &m, int64_t maxPositions) {
  Config &c = m.config();
  SharedBlock s{};
  s.d = c.size("hidden_size");
  s.width = c.size("intermediate_size");
  s.heads = c.size("num_attention_heads");
  s.kvHeads = c.size("num_key_value_heads", s.heads);
  c.divides("num_attention_heads", s.heads, "num_key_value_heads", s.kvHeads);
  c.divides("2 * hidden_size", 2 * s.d, "num_attention_heads", s.heads);
  s.headDim = std::max<int64_t>(2 * s.d / s.heads, 1);
  if (c.size("attention_head_dim", s.headDim) != s.headDim)
    c.reject("attention_head_dim", "2 * hidden_size / num_attention_heads, " +
                                       std::to_string(s.headDim));
  s.rank = c.size("adapter_rank", 128);
  s.eps = c.positive("rms_norm_eps", 1e-5);
  s.act = m.readActivation("hidden_act", "gelu");
  s.bias = c.flag("add_bias_linear", false);
  s.adaptsAttention = c.flag("use_shared_attention_adapter", false);
  if (c.flag("use_mem_rope", false))
    s.rope = readRope(c, s.headDim, maxPositions);
  return s;
}

Mamba2Mixer readMamba(Config &c, int64_t d) {
  int64_t inner = c.size("mamba_expand", 2) * d;
  int64_t heads = c.size("n_mamba_heads", 8);
  c.divides("mamba_expand * hidden_size", inner, "n_mamba_heads", heads);
  Mamba2Mixer mamba{.heads = heads,
                    .headDim = std::max<int64_t>(inner / heads, 1),
                    .states = c.size("mamba_d_state", 64),
                    .groups = c.size("mamba_ngroups", 1),
                    .taps = c.size("mamba_d_conv", 4),
                    .eps = 1e-5,
                    .bias = c.flag("add_bias_linear", false),
                    .convBias = true,
                    .low = c.number("time_step_min", 0.001),
                    .high = std::numeric_limits<double>::infinity()};
  c.divides("n_mamba_heads", heads, "mamba_ngroups", mamba.groups);
  if (c.size("mamba_headdim", mamba.headDim) != mamba.headDim)
    c.reject("mamba_headdim", "mamba_expand * hidden_size / n_mamba_heads, " +
                                  std::to_string(mamba.headDim));
  if (!c.flag("use_conv_bias", true))
    c.reject("use_conv_bias", "true");
  return mamba;
}
} // namespace

Status linnet::importZamba2(ModelBuilder &m) {
  Config &c = m.config();
  int64_t vocabulary = c.vocabulary();
  int64_t layers = c.layerCount("num_hidden_layers");
  int64_t maxPositions =
      c.size("max_position_embeddings", 4096, Config::kMaxContext);
  SharedBlock shared = readShared(m, maxPositions);
  int64_t d = shared.d;
  Mamba2Mixer mamba = readMamba(c, d);
  int64_t blocks = c.size("num_mem_blocks", 1);
  c.unsupported("use_long_context");

  std::vector<std::string> kinds = c.kinds(
      "layers_block_type", layers, {"linear_attention", "mamba", "hybrid"});
  if (kinds.empty())
    c.reject("layers_block_type", "a list");
  // Hybrid layers differ in the names of what they share.
  std::vector<int64_t> hybrids, ordinal(kinds.size(), -1);
  for (size_t i = 0; i < kinds.size(); ++i) {
    if (kinds[i] == "hybrid") {
      ordinal[i] = int64_t(hybrids.size());
      kinds[i] += "_" + std::to_string(ordinal[i]);
      hybrids.push_back(int64_t(i));
    } else {
      kinds[i] = "mamba";
    }
  }
  bool tied = m.isTied("lm_head.weight", true);
  m.ignore("*.rotary_emb.inv_freq");
  if (Status status = m.begin({.vocabulary = vocabulary,
                               .hidden = d,
                               .layers = layers,
                               .maxPositions = maxPositions});
      !status)
    return status;

  m.embed("model.", [&](const EmbedInputs &in) {
    return m.embedding(in.tokens, "embed_tokens", vocabulary, d);
  });

  m.stackHanding("model.layers.", kinds, [&](const LayerInputs &in) {
    int64_t j = ordinal[in.number];
    Value x0 = in.handed, h = in.x;
    std::string part;
    if (j >= 0) {
      std::string place = "model.layers." + std::to_string(hybrids[j % blocks]);
      Value t = m.within(place + ".shared_transformer.", [&] {
        return shared.apply(m, in.x, x0, in.position, j);
      });
      h = m.add(h, m.linear(t, "linear", d));
      part = "mamba_decoder.";
    }
    h = m.rmsNorm(h, part + "input_layernorm", shared.eps);
    return std::pair(m.add(in.x, mamba.apply(m, h, part + "mamba")), x0);
  });

  m.head("", [&](Value x) {
    Value h = m.rmsNorm(x, "model.final_layernorm", shared.eps);
    return m.linear(h, tied ? "model.embed_tokens" : "lm_head", vocabulary);
  });
  return Status();
}
