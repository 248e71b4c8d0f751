//===- Factorisations.cpp - LAPACK on row-major matrices ------------------===//
//
// LAPACK takes columns: what it sees of a row-major matrix is its transpose.
// A symmetric matrix is its own; elsewhere the two sides change places, or the
// matrix is transposed first.
//
//===----------------------------------------------------------------------===//

#include "linnet/Numerics/Matrix.h"

#include "Lapack.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace linnet {
namespace {

/// What keeps LAPACK from factorising `a`; empty if nothing does.
std::optional<Error> findObstacle(const Matrix &a) {
  if (std::max(a.rows(), a.columns()) > std::numeric_limits<int>::max() / 8)
    return makeError("expected a matrix of fewer rows and columns, but got ",
                     a.rows(), " x ", a.columns());
  if (!isFinite(a))
    return makeError("expected finite entries, but got NaN or infinity");
  return std::nullopt;
}

std::optional<Error> findObstacleOfSquare(const Matrix &a) {
  if (a.rows() != a.columns())
    return makeError("expected a square matrix, but got ", a.rows(), " x ",
                     a.columns());
  return findObstacle(a);
}

Error noConvergence(const char *routine, int info) {
  return makeError("expected ", routine, " to converge, but got info ", info);
}

/// Calls `routine(work, length, info)` for the length of its workspace, then
/// with one.
template <typename Routine>
int withWorkspace(Routine routine) {
  int info = 0, query = -1;
  double size = 0;
  routine(&size, &query, &info);
  int length = std::max(1, int(size));
  std::vector<double> work(length);
  routine(work.data(), &length, &info);
  return info;
}

/// Whether the entry of largest magnitude among `count` at `values` is
/// negative.
bool pointsDown(const double *values, int64_t count, int64_t stride) {
  double most = 0;
  for (int64_t i = 0; i < count; ++i)
    if (std::abs(values[i * stride]) > std::abs(most))
      most = values[i * stride];
  return most < 0;
}

void negate(double *values, int64_t count, int64_t stride) {
  for (int64_t i = 0; i < count; ++i)
    values[i * stride] = -values[i * stride];
}

} // namespace

Result<SymmetricEigen> symmetricEigen(Matrix a,
                                      std::optional<int64_t> leading) {
  if (auto obstacle = findObstacleOfSquare(a))
    return *obstacle;
  int n = int(a.rows());
  int64_t count = leading.value_or(n);
  if (count < 0 || count > n)
    return makeError("expected 0 to ", n, " vectors, but got ", count);
  std::vector<double> values(n);
  if (n == 0)
    return SymmetricEigen{values, a};
  // Row r of `a` becomes vector r, in ascending order. The upper triangle of
  // rows is the lower one of columns.
  int info = 0, query = -1, length = 0, integers = 0;
  double size = 0;
  const char *job = count > 0 ? "V" : "N";
  dsyevd_(job, "L", &n, a.data(), &n, values.data(), &size, &query, &integers,
          &query, &info);
  length = std::max(1, int(size));
  std::vector<double> work(length);
  std::vector<int> integerWork(std::max(1, integers));
  int integerLength = int(integerWork.size());
  dsyevd_(job, "L", &n, a.data(), &n, values.data(), work.data(), &length,
          integerWork.data(), &integerLength, &info);
  if (info != 0)
    return noConvergence("dsyevd", info);
  std::reverse(values.begin(), values.end());
  Matrix vectors(n, count);
  for (int64_t v = 0; v < count; ++v) {
    double *from = a.row(n - 1 - v);
    if (pointsDown(from, n, 1))
      negate(from, n, 1);
    for (int64_t i = 0; i < n; ++i)
      vectors.at(i, v) = from[i];
  }
  return SymmetricEigen{std::move(values), std::move(vectors)};
}

