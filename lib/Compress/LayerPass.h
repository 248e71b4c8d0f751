//===- LayerPass.h - a model's way through a layer -------------*- C++ -*-===//

#ifndef LIB_COMPRESS_LAYERPASS_H
#define LIB_COMPRESS_LAYERPASS_H

#include "TapRunner.h"

namespace linnet::compress {

/// What a tap shows in one step.
struct StepValues {
  std::vector<const void *> carried;
  std::vector<Activations> shown;
  /// By the numbers of held values; null for those that are not there.
  std::vector<const float *> held = {};

  const float *of(TapValue value) const {
    switch (value.place) {
    case TapPlace::Carried:
      return static_cast<const float *>(carried[value.number]);
    case TapPlace::Shown:
      return shown[value.number].data();
    case TapPlace::Held:
      return held[value.number];
    }
    return nullptr;
  }
};

/// One model's stages of one layer, each of which goes on from what the stages
/// before it hold of all steps. So each runs on every step, and only once; a
/// stage that nobody asks for runs as soon as a later one needs it.
class LayerPass {
public:
  /// From `states` before the layer, which stay as they are until finish().
  /// Both outlive the pass.
  LayerPass(TapRunner &runner, size_t layer, HiddenStates &states)
      : runner(runner), number(layer), states(states),
        held(runner.layer(layer).heldWidths.size()) {}

  /// Begins a stage, later than those before. `instead` stands in place of
  /// matrices of the stages before it.
  Status open(size_t stage, const Replacements &instead);
  /// Runs the stage on the next step: all have to be run.
  Status run(StepValues &values);
  /// Runs the stage on step `number` once more, before the next one opens.
  Status runAgain(int64_t number, StepValues &values);
  /// The same by `other`, a tap of the stage with other matrices, of which
  /// later stages see nothing.
  Status runBeside(const OpenTap &other, int64_t number, StepValues &values);
  /// Begins the stage that is open anew, with others in place of matrices.
  Status reopen(const Replacements &instead);
  /// Goes behind the layer.
  Status finish(const Replacements &instead);

private:
  /// Runs what is left of the stage.
  Status runOut();

  TapRunner &runner;
  size_t number;
  HiddenStates &states;
  /// Of all steps, while they are needed.
  std::vector<Activations> held;
  std::optional<OpenTap> tap;
  /// The stage that is open or comes next, and its next step.
  size_t stage = 0;
  int64_t step = 0;
};

} // namespace linnet::compress

#endif // LIB_COMPRESS_LAYERPASS_H
