//===- Llama.cpp - llama, mistral, qwen2, qwen3, mixtral ------------------===//
//
//   x = E[tokens]
//   x += Attn(RMS(x; input_layernorm))
//   x += MLP(RMS(x; post_attention_layernorm))
//   logits = head RMS(x; norm)
//
// They differ in defaults, biases, the norm on q and k, and the window; in
// mixtral, MLP is the weighted sum of a token's best experts.
//
//===----------------------------------------------------------------------===//

#include "ModelBuilder.h"

#include <cmath>

using namespace linnet;
using llvm::StringRef;
using mlir::Value;

namespace {

/// Which layers have a window, and whether it is there unless null.
enum class Windows { None, AllLayers, IfGiven, ByLayer };

/// What a family has of its own.
struct Variant {
  StringRef name;
  int64_t headDim;       // when absent or null; 0: hidden_size / heads
  int64_t keyValueHeads; // when absent; 0 (and null always): the heads
  bool biasQkv;          // whatever attention_bias says
  bool readsBiases;      // attention_bias on q, k, v and o
  bool readsMlpBias;
  bool normsQk;
  Windows windows;
  int64_t maxPositions;
  bool experts = false;
  double eps = 1e-6;
  double theta = 10000;
};

constexpr Variant kVariants[] = {
    {"llama", 0, 0, false, true, true, false, Windows::None, 2048},
    {"mistral", 0, 8, false, false, false, false, Windows::AllLayers, 131072},
    {"qwen2", 0, 32, true, false, false, false, Windows::ByLayer, 32768},
    {"qwen3", 128, 32, false, true, false, true, Windows::ByLayer, 32768},
    {"mixtral", 0, 8, false, false, false, false, Windows::IfGiven, 131072,
     true, 1e-5, 1e6},
};

const char *const kFull = "full_attention";
const char *const kSliding = "sliding_attention";

/// The window in tokens, or nothing, and which layers have it.
struct WindowPlan {
  std::optional<int64_t> window;
  std::vector<std::string> kinds; // empty: all layers are alike
};

WindowPlan readWindows(Config &c, Windows windows, int64_t layers) {
  WindowPlan plan;
  if (windows == Windows::None)
    return plan;
  if (windows == Windows::ByLayer && !c.flag("use_sliding_window", false))
    return plan;
  // Absent is the default of 4096, or none; null is none.
  if (c.isNull("sliding_window") ||
      (windows == Windows::IfGiven && !c.has("sliding_window")))
    return plan;
  plan.window = c.size("sliding_window", 4096, Config::kMaxContext);
  if (windows != Windows::ByLayer)
    return plan;
  plan.kinds = c.kinds("layer_types", layers, {kFull, kSliding});
  if (plan.kinds.empty()) {
    int64_t first =
        c.find("max_window_layers") && c.number("max_window_layers") == 0
            ? 0
            : c.size("max_window_layers", 28);
    for (int64_t i = 0; i < layers; ++i)
      plan.kinds.push_back(i >= first ? kSliding : kFull);
  }
  return plan;
}

} // namespace

Status linnet::importLlama(ModelBuilder &m) {
  const Variant *variant = llvm::find_if(
      kVariants, [&](const Variant &v) { return v.name == m.modelType(); });
  if (variant == std::end(kVariants))
    variant = std::begin(kVariants);

  Config &c = m.config();
  int64_t vocabulary = c.vocabulary();
  int64_t d = c.size("hidden_size");
  int64_t layers = c.layerCount("num_hidden_layers");
  int64_t inner = c.size("intermediate_size");
  int64_t heads = c.size("num_attention_heads");
  int64_t kvDefault = variant->keyValueHeads && !c.has("num_key_value_heads")
                          ? variant->keyValueHeads
                          : heads;
  int64_t kvHeads = c.size("num_key_value_heads", kvDefault);
  c.divides("num_attention_heads", heads, "num_key_value_heads", kvHeads);
  if (!c.find("head_dim") && !variant->headDim)
    c.divides("hidden_size", d, "num_attention_heads", heads);
  int64_t headDim =
      c.size("head_dim", variant->headDim ? variant->headDim
                                          : std::max<int64_t>(d / heads, 1));
  double eps = c.positive("rms_norm_eps", variant->eps);
  ir::Activation act = m.readActivation("hidden_act", "silu");
  bool bias = variant->readsBiases && c.flag("attention_bias", false);
  bool mlpBias = variant->readsMlpBias && c.flag("mlp_bias", false);
  int64_t maxPositions = c.size("max_position_embeddings",
                                variant->maxPositions, Config::kMaxContext);
  WindowPlan plan = readWindows(c, variant->windows, layers);
  Rope rope = readRope(c, headDim, maxPositions, {.theta = variant->theta});
  int64_t experts = 0;
  RouteOptions route;
  if (variant->experts) {
    experts = c.size("num_local_experts", 8);
    route.chosen = c.size("num_experts_per_tok", 2, experts);
  }
  bool tied = m.isTied("lm_head.weight", false);
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

  m.stack("model.layers.", plan.kinds, [&](const LayerInputs &in) {
    LinearOptions qkv{.bias = bias || variant->biasQkv};
    Value h = m.rmsNorm(in.x, "input_layernorm", eps);
    Value q = m.linear(h, "self_attn.q_proj", heads * headDim, qkv);
    Value k = m.linear(h, "self_attn.k_proj", kvHeads * headDim, qkv);
    Value v = m.linear(h, "self_attn.v_proj", kvHeads * headDim, qkv);
    q = m.splitHeads(q, heads);
    k = m.splitHeads(k, kvHeads);
    v = m.splitHeads(v, kvHeads);
    if (variant->normsQk) {
      q = m.rmsNorm(q, "self_attn.q_norm", eps);
      k = m.rmsNorm(k, "self_attn.k_norm", eps);
    }
    q = m.rotary(q, in.position, rope);
    k = m.rotary(k, in.position, rope);
    AttentionOptions options{.scale = 1 / std::sqrt(double(headDim))};
    if (plan.kinds.empty() || plan.kinds[in.number] == kSliding)
      options.window = plan.window;
    Value o = m.mergeHeads(m.attention(q, k, v, options));
    Value x = m.add(in.x, m.linear(o, "self_attn.o_proj", d, {.bias = bias}));

    h = m.rmsNorm(x, "post_attention_layernorm", eps);
    if (experts) {
      Choice choice = m.route(h, "block_sparse_moe.gate", experts, route);
      return m.add(x, m.experts(h, choice, "block_sparse_moe.experts.{*}.",
                                {"w1", "w3", "w2"}, experts, inner, act));
    }
    return m.add(x, m.gatedMlp(h, "mlp", inner, act, mlpBias));
  });

  m.head("", [&](Value x) {
    Value h = m.rmsNorm(x, "model.norm", eps);
    return m.linear(h, tied ? "model.embed_tokens" : "lm_head", vocabulary);
  });
  return Status();
}
