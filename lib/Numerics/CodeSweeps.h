//===- CodeSweeps.h - coordinate descent on codes -------------*- C++ -*-===//

#ifndef LIB_NUMERICS_CODESWEEPS_H
#define LIB_NUMERICS_CODESWEEPS_H

#include "linnet/Numerics/Quantization.h"

namespace linnet {

/// Lowers tr(R D G D^T), D = W' - `target`, by at most so many passes over the
/// grids and codes of W' = `codes`; it never rises. `moment` G is positive
/// definite; an empty `metric` R is the identity. Errors: a moment that is not
/// positive definite.
Status sweepCodes(QuantizedMatrix &codes, const Matrix &target,
                  const Matrix &moment, const Matrix &metric, int64_t sweeps);

} // namespace linnet

#endif // LIB_NUMERICS_CODESWEEPS_H
