//===- Gpt2.cpp - gpt2 ----------------------------------------------------===//
//
//   x = wte[tokens] + wpe[positions]
//   x += Attn(LN(x; ln_1))
//   x += c_proj(act(c_fc(LN(x; ln_2))))
//   logits = head LN(x; ln_f)
//
// The matrices of a layer are stored [in, out].
//
//===----------------------------------------------------------------------===//

#include "ModelBuilder.h"

#include <cmath>

using namespace linnet;
using mlir::Value;

Status linnet::importGpt2(ModelBuilder &m) {
  Config &c = m.config();
  int64_t vocabulary = c.vocabulary();
  int64_t d = c.size("n_embd");
  int64_t layers = c.layerCount("n_layer");
  int64_t heads = c.size("n_head");
  c.divides("n_embd", d, "n_head", heads);
  int64_t inner = c.size("n_inner", 4 * d, 4 * Config::kMaxSize);
  int64_t maxPositions = c.size("n_positions", 1024);
  double eps = c.positive("layer_norm_epsilon", 1e-5);
  ir::Activation act = m.readActivation("activation_function", "gelu_new");
  double scale = c.flag("scale_attn_weights", true)
                     ? 1 / std::sqrt(double(d) / double(heads))
                     : 1.0;
  bool scaleByLayer = c.flag("scale_attn_by_inverse_layer_idx", false);
  c.unsupported("add_cross_attention");

  // Published files leave the prefix out.
  std::string prefix = m.choosePrefix("wte.weight", {"transformer.", ""});
  bool tied = m.isTied("lm_head.weight", true);
  m.ignore(prefix + "h.*.attn.bias");
  m.ignore(prefix + "h.*.attn.masked_bias");
  if (Status status = m.begin({.vocabulary = vocabulary,
                               .hidden = d,
                               .layers = layers,
                               .maxPositions = maxPositions,
                               .fixedPositions = true});
      !status)
    return status;

  m.embed(prefix, [&](const EmbedInputs &in) {
    Value words = m.embedding(in.tokens, "wte", vocabulary, d);
    Value positions = m.positions(in.tokens, in.position);
    return m.add(words, m.embedding(positions, "wpe", maxPositions, d));
  });

  // A scale of its own makes every layer distinct.
  std::vector<std::string> kinds;
  for (int64_t i = 0; scaleByLayer && i < layers; ++i)
    kinds.push_back("scaled_" + std::to_string(i + 1));
  const LinearOptions conv1d{.bias = true, .storage = ir::Storage::InOut};
  m.stack(prefix + "h.", kinds, [&](const LayerInputs &in) {
    Value h = m.layerNorm(in.x, "ln_1", eps);
    auto qkv = m.split(m.linear(h, "attn.c_attn", 3 * d, conv1d), {d, d, d});
    AttentionOptions options{.scale = scale};
    if (scaleByLayer)
      options.scale /= double(in.number + 1);
    Value o =
        m.attention(m.splitHeads(qkv[0], heads), m.splitHeads(qkv[1], heads),
                    m.splitHeads(qkv[2], heads), options);
    Value x = m.add(in.x, m.linear(m.mergeHeads(o), "attn.c_proj", d, conv1d));

    h = m.linear(m.layerNorm(x, "ln_2", eps), "mlp.c_fc", inner, conv1d);
    h = m.activation(act, h);
    return m.add(x, m.linear(h, "mlp.c_proj", d, conv1d));
  });

  m.head("", [&](Value x) {
    Value h = m.layerNorm(x, prefix + "ln_f", eps);
    return m.linear(h, tied ? prefix + "wte" : "lm_head", vocabulary);
  });
  return Status();
}
