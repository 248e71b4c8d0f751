//===- LinearKernel.h - what linear maps compute besides ------*- C++ -*-===//

#ifndef PASSES_CPU_LINEARKERNEL_H
#define PASSES_CPU_LINEARKERNEL_H

#include "dialects/Linnet/Linnet.h"
#include "passes/CPU/FunctionLowering.h"

namespace mlir::linnet {

/// A tensor that is the sum of a map's result and others.
struct FusedSum {
  /// Null if there is none.
  Value result;
  SmallVector<Value> others;
};

/// The sum of `op`'s result, which nothing else uses, and tensors that are
/// there before `op`: its kernel writes that instead of the result.
FusedSum findFusedSum(LinearOp op);
/// Whether a map's kernel writes what `sum` computes.
bool isFusedSum(Operation *sum);

/// Where the kernel of `op` writes, and what it adds to each row if that is a
/// sum, which a remark says.
struct LinearResult {
  Buffer y;
  SmallVector<Buffer> addends;
};
LinearResult resultOf(FunctionLowering &f, LinearOp op);

} // namespace mlir::linnet

#endif // PASSES_CPU_LINEARKERNEL_H
