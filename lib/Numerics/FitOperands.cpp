//===- FitOperands.cpp - what fits to a second moment take ----------------===//

#include "FitOperands.h"

namespace linnet {

Status checkFitOperands(const Matrix &weights, const Matrix *moment) {
  int64_t n = weights.columns();
  if (moment && (moment->rows() != n || moment->columns() != n))
    return makeError("expected a second moment of ", n, " x ", n, ", but got ",
                     moment->rows(), " x ", moment->columns());
  if (!isFinite(weights) || (moment && !isFinite(*moment)))
    return makeError("expected finite entries, but got NaN or infinity");
  return {};
}

} // namespace linnet
