//===- DropLayers.cpp - which layers a model can do without ---------------===//

#include "DropLayers.h"

#include "Judge.h"

#include <limits>
#include <set>

namespace linnet::compress {
namespace {

class LayerChooser {
public:
  LayerChooser(TapRunner &runner, Windows sample)
      : runner(runner), sample(std::move(sample)) {}

  Status open() {
    Result<std::vector<OpenTap>> opened = runner.openAll();
    if (!opened)
      return opened.error();
    model = opened.take();
    Result<std::unique_ptr<Judge>> created = Judge::create(runner);
    if (!created)
      return created.error();
    judge = created.take();
    Result<HiddenStates> states = runner.begin(sample);
    if (!states)
      return states.error();
    begin = states.take();
    Result<HiddenStates> whole = statesWithout({});
    if (!whole)
      return whole.error();
    original = whole.take();
    return {};
  }

  /// The layer that is best dropped beside those that are.
  Result<DroppedLayer> choose() {
    DroppedLayer best{-1, judge->scoreName(),
                      std::numeric_limits<double>::infinity()};
    for (size_t layer = 0; layer < runner.layers(); ++layer) {
      if (dropped.count(layer))
        continue;
      std::set<size_t> without = dropped;
      without.insert(layer);
      Result<HiddenStates> states = statesWithout(without);
      if (!states)
        return states.error();
      Result<double> score =
          judge->score(original, *states, sample, Part::Fitted);
      if (!score)
        return score.error();
      if (*score < best.score) {
        best.layer = int64_t(layer);
        best.score = *score;
      }
    }
    if (best.layer < 0)
      return makeError("expected finite outputs without any one layer");
    dropped.insert(size_t(best.layer));
    return best;
  }

private:
  Result<HiddenStates> statesWithout(const std::set<size_t> &layers) const {
    HiddenStates states = begin;
    for (size_t layer = 0; layer < runner.layers(); ++layer)
      if (!layers.count(layer))
        if (Status status = runner.advance(layer, model[layer], states);
            !status)
          return status.error();
    return states;
  }

  TapRunner &runner;
  Windows sample;
  std::vector<OpenTap> model;
  std::unique_ptr<Judge> judge;
  HiddenStates begin, original;
  std::set<size_t> dropped;
};

} // namespace

Result<std::vector<DroppedLayer>> chooseLayers(TapRunner &runner,
                                               const Windows &windows,
                                               int64_t tokens, int64_t count) {
  if (count >= int64_t(runner.layers()))
    return makeError("--drop-layers: expected fewer than ", runner.layers(),
                     " layers, but got ", count);
  LayerChooser chooser(runner, windows.sample(std::max<int64_t>(tokens, 1)));
  if (Status status = chooser.open(); !status)
    return status.error();
  std::vector<DroppedLayer> chosen;
  while (int64_t(chosen.size()) < count) {
    Result<DroppedLayer> next = chooser.choose();
    if (!next)
      return next.error();
    chosen.push_back(*next);
  }
  return chosen;
}

} // namespace linnet::compress
