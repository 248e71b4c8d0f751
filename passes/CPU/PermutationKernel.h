//===- PermutationKernel.h - entries in another order ---------*- C++ -*-===//

#ifndef PASSES_CPU_PERMUTATIONKERNEL_H
#define PASSES_CPU_PERMUTATIONKERNEL_H

#include "dialects/Linnet/Linnet.h"
#include "passes/CPU/FunctionLowering.h"

namespace mlir::linnet {

/// A linear map whose structure is a permutation: y_i = x_order[i], plus the
/// bias if there is one.
LogicalResult lowerPermutation(FunctionLowering &f, LinearOp op);

} // namespace mlir::linnet

#endif // PASSES_CPU_PERMUTATIONKERNEL_H