Result<Svd> singularValues(const Matrix &a) {
  if (auto obstacle = findObstacle(a))
    return *obstacle;
  // LAPACK sees A^T = V S U^T: its left side is ours of V, by rows.
  int rows = int(a.columns()), columns = int(a.rows()),
      count = std::min(rows, columns);
  Svd result{Matrix(a.rows(), count), std::vector<double>(count),
             Matrix(count, a.columns())};
  if (count == 0)
    return result;
  Matrix copy = a;
  std::vector<int> integerWork(8 * count);
  int info = withWorkspace([&](double *work, int *length, int *info) {
    dgesdd_("S", &rows, &columns, copy.data(), &rows, result.values.data(),
            result.vt.data(), &rows, result.u.data(), &count, work, length,
            integerWork.data(), info);
  });
  if (info != 0)
    return noConvergence("dgesdd", info);
  for (int64_t v = 0; v < count; ++v)
    if (pointsDown(result.u.data() + v, a.rows(), count)) {
      negate(result.u.data() + v, a.rows(), count);
      negate(result.vt.row(v), a.columns(), 1);
    }
  return result;
}

Result<Qr> takeQr(Matrix a) {
  if (auto obstacle = findObstacle(a))
    return *obstacle;
  if (a.rows() < a.columns())
    return makeError("expected no more columns than rows, but got ", a.rows(),
                     " x ", a.columns());
  // LAPACK sees A^T = R^T Q^T.
  int rows = int(a.columns()), columns = int(a.rows());
  Qr result{std::move(a), std::vector<double>(size_t(std::max(1, rows)))};
  int info = 0;
  if (rows > 0)
    info = withWorkspace([&](double *work, int *length, int *info) {
      dgelqf_(&rows, &columns, result.reflectors.data(), &rows,
              result.lengths.data(), work, length, info);
    });
  if (info != 0)
    return noConvergence("dgelqf", info);
  return result;
}

Matrix Qr::r() const {
  int64_t size = reflectors.columns();
  Matrix result(size, size);
  for (int64_t r = 0; r < size; ++r)
    std::copy(reflectors.row(r) + r, reflectors.row(r) + size,
              result.row(r) + r);
  return result;
}

Result<Matrix> Qr::multiplyQ(const Matrix &b) const {
  if (b.rows() != reflectors.columns())
    return makeError("expected ", reflectors.columns(), " rows, but got ",
                     b.rows());
  if (auto obstacle = findObstacle(b))
    return *obstacle;
  // b^T Q^T, of a b with zeros below it.
  Matrix result(reflectors.rows(), b.columns());
  std::copy_n(b.data(), b.size(), result.data());
  int rows = int(b.columns()), columns = int(reflectors.rows()),
      count = int(reflectors.columns()), info = 0;
  if (rows > 0 && count > 0)
    info = withWorkspace([&](double *work, int *length, int *info) {
      dormlq_("R", "N", &rows, &columns, &count, reflectors.data(), &count,
              lengths.data(), result.data(), &rows, work, length, info);
    });
  if (info != 0)
    return noConvergence("dormlq", info);
  return result;
}

Result<Matrix> choleskyFactor(Matrix a) {
  if (auto obstacle = findObstacleOfSquare(a))
    return *obstacle;
  // The lower factor of columns is the upper one of rows.
  int n = int(a.rows()), info = 0;
  if (n > 0)
    dpotrf_("L", &n, a.data(), &n, &info);
  if (info != 0)
    return makeError("expected a positive definite matrix, but minor ", info,
                     " is not");
  for (int64_t r = 0; r < n; ++r)
    std::fill_n(a.row(r), r, 0.0);
  return a;
}

Result<Matrix> solvePositive(Matrix a, Matrix b) {
  auto factor = choleskyFactor(std::move(a));
  if (!factor)
    return factor;
  Matrix columns = b.transposed();
  int n = int(factor->rows()), count = int(b.columns()), info = 0;
  if (n > 0 && count > 0)
    dpotrs_("L", &n, &count, factor->data(), &n, columns.data(), &n, &info);
  return columns.transposed();
}

