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
    Result<OpenModel> opened = runner.openAll();
    if (!opened)
      return opened.error();
    model = opened.take();
    Result<HiddenStates> states = runner.begin(sample);
    if (!states)
      return states.error();
    begin = states.take();
    return {};
  }

  /// The layer that is best dropped beside those that are.
  Result<DroppedLayer> choose() {
    DroppedLayer best{-1, std::numeric_limits<double>::infinity()};
    for (size_t layer = 0; layer < runner.layers(); ++layer) {
      if (dropped.count(layer))
        continue;
      Result<double> nats = natsWithout(layer);
      if (!nats)
        return nats.error();
      if (*nats < best.nats)
        best = {int64_t(layer), *nats};
    }
    if (best.layer < 0)
      return makeError("expected finite logits without any one layer");
    dropped.insert(size_t(best.layer));
    return best;
  }

private:
  Result<double> natsWithout(size_t other) const {
    HiddenStates states = begin;
    for (size_t layer = 0; layer < runner.layers(); ++layer)
      if (layer != other && !dropped.count(layer))
        if (Status status = runner.advance(layer, model.layers[layer], states);
            !status)
          return status.error();
    return meanNats(runner, model.end, states, sample, Part::Fitted);
  }

  TapRunner &runner;
  Windows sample;
  OpenModel model;
  HiddenStates begin;
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
