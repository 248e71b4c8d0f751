//===- ModelSample.cpp - a changed model on a part of the text ------------===//

#include "ModelSample.h"

namespace linnet::compress {

Result<ModelSample> ModelSample::open(TapRunner &runner, Windows windows) {
  ModelSample sample(runner);
  sample.windows = std::move(windows);
  Result<std::vector<OpenTap>> opened = runner.openAll();
  if (!opened)
    return opened.error();
  sample.layers = opened.take();
  Result<std::unique_ptr<Judge>> judge = Judge::create(runner);
  if (!judge)
    return judge.error();
  sample.judge = judge.take();
  Result<HiddenStates> begin = runner.begin(sample.windows);
  if (!begin)
    return begin.error();
  sample.states = begin.take();
  Result<HiddenStates> end =
      sample.run([&](size_t number) { return &sample.layers[number]; });
  if (!end)
    return end.error();
  sample.original = end.take();
  return sample;
}

Result<HiddenStates> ModelSample::run(Instead instead) const {
  HiddenStates after = states;
  for (size_t number = next; number < layers.size(); ++number)
    if (const OpenTap *layer = instead(number))
      if (Status status = runner->advance(number, *layer, after); !status)
        return status.error();
  return after;
}

Result<double> ModelSample::score(Instead instead) const {
  Result<HiddenStates> after = run(instead);
  if (!after)
    return after.error();
  return judge->score(original, *after, windows, Part::Fitted);
}

Result<double> ModelSample::scoreWith(size_t number,
                                      const Replacements &instead) const {
  Result<OpenTap> changed = runner->openWhole(number, instead);
  if (!changed)
    return changed.error();
  return score([&](size_t other) {
    return other == number ? &*changed : &layers[other];
  });
}

Status ModelSample::advance() {
  Status status = runner->advance(next, layers[next], states);
  ++next;
  return status;
}

} // namespace linnet::compress
