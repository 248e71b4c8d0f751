//===- StageMoments.h - moments of what enters maps -----------*- C++ -*-===//

#ifndef LIB_COMPRESS_STAGEMOMENTS_H
#define LIB_COMPRESS_STAGEMOMENTS_H

#include "LayerPass.h"

#include "linnet/Numerics/Moments.h"

namespace linnet::compress {

/// The rows of `values` in `ranges`, one behind the other; in `copy` unless
/// they are already.
const float *gatherRows(const float *values, int64_t width,
                        llvm::ArrayRef<TokenRange> ranges, Activations &copy);

int64_t countTokens(llvm::ArrayRef<TokenRange> ranges);

/// Sums over one part of the windows, for all sites of a stage. x and r are
/// inputs and residuals of the original model, x' and r' of the result.
class StageMoments {
public:
  /// Without `twoModels`, only E[x' x'^T].
  StageMoments(const TapRunner &runner, const std::vector<LinearMap> &maps,
               size_t layer, size_t stage, bool twoModels);

  /// Adds some tokens of a step. `original` may be null without two models.
  void add(const StepValues *original, const StepValues &result,
           llvm::ArrayRef<TokenRange> ranges);

  /// Of site `i`: E[x' x'^T], E[x x'^T], and E[(r - r') x'^T], which is empty
  /// for a map without residual.
  Matrix own(size_t i) const { return inputs[inputOf[i]].own.mean(); }
  Matrix cross(size_t i) const { return inputs[inputOf[i]].cross.mean(); }
  Matrix residual(size_t i) const { return residuals[i].mean(); }
  /// Sites with equal numbers have the same input.
  size_t inputNumber(size_t i) const { return inputOf[i]; }

private:
  struct Input {
    TapValue value;
    int64_t width;
    MomentSum own, cross;
    /// The rows of a step that count, of the result's, and where they stand if
    /// they had to be brought together.
    const float *seen = nullptr;
    Activations gathered = {};
  };

  const TapStage *stage;
  std::vector<Input> inputs;
  std::vector<size_t> inputOf;
  std::vector<MomentSum> residuals;
  std::vector<int64_t> rows;
  Activations difference, gathered;
};

} // namespace linnet::compress

#endif // LIB_COMPRESS_STAGEMOMENTS_H
