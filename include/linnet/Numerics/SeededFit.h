//===- SeededFit.h - matrices of seeded rows ------------------*- C++ -*-===//
//
// A matrix W1 (m x n) stored as a seed and coefficients (PRANC, Nooralinejad et
// al. 2023; the generator is SeededBasis.h's):
//
//   W1[o, C c + i] = sum_{j < k} coefficients[o, k c + j] B[j, i]
//
// for blocks of C inputs, C divides n, and the k x C basis B of the seed, the
// same for every row and block: W1 = A P, P = I (x) B. The coefficients are
// m x k n / C, the k of a block side by side.
//
// A basis knows nothing of W: of a Gaussian W, k / C of the sum of squares lie
// in its span, so that |W - W1| / |W| = sqrt(1 - k / C) in the mean.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_NUMERICS_SEEDEDFIT_H
#define LINNET_NUMERICS_SEEDEDFIT_H

#include "linnet/Numerics/Matrix.h"

namespace linnet {

/// B, `terms` (k) rows of `block` (C) numbers. What it starts with does not
/// depend on `terms`.
struct SeededBasis {
  int64_t terms = 1, block = 1, seed = 0;
  Matrix toMatrix() const;
};

/// A P: m x n of coefficients m x k n / C. Sizes must agree.
Matrix seededMatrix(const Matrix &coefficients, const SeededBasis &basis);

/// The coefficients that minimise tr((W - A P) G (W - A P)^T), the mean of
/// |W x - W1 x|^2 over inputs x with the n x n second moment G:
/// A = W G P^T (P G P^T)^-1. Of rows that a metric weighs it is the same. G is
/// regularised by `ridge` times its mean diagonal, so that it may be singular
/// and, sums being rounded, a little less: A is pulled towards the fit without
/// data, and never loses more than that. Without a moment each row and block by
/// itself, A = W P^T (P P^T)^-1. O(m n^2) operations and (k n / C)^3 / 3.
///
/// Errors: a block that does not divide n; terms outside of 1 to C; a moment of
/// another size; entries that are not finite.
Result<Matrix> fitSeeded(const Matrix &weights, const Matrix *moment,
                         const SeededBasis &basis, double ridge = 1e-4);

/// What the fit loses with the first 1, 2, ..., k rows of the basis, by one
/// factorisation: tr(W G W^T) less what each next row adds, with the
/// regularised G. Errors as of fitSeeded().
Result<std::vector<double>> seededLosses(const Matrix &weights,
                                         const Matrix *moment,
                                         const SeededBasis &basis,
                                         double ridge = 1e-4);

} // namespace linnet

#endif // LINNET_NUMERICS_SEEDEDFIT_H
