//===- RefitOnMask.cpp - least squares on a given mask --------------------===//

#include "linnet/Numerics/SparseFit.h"

#include "Lapack.h"
#include "SparseOperands.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace linnet {
namespace {

/// The share of an input's size below which what others leave of it is
/// rounding: the input then depends on them.
constexpr double kDependent = 1e-12;

/// Systems G_SS c = b, one for each row of weights, in inputs scaled to
/// G_jj = 1.
struct ScaledSystems {
  /// Ones on the diagonal; rows and columns of dead inputs are 0.
  Matrix moment;
  /// Row r is the b of row r; only the entries on its support count.
  Matrix rightSides;
  /// 1 / sqrt(G_jj), 0 for dead inputs.
  std::vector<double> inverseRoots;
  /// The mask without dead inputs.
  Mask support;
};

/// For the change c = w'_S - w_S on the support. What it has to make up for is
/// exact where nothing was removed.
ScaledSystems prepareSystems(const Matrix &weights, const Matrix &moment,
                             const Mask &mask, double damping) {
  int64_t n = moment.rows();
  double added = dampingOf(moment, damping);
  ScaledSystems systems{moment, {}, std::vector<double>(n), mask};
  for (int64_t j = 0; j < n; ++j) {
    systems.moment.at(j, j) += added;
    if (systems.moment.at(j, j) > 0)
      systems.inverseRoots[j] = 1 / std::sqrt(systems.moment.at(j, j));
  }
  systems.moment =
      scaleRows(scaleColumns(std::move(systems.moment), systems.inverseRoots),
                systems.inverseRoots);
  Matrix removed = weights;
  for (int64_t r = 0; r < mask.rows(); ++r)
    for (int64_t j = 0; j < n; ++j)
      if (mask.keeps(r, j)) {
        removed.at(r, j) = 0;
        systems.support.set(r, j, systems.inverseRoots[j] > 0);
      }
  // The damping of what was removed touches no support.
  systems.rightSides =
      scaleColumns(multiply(removed, moment), systems.inverseRoots);
  return systems;
}

Matrix gatherSquare(const Matrix &moment, const std::vector<int64_t> &inputs) {
  int64_t k = int64_t(inputs.size());
  Matrix square(k, k);
  for (int64_t i = 0; i < k; ++i) {
    const double *from = moment.row(inputs[i]);
    double *to = square.row(i);
    for (int64_t j = 0; j < k; ++j)
      to[j] = from[inputs[j]];
  }
  return square;
}

/// The solutions of least norm, by eigenvalues.
Result<Matrix> solveSemidefinite(const Matrix &square,
                                 const Matrix &rightSides) {
  auto eigen = symmetricEigen(square);
  if (!eigen)
    return eigen.error();
  std::vector<double> factors(eigen->values.size());
  for (size_t i = 0; i < factors.size(); ++i)
    if (eigen->values[i] > kDependent * eigen->values[0])
      factors[i] = 1 / eigen->values[i];
  return multiply(scaleColumns(multiply(rightSides, eigen->vectors), factors),
                  eigen->vectors, Side::AsIs, Side::Transposed);
}

/// Row for row of `rightSides`.
Result<Matrix> solveOnSupport(const Matrix &moment,
                              const std::vector<int64_t> &inputs,
                              Matrix rightSides) {
  Matrix factor = gatherSquare(moment, inputs);
  int k = int(inputs.size()), count = int(rightSides.rows()), info = 0;
  dpotrf_("L", &k, factor.data(), &k, &info);
  bool isPositive = info == 0;
  for (int64_t i = 0; i < k && isPositive; ++i)
    isPositive = factor.at(i, i) * factor.at(i, i) > kDependent;
  if (!isPositive)
    return solveSemidefinite(gatherSquare(moment, inputs), rightSides);
  dpotrs_("L", &k, &count, factor.data(), &k, rightSides.data(), &k, &info);
  return rightSides;
}

/// Rows of equal support stand together.
std::vector<int64_t> orderBySupport(const Mask &support) {
  std::vector<int64_t> order(support.rows());
  std::iota(order.begin(), order.end(), 0);
  int64_t n = support.columns();
  std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    auto [atA, atB] = std::mismatch(support.row(a), support.row(a) + n,
                                    support.row(b), support.row(b) + n);
    return atA == support.row(a) + n ? a < b : *atA < *atB;
  });
  return order;
}

