//===- ModelSample.h - a changed model on a part of the text --*- C++ -*-===//

#ifndef LIB_COMPRESS_MODELSAMPLE_H
#define LIB_COMPRESS_MODELSAMPLE_H

#include "Judge.h"

namespace linnet::compress {

/// The original model with all its layers open, on some windows, to ask what it
/// scores with others in their place.
class ModelSample {
public:
  /// `runner` outlives it.
  static Result<ModelSample> open(TapRunner &runner, Windows windows);

  /// Layer `number` as it is.
  const OpenTap &layer(size_t number) const { return layers[number]; }
  /// Judge::score() of the original.
  Result<double> originalScore() const {
    return judge->score(original, original, windows, Part::Fitted);
  }
  /// The same with what `instead` gives of each layer that is still to come;
  /// where that is null, the layer is left out.
  using Instead = llvm::function_ref<const OpenTap *(size_t)>;
  Result<double> score(Instead instead) const;
  /// The same with others in place of matrices of layer `number`.
  Result<double> scoreWith(size_t number, const Replacements &instead) const;
  /// Passes the next layer: what comes before is no longer run.
  Status advance();

private:
  explicit ModelSample(TapRunner &runner) : runner(&runner) {}
  Result<HiddenStates> run(Instead instead) const;

  TapRunner *runner;
  Windows windows;
  std::vector<OpenTap> layers;
  std::unique_ptr<Judge> judge;
  /// Before layer `next`, and behind the original model.
  HiddenStates states, original;
  size_t next = 0;
};

} // namespace linnet::compress

#endif // LIB_COMPRESS_MODELSAMPLE_H
