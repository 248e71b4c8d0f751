//===- MonarchFit.h - two block diagonals and a shuffle --------*- C++ -*-===//
//
// A Monarch matrix (Dao et al. 2022) is P L P^T R with block diagonal L and R
// and a permutation P: with p q rows and columns,
//   M[i1 q + i2, j1 p + j2] = left_{i2}[i1, j1] right_{j1}[i2, j2],
// i1, j2 < p and i2, j1 < q: q blocks right_{j1} (q x p) take the parts of the
// input, q blocks left_{i2} (p x q) what those have in common. It takes
// 2 p q^2 numbers and as many multiplications, p^2 q^2 dense.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_NUMERICS_MONARCHFIT_H
#define LINNET_NUMERICS_MONARCHFIT_H

#include "linnet/Numerics/Matrix.h"

namespace linnet {

struct MonarchFactors {
  /// p x q each, by i2.
  std::vector<Matrix> left;
  /// q x p each, by j1.
  std::vector<Matrix> right;

  Matrix toDense() const;
};

/// The Monarch matrix nearest to `matrix` (p q x p q) in the Frobenius norm:
/// for every i2 and j1 the p x p entries over i1 and j2 become the nearest
/// matrix of rank one. Exact for Kronecker products and Hadamard matrices.
/// Errors: a matrix that is not square, a `blocks` (q) that is not above 0 or
/// does not divide its size, entries that are not finite.
Result<MonarchFactors> projectOnMonarch(const Matrix &matrix, int64_t blocks);

} // namespace linnet

#endif // LINNET_NUMERICS_MONARCHFIT_H
