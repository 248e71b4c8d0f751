//===- LowRank.cpp - matrices of low rank ---------------------------------===//

#include "linnet/Numerics/LowRank.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace linnet {
namespace {

/// What keeps a fit from `weight`, `moment` and `rank`; empty if nothing does.
std::optional<Error> findObstacle(const Matrix &weight, const Matrix *moment,
                                  int64_t rank) {
  if (moment && (moment->rows() != weight.columns() ||
                 moment->columns() != weight.columns()))
    return makeError("expected a second moment of ", weight.columns(), " x ",
                     weight.columns(), ", but got ", moment->rows(), " x ",
                     moment->columns());
  int64_t most = std::min(weight.rows(), weight.columns());
  if (rank < 0 || rank > most)
    return makeError("expected a rank of 0 to ", most, ", but got ", rank);
  return std::nullopt;
}

} // namespace

/// `by` times `a`; a row is a diagonal.
static Matrix applyRoot(const Matrix &by, const Matrix &a) {
  if (by.size() == 0)
    return a;
  if (by.rows() == 1 && a.rows() != 1)
    return scaleRows(a, std::vector<double>(by.row(0), by.row(1)));
  return multiply(by, a);
}

Matrix MetricRoots::weigh(const Matrix &a) const { return applyRoot(root, a); }
Matrix MetricRoots::undo(const Matrix &a) const {
  return applyRoot(inverse, a);
}

Result<MetricRoots> takeMetricRoots(const OutputMetric &metric,
                                    int64_t outputs) {
  const Matrix &r = metric.metric;
  if (r.columns() != outputs || (r.rows() != outputs && r.rows() != 1))
    return makeError("expected a metric of ", outputs, " x ", outputs,
                     " or 1 x ", outputs, ", but got ", r.rows(), " x ",
                     r.columns());
  bool isDiagonal = r.rows() == 1;
  double mean =
      (isDiagonal ? std::accumulate(r.row(0), r.row(1), 0.0) : trace(r)) /
      double(outputs);
  // A metric of zeros tells nothing.
  if (!(mean > 0))
    return MetricRoots();
  double least = metric.ridge * mean;
  if (isDiagonal) {
    MetricRoots roots{r, r};
    for (int64_t o = 0; o < outputs; ++o) {
      roots.root.at(0, o) = std::sqrt(std::max(r.at(0, o), 0.0) + least);
      roots.inverse.at(0, o) = 1 / roots.root.at(0, o);
    }
    return roots;
  }
  auto eigen = symmetricEigen(r);
  if (!eigen)
    return eigen.error();
  std::vector<double> up = eigen->values, down = eigen->values;
  for (size_t i = 0; i < up.size(); ++i) {
    up[i] = std::sqrt(std::max(up[i], 0.0) + least);
    down[i] = 1 / up[i];
  }
  const Matrix &v = eigen->vectors;
  return MetricRoots{
      multiply(scaleColumns(v, up), v, Side::AsIs, Side::Transposed),
      multiply(scaleColumns(v, down), v, Side::AsIs, Side::Transposed)};
}

/// Empty without a metric.
static Result<MetricRoots> rootsOf(const OutputMetric *metric,
                                   int64_t outputs) {
  return metric ? takeMetricRoots(*metric, outputs)
                : Result<MetricRoots>(MetricRoots());
}

double outputLoss(const Matrix &difference, const Matrix &moment) {
  double loss = congruenceTrace(difference, moment);
  // A sum of squares that rounding may take below 0.
  return loss < 0 ? 0 : loss;
}

namespace {

/// M = E[z z^T] for the weighed outputs R^(1/2) W x = Q z: of a wide W, Q = I;
/// a tall one has fewer z than outputs.
struct OutputMoment {
  Matrix moment;
  std::optional<Qr> basis;
};

Result<OutputMoment> takeOutputMoment(const Matrix &weight,
                                      const Matrix *moment,
                                      const MetricRoots &roots) {
  for (const Matrix *matrix : {&weight, moment})
    if (matrix && !isFinite(*matrix))
      return makeError("expected finite entries, but got NaN or infinity");
  auto productOf = [&](const Matrix &a) {
    return moment ? congruence(a, *moment) : gram(a);
  };
  if (weight.rows() <= weight.columns()) {
    Matrix product = productOf(weight);
    // The metric has the product's size, less than that of W.
    if (roots.root.size() > 0)
      product = roots.weigh(roots.weigh(product).transposed());
    return OutputMoment{std::move(product), std::nullopt};
  }
  auto basis = takeQr(roots.weigh(weight));
  if (!basis)
    return basis.error();
  Matrix product = productOf(basis->r());
  return OutputMoment{std::move(product), basis.take()};
}

} // namespace

