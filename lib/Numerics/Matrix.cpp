//===- Matrix.cpp - dense matrices ----------------------------------------===//

#include "linnet/Numerics/Matrix.h"

#include "Lapack.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace linnet {

Matrix::Matrix(int64_t rows, int64_t columns)
    : numRows(rows), numColumns(columns), values(rows * columns) {}

Matrix::Matrix(int64_t rows, int64_t columns, std::vector<double> values)
    : numRows(rows), numColumns(columns), values(std::move(values)) {
  assert(int64_t(this->values.size()) == rows * columns);
}

Matrix Matrix::identity(int64_t size) {
  Matrix result(size, size);
  for (int64_t i = 0; i < size; ++i)
    result.at(i, i) = 1;
  return result;
}

Matrix Matrix::transposed() const {
  Matrix result(numColumns, numRows);
  // By tiles: one of the two sides is always strided.
  constexpr int64_t kTile = 16;
  for (int64_t r0 = 0; r0 < numRows; r0 += kTile)
    for (int64_t c0 = 0; c0 < numColumns; c0 += kTile)
      for (int64_t r = r0; r < std::min(r0 + kTile, numRows); ++r)
        for (int64_t c = c0; c < std::min(c0 + kTile, numColumns); ++c)
          result.at(c, r) = at(r, c);
  return result;
}

Matrix Matrix::rowRange(int64_t first, int64_t count) const {
  return Matrix(count, numColumns,
                std::vector<double>(row(first), row(first + count)));
}

Matrix Matrix::columnRange(int64_t first, int64_t count) const {
  Matrix result(numRows, count);
  for (int64_t r = 0; r < numRows; ++r)
    std::copy_n(row(r) + first, count, result.row(r));
  return result;
}

Matrix Matrix::takeRows(const std::vector<int64_t> &which) const {
  Matrix result(int64_t(which.size()), numColumns);
  for (int64_t r = 0; r < result.rows(); ++r)
    std::copy_n(row(which[r]), numColumns, result.row(r));
  return result;
}

Matrix Matrix::takeColumns(const std::vector<int64_t> &which) const {
  Matrix result(numRows, int64_t(which.size()));
  for (int64_t r = 0; r < numRows; ++r)
    for (int64_t c = 0; c < result.columns(); ++c)
      result.at(r, c) = at(r, which[c]);
  return result;
}

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

/// A row-major matrix is its transpose in column-major order: BLAS computes
/// sum^T += factor b^T a^T.
void addProduct(Matrix &sum, const Matrix &a, const Matrix &b, double factor,
                Side sideOfA, Side sideOfB) {
  bool turnA = sideOfA == Side::Transposed, turnB = sideOfB == Side::Transposed;
  int rows = int(sum.rows()), columns = int(sum.columns()),
      inner = int(turnA ? a.rows() : a.columns());
  assert((turnA ? a.columns() : a.rows()) == rows &&
         (turnB ? b.rows() : b.columns()) == columns &&
         (turnB ? b.columns() : b.rows()) == inner);
  if (rows == 0 || columns == 0 || inner == 0)
    return;
  int strideA = int(a.columns()), strideB = int(b.columns());
  double one = 1;
  dgemm_(turnB ? "T" : "N", turnA ? "T" : "N", &columns, &rows, &inner, &factor,
         b.data(), &strideB, a.data(), &strideA, &one, sum.data(), &columns);
}

Matrix multiply(const Matrix &a, const Matrix &b, Side sideOfA, Side sideOfB) {
  Matrix result(sideOfA == Side::Transposed ? a.columns() : a.rows(),
                sideOfB == Side::Transposed ? b.rows() : b.columns());
  addProduct(result, a, b, 1, sideOfA, sideOfB);
  return result;
}

/// A triangle of rows is the other one of columns; this fills in what BLAS
/// left.
static void mirrorUpper(Matrix &a) {
  for (int64_t r = 0; r < a.rows(); ++r)
    for (int64_t c = 0; c < r; ++c)
      a.at(r, c) = a.at(c, r);
}

Matrix gram(const Matrix &a) {
  Matrix result(a.rows(), a.rows());
  int size = int(a.rows()), inner = int(a.columns());
  double one = 1;
  if (size > 0 && inner > 0)
    dsyrk_("L", "T", &size, &inner, &one, a.data(), &inner, &one, result.data(),
           &size);
  mirrorUpper(result);
  return result;
}

/// a H for the upper triangular H with g = H + H^T.
static Matrix multiplyHalf(const Matrix &a, const Matrix &g) {
  assert(g.rows() == a.columns() && g.columns() == a.columns());
  Matrix result = a;
  int rows = int(a.rows()), size = int(a.columns());
  double one = 1;
  if (rows > 0 && size > 0)
    dtrmm_("L", "L", "N", "N", &size, &rows, &one, g.data(), &size,
           result.data(), &size);
  // Of the diagonal, the product took all.
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < size; ++c)
      result.at(r, c) -= a.at(r, c) * (g.at(c, c) / 2);
  return result;
}

Matrix congruence(const Matrix &a, const Matrix &g) {
  Matrix half = multiplyHalf(a, g), result(a.rows(), a.rows());
  int size = int(a.rows()), inner = int(a.columns());
  double one = 1;
  if (size > 0 && inner > 0)
    dsyr2k_("L", "T", &size, &inner, &one, half.data(), &inner, a.data(),
            &inner, &one, result.data(), &size);
  mirrorUpper(result);
  return result;
}

double congruenceTrace(const Matrix &a, const Matrix &g) {
  return 2 * dot(multiplyHalf(a, g), a);
}

Matrix operator+(Matrix a, const Matrix &b) {
  assert(a.rows() == b.rows() && a.columns() == b.columns());
  for (int64_t e = 0; e < a.size(); ++e)
    a.data()[e] += b.data()[e];
  return a;
}

Matrix operator-(Matrix a, const Matrix &b) {
  assert(a.rows() == b.rows() && a.columns() == b.columns());
  for (int64_t e = 0; e < a.size(); ++e)
    a.data()[e] -= b.data()[e];
  return a;
}

Matrix operator*(double factor, Matrix a) {
  for (int64_t e = 0; e < a.size(); ++e)
    a.data()[e] *= factor;
  return a;
}

Matrix scaleRows(Matrix a, const std::vector<double> &factors) {
  for (int64_t r = 0; r < a.rows(); ++r)
    for (int64_t c = 0; c < a.columns(); ++c)
      a.at(r, c) *= factors[r];
  return a;
}

Matrix scaleColumns(Matrix a, const std::vector<double> &factors) {
  for (int64_t r = 0; r < a.rows(); ++r)
    for (int64_t c = 0; c < a.columns(); ++c)
      a.at(r, c) *= factors[c];
  return a;
}

double dot(const Matrix &a, const Matrix &b) {
  assert(a.rows() == b.rows() && a.columns() == b.columns());
  double sum = 0;
  for (int64_t e = 0; e < a.size(); ++e)
    sum += a.data()[e] * b.data()[e];
  return sum;
}

double norm(const Matrix &a) { return std::sqrt(dot(a, a)); }

double trace(const Matrix &a) {
  double sum = 0;
  for (int64_t i = 0; i < std::min(a.rows(), a.columns()); ++i)
    sum += a.at(i, i);
  return sum;
}

bool isFinite(const Matrix &a) {
  for (int64_t e = 0; e < a.size(); ++e)
    if (!std::isfinite(a.data()[e]))
      return false;
  return true;
}

} // namespace linnet
