//===- VectorFit.cpp - matrices of one vector -----------------------------===//

#include "linnet/Numerics/VectorFit.h"

#include "FitOperands.h"

#include <algorithm>

namespace linnet {
namespace {

/// The pull towards the fit without data, relative to the mean diagonal.
constexpr double kRidge = 1e-9;

/// t with (A + r I) t = b + r t0.
Result<std::vector<double>> solveNear(Matrix a, const std::vector<double> &b,
                                      std::vector<double> start) {
  auto size = int64_t(b.size());
  double ridge = kRidge * trace(a) / double(size);
  // Inputs that are all 0.
  if (!(ridge > 0))
    return start;
  Matrix right(size, 1);
  for (int64_t k = 0; k < size; ++k) {
    a.at(k, k) += ridge;
    right.at(k, 0) = b[size_t(k)] + ridge * start[size_t(k)];
  }
  Result<Matrix> solved = solvePositive(std::move(a), std::move(right));
  if (!solved)
    return solved.error();
  return std::vector<double>(solved->data(), solved->data() + size);
}

/// Sums over the diagonals of `a`: entry o - i + n - 1 is that of a[o, i].
std::vector<double> sumDiagonals(const Matrix &a) {
  int64_t m = a.rows(), n = a.columns();
  std::vector<double> sums(size_t(m + n - 1), 0.0);
  for (int64_t o = 0; o < m; ++o)
    for (int64_t i = 0; i < n; ++i)
      sums[size_t(o - i + n - 1)] += a.at(o, i);
  return sums;
}

/// The same of a square one, cyclic: entry (o - i) mod n.
std::vector<double> sumCyclicDiagonals(const Matrix &a) {
  int64_t n = a.rows();
  std::vector<double> sums(size_t(n), 0.0);
  for (int64_t o = 0; o < n; ++o)
    for (int64_t i = 0; i < n; ++i)
      sums[size_t((o - i + n) % n)] += a.at(o, i);
  return sums;
}

/// A[k, l] = the sum over outputs o of G[i, i + k - l] with the i of which
/// o - i + n - 1 = k: a run along a diagonal of G.
Matrix toeplitzNormal(const Matrix &moment, int64_t m) {
  int64_t n = moment.rows(), size = m + n - 1;
  Matrix a(size, size);
  std::vector<double> before(size_t(n + 1));
  for (int64_t d = 0; d < n; ++d) {
    // before[i]: the sum of G[j, j + d] for j < i.
    for (int64_t i = 0; i < n; ++i)
      before[size_t(i + 1)] =
          before[size_t(i)] + (i + d < n ? moment.at(i, i + d) : 0);
    for (int64_t k = d; k < size; ++k) {
      int64_t first = std::max<int64_t>(0, n - 1 - k),
              last = std::min(n - d, m + n - 1 - k);
      if (first < last)
        a.at(k, k - d) = a.at(k - d, k) =
            before[size_t(last)] - before[size_t(first)];
    }
  }
  return a;
}

} // namespace

Result<std::vector<double>> fitDiagonal(const Matrix &weights,
                                        const Matrix *moment) {
  if (Status status = checkFitOperands(weights, moment); !status)
    return status.error();
  std::vector<double> values;
  for (int64_t i = 0; i < std::min(weights.rows(), weights.columns()); ++i) {
    double value = weights.at(i, i);
    if (moment && moment->at(i, i) > 0) {
      value = 0;
      for (int64_t j = 0; j < weights.columns(); ++j)
        value += weights.at(i, j) * moment->at(j, i);
      value /= moment->at(i, i);
    }
    values.push_back(value);
  }
  return values;
}

Matrix diagonalMatrix(const std::vector<double> &values, int64_t rows,
                      int64_t columns) {
  Matrix dense(rows, columns);
  for (size_t i = 0; i < values.size(); ++i)
    dense.at(int64_t(i), int64_t(i)) = values[i];
  return dense;
}

Result<std::vector<double>> fitToeplitz(const Matrix &weights,
                                        const Matrix *moment) {
  if (Status status = checkFitOperands(weights, moment); !status)
    return status.error();
  int64_t m = weights.rows(), n = weights.columns();
  if (m < 1 || n < 1)
    return makeError("expected a matrix with entries, but got ", m, " x ", n);
  std::vector<double> means = sumDiagonals(weights);
  for (int64_t k = 0; k < m + n - 1; ++k)
    means[size_t(k)] /= double(std::min({k + 1, m + n - 1 - k, m, n}));
  if (!moment)
    return means;
  return solveNear(toeplitzNormal(*moment, m),
                   sumDiagonals(multiply(weights, *moment)), std::move(means));
}

Matrix toeplitzMatrix(const std::vector<double> &values, int64_t rows) {
  int64_t n = int64_t(values.size()) - rows + 1;
  Matrix dense(rows, n);
  for (int64_t o = 0; o < rows; ++o)
    for (int64_t i = 0; i < n; ++i)
      dense.at(o, i) = values[size_t(o - i + n - 1)];
  return dense;
}

Result<std::vector<double>> fitCirculant(const Matrix &weights,
                                         const Matrix *moment) {
  if (Status status = checkFitOperands(weights, moment); !status)
    return status.error();
  int64_t n = weights.columns();
  if (n < 1 || weights.rows() != n)
    return makeError("expected a square matrix with entries, but got ",
                     weights.rows(), " x ", n);
  std::vector<double> means = sumCyclicDiagonals(weights);
  for (double &mean : means)
    mean /= double(n);
  if (!moment)
    return means;
  // A is a circulant of G's cyclic diagonals.
  Matrix a = circulantMatrix(sumCyclicDiagonals(*moment));
  return solveNear(std::move(a), sumCyclicDiagonals(multiply(weights, *moment)),
                   std::move(means));
}

Matrix circulantMatrix(const std::vector<double> &values) {
  auto n = int64_t(values.size());
  Matrix dense(n, n);
  for (int64_t o = 0; o < n; ++o)
    for (int64_t i = 0; i < n; ++i)
      dense.at(o, i) = values[size_t((o - i + n) % n)];
  return dense;
}

} // namespace linnet