Result<std::vector<double>> lossSpectrum(const Matrix &weight,
                                         const Matrix &moment,
                                         const OutputMetric *metric) {
  auto roots = rootsOf(metric, weight.rows());
  return roots ? lossSpectrum(weight, &moment, *roots)
               : Result<std::vector<double>>(roots.error());
}

Result<std::vector<double>> lossSpectrum(const Matrix &weight,
                                         const Matrix *moment,
                                         const MetricRoots &roots) {
  if (auto obstacle = findObstacle(weight, moment, 0))
    return *obstacle;
  auto outputs = takeOutputMoment(weight, moment, roots);
  if (!outputs)
    return outputs.error();
  auto eigen = symmetricEigen(std::move(outputs->moment), 0);
  if (!eigen)
    return eigen.error();
  for (double &value : eigen->values)
    value = std::max(value, 0.0);
  return std::move(eigen->values);
}

double effectiveRank(const std::vector<double> &spectrum) {
  double all = std::accumulate(spectrum.begin(), spectrum.end(), 0.0);
  if (!(all > 0))
    return 0;
  double entropy = 0;
  for (double value : spectrum)
    if (double share = value / all; share > 0)
      entropy -= share * std::log(share);
  return std::exp(entropy);
}

int64_t utilisedRank(const std::vector<double> &spectrum, double share) {
  double all = std::accumulate(spectrum.begin(), spectrum.end(), 0.0);
  double lost = 0;
  auto rank = int64_t(spectrum.size());
  while (rank > 0 && lost + spectrum[size_t(rank - 1)] <= share * all)
    lost += spectrum[size_t(--rank)];
  return rank;
}

Result<LowRankFactors> fitLowRank(const Matrix &weight, const Matrix &moment,
                                  int64_t rank, const OutputMetric *metric) {
  auto roots = rootsOf(metric, weight.rows());
  return roots ? fitLowRank(weight, &moment, rank, *roots)
               : Result<LowRankFactors>(roots.error());
}

Result<LowRankFactors> fitLowRank(const Matrix &weight, const Matrix *moment,
                                  int64_t rank, const MetricRoots &roots) {
  if (auto obstacle = findObstacle(weight, moment, rank))
    return *obstacle;
  auto outputs = takeOutputMoment(weight, moment, roots);
  if (!outputs)
    return outputs.error();
  auto eigen = symmetricEigen(std::move(outputs->moment), rank);
  if (!eigen)
    return eigen.error();
  const Matrix &vectors = eigen->vectors;
  if (!outputs->basis)
    return LowRankFactors{
        roots.undo(vectors),
        multiply(roots.weigh(vectors), weight, Side::Transposed)};
  auto p = outputs->basis->multiplyQ(vectors);
  if (!p)
    return p.error();
  return LowRankFactors{
      roots.undo(*p), multiply(vectors, outputs->basis->r(), Side::Transposed)};
}

Result<LowRankFactors> truncateSingularValues(const Matrix &weight,
                                              int64_t rank) {
  return fitLowRank(weight, nullptr, rank, MetricRoots());
}

Result<LowRankFactors>
truncateScaledSingularValues(const Matrix &weight,
                             const std::vector<double> &meanMagnitudes,
                             int64_t rank, double alpha) {
  if (int64_t(meanMagnitudes.size()) != weight.columns())
    return makeError("expected ", weight.columns(), " magnitudes, but got ",
                     meanMagnitudes.size());
  std::vector<double> up(meanMagnitudes.size()), down(meanMagnitudes.size());
  for (size_t j = 0; j < up.size(); ++j) {
    up[j] = std::pow(std::abs(meanMagnitudes[j]), alpha) + 1e-6;
    down[j] = 1 / up[j];
  }
  auto factors = truncateSingularValues(scaleColumns(weight, up), rank);
  if (factors)
    factors->right = scaleColumns(std::move(factors->right), down);
  return factors;
}

