//===- FlashLinearAttention.cpp - models of flash-linear-attention --------===//
//
//   x = E[tokens]
//   x += Mixer(RMS(x; attn_norm))
//   x += down(silu(gate h) * up h),  h = RMS(x; mlp_norm)
//   logits = head RMS(x; norm)
//
// In hybrids the layers that `attn` lists have softmax attention instead.
//
//===----------------------------------------------------------------------===//

#include "FlashLinearAttention.h"

#include <cmath>
#include <limits>

using namespace linnet;
using llvm::StringRef;
using mlir::Value;

namespace {

/// The mixer of a model type, and how wide its MLP is without a given width.
struct Family {
  StringRef name;
  fla::ReadMixer read;
  double hiddenRatio = 4;
  bool attends = false;
};

constexpr Family kFamilies[] = {
    {"gla", fla::readGla},
    {"retnet", fla::readRetNet, 2},
    {"transformer", fla::readTransformer, 4, true},
    {"delta_net", fla::readDeltaNet},
    {"gated_deltanet", fla::readGatedDeltaNet},
    {"kda", fla::readKda},
    {"gated_deltaproduct", fla::readGatedDeltaProduct},
    {"comba", fla::readComba},
    {"linear_attn", fla::readLinearAttention},
    {"forgetting_transformer", fla::readForgettingTransformer, 4, true},
    {"hgrn", fla::readHgrn},
    {"hgrn2", fla::readHgrn2},
    {"lightnet", fla::readLightNet},
    {"gsa", fla::readGsa},
    {"abc", fla::readAbc},
};

/// `intermediate_size`, or two thirds of a multiple of the width, rounded up.
int64_t readInner(Config &c, int64_t d, double hiddenRatio) {
  if (c.find("intermediate_size"))
    return c.size("intermediate_size");
  double ratio = c.positive("hidden_ratio", hiddenRatio);
  double wide = std::trunc(double(d) * ratio * 2 / 3);
  if (wide >= double(Config::kMaxSize)) {
    c.reject("hidden_ratio", "a number of which an MLP can be made");
    return 1;
  }
  return (int64_t(wide) + 255) / 256 * 256;
}

/// Which layers have the attention that `attn` describes.
std::vector<bool> attentionLayers(Config &c, int64_t layers) {
  std::vector<bool> listed(layers, false);
  Config attn = c.object("attn");
  for (double number : attn.numbers("layers", {})) {
    if (!(number >= 0 && number < double(layers)) ||
        number != double(int64_t(number)))
      attn.reject("layers", "numbers of layers");
    else
      listed[int64_t(number)] = true;
  }
  return listed;
}

} // namespace

fla::Heads fla::readHeads(Config &c, const Frame &f, HeadDefaults defaults) {
  Heads h;
  h.count = c.size("num_heads", defaults.count);
  h.kvCount = c.size("num_kv_heads", h.count);
  c.divides("num_heads", h.count, "num_kv_heads", h.kvCount);
  auto width = [&](StringRef key, double dflt) -> int64_t {
    double all = std::trunc(double(f.d) * c.positive(key, dflt));
    if (all >= double(h.count) && all <= double(Config::kMaxSize) &&
        std::fmod(all, double(h.count)) == 0)
      return int64_t(all) / h.count;
    c.fail(makeError(c.file(), ": expected hidden_size * ", key.str(),
                     " to be a multiple of 'num_heads' (", h.count,
                     "), but got ", all));
    return 1;
  };
  h.keyDim = width("expand_k", defaults.expandK);
  h.valueDim = width("expand_v", defaults.expandV);
  return h;
}

int64_t fla::readTaps(Config &c, bool dflt) {
  return c.flag("use_short_conv", dflt) ? c.size("conv_size", 4) : 0;
}

