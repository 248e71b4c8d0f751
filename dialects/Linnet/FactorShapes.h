//===- FactorShapes.h - what the types of factors must be -----*- C++ -*-===//

#ifndef DIALECTS_LINNET_FACTORSHAPES_H
#define DIALECTS_LINNET_FACTORSHAPES_H

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/TypeRange.h"

namespace mlir::linnet {

/// Fails with an error unless there are `count` factors.
LogicalResult expectFactors(TypeRange factors, unsigned count,
                            function_ref<InFlightDiagnostic()> emitError);
/// The shape of factor `index` as a static matrix of floats, or an error.
FailureOr<ArrayRef<int64_t>>
matrixShape(TypeRange factors, unsigned index,
            function_ref<InFlightDiagnostic()> emitError);

} // namespace mlir::linnet

#endif // DIALECTS_LINNET_FACTORSHAPES_H