/// The changes of all rows, 0 off their supports.
Result<Matrix> solveExactly(const ScaledSystems &systems) {
  const Mask &support = systems.support;
  int64_t m = support.rows(), n = support.columns();
  Matrix changes(m, n);
  std::vector<int64_t> order = orderBySupport(support);
  for (int64_t first = 0, last; first < m; first = last) {
    const uint8_t *flags = support.row(order[first]);
    for (last = first + 1; last < m; ++last)
      if (!std::equal(flags, flags + n, support.row(order[last])))
        break;
    std::vector<int64_t> inputs = support.support(order[first]);
    if (inputs.empty())
      continue;
    Matrix rightSides(last - first, int64_t(inputs.size()));
    for (int64_t r = 0; r < rightSides.rows(); ++r)
      for (int64_t i = 0; i < rightSides.columns(); ++i)
        rightSides.at(r, i) =
            systems.rightSides.at(order[first + r], inputs[i]);
    auto solved = solveOnSupport(systems.moment, inputs, std::move(rightSides));
    if (!solved)
      return solved;
    for (int64_t r = 0; r < solved->rows(); ++r)
      for (int64_t i = 0; i < solved->columns(); ++i)
        changes.at(order[first + r], inputs[i]) = solved->at(r, i);
  }
  return changes;
}

double dotOfRows(const Matrix &a, int64_t r, const Matrix &b, int64_t s) {
  return std::inner_product(a.row(r), a.row(r) + a.columns(), b.row(s), 0.0);
}

void addRow(Matrix &sum, int64_t r, double factor, const Matrix &a, int64_t s) {
  for (int64_t j = 0; j < sum.columns(); ++j)
    sum.at(r, j) += factor * a.at(s, j);
}

/// Conjugate gradients (Hestenes and Stiefel 1952) of all rows at once, from
/// no change; a row leaves when it is done.
Matrix solveBySteps(const ScaledSystems &systems, int64_t steps,
                    double tolerance) {
  const Mask &support = systems.support;
  int64_t m = support.rows(), n = support.columns();
  Matrix changes(m, n), residuals = applyMask(systems.rightSides, support),
                        directions = residuals;
  std::vector<double> energies(m), ends(m);
  std::vector<int64_t> active;
  for (int64_t r = 0; r < m; ++r) {
    energies[r] = dotOfRows(residuals, r, residuals, r);
    ends[r] = tolerance * tolerance * energies[r];
    if (energies[r] > 0)
      active.push_back(r);
  }
  for (int64_t step = 0; step < steps && !active.empty(); ++step) {
    Matrix products = multiply(directions.takeRows(active), systems.moment);
    std::vector<int64_t> left;
    for (int64_t a = 0; a < int64_t(active.size()); ++a) {
      int64_t r = active[a];
      // Directions lie on the support: the rest of the product is of no use.
      double curvature = dotOfRows(directions, r, products, a);
      // Rounding is all that is left in a null direction.
      if (!(curvature > 0))
        continue;
      addRow(changes, r, energies[r] / curvature, directions, r);
      for (int64_t j = 0; j < n; ++j)
        if (support.keeps(r, j))
          residuals.at(r, j) -= energies[r] / curvature * products.at(a, j);
      double energy = dotOfRows(residuals, r, residuals, r),
             ratio = energy / energies[r];
      energies[r] = energy;
      for (int64_t j = 0; j < n; ++j)
        directions.at(r, j) = residuals.at(r, j) + ratio * directions.at(r, j);
      if (energy > ends[r])
        left.push_back(r);
    }
    active = std::move(left);
  }
  return changes;
}

} // namespace

Result<Matrix> refitOnMask(const Matrix &weights, const Matrix &moment,
                           const Mask &mask, const RefitOptions &options) {
  for (Status status :
       {checkSparseOperands(weights, moment), checkDamping(options.damping)})
    if (!status)
      return status.error();
  if (mask.rows() != weights.rows() || mask.columns() != weights.columns())
    return makeError("expected a mask of ", weights.rows(), " x ",
                     weights.columns(), ", but got ", mask.rows(), " x ",
                     mask.columns());
  if (options.steps < 0)
    return makeError("expected at least 0 steps, but got ", options.steps);
  if (!std::isfinite(options.tolerance) || options.tolerance < 0)
    return makeError("expected a tolerance of at least 0, but got ",
                     options.tolerance);
  ScaledSystems systems =
      prepareSystems(weights, moment, mask, options.damping);
  Result<Matrix> changes =
      options.steps > 0
          ? solveBySteps(systems, options.steps, options.tolerance)
          : solveExactly(systems);
  if (!changes)
    return changes;
  return applyMask(weights + scaleColumns(changes.take(), systems.inverseRoots),
                   mask);
}

} // namespace linnet
