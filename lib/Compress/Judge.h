//===- Judge.h - how well the model does ----------------------*- C++ -*-===//

#ifndef LIB_COMPRESS_JUDGE_H
#define LIB_COMPRESS_JUDGE_H

#include "TapRunner.h"

namespace linnet::compress {

/// Judges a model by what stands behind its layers. `original` are the states
/// of the original model on the same windows.
class Judge {
public:
  static Result<std::unique_ptr<Judge>> create(TapRunner &runner);
  virtual ~Judge() = default;

  /// What score() is of the runner's model, as files name it.
  static const char *scoreNameOf(const TapRunner &runner) {
    return runner.isEncoder() ? "cosine_loss" : "nats";
  }
  const char *scoreName() const { return scoreNameOf(runner); }
  /// Of the windows of `part`; less is better. Of a causal-lm, mean nats per
  /// token ("nats"); the first token of each window is not scored. Of an
  /// encoder, one minus the mean cosine between the mean of a window's outputs
  /// and the original's ("cosine_loss").
  virtual Result<double> score(const HiddenStates &original,
                               const HiddenStates &states,
                               const Windows &windows, Part part) const = 0;
  /// The original and the result.
  virtual Result<CompressComparison> compare(const HiddenStates &original,
                                             const HiddenStates &result,
                                             const Windows &windows,
                                             Part part) const = 0;

protected:
  Judge(const TapRunner &runner, std::optional<OpenTap> end)
      : runner(runner), end(std::move(end)) {}

  /// Calls `visit(step, outputs of each of the states)` for all steps with
  /// windows of `part`; outputs have a row for each token, `width` wide.
  using Outputs = llvm::ArrayRef<const float *>;
  Status visitOutputs(
      llvm::ArrayRef<const HiddenStates *> states, const Windows &windows,
      Part part,
      llvm::function_ref<void(int64_t step, Outputs outputs, int64_t width)>
          visit) const;

  const TapRunner &runner;
  std::optional<OpenTap> end;
};

/// How far the hidden state of `result` is from that of `original` on the
/// held-out windows: the root mean square of the difference, relative.
double hiddenError(const TapRunner &runner, const HiddenStates &original,
                   const HiddenStates &result, const Windows &windows);

/// Fills in the report's comparisons, from the states behind the last layer.
Status compareModels(TapRunner &runner, const HiddenStates &original,
                     const HiddenStates &result, const Windows &windows,
                     CompressReport &report);

} // namespace linnet::compress

#endif // LIB_COMPRESS_JUDGE_H
