//===- FitOperands.h - what fits to a second moment take ------*- C++ -*-===//

#ifndef LIB_NUMERICS_FITOPERANDS_H
#define LIB_NUMERICS_FITOPERANDS_H

#include "linnet/Numerics/Matrix.h"

namespace linnet {

/// Errors unless `moment`, if there is one, is n x n for `weights` m x n, and
/// all entries are finite.
Status checkFitOperands(const Matrix &weights, const Matrix *moment);

} // namespace linnet

#endif // LIB_NUMERICS_FITOPERANDS_H
