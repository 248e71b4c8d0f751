//===- SparseOperands.cpp - what sparse fits share ------------------------===//

#include "SparseOperands.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace linnet {

/// Rounding in f32 sums is no reason to refuse a moment.
constexpr double kAsymmetry = 1e-6;

Status checkSparseOperands(const Matrix &weights, const Matrix &moment) {
  int64_t n = weights.columns();
  if (moment.rows() != n || moment.columns() != n)
    return makeError("expected a second moment of ", n, " x ", n, ", but got ",
                     moment.rows(), " x ", moment.columns());
  if (!isFinite(weights))
    return makeError("expected finite weights, but got NaN or infinity");
  if (!isFinite(moment))
    return makeError("expected a finite second moment, but got NaN or "
                     "infinity");
  double most = 0;
  for (int64_t j = 0; j < n; ++j) {
    if (moment.at(j, j) < 0)
      return makeError("expected a second moment with a diagonal of at least "
                       "0, but got ",
                       moment.at(j, j), " at ", j);
    most = std::max(most, moment.at(j, j));
  }
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < i; ++j)
      if (std::abs(moment.at(i, j) - moment.at(j, i)) > kAsymmetry * most)
        return makeError("expected a symmetric second moment, but got ",
                         moment.at(i, j), " at (", i, ", ", j, ") and ",
                         moment.at(j, i), " at (", j, ", ", i, ")");
  return Status();
}

Status checkDamping(double damping) {
  if (!std::isfinite(damping) || damping < 0)
    return makeError("expected a damping of at least 0, but got ", damping);
  return Status();
}

/// The mean of the diagonal, dead inputs left out; 1 if all are dead.
static double meanOfLive(const Matrix &moment) {
  int64_t live = 0;
  for (int64_t j = 0; j < moment.rows(); ++j)
    live += moment.at(j, j) > 0;
  return live ? trace(moment) / double(live) : 1;
}

double dampingOf(const Matrix &moment, double damping) {
  return damping * meanOfLive(moment);
}

Matrix dampMoment(Matrix moment, double damping) {
  double mean = meanOfLive(moment);
  for (int64_t j = 0; j < moment.rows(); ++j)
    moment.at(j, j) =
        (moment.at(j, j) > 0 ? moment.at(j, j) : mean) + damping * mean;
  return moment;
}

Matrix clearDeadInputs(Matrix weights, const Matrix &moment) {
  for (int64_t j = 0; j < moment.rows(); ++j)
    if (moment.at(j, j) == 0)
      for (int64_t r = 0; r < weights.rows(); ++r)
        weights.at(r, j) = 0;
  return weights;
}

void partitionLargest(const double *scores, std::vector<int64_t> &indices,
                      int64_t kept) {
  if (kept <= 0 || kept >= int64_t(indices.size()))
    return;
  std::nth_element(indices.begin(), indices.begin() + kept, indices.end(),
                   [scores](int64_t a, int64_t b) {
                     return scores[a] != scores[b] ? scores[a] > scores[b]
                                                   : a < b;
                   });
}

std::vector<int64_t> findLargest(const double *scores, int64_t size,
                                 int64_t kept) {
  std::vector<int64_t> indices(size);
  std::iota(indices.begin(), indices.end(), 0);
  partitionLargest(scores, indices, kept);
  indices.resize(kept);
  return indices;
}

} // namespace linnet
