//===- Passes.h - passes of the Form phase --------------------*- C++ -*-===//

#ifndef PASSES_FORM_PASSES_H
#define PASSES_FORM_PASSES_H

#include "mlir/Pass/Pass.h"

namespace mlir::linnet {
#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "passes/Form/Passes.h.inc"
} // namespace mlir::linnet

#endif // PASSES_FORM_PASSES_H
