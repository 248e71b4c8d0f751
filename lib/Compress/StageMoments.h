//===- StageMoments.h - moments of what enters maps -----------*- C++ -*-===//

#ifndef LIB_COMPRESS_STAGEMOMENTS_H
#define LIB_COMPRESS_STAGEMOMENTS_H

#include "LayerPass.h"
#include "MapStructure.h"

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
  /// Of one model, only E[x' x'^T].
  StageMoments(const TapRunner &runner, const std::vector<LinearMap> &maps,
               size_t layer, size_t stage)
      : StageMoments(runner, maps, layer, stage, {}) {}
  /// Of two: `weights` are the matrices of the sites, and outlive the sums.
  StageMoments(const TapRunner &runner, const std::vector<LinearMap> &maps,
               size_t layer, size_t stage, llvm::ArrayRef<Matrix> weights);

  /// Adds some tokens of a step. `original` may be null of one model.
  void add(const StepValues *original, const StepValues &result,
           llvm::ArrayRef<TokenRange> ranges);

  /// Ends the sums, in whose place their means are.
  void finish();
  /// Of site `i`: the inputs x', which sites with the same input share, and
  /// E[t x'^T] for the targets t = W x + (r - r'), which can be taken once.
  const FitInputs &inputsOf(size_t i) const { return inputs[sites[i].input].x; }
  Matrix takeTarget(size_t i);
  /// Sites with equal numbers have the same input.
  size_t inputNumber(size_t i) const { return sites[i].input; }

private:
  struct Input {
    TapValue value;
    int64_t width;
    /// Outputs of all maps that have it, and those of which E[x x'^T] is still
    /// to become a target.
    int64_t outputs = 0, waiting = 0;
    MomentSum own, cross = {};
    FitInputs x = {};
    Matrix meanCross = {};
    /// The rows of a step that count, of the result's and the original's, and
    /// where they stand if they had to be brought together.
    const float *seen = nullptr, *before = nullptr;
    Activations gathered = {}, gatheredBefore = {};
  };
  struct Site {
    size_t input;
    int64_t rows;
    std::optional<TapValue> residual;
    const Matrix *weight = nullptr;
    /// W in f32 where targets are summed as such: there are fewer of them than
    /// inputs.
    std::shared_ptr<const std::vector<float>> direct = {};
    /// Of r - r', or of targets.
    MomentSum sum = {};
    Matrix mean = {};
  };

  std::vector<Input> inputs;
  std::vector<Site> sites;
  Activations difference;
};

} // namespace linnet::compress

#endif // LIB_COMPRESS_STAGEMOMENTS_H
