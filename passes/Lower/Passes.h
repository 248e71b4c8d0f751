//===- Passes.h - passes of the Lower phase --------------------*- C++ -*-===//

#ifndef PASSES_LOWER_PASSES_H
#define PASSES_LOWER_PASSES_H

#include "mlir/Pass/Pass.h"

namespace mlir::linnet {
#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "passes/Lower/Passes.h.inc"
} // namespace mlir::linnet

#endif // PASSES_LOWER_PASSES_H