Result<Matrix> divideRidged(Matrix b, Matrix &a, double ridge) {
  for (const auto &obstacle : {findObstacleOfSquare(a), findObstacle(b)})
    if (obstacle)
      return *obstacle;
  // The upper factor of columns is the lower one of rows.
  int n = int(a.rows()), count = int(b.rows()), info = 0;
  std::vector<double> diagonal(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) {
    diagonal[size_t(i)] = a.at(i, i);
    a.at(i, i) += ridge;
  }
  if (n > 0)
    dpotrf_("U", &n, a.data(), &n, &info);
  int solved = 0;
  if (info == 0 && n > 0 && count > 0)
    dpotrs_("U", &n, &count, a.data(), &n, b.data(), &n, &solved);
  for (int64_t r = 0; r < n; ++r) {
    a.at(r, r) = diagonal[size_t(r)];
    for (int64_t c = 0; c < r; ++c)
      a.at(r, c) = a.at(c, r);
  }
  if (info != 0)
    return makeError("expected a positive definite matrix, but minor ", info,
                     " is not");
  return b;
}

Result<Matrix> invertPositive(Matrix a) {
  auto factor = choleskyFactor(std::move(a));
  if (!factor)
    return factor;
  int n = int(factor->rows()), info = 0;
  if (n > 0)
    dpotri_("L", &n, factor->data(), &n, &info);
  for (int64_t r = 0; r < n; ++r)
    for (int64_t c = 0; c < r; ++c)
      factor->at(r, c) = factor->at(c, r);
  return factor;
}

Result<Matrix> leastSquares(const Matrix &a, const Matrix &b,
                            double dependent) {
  for (const Matrix *matrix : {&a, &b})
    if (auto obstacle = findObstacle(*matrix))
      return *obstacle;
  if (a.rows() != b.rows())
    return makeError("expected ", a.rows(), " rows on the right-hand side, ",
                     "but got ", b.rows());
  int rows = int(a.rows()), columns = int(a.columns()),
      count = int(b.columns()), most = std::max({1, rows, columns}), rank = 0;
  if (rows == 0 || columns == 0 || count == 0)
    return Matrix(columns, count);
  Matrix left = a.transposed(), right(count, most);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < count; ++c)
      right.at(c, r) = b.at(r, c);
  std::vector<double> values(std::min(rows, columns));
  int integers = 0;
  std::vector<int> integerWork(1);
  double size = 0;
  int info = 0, query = -1;
  dgelsd_(&rows, &columns, &count, left.data(), &rows, right.data(), &most,
          values.data(), &dependent, &rank, &size, &query, &integers, &info);
  std::vector<double> work(std::max(1, int(size)));
  integerWork.resize(std::max(1, integers));
  int length = int(work.size());
  dgelsd_(&rows, &columns, &count, left.data(), &rows, right.data(), &most,
          values.data(), &dependent, &rank, work.data(), &length,
          integerWork.data(), &info);
  if (info != 0)
    return noConvergence("dgelsd", info);
  return right.columnRange(0, columns).transposed();
}

Result<PivotedQr> pivotedQr(const Matrix &a) {
  if (auto obstacle = findObstacle(a))
    return *obstacle;
  int rows = int(a.rows()), columns = int(a.columns()),
      count = std::min(rows, columns);
  PivotedQr result{std::vector<int64_t>(columns), Matrix(count, columns)};
  std::vector<int> order(columns, 0);
  std::vector<double> reflectors(std::max(1, count));
  Matrix byColumns = a.transposed();
  if (count > 0) {
    int info = withWorkspace([&](double *work, int *length, int *info) {
      dgeqp3_(&rows, &columns, byColumns.data(), &rows, order.data(),
              reflectors.data(), work, length, info);
    });
    if (info != 0)
      return noConvergence("dgeqp3", info);
  }
  for (int64_t c = 0; c < columns; ++c) {
    result.order[c] = count > 0 ? order[c] - 1 : c;
    for (int64_t r = 0; r <= std::min<int64_t>(c, count - 1); ++r)
      result.r.at(r, c) = byColumns.at(c, r);
  }
  return result;
}

Matrix solveUpper(const Matrix &r, Matrix b, Side side) {
  // b^T becomes b^T R^-T or b^T R^-1, and the R of rows is the R^T of columns.
  const char *transposed = side == Side::AsIs ? "N" : "T";
  int n = int(r.rows()), count = int(b.columns()), stride = int(r.columns());
  double one = 1;
  if (n > 0 && count > 0)
    dtrsm_("R", "L", transposed, "N", &count, &n, &one, r.data(), &stride,
           b.data(), &count);
  return b;
}

} // namespace linnet
