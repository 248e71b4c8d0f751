//===- LayerStatistics.cpp - what a layer does to its input ---------------===//

#include "LayerStatistics.h"

#include <cmath>

namespace linnet::compress {

/// One run of so many tokens in four takes no part in the fit: neighbours
/// resemble each other.
static constexpr int64_t kRun = 64, kRunsPerFit = 4;
/// Relative to the inputs' mean square; the second where sums in f32 leave
/// inputs that hang together less than positive definite.
static constexpr double kRidge = 1e-6, kStrongRidge = 1e-4;

LayerStatistics::LayerStatistics(int64_t width)
    : width(width),
      fitted{MomentSum(width + 1, width + 1), MomentSum(width, width + 1),
             MomentSum(width, width)},
      others(fitted) {}

void LayerStatistics::add(const float *before, const float *behind,
                          llvm::ArrayRef<TokenRange> ranges) {
  Activations inputs[2], outputs[2];
  for (const TokenRange &range : ranges)
    for (int64_t t = range.first; t < range.last; ++t, ++tokens) {
      const float *x = before + t * width, *y = behind + t * width;
      double xx = 0, yy = 0, xy = 0;
      int part = tokens / kRun % kRunsPerFit == kRunsPerFit - 1;
      for (int64_t c = 0; c < width; ++c) {
        xx += double(x[c]) * double(x[c]);
        yy += double(y[c]) * double(y[c]);
        xy += double(x[c]) * double(y[c]);
        inputs[part].push_back(x[c]);
        outputs[part].push_back(y[c] - x[c]);
      }
      inputs[part].push_back(1);
      cosines += xx > 0 && yy > 0 ? xy / std::sqrt(xx * yy) : 1;
    }
  for (int part : {0, 1}) {
    Sums &sums = part ? others : fitted;
    const float *x = inputs[part].data(), *f = outputs[part].data();
    int64_t count = int64_t(outputs[part].size()) / width;
    sums.input.add(x, x, count);
    sums.cross.add(f, x, count);
    sums.output.add(f, f, count);
  }
}

Result<LayerAnalysis> LayerStatistics::finish() const {
  LayerAnalysis analysis;
  analysis.influence = tokens ? 1 - cosines / double(tokens) : 0;
  Matrix moment = fitted.input.mean(), cross = fitted.cross.mean();
  double mean = trace(moment) / double(width + 1);
  if (!(mean > 0))
    return analysis;
  auto solve = [&](double ridge) {
    return solvePositive(moment + ridge * mean * Matrix::identity(width + 1),
                         cross.transposed());
  };
  Result<Matrix> map = solve(kRidge);
  if (!map)
    map = solve(kStrongRidge);
  if (!map)
    return map.error();
  // |f - A x|^2 and |f - mean f|^2 on the tokens that the fit has not seen; the
  // mean is their cross moment with the last input, 1.
  Matrix seen = others.cross.mean();
  double all = trace(others.output.mean());
  double left = all - 2 * dot(map->transposed(), seen) +
                dot(multiply(others.input.mean(), *map), *map);
  for (int64_t c = 0; c < width; ++c)
    all -= seen.at(c, width) * seen.at(c, width);
  analysis.linearity = all > 0 ? 1 - left / all : 0;
  return analysis;
}

} // namespace linnet::compress
