//===- LayerPass.cpp - a model's way through a layer ----------------------===//

#include "LayerPass.h"

#include <algorithm>

namespace linnet::compress {

/// The part of `values`, of all `steps`, that step `number` has.
static float *partOf(Activations &values, int64_t steps, int64_t number) {
  return values.data() + size_t(number) * (values.size() / size_t(steps));
}

Status LayerPass::open(size_t next, const Replacements &instead) {
  const TappedLayer &layer = runner.layer(number);
  while (true) {
    if (Status status = runOut(); !status)
      return status;
    Result<OpenTap> opened =
        runner.openStage(number, layer.stage(stage), instead);
    if (!opened)
      return opened.error();
    tap.emplace(opened.take());
    for (const TapStage::Held &made : layer.stage(stage).holds)
      held[made.number].resize(tap->outputSize(made.result) *
                               size_t(states.steps));
    if (stage == next)
      return {};
  }
}

Status LayerPass::runOut() {
  if (!tap)
    return {};
  StepValues values;
  while (step < states.steps)
    if (Status status = run(values); !status)
      return status;
  tap.reset();
  step = 0;
  ++stage;
  for (size_t i = 0; i < held.size(); ++i)
    if (!runner.layer(number).isHeld(i, stage))
      held[i] = Activations();
  return {};
}

Status LayerPass::run(StepValues &values) { return runAgain(step++, values); }

Status LayerPass::reopen(const Replacements &instead) {
  Result<OpenTap> opened =
      runner.openStage(number, runner.layer(number).stage(stage), instead);
  if (!opened)
    return opened.error();
  tap.emplace(opened.take());
  step = 0;
  return {};
}

Status LayerPass::runBeside(const OpenTap &other, int64_t at,
                            StepValues &values) {
  const TapStage &tapped = runner.layer(number).stage(stage);
  values.carried = runner.inputsOf(states, at);
  values.held.clear();
  for (Activations &all : held)
    values.held.push_back(all.empty() ? nullptr
                                      : partOf(all, states.steps, at));
  std::vector<const void *> inputs = values.carried;
  for (size_t i : tapped.takes)
    inputs.push_back(values.held[i]);
  return other.run(inputs, values.shown);
}

Status LayerPass::runAgain(int64_t at, StepValues &values) {
  if (Status status = runBeside(*tap, at, values); !status)
    return status;
  const TapStage &tapped = runner.layer(number).stage(stage);
  for (const TapStage::Held &made : tapped.holds)
    std::copy(values.shown[made.result].begin(),
              values.shown[made.result].end(),
              partOf(held[made.number], states.steps, at));
  return {};
}

Status LayerPass::finish(const Replacements &instead) {
  const TappedLayer &layer = runner.layer(number);
  if (stage == 0 && !tap) {
    Result<OpenTap> whole = runner.openWhole(number, instead);
    return whole ? runner.advance(number, *whole, states) : whole.error();
  }
  if (Status status = open(layer.stages.size(), instead); !status)
    return status;
  std::vector<Activations> results;
  for (size_t i = 0; i < tap->outputs(); ++i)
    results.emplace_back(tap->outputSize(i) * size_t(states.steps));
  for (StepValues values; step < states.steps;) {
    int64_t now = step;
    if (Status status = run(values); !status)
      return status;
    for (size_t i = 0; i < results.size(); ++i)
      std::copy(values.shown[i].begin(), values.shown[i].end(),
                partOf(results[i], states.steps, now));
  }
  std::vector<Activations> after;
  for (const TapValue &value : layer.restResults)
    after.push_back(value.isCarried() ? states.carried[value.number]
                    : value.place == TapPlace::Held ? held[value.number]
                                                    : results[value.number]);
  states.carried = std::move(after);
  return {};
}

} // namespace linnet::compress
