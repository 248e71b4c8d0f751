//===- DropLayers.cpp - which layers a model can do without ---------------===//

#include "DropLayers.h"

#include "ModelSample.h"

#include <limits>
#include <set>

namespace linnet::compress {
namespace {

/// The layer that is best dropped beside those in `dropped`.
Result<DroppedLayer> chooseLayer(const TapRunner &runner,
                                 const ModelSample &sample,
                                 const std::set<size_t> &dropped) {
  DroppedLayer best{-1, Judge::scoreNameOf(runner),
                    std::numeric_limits<double>::infinity()};
  for (size_t layer = 0; layer < runner.layers(); ++layer) {
    if (dropped.count(layer))
      continue;
    Result<double> score = sample.score([&](size_t other) {
      bool isOut = other == layer || dropped.count(other);
      return isOut ? nullptr : &sample.layer(other);
    });
    if (!score)
      return score.error();
    if (*score < best.score) {
      best.layer = int64_t(layer);
      best.score = *score;
    }
  }
  if (best.layer < 0)
    return makeError("expected finite outputs without any one layer");
  return best;
}

} // namespace

Result<std::vector<DroppedLayer>> chooseLayers(TapRunner &runner,
                                               const Windows &windows,
                                               int64_t tokens, int64_t count) {
  if (count >= int64_t(runner.layers()))
    return makeError("--drop-layers: expected fewer than ", runner.layers(),
                     " layers, but got ", count);
  Result<ModelSample> sample =
      ModelSample::open(runner, windows.sample(std::max<int64_t>(tokens, 1)));
  if (!sample)
    return sample.error();
  std::set<size_t> dropped;
  std::vector<DroppedLayer> chosen;
  while (int64_t(chosen.size()) < count) {
    Result<DroppedLayer> next = chooseLayer(runner, *sample, dropped);
    if (!next)
      return next.error();
    dropped.insert(size_t(next->layer));
    chosen.push_back(*next);
  }
  return chosen;
}

} // namespace linnet::compress
