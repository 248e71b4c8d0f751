//===- DiagKernel.h - entries times numbers -------------------*- C++ -*-===//

#ifndef PASSES_CPU_DIAGKERNEL_H
#define PASSES_CPU_DIAGKERNEL_H

#include "dialects/Linnet/Linnet.h"
#include "passes/CPU/FunctionLowering.h"

namespace mlir::linnet {

/// A linear map whose structure is a diagonal: y_i = values_i x_i, 0 behind the
/// last input, plus the bias if there is one.
LogicalResult lowerDiag(FunctionLowering &f, LinearOp op);

} // namespace mlir::linnet

#endif // PASSES_CPU_DIAGKERNEL_H