Result<Matrix> refitTarget(const Matrix &weight, const Matrix &cross,
                           const Matrix &moment, double trust, double ridge) {
  Matrix copy = moment;
  return refitTargetInPlace(weight, cross, copy, trust, ridge);
}

Result<Matrix> refitTargetInPlace(const Matrix &weight, const Matrix &cross,
                                  Matrix &moment, double trust, double ridge) {
  if (auto obstacle = findObstacle(weight, &moment, 0))
    return *obstacle;
  if (cross.rows() != weight.rows() || cross.columns() != weight.columns())
    return makeError("expected a cross moment of ", weight.rows(), " x ",
                     weight.columns(), ", but got ", cross.rows(), " x ",
                     cross.columns());
  int64_t inputs = weight.columns();
  double least = inputs ? ridge * trace(moment) / double(inputs) : 0;
  Matrix right = trust * cross + least * weight;
  addProduct(right, weight, moment, 1 - trust);
  return divideRidged(std::move(right), moment, least);
}

//===----------------------------------------------------------------------===//
// The pivoted storage
//===----------------------------------------------------------------------===//

Matrix PivotedLowRank::toDense() const {
  Matrix rest = multiply(columns, coefficients);
  Matrix result(columns.rows(), int64_t(kept.size() + others.size()));
  for (int64_t r = 0; r < result.rows(); ++r) {
    for (size_t c = 0; c < kept.size(); ++c)
      result.at(r, kept[c]) = columns.at(r, int64_t(c));
    for (size_t c = 0; c < others.size(); ++c)
      result.at(r, others[c]) = rest.at(r, int64_t(c));
  }
  return result;
}

Result<PivotedLowRank> pivotLowRank(const LowRankFactors &factors) {
  if (factors.left.columns() != factors.right.rows())
    return makeError("expected both factors to have the same rank, but got ",
                     factors.left.columns(), " and ", factors.right.rows());
  int64_t rank = factors.right.rows();
  if (rank > factors.right.columns())
    return makeError("expected a rank of 0 to ", factors.right.columns(),
                     ", but got ", rank);
  // Columns of left right are independent where those of right are. The
  // products are of the factors of smaller condition if left has orthonormal
  // columns, as the fits above give it.
  auto qr = pivotedQr(factors.right);
  if (!qr)
    return qr.error();
  Matrix square = qr->r.columnRange(0, rank);
  // A rank below `rank`: trailing rows of R vanish, and any solution does.
  double most = rank ? std::abs(square.at(0, 0)) : 0;
  int64_t found = 0;
  while (found < rank && std::abs(square.at(found, found)) > 1e-13 * most)
    ++found;
  Matrix tail = qr->r.columnRange(rank, factors.right.columns() - rank);
  Matrix solved = solveUpper(square.columnRange(0, found).rowRange(0, found),
                             tail.rowRange(0, found));
  // Sorted, so that gathers run forward.
  std::vector<int64_t> byPlace(rank), rest(tail.columns());
  std::iota(byPlace.begin(), byPlace.end(), 0);
  std::iota(rest.begin(), rest.end(), 0);
  auto less = [&](int64_t offset) {
    return [&, offset](int64_t a, int64_t b) {
      return qr->order[offset + a] < qr->order[offset + b];
    };
  };
  std::sort(byPlace.begin(), byPlace.end(), less(0));
  std::sort(rest.begin(), rest.end(), less(rank));
  PivotedLowRank result;
  result.coefficients = Matrix(rank, tail.columns());
  for (int64_t place : byPlace)
    result.kept.push_back(qr->order[place]);
  for (int64_t place : rest)
    result.others.push_back(qr->order[rank + place]);
  for (int64_t r = 0; r < rank; ++r)
    for (int64_t c = 0; c < tail.columns(); ++c)
      result.coefficients.at(r, c) =
          byPlace[r] < found ? solved.at(byPlace[r], rest[c]) : 0;
  result.columns =
      multiply(factors.left, factors.right.takeColumns(result.kept));
  return result;
}

} // namespace linnet
