//===- SkippingKernel.h - linear maps of few inputs -----------*- C++ -*-===//

#ifndef PASSES_CPU_SKIPPINGKERNEL_H
#define PASSES_CPU_SKIPPINGKERNEL_H

#include "dialects/Linnet/Linnet.h"
#include "passes/CPU/FunctionLowering.h"

namespace mlir::linnet {

/// Whether `op` is a dense map that may skip zeros, of so few rows that their
/// accumulators fit a tile. A remark says where rows are too many.
bool skipsZeros(FunctionLowering &f, LinearOp op);

/// Such a map: the weights of inputs that are zero in all rows are not read.
/// Sums have the terms of the dense kernel, in its order.
LogicalResult lowerSkippingLinear(FunctionLowering &f, LinearOp op);

} // namespace mlir::linnet

#endif // PASSES_CPU_SKIPPINGKERNEL_H
