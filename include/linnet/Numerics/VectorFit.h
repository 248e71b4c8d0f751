//===- VectorFit.h - matrices of one vector -------------------*- C++ -*-===//
//
// The matrix W1 nearest to W (m x n) of a linear family of matrices, for the
// loss tr((W - W1) G (W - W1)^T), the mean of |W x - W1 x|^2 over inputs x with
// the n x n second moment G. The loss is quadratic in the vector t, so t solves
// normal equations A t = b. Where G is singular A may be: then t is pulled
// towards the best one for inputs of which nothing is known, by 1e-9 of A's
// mean diagonal.
//
// Errors of all: a moment of another size; entries that are not finite.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_NUMERICS_VECTORFIT_H
#define LINNET_NUMERICS_VECTORFIT_H

#include "linnet/Numerics/Matrix.h"

namespace linnet {

/// W1[i, i] = t_i, min(m, n) of them: t_i = (W G)_ii / G_ii, W_ii for inputs
/// that are always 0. Without a moment W's diagonal.
Result<std::vector<double>> fitDiagonal(const Matrix &weights,
                                        const Matrix *moment);
Matrix diagonalMatrix(const std::vector<double> &values, int64_t rows,
                      int64_t columns);

/// W1[o, i] = t[o - i + n - 1], m + n - 1 of them. Without a moment the means
/// of W's diagonals. O(m n + n^2) operations for A and b, (m + n)^3 / 3 to
/// solve. Errors: an empty matrix.
Result<std::vector<double>> fitToeplitz(const Matrix &weights,
                                        const Matrix *moment);
/// m = rows; n follows.
Matrix toeplitzMatrix(const std::vector<double> &values, int64_t rows);

/// W1[o, i] = t[(o - i) mod n], n of them, m = n. Without a moment the means of
/// W's cyclic diagonals. Errors: a matrix that is empty or not square.
Result<std::vector<double>> fitCirculant(const Matrix &weights,
                                         const Matrix *moment);
Matrix circulantMatrix(const std::vector<double> &values);

} // namespace linnet

#endif // LINNET_NUMERICS_VECTORFIT_H
