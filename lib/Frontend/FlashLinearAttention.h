//===- FlashLinearAttention.h - mixers that share a model -------*- C++ -*-===//
//
// The models of flash-linear-attention share everything but the mixer. A
// mixer is a function that reads its keys of the configuration and returns
// the function that writes it.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_FRONTEND_FLASHLINEARATTENTION_H
#define LIB_FRONTEND_FLASHLINEARATTENTION_H

#include "ModelBuilder.h"

#include <functional>

namespace linnet::fla {

/// The model around the mixers.
struct Frame {
  int64_t d, layers, maxPositions;
  double eps;
};

/// Writes a mixer of the normalised `h`. Weights are below "attn.".
using Mixer = std::function<mlir::Value(mlir::Value h, const LayerInputs &in)>;

/// Reads what a mixer needs of the configuration.
using ReadMixer = Mixer (*)(ModelBuilder &m, const Frame &f);

//===--- pieces of mixers (FlashLinearAttention.cpp) ---------------------===//

/// Heads whose widths are shares of the model's.
struct Heads {
  int64_t count, kvCount, keyDim, valueDim;
};
/// What a family takes for absent keys.
struct HeadDefaults {
  int64_t count;
  double expandK, expandV;
};
/// `num_heads`, `num_kv_heads`, `expand_k` and `expand_v`.
Heads readHeads(Config &c, const Frame &f, HeadDefaults defaults);

/// `conv_size`, or 0 without `use_short_conv`.
int64_t readTaps(Config &c, bool dflt);

/// Heads [B, T, heads, width] of `name`_proj, convolved if `taps` is not 0.
mlir::Value project(ModelBuilder &m, mlir::Value h, llvm::StringRef name,
                    int64_t heads, int64_t width, int64_t taps,
                    ir::Activation act = ir::Activation::Silu);

/// o_proj of RMS(o; norm) per head, times act(gate) if there is a gate.
mlir::Value readOut(ModelBuilder &m, const Frame &f, mlir::Value o,
                    llvm::StringRef norm, mlir::Value gate,
                    ir::Activation act = ir::Activation::Silu);

/// log(sigmoid(x)) / divisor.
mlir::Value logSigmoid(ModelBuilder &m, mlir::Value x, double divisor = 1);

/// elu(x) + 1.
mlir::Value eluPlusOne(ModelBuilder &m, mlir::Value x);

/// Softmax attention with rotary positions, by the keys of `c`.
Mixer readAttention(ModelBuilder &m, Config c, const Frame &f);

//===--- mixers ----------------------------------------------------------===//

// Softmax attention and decays without a delta rule (FlashMixers.cpp).
Mixer readTransformer(ModelBuilder &m, const Frame &f);
Mixer readForgettingTransformer(ModelBuilder &m, const Frame &f);
Mixer readGla(ModelBuilder &m, const Frame &f);
Mixer readRetNet(ModelBuilder &m, const Frame &f);
Mixer readLinearAttention(ModelBuilder &m, const Frame &f);

// Gates that write what they forget (FlashGateMixers.cpp).
Mixer readHgrn(ModelBuilder &m, const Frame &f);
Mixer readHgrn2(ModelBuilder &m, const Frame &f);
Mixer readLightNet(ModelBuilder &m, const Frame &f);

// Slots (FlashSlotMixers.cpp).
Mixer readGsa(ModelBuilder &m, const Frame &f);
Mixer readAbc(ModelBuilder &m, const Frame &f);

// Delta rules (FlashDeltaMixers.cpp).
Mixer readDeltaNet(ModelBuilder &m, const Frame &f);
Mixer readGatedDeltaNet(ModelBuilder &m, const Frame &f);
Mixer readKda(ModelBuilder &m, const Frame &f);
Mixer readGatedDeltaProduct(ModelBuilder &m, const Frame &f);
Mixer readComba(ModelBuilder &m, const Frame &f);

} // namespace linnet::fla

#endif // LIB_FRONTEND_FLASHLINEARATTENTION_H
