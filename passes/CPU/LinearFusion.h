//===- LinearFusion.h - what linear maps compute besides ------*- C++ -*-===//

#ifndef PASSES_CPU_LINEARFUSION_H
#define PASSES_CPU_LINEARFUSION_H

#include "dialects/Linnet/Linnet.h"
#include "passes/CPU/FunctionLowering.h"

namespace mlir::linnet {

/// Whether a map's kernel writes what `sum` computes: the sum of the map's
/// result, which nothing else uses, and tensors that are there before the map.
bool isFusedSum(Operation *sum);

/// Whether `op` is a permutation without a kernel: every kernel that would read
/// its result reads its input, by the order. Views may stand between.
bool isReadInOrder(const FunctionLowering &f, Operation *op);

/// Rows of a tensor. With an order, entry i of a row is entry order[i] of the
/// row in `place`; numbers in it may be anything.
struct OrderedRows {
  Buffer place;
  std::optional<Buffer> order;
};
/// Where a kernel of a linear map finds `tensor`.
OrderedRows rowsOf(FunctionLowering &f, Value tensor);

/// Where the kernel of `op` writes, and what it adds to each row if that is a
/// sum, which a remark says.
struct LinearResult {
  Buffer y;
  SmallVector<OrderedRows> addends;
};
LinearResult resultOf(FunctionLowering &f, LinearOp op);

} // namespace mlir::linnet

#endif // PASSES_CPU_LINEARFUSION_H
