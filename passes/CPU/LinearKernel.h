//===- LinearKernel.h - what linear maps compute besides ------*- C++ -*-===//

#ifndef PASSES_CPU_LINEARKERNEL_H
#define PASSES_CPU_LINEARKERNEL_H

#include "dialects/Linnet/Linnet.h"
#include "passes/CPU/FunctionLowering.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

namespace mlir::linnet {

/// The sum of `op`'s result, which nothing else uses, and a tensor that is
/// there before `op`: its kernel writes that instead of the result. Null if
/// there is none.
arith::AddFOp findFusedSum(LinearOp op);

/// Where the kernel of `op` writes, and what it adds to each row if that is a
/// sum, which a remark says.
struct LinearResult {
  Buffer y;
  std::optional<Buffer> addend;
};
LinearResult resultOf(FunctionLowering &f, LinearOp op);

} // namespace mlir::linnet

#endif // PASSES_CPU_LINEARKERNEL_H
