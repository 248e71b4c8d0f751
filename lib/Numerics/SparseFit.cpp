//===- SparseFit.cpp - masks by alternating directions --------------------===//

#include "linnet/Numerics/SparseFit.h"

#include "SparseOperands.h"

#include <algorithm>
#include <cmath>

namespace linnet {
namespace {

Status checkOptions(const SparseFitOptions &options, int64_t rows) {
  if (options.iterations < 1)
    return makeError("expected at least 1 iteration, but got ",
                     options.iterations);
  if (!std::isfinite(options.penalty) || options.penalty <= 0)
    return makeError("expected a penalty above 0, but got ", options.penalty);
  if (options.rowWeights.empty())
    return checkDamping(options.damping);
  if (int64_t(options.rowWeights.size()) != rows)
    return makeError("expected ", rows, " row weights, but got ",
                     options.rowWeights.size());
  for (double weight : options.rowWeights)
    if (!std::isfinite(weight) || weight <= 0)
      return makeError("expected row weights above 0, but got ", weight);
  return checkDamping(options.damping);
}

/// The pattern at time t, 0 < t <= 1: more is kept at first.
SparsityPattern relax(SparsityPattern pattern, double t) {
  double left = (1 - t) * (1 - t) * (1 - t);
  pattern.kept = 1 - (1 - pattern.kept) * (1 - left);
  pattern.groupKept +=
      std::llround(double(pattern.groupSize - pattern.groupKept) * left);
  return pattern;
}

struct Iterate {
  /// Sparse, of the last mask, in scaled inputs.
  Matrix sparse;
  Mask mask;
};

/// min over W' of |(W' - W) G^(1/2)|^2 with W' = Z in the pattern, by
///   Z = select(W' + U), U += W' - Z,
///   W' = (W G + rho (Z - U)) (G + rho I)^-1
///      = W + rho (Z - U - W) (G + rho I)^-1.
Result<Iterate> alternate(const Matrix &weights, const Matrix &moment,
                          const SparsityPattern &pattern,
                          const std::vector<double> &rowScales,
                          const SparseFitOptions &options) {
  auto inverse = invertPositive(moment + options.penalty *
                                             Matrix::identity(moment.rows()));
  if (!inverse)
    return inverse.error();
  int64_t selections = std::max<int64_t>(1, options.iterations * 4 / 5);
  Matrix dense = weights, dual(weights.rows(), weights.columns());
  Iterate iterate;
  for (int64_t i = 0; i < options.iterations; ++i) {
    Matrix sum = dense + dual;
    if (i < selections)
      iterate.mask = selectInColumns(
          scaleRows(scoreMagnitude(sum), rowScales),
          relax(pattern, double(i + 1) / double(selections)), 0);
    iterate.sparse = applyMask(sum, iterate.mask);
    dual = std::move(sum) - iterate.sparse;
    dense = weights;
    addProduct(dense, iterate.sparse - dual - weights, *inverse,
               options.penalty);
  }
  return iterate;
}

} // namespace

Result<SparseWeights> fitSparse(const Matrix &weights, const Matrix &moment,
                                const SparsityPattern &pattern,
                                const SparseFitOptions &options) {
  int64_t m = weights.rows(), n = weights.columns();
  for (Status status : {checkSparseOperands(weights, moment),
                        checkPattern(pattern, m, n), checkOptions(options, m)})
    if (!status)
      return status.error();
  Matrix live = clearDeadInputs(weights, moment),
         damped = dampMoment(moment, options.damping);
  std::vector<double> roots(n), inverseRoots(n), rowScales(m, 1);
  for (int64_t j = 0; j < n; ++j) {
    roots[j] = std::sqrt(damped.at(j, j));
    inverseRoots[j] = 1 / roots[j];
  }
  for (int64_t r = 0; r < m && !options.rowWeights.empty(); ++r)
    rowScales[r] = std::sqrt(options.rowWeights[r]);
  auto iterate = alternate(
      scaleColumns(live, roots),
      scaleRows(scaleColumns(std::move(damped), inverseRoots), inverseRoots),
      pattern, rowScales, options);
  if (!iterate)
    return iterate.error();
  if (!options.refitRows)
    return SparseWeights{
        applyMask(scaleColumns(std::move(iterate->sparse), inverseRoots),
                  iterate->mask),
        std::move(iterate->mask)};
  auto refit = refitOnMask(live, moment, iterate->mask, options.refit);
  if (!refit)
    return refit.error();
  return SparseWeights{refit.take(), std::move(iterate->mask)};
}

} // namespace linnet
