//===- MonarchFit.cpp - two block diagonals with a shuffle between --------===//

#include "linnet/Numerics/MonarchFit.h"

#include <cmath>

namespace linnet {

Matrix MonarchFactors::toDense() const {
  auto q = int64_t(right.size());
  int64_t p = q ? right[0].columns() : 0;
  Matrix dense(p * q, p * q);
  for (int64_t i1 = 0; i1 < p; ++i1)
    for (int64_t i2 = 0; i2 < q; ++i2)
      for (int64_t j1 = 0; j1 < q; ++j1)
        for (int64_t j2 = 0; j2 < p; ++j2)
          dense.at(i1 * q + i2, j1 * p + j2) =
              left[i2].at(i1, j1) * right[j1].at(i2, j2);
  return dense;
}

Result<MonarchFactors> projectOnMonarch(const Matrix &matrix, int64_t blocks) {
  int64_t size = matrix.rows(), q = blocks;
  if (matrix.columns() != size)
    return makeError("expected a square matrix, but got ", size, " x ",
                     matrix.columns());
  if (q < 1 || size % q != 0)
    return makeError("expected a number of blocks that divides ", size,
                     ", but got ", q);
  if (!isFinite(matrix))
    return makeError("expected finite entries, but got NaN or infinity");
  int64_t p = size / q;
  MonarchFactors factors{std::vector<Matrix>(q, Matrix(p, q)),
                         std::vector<Matrix>(q, Matrix(q, p))};
  Matrix slice(p, p);
  for (int64_t i2 = 0; i2 < q && p > 0; ++i2)
    for (int64_t j1 = 0; j1 < q; ++j1) {
      for (int64_t i1 = 0; i1 < p; ++i1)
        for (int64_t j2 = 0; j2 < p; ++j2)
          slice.at(i1, j2) = matrix.at(i1 * q + i2, j1 * p + j2);
      auto svd = singularValues(slice);
      if (!svd)
        return svd.error();
      // Both factors of the same size, so that neither loses bits when rounded.
      double root = std::sqrt(svd->values[0]);
      for (int64_t i = 0; i < p; ++i) {
        factors.left[i2].at(i, j1) = root * svd->u.at(i, 0);
        factors.right[j1].at(i2, i) = root * svd->vt.at(0, i);
      }
    }
  return factors;
}

} // namespace linnet
