//===- NemotronH.cpp - nemotron_h -----------------------------------------===//
//
//   x += Mixer(RMS(x; norm)), one mixer per layer:
//   M  mamba2            *  grouped attention without positions
//   -  down(act(up h))   E  Experts(h) + Shared(h), experts without gate
//
// Experts may work on a narrower tensor: fc2_latent Experts(fc1_latent h),
// routed by h.
//
//===----------------------------------------------------------------------===//

#include "Mixers.h"

#include <limits>

using namespace linnet;
using llvm::StringRef;
using mlir::Value;

namespace {
/// The letter of every layer, from a list of names or a string of letters.
std::vector<std::string> readPattern(Config &c) {
  static const std::pair<const char *, const char *> names[] = {
      {"linear_attention", "M"}, {"mamba", "M"}, {"full_attention", "*"},
      {"attention", "*"},        {"mlp", "-"},   {"moe", "E"}};
  std::vector<std::string> pattern;
  if (const Json *list = c.find("layers_block_type");
      list && list->is_array()) {
    std::vector<std::string> known;
    for (auto [name, letter] : names)
      known.push_back(name);
    pattern = c.kinds("layers_block_type", int64_t(list->size()), known);
    for (std::string &kind : pattern)
      for (auto [name, letter] : names)
        if (kind == name) {
          kind = letter;
          break;
        }
  } else {
    for (char letter : c.text("hybrid_override_pattern")) {
      if (!StringRef("M*-E").contains(letter))
        c.reject("hybrid_override_pattern", "letters M, *, - and E");
      pattern.push_back(std::string(1, letter));
    }
  }
  int64_t count = int64_t(pattern.size());
  if (count == 0 || count > Config::kMaxLayers ||
      (c.find("num_hidden_layers") &&
       c.layerCount("num_hidden_layers") != count))
    c.reject(c.find("num_hidden_layers") ? "num_hidden_layers"
                                         : "hybrid_override_pattern",
             "one layer per entry of the pattern, " + std::to_string(count));
  return pattern;
}

/// What layers are called in functions.
std::string nameOf(const std::string &letter) {
  return letter == "M"   ? "mamba"
         : letter == "*" ? "attention"
         : letter == "-" ? "mlp"
                         : "experts";
}

struct Mixture {
  int64_t count = 0, width = 0, sharedWidth = 0, latent = 0;
  RouteOptions route;
};

Mixture readMixture(Config &c) {
  Mixture x;
  x.count = c.size("n_routed_experts", 8);
  x.width = c.size("moe_intermediate_size", 7688);
  x.sharedWidth = c.size("moe_shared_expert_intermediate_size", 7688);
  if (c.find("moe_latent_size"))
    x.latent = c.size("moe_latent_size");
  x.route = readGroupedRouter(c, x.count, {.chosen = 2});
  x.route.bias = "mixer.gate.e_score_correction_bias";
  return x;
}
} // namespace

Status linnet::importNemotronH(ModelBuilder &m) {
  Config &c = m.config();
  int64_t vocabulary = c.vocabulary();
  int64_t d = c.size("hidden_size");
  int64_t width = c.size("intermediate_size", 21504);
  double eps = c.positive("layer_norm_epsilon", 1e-5);
  ir::Activation act = m.readActivation("mlp_hidden_act", "relu2");
  bool mlpBias = c.flag("mlp_bias", false);
  std::vector<std::string> pattern = readPattern(c), kinds;
  for (const std::string &letter : pattern)
    kinds.push_back(nameOf(letter));

  GroupedAttention attention = GroupedAttention::read(c, d, 8);
  attention.bias = c.flag("attention_bias", false);
  c.unsupported("sliding_window");
  Mamba2Mixer mamba{.heads = c.size("mamba_num_heads", 128),
                    .headDim = c.size("mamba_head_dim", 64),
                    .states = c.size("ssm_state_size", 128),
                    .groups = c.size("n_groups", 8),
                    .taps = c.size("conv_kernel", 4),
                    .eps = eps,
                    .bias = c.flag("use_bias", false),
                    .convBias = c.flag("use_conv_bias", true),
                    // time_step_limit is not what the family reads.
                    .low = c.number("time_step_min", 0.001),
                    .high = std::numeric_limits<double>::infinity()};
  c.divides("mamba_num_heads", mamba.heads, "n_groups", mamba.groups);
  if (m.readActivation("mamba_hidden_act", "silu") != ir::Activation::Silu)
    c.reject("mamba_hidden_act", "silu");
  Mixture mixture;
  if (llvm::is_contained(pattern, "E"))
    mixture = readMixture(c);

  bool tied = m.isTied("lm_head.weight", false);
  m.ignore("mtp.*"); // multi-token prediction
  if (Status status =
          m.begin({.vocabulary = vocabulary,
                   .hidden = d,
                   .layers = int64_t(pattern.size()),
                   .maxPositions = c.size("max_position_embeddings", 4096,
                                          Config::kMaxContext)});
      !status)
    return status;

  m.embed("backbone.", [&](const EmbedInputs &in) {
    return m.embedding(in.tokens, "embeddings", vocabulary, d);
  });

  auto plainMlp = [&](Value h, const std::string &name, int64_t inner) {
    Value up = m.linear(h, name + ".up_proj", inner, {.bias = mlpBias});
    return m.linear(m.activation(act, up), name + ".down_proj", d,
                    {.bias = mlpBias});
  };
  auto experts = [&](Value h) {
    Choice choice = m.route(h, "mixer.gate", mixture.count, mixture.route);
    Value z = h;
    if (mixture.latent)
      z = m.linear(h, "mixer.fc1_latent_proj", mixture.latent);
    z = m.experts(z, choice, "mixer.experts.{*}.", {"up_proj", "down_proj"},
                  mixture.count, mixture.width, act);
    if (mixture.latent)
      z = m.linear(z, "mixer.fc2_latent_proj", d);
    return m.add(z, plainMlp(h, "mixer.shared_experts", mixture.sharedWidth));
  };
  m.stack("backbone.layers.", kinds, [&](const LayerInputs &in) {
    Value h = m.rmsNorm(in.x, "norm", eps);
    const std::string &letter = pattern[in.number];
    if (letter == "M")
      h = mamba.apply(m, h, "mixer");
    else if (letter == "*")
      h = attention.apply(m, h, "mixer", in.position);
    else if (letter == "-")
      h = plainMlp(h, "mixer", width);
    else
      h = experts(h);
    return m.add(in.x, h);
  });

  m.head("", [&](Value x) {
    Value h = m.rmsNorm(x, "backbone.norm_f", eps);
    return m.linear(h, tied ? "backbone.embeddings" : "lm_head", vocabulary);
  });
  return Status();
}
