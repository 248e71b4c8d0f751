//===- BlockLowRank.h - blocks of low rank each ---------------*- C++ -*-===//
//
// W (m x n) in b x b blocks of rank r each, W_ij = L_ij R_ij: two block
// diagonal matrices with a shuffle between them, a Monarch matrix (Dao et al.
// 2022) up to the order of its outputs, there with r = 1. It takes b r (m + n)
// numbers.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_NUMERICS_BLOCKLOWRANK_H
#define LINNET_NUMERICS_BLOCKLOWRANK_H

#include "linnet/Numerics/Matrix.h"

namespace linnet {

struct BlockLowRank {
  int64_t blocks = 0;
  /// m/b x b r for each row i of blocks: L_i1, L_i2, ...
  std::vector<Matrix> left;
  /// b r x n/b for each column j of blocks: R_1j above R_2j, ...
  std::vector<Matrix> right;

  Matrix toDense() const;
};

/// Near to `weight` for inputs of second moment `moment` (null: independent
/// ones, for which the nearest matrix is found). From that on E|(W - W1) x|^2
/// is made smaller by one block after the other, each the best of its rank with
/// the others as they are, `sweeps` times over all; no step makes it larger.
/// With one block it is fitLowRank(). Errors: blocks that do not divide both
/// sizes, a rank below 1 or above a block's, entries that are not finite.
Result<BlockLowRank> fitBlockLowRank(const Matrix &weight, const Matrix *moment,
                                     int64_t blocks, int64_t rank,
                                     int64_t sweeps = 4);

} // namespace linnet

#endif // LINNET_NUMERICS_BLOCKLOWRANK_H
