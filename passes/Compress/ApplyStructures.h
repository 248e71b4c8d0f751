//===- ApplyStructures.h - dense maps become structured -------*- C++ -*-===//

#ifndef PASSES_COMPRESS_APPLYSTRUCTURES_H
#define PASSES_COMPRESS_APPLYSTRUCTURES_H

#include "mlir/IR/BuiltinOps.h"

#include <string>

namespace mlir::linnet {

/// The effect of linnet-apply-structures, and how many matrices follow from
/// factors then. Emits an error and fails as it says.
FailureOr<int64_t> applyStructures(ModuleOp module,
                                   const std::string &checkpoint);

} // namespace mlir::linnet

#endif // PASSES_COMPRESS_APPLYSTRUCTURES_H
