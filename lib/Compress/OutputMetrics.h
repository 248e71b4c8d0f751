//===- OutputMetrics.h - how errors of a map's outputs count --*- C++ -*-===//
//
// An error e of a map's outputs is weighed as e^T R e, by what it does to what
// the outputs reach (TapReach.h), on average over tokens:
//
//   channels  z = f(y) enters W': what W' z loses, R = (W'^T W') o E[d d^T]
//   with
//             d = dz/dy, measured;
//   values    one row of attention's weights, whatever it is, mixes them, and
//   W'
//             takes them: R = sum of W'_h^T W'_h over the heads h that share
//             them, head by head;
//   queries   what their products with keys lose: R = E[k k^T], head by head,
//             with keys as attention takes them;
//   keys      likewise, summed over the heads of queries that share them.
//
// Approximations all: curvature, softmax, and the rotation that stands between
// a map and attention are left out. A metric changes which of the fits with the
// same size is taken; what results is measured as ever.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_COMPRESS_OUTPUTMETRICS_H
#define LIB_COMPRESS_OUTPUTMETRICS_H

#include "TapRunner.h"

#include "linnet/Numerics/LowRank.h"

namespace linnet::compress {

/// By number of a map.
class OutputMetrics {
public:
  void set(size_t map, MetricRoots roots) {
    known[map] = std::make_shared<MetricRoots>(std::move(roots));
  }
  /// Null for maps of which nothing is known.
  std::shared_ptr<const MetricRoots> lookup(size_t map) const {
    auto place = known.find(map);
    return place == known.end() ? nullptr : place->second;
  }

private:
  std::map<size_t, std::shared_ptr<const MetricRoots>> known;
};

/// Roots of metrics of more outputs take longer than what they are for.
constexpr int64_t kMostMetricOutputs = 4096;

/// Of layer `number`, before which the original model has `states` on
/// `windows`; of these some fitted ones are looked at. Of maps with more than
/// `most` outputs those to channels have the diagonal of theirs, as a row, the
/// others none.
Result<OutputMetrics> measureMetrics(TapRunner &runner, size_t number,
                                     const std::vector<LinearMap> &maps,
                                     const Archive &archive,
                                     const HiddenStates &states,
                                     const Windows &windows,
                                     int64_t most = kMostMetricOutputs);

} // namespace linnet::compress

#endif // LIB_COMPRESS_OUTPUTMETRICS_H
