//===- BrainSurgeon.cpp - greedy removal with exact downdates -------------===//

#include "linnet/Numerics/SparseFit.h"

#include "SparseOperands.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace linnet {
namespace {

/// The remaining weights of a row and the inverse of their moment, packed: the
/// last takes the place of one that is removed.
class RemainingWeights {
public:
  RemainingWeights(const double *row, const Matrix &inverse,
                   const Matrix &moment)
      : weights(row, row + inverse.rows()), inputs(inverse.rows()),
        inverse(inverse), moment(moment) {
    std::iota(inputs.begin(), inputs.end(), 0);
  }

  int64_t input(int64_t place) const { return inputs[place]; }

  /// The place of the cheapest weight among inputs that may go.
  template <typename MayGo>
  int64_t findCheapest(MayGo mayGo) const {
    int64_t best = -1;
    double least = 0;
    for (int64_t p = 0; p < count(); ++p) {
      if (!mayGo(inputs[p]))
        continue;
      double loss = weights[p] * weights[p] / diagonal(p);
      // Of equal losses the higher input goes: the lower one is kept.
      if (best < 0 || loss < least ||
          (loss == least && inputs[p] > inputs[best])) {
        best = p;
        least = loss;
      }
    }
    return best;
  }

  /// Eliminates it: w -= (w_p / P_pp) P_p and P -= P_p P_p^T / P_pp.
  void remove(int64_t place) {
    int64_t k = count();
    std::vector<double> pivot(inverse.row(place), inverse.row(place) + k);
    double scale = 1 / diagonal(place), factor = weights[place] * scale;
    for (int64_t i = 0; i < k; ++i) {
      weights[i] -= factor * pivot[i];
      double *row = inverse.row(i), share = pivot[i] * scale;
      for (int64_t j = 0; j < k; ++j)
        row[j] -= share * pivot[j];
    }
    int64_t last = k - 1;
    std::copy_n(inverse.row(last), k, inverse.row(place));
    for (int64_t i = 0; i < last; ++i)
      inverse.at(i, place) = inverse.at(i, last);
    weights[place] = weights[last];
    inputs[place] = inputs[last];
    weights.pop_back();
    inputs.pop_back();
  }

private:
  int64_t count() const { return int64_t(inputs.size()); }

  /// [(G_SS)^-1]_pp is at least 1 / G_pp: rounding must not say otherwise.
  double diagonal(int64_t p) const {
    return std::max(inverse.at(p, p), 1 / moment.at(inputs[p], inputs[p]));
  }

  std::vector<double> weights;
  std::vector<int64_t> inputs;
  Matrix inverse;
  const Matrix &moment;
};

} // namespace

Result<SparseWeights> removeByBrainSurgeon(const Matrix &weights,
                                           const Matrix &moment,
                                           const SparsityPattern &pattern,
                                           double damping) {
  int64_t m = weights.rows(), n = weights.columns();
  for (Status status : {checkSparseOperands(weights, moment),
                        checkDamping(damping), checkPattern(pattern, m, n)})
    if (!status)
      return status.error();
  bool inGroups = pattern.kind == SparsityPattern::Kind::OfInputs;
  if (!inGroups && pattern.kind != SparsityPattern::Kind::PerRow)
    return makeError("expected a pattern of single rows, but got one over the "
                     "matrix");
  Matrix damped = dampMoment(moment, damping);
  auto inverse = invertPositive(damped);
  if (!inverse)
    return inverse.error();
  int64_t group = inGroups ? pattern.groupSize : std::max<int64_t>(1, n),
          kept = m > 0 && n > 0 ? countKept(pattern, 1, group) : 0;
  Matrix live = clearDeadInputs(weights, moment);
  Mask mask(m, n, true);
  for (int64_t r = 0; r < m; ++r) {
    RemainingWeights remaining(live.row(r), *inverse, damped);
    std::vector<int64_t> surplus(n / group, group - kept);
    for (int64_t step = 0; step < n / group * (group - kept); ++step) {
      int64_t place = remaining.findCheapest(
          [&](int64_t input) { return surplus[input / group] > 0; });
      int64_t input = remaining.input(place);
      mask.set(r, input, false);
      --surplus[input / group];
      remaining.remove(place);
    }
  }
  // Free of the rounding that downdates collect.
  auto refit = refitOnMask(live, moment, mask, {.damping = damping});
  if (!refit)
    return refit.error();
  return SparseWeights{refit.take(), std::move(mask)};
}

} // namespace linnet
