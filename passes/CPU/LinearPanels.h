//===- LinearPanels.h - where packed matrices come from -------*- C++ -*-===//

#ifndef PASSES_CPU_LINEARPANELS_H
#define PASSES_CPU_LINEARPANELS_H

#include "dialects/Linnet/Linnet.h"
#include "passes/CPU/FunctionLowering.h"

namespace mlir::linnet {

/// The panels [blocks N / NR][K][NR] of the factor of `op`, whose blocks are
/// [N][K], or [K][N] if `transposed`: packed at load if it is a weight or a
/// part of one, else on every call.
Buffer panelsOf(FunctionLowering &f, LinearOp op, const LinearShape &shape,
                bool transposed);

/// The panels [N / NR][K][NR] of `factor`, a weight [N][K] of floats or of i8,
/// in its own type; nothing if it is no weight.
std::optional<Buffer> panelsOfWeight(FunctionLowering &f, Value factor);

/// Whether the rows of x lie along its tokens (and heads): else they are few,
/// the sequences of a batch.
bool hasManyRows(const Buffer &x);

/// A factor of `op` in its own order and type, its rows dense.
Buffer wholeFactor(FunctionLowering &f, LinearOp op, Value factor);

} // namespace mlir::linnet

#endif // PASSES_CPU_LINEARPANELS_H
