//===- ColumnFeedback.h - columns that make up for earlier ones -*- C++ -*-===//
//
// Columns of W are replaced left to right; with the upper U, G^-1 = U^T U, the
// error e of column j subtracts e / U_jj U_jk from w_k for k > j (Frantar et
// al. 2023).
//
//===----------------------------------------------------------------------===//

#ifndef LIB_NUMERICS_COLUMNFEEDBACK_H
#define LIB_NUMERICS_COLUMNFEEDBACK_H

#include "SparseOperands.h"

namespace linnet {

/// Errors unless it is at least 1.
Status checkFeedbackBlock(int64_t block);

/// U of the damped moment. Errors: it is not positive definite.
Result<Matrix> factorFeedback(const Matrix &moment, double damping);

/// weights[:, first + count:] -= errors U[first : first + count, first +
/// count:].
void handOnErrors(Matrix &weights, const Matrix &errors, const Matrix &factor,
                  int64_t first);

/// Takes `count` columns from `first`, row by row: replace(r, j) is what the
/// weight at hand becomes, and the later columns hear of the difference.
template <typename Replace>
void replaceColumns(Matrix &weights, const Matrix &factor, int64_t first,
                    int64_t count, Replace replace) {
  Matrix errors(weights.rows(), count);
  int64_t end = first + count;
  for (int64_t r = 0; r < weights.rows(); ++r)
    for (int64_t j = first; j < end; ++j) {
      double error = (weights.at(r, j) - replace(r, j)) / factor.at(j, j);
      if (error == 0)
        continue;
      errors.at(r, j - first) = error;
      for (int64_t k = j + 1; k < end; ++k)
        weights.at(r, k) -= error * factor.at(j, k);
    }
  handOnErrors(weights, errors, factor, first);
}

} // namespace linnet

#endif // LIB_NUMERICS_COLUMNFEEDBACK_H
