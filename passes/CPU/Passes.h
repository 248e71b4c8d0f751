//===- Passes.h - passes of the CPU phase --------------------*- C++ -*-===//

#ifndef PASSES_CPU_PASSES_H
#define PASSES_CPU_PASSES_H

#include "mlir/Pass/Pass.h"

namespace mlir::linnet {
#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "passes/CPU/Passes.h.inc"
} // namespace mlir::linnet

#endif // PASSES_CPU_PASSES_H