Value fla::project(ModelBuilder &m, Value h, StringRef name, int64_t heads,
                   int64_t width, int64_t taps, ir::Activation act) {
  std::string stem = "attn." + name.str();
  Value x = m.linear(h, stem + "_proj", heads * width);
  if (taps)
    x = m.shortConv(x, stem + "_conv1d", taps, act, /*bias=*/false);
  return m.splitHeads(x, heads);
}

Value fla::readOut(ModelBuilder &m, const Frame &f, Value o, StringRef norm,
                   Value gate, ir::Activation act) {
  std::string name = "attn." + norm.str();
  if (gate)
    o = m.gatedRmsNorm(o, gate, name, f.eps, ir::GateOrder::After,
                       /*groups=*/1, act);
  else
    o = m.rmsNorm(o, name, f.eps);
  return m.linear(m.mergeHeads(o), "attn.o_proj", f.d);
}

Value fla::logSigmoid(ModelBuilder &m, Value x, double divisor) {
  Value positive = m.activation(ir::Activation::Softplus, m.scaled(x, -1));
  return m.scaled(positive, -1 / divisor);
}

Value fla::eluPlusOne(ModelBuilder &m, Value x) {
  // max(x, 0) + e^min(x, 0), so that nothing overflows.
  Value below = m.clamp(x, -std::numeric_limits<double>::infinity(), 0);
  return m.add(m.activation(ir::Activation::Relu, x),
               m.scaled(m.negativeExp(below), -1));
}

Status linnet::importFlashLinearAttention(ModelBuilder &m) {
  const Family *family = llvm::find_if(
      kFamilies, [&](const Family &v) { return v.name == m.modelType(); });
  if (family == std::end(kFamilies))
    family = std::begin(kFamilies);

  Config &c = m.config();
  int64_t vocabulary = c.vocabulary();
  fla::Frame f;
  f.d = c.size("hidden_size");
  f.layers = c.layerCount("num_hidden_layers");
  f.eps = c.positive("norm_eps", 1e-6);
  f.maxPositions = c.size("max_position_embeddings", 2048, Config::kMaxContext);
  int64_t inner = readInner(c, f.d, family->hiddenRatio);
  ir::Activation act = m.readActivation("hidden_act", "swish");
  if (act != ir::Activation::Silu)
    c.reject("hidden_act", "swish");
  if (!c.flag("elementwise_affine", true))
    c.reject("elementwise_affine", "true");
  c.unsupported("attnres_block_size");

  fla::Mixer mixer = family->read(m, f), attention;
  std::vector<bool> attends = attentionLayers(c, f.layers);
  std::vector<std::string> kinds;
  bool hybrid = llvm::is_contained(attends, true);
  if (hybrid) {
    attention = fla::readAttention(m, c.object("attn"), f);
    for (bool listed : attends)
      kinds.push_back(listed ? "attention" : "recurrence");
  }

  bool tied = m.isTied("lm_head.weight", false);
  if (Status status = m.begin({.vocabulary = vocabulary,
                               .hidden = f.d,
                               .layers = f.layers,
                               .maxPositions = hybrid || family->attends
                                                   ? f.maxPositions
                                                   : kUnboundedContext});
      !status)
    return status;

  m.embed("model.", [&](const EmbedInputs &in) {
    return m.embedding(in.tokens, "embeddings", vocabulary, f.d);
  });

  m.stack("model.layers.", kinds, [&](const LayerInputs &in) {
    Value h = m.rmsNorm(in.x, "attn_norm", f.eps);
    Value x = m.add(in.x, (attends[in.number] ? attention : mixer)(h, in));
    h = m.rmsNorm(x, "mlp_norm", f.eps);
    return m.add(x, m.gatedMlp(h, "mlp", inner, act));
  });

  m.head("", [&](Value x) {
    Value h = m.rmsNorm(x, "model.norm", f.eps);
    return m.linear(h, tied ? "model.embeddings" : "lm_head", vocabulary);
  });
  return Status();
}
