//===- BlastFit.h - blocks that share their factors -----------*- C++ -*-===//
//
// A BLAST matrix (Lee et al. 2024), m x n in b x b blocks, of which block (i,
// j) is left_i diag(D_ij) right_j with left_i m/b x r and right_j r x n/b: a
// row of blocks shares its column space, a column of blocks its row space. It
// takes r (m + n + b^2) numbers and multiplications. D_ij = 1 everywhere is low
// rank, D_ij = 0 for i != j is block diagonal.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_NUMERICS_BLASTFIT_H
#define LINNET_NUMERICS_BLASTFIT_H

#include "linnet/Numerics/Matrix.h"

namespace linnet {

struct BlastFactors {
  /// b matrices each.
  std::vector<Matrix> left, right;
  /// b^2 x r, row i b + j for block (i, j).
  Matrix diagonals;

  Matrix toDense() const;
  int64_t numbers() const;
};

struct BlastOptions {
  /// Rounds of the three exact solves.
  int64_t iterations = 100;
  /// Random starts, of which the best result counts.
  int64_t starts = 1;
  uint64_t seed = 0;
};

struct BlastFit {
  BlastFactors factors;
  /// |A - A'| / |A| after each round of the best start; 0 for an A of zeros. It
  /// never rises, but for rounding.
  std::vector<double> history;
};

/// Alternating least squares for |A - A'| (Frobenius): left, right and
/// diagonals in turn, each solved exactly with a small pull to what it was,
/// which keeps singular systems defined and every step a descent. A local
/// optimum: the problem is not convex. Errors: fewer than 1 block, of a number
/// that does not divide both sizes; a rank, rounds or starts below 1; entries
/// that are not finite.
Result<BlastFit> fitBlast(const Matrix &matrix, int64_t blocks, int64_t rank,
                          const BlastOptions &options = {});

} // namespace linnet

#endif // LINNET_NUMERICS_BLASTFIT_H
