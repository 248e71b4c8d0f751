//===- Passes.h - passes of the Linearize phase -----------------*- C++ -*-===//

#ifndef PASSES_LINEARIZE_PASSES_H
#define PASSES_LINEARIZE_PASSES_H

#include "mlir/Pass/Pass.h"

namespace mlir::linnet {
#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "passes/Linearize/Passes.h.inc"
} // namespace mlir::linnet

#endif // PASSES_LINEARIZE_PASSES_H
