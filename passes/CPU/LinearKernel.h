//===- LinearKernel.h - what linear maps compute besides ------*- C++ -*-===//

#ifndef PASSES_CPU_LINEARKERNEL_H
#define PASSES_CPU_LINEARKERNEL_H

#include "dialects/Linnet/Linnet.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

namespace mlir::linnet {

/// The sum of `op`'s result, which nothing else uses, and a tensor that is
/// there before `op`: its kernel writes that instead of the result. Null if
/// there is none.
arith::AddFOp findFusedSum(LinearOp op);

} // namespace mlir::linnet

#endif // PASSES_CPU_LINEARKERNEL_H
