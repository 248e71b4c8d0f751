//===- LatentAttention.cpp - multi-head latent attention ------------------===//

#include "LatentAttention.h"

#include <cmath>

using namespace linnet;
using mlir::Value;

/// The latents' norms do not follow the configuration.
static constexpr double kLatentEps = 1e-6;

LatentAttention LatentAttention::read(Config &c) {
  LatentAttention a{};
  a.heads = c.size("num_attention_heads");
  a.nope = c.size("qk_nope_head_dim", 128);
  a.rope = c.size("qk_rope_head_dim", 64);
  a.value = c.size("v_head_dim", 128);
  a.latent = c.size("kv_lora_rank", 512);
  if (c.has("q_lora_rank") && !c.isNull("q_lora_rank"))
    a.queryLatent = c.size("q_lora_rank");
  a.scale = 1 / std::sqrt(double(a.nope + a.rope));
  a.bias = c.flag("attention_bias", false);
  return a;
}

void LatentAttention::readRotation(Config &c, int64_t maxPositions,
                                   bool interleaved, RopeDefaults defaults) {
  rotation = readRope(c, rope, maxPositions, defaults);
  rotation->interleaved = interleaved;
  if (int64_t(2 * rotation->inverseFrequencies.size()) != rope)
    c.reject("partial_rotary_factor", "1: qk_rope_head_dim says what rotates");
  Config options =
      c.object(c.find("rope_parameters") ? "rope_parameters" : "rope_scaling");
  double all = options.number("mscale_all_dim", 0.0);
  std::string type = options.text("rope_type", options.text("type", "default"));
  if (type == "default" || all == 0)
    return;
  double factor = options.positive("factor");
  double magnitude = factor <= 1 ? 1 : 0.1 * all * std::log(factor) + 1;
  scale *= magnitude * magnitude;
}

Value LatentAttention::apply(ModelBuilder &m, Value h, const std::string &name,
                             Value position) const {
  int64_t width = nope + rope;
  Value q;
  if (queryLatent) {
    Value low = m.linear(h, name + ".q_a_proj", *queryLatent, {.bias = bias});
    low = m.rmsNorm(low, name + ".q_a_layernorm", kLatentEps);
    q = m.linear(low, name + ".q_b_proj", heads * width);
  } else {
    q = m.linear(h, name + ".q_proj", heads * width);
  }
  auto low = m.split(
      m.linear(h, name + ".kv_a_proj_with_mqa", latent + rope, {.bias = bias}),
      {latent, rope});
  Value c = m.rmsNorm(low[0], name + ".kv_a_layernorm", kLatentEps);
  Value expand = m.rowBlocks(
      m.weight(name + ".kv_b_proj.weight", {heads * (nope + value), latent}),
      heads);
  auto parts = m.split(m.splitHeads(q, heads), {nope, rope});
  Value shared = m.splitHeads(low[1], 1);
  if (rotation) {
    parts[1] = m.rotary(parts[1], position, *rotation);
    shared = m.rotary(shared, position, *rotation);
  }
  // Stored [out, in] for the keys' way, from a latent; queries go the other.
  Value absorbed = m.blockLinear(
      m.mergeParts(parts[0]), m.columns(expand, 0, nope), ir::Storage::InOut);
  Value o = m.attention(m.concat({m.splitHeads(absorbed, heads), parts[1]}),
                        m.concat({m.splitHeads(c, 1), shared}), Value(),
                        {.scale = scale, .valueWidth = latent});
  o = m.blockLinear(m.mergeHeads(o), m.columns(expand, nope, value),
                    ir::Storage::OutIn);
  return m.splitHeads(o, heads);
}
