//===- Passes.h - passes of the Compress phase ----------------*- C++ -*-===//

#ifndef PASSES_COMPRESS_PASSES_H
#define PASSES_COMPRESS_PASSES_H

#include "mlir/Pass/Pass.h"

#include <cstdint>
#include <string>

namespace mlir::linnet {
#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "passes/Compress/Passes.h.inc"
} // namespace mlir::linnet

#endif // PASSES_COMPRESS_PASSES_H
