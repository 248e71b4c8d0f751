//===- Matrix.h - dense matrices and their factorisations -----*- C++ -*-===//
//
// Matrices of f64 on BLAS and LAPACK, which do all the arithmetic that counts.
// Sizes are in entries. What LAPACK leaves open is fixed here, so that results
// do not depend on the implementation: values descend, and of every vector the
// entry of largest magnitude is positive (its partner turns with it).
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_NUMERICS_MATRIX_H
#define LINNET_NUMERICS_MATRIX_H

#include "linnet/Support/Result.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace linnet {

/// Row major; owns its entries. Every size may be 0.
class Matrix {
public:
  Matrix() = default;
  /// Zeros.
  Matrix(int64_t rows, int64_t columns);
  /// Takes `values`, rows * columns of them.
  Matrix(int64_t rows, int64_t columns, std::vector<double> values);

  static Matrix identity(int64_t size);

  int64_t rows() const { return numRows; }
  int64_t columns() const { return numColumns; }
  int64_t size() const { return numRows * numColumns; }
  double &at(int64_t r, int64_t c) { return values[r * numColumns + c]; }
  double at(int64_t r, int64_t c) const { return values[r * numColumns + c]; }
  double *data() { return values.data(); }
  const double *data() const { return values.data(); }
  double *row(int64_t r) { return values.data() + r * numColumns; }
  const double *row(int64_t r) const { return values.data() + r * numColumns; }

  Matrix transposed() const;
  /// The rows and columns in [first, first + count).
  Matrix rowRange(int64_t first, int64_t count) const;
  Matrix columnRange(int64_t first, int64_t count) const;
  /// The listed rows or columns, in the listed order.
  Matrix takeRows(const std::vector<int64_t> &which) const;
  Matrix takeColumns(const std::vector<int64_t> &which) const;

private:
  int64_t numRows = 0, numColumns = 0;
  std::vector<double> values;
};

enum class Side { AsIs, Transposed };

/// a b, each as it is or transposed. Inner sizes must agree.
Matrix multiply(const Matrix &a, const Matrix &b, Side sideOfA = Side::AsIs,
                Side sideOfB = Side::AsIs);
/// sum += factor a b.
void addProduct(Matrix &sum, const Matrix &a, const Matrix &b,
                double factor = 1, Side sideOfA = Side::AsIs,
                Side sideOfB = Side::AsIs);
/// a a^T.
Matrix gram(const Matrix &a);
/// a g a^T for a symmetric g, of which the upper triangle counts, in less than
/// two thirds of the time of two products.
Matrix congruence(const Matrix &a, const Matrix &g);
/// The trace of a g a^T, in half the time of a product.
double congruenceTrace(const Matrix &a, const Matrix &g);
/// Sizes must agree.
Matrix operator+(Matrix a, const Matrix &b);
Matrix operator-(Matrix a, const Matrix &b);
Matrix operator*(double factor, Matrix a);
/// Row r times factors[r], and column c times factors[c].
Matrix scaleRows(Matrix a, const std::vector<double> &factors);
Matrix scaleColumns(Matrix a, const std::vector<double> &factors);

/// The root of the sum of squares.
double norm(const Matrix &a);
/// The sum of a_ij b_ij.
double dot(const Matrix &a, const Matrix &b);
double trace(const Matrix &a);
/// Whether every entry is a finite number.
bool isFinite(const Matrix &a);

/// A = V diag(values) V^T for a symmetric A, of which the upper triangle
/// counts: values descend, vectors are columns. All values, and the vectors of
/// the first `leading` of them (all); none take a fraction of the time.
struct SymmetricEigen {
  std::vector<double> values;
  Matrix vectors;
};
Result<SymmetricEigen>
symmetricEigen(Matrix a, std::optional<int64_t> leading = std::nullopt);

/// A = U diag(values) V^T with min(rows, columns) values, which descend.
struct Svd {
  Matrix u;
  std::vector<double> values;
  Matrix vt;
};
Result<Svd> singularValues(const Matrix &a);

/// A = Q R of a matrix with no fewer rows than columns; Q has the shape of A
/// and stands as the reflectors that it is a product of.
struct Qr {
  Matrix reflectors;
  std::vector<double> lengths;

  /// Square, upper triangular.
  Matrix r() const;
  /// Q b.
  Result<Matrix> multiplyQ(const Matrix &b) const;
};
/// Errors: more columns than rows; entries that are not finite.
Result<Qr> takeQr(Matrix a);

/// R, upper triangular, with A = R^T R. Errors: A is not positive definite.
Result<Matrix> choleskyFactor(Matrix a);
/// A^-1 B. Errors: A is not positive definite.
Result<Matrix> solvePositive(Matrix a, Matrix b);
/// B (A + ridge I)^-1 for a symmetric A. The factor stands below its diagonal
/// meanwhile; afterwards A is as before. Errors: A + ridge I is not positive
/// definite.
Result<Matrix> divideRidged(Matrix b, Matrix &a, double ridge);
/// A^-1. Errors: A is not positive definite.
Result<Matrix> invertPositive(Matrix a);
/// The X of least norm among those that minimise |A X - B|; singular values
/// below `dependent` times the largest count as zero.
Result<Matrix> leastSquares(const Matrix &a, const Matrix &b,
                            double dependent = 1e-13);

/// A[:, order] = Q R, where each next column of the order is the one with most
/// left (Businger and Golub 1965); R is min(rows, columns) x columns.
struct PivotedQr {
  std::vector<int64_t> order;
  Matrix r;
};
Result<PivotedQr> pivotedQr(const Matrix &a);
/// X with R X = B, or with R^T X = B, for an upper triangular R.
Matrix solveUpper(const Matrix &r, Matrix b, Side side = Side::AsIs);

} // namespace linnet

#endif // LINNET_NUMERICS_MATRIX_H
