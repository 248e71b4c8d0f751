//===- ColumnFeedback.cpp - columns that make up for earlier ones ---------===//

#include "ColumnFeedback.h"

namespace linnet {

Status checkFeedbackBlock(int64_t block) {
  if (block < 1)
    return makeError("expected a block of at least 1 column, but got ", block);
  return Status();
}

Result<Matrix> factorFeedback(const Matrix &moment, double damping) {
  auto inverse = invertPositive(dampMoment(moment, damping));
  if (!inverse)
    return inverse;
  return choleskyFactor(inverse.take());
}

void handOnErrors(Matrix &weights, const Matrix &errors, const Matrix &factor,
                  int64_t first) {
  int64_t end = first + errors.columns();
  Matrix later =
      multiply(errors, factor.rowRange(first, errors.columns())
                           .columnRange(end, weights.columns() - end));
  for (int64_t r = 0; r < weights.rows(); ++r)
    for (int64_t k = 0; k < later.columns(); ++k)
      weights.at(r, end + k) -= later.at(r, k);
}

} // namespace linnet
