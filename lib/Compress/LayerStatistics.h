//===- LayerStatistics.h - what a layer does to its input -----*- C++ -*-===//

#ifndef LIB_COMPRESS_LAYERSTATISTICS_H
#define LIB_COMPRESS_LAYERSTATISTICS_H

#include "StageMoments.h"

namespace linnet::compress {

struct LayerAnalysis {
  /// One minus the mean cosine between a token's hidden state before and behind
  /// the layer (block influence, ShortGPT, Men et al. 2024): 0 where it only
  /// scales.
  double influence = 0;
  /// The share of what the layer adds, in mean square about its mean, that an
  /// affine function of the hidden state before it explains: fitted to three
  /// quarters of the tokens, measured on the others. 1 where that is all, below
  /// 0 where it is worse than the mean.
  double linearity = 0;
};

/// Sums over tokens.
class LayerStatistics {
public:
  explicit LayerStatistics(int64_t width);

  /// Adds tokens of a step: rows of the hidden state.
  void add(const float *before, const float *behind,
           llvm::ArrayRef<TokenRange> ranges);

  /// Errors: entries that are not finite.
  Result<LayerAnalysis> finish() const;

private:
  /// Of rows [x, 1] and y - x.
  struct Sums {
    MomentSum input, cross, output;
  };

  int64_t width;
  double cosines = 0;
  int64_t tokens = 0;
  Sums fitted, others;
};

} // namespace linnet::compress

#endif // LIB_COMPRESS_LAYERSTATISTICS_H
