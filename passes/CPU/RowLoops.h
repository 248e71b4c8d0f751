//===- RowLoops.h - loops over the rows of a tensor -----------*- C++ -*-===//
//
// What the elementwise and reducing kernels share: every vector of this
// thread's rows, and sums over one row.
//
//===----------------------------------------------------------------------===//

#ifndef PASSES_CPU_ROWLOOPS_H
#define PASSES_CPU_ROWLOOPS_H

#include "passes/CPU/FunctionLowering.h"

namespace mlir::linnet {

/// The buffer of `tensor` with at least one dimension and a last dimension of
/// stride one; entries that lie otherwise are copied to a temporary of `op`.
Buffer denseRows(FunctionLowering &f, Operation *op, Value tensor);

/// Calls body(coordinates, valid) for this thread's share of the vectors of
/// argument `number`: whole vectors have a null `valid`, a row's last one the
/// number of valid lanes. A row longer than a block is split among threads.
void forVectors(KernelBuilder &k, unsigned number,
                llvm::function_ref<void(ArrayRef<Value>, Value)> body);

/// The same with body(coordinates) for every single entry.
void forEntries(KernelBuilder &k, unsigned number,
                llvm::function_ref<void(ArrayRef<Value>)> body);

/// Sum over [0, columns) of the lanes of term(column, valid), which has to be
/// zero in the invalid lanes.
Value sumColumns(KernelBuilder &k, int64_t columns,
                 llvm::function_ref<Value(Value, Value)> term);

/// The product of the extents of the dimensions of argument `number` before
/// `end`; appends them to `sizes`.
Value countRows(KernelBuilder &k, unsigned number, int64_t end,
                SmallVectorImpl<Value> &sizes);

/// `value` in the first `valid` lanes, zero in the others.
Value keepValid(KernelBuilder &k, Value value, Value valid);

} // namespace mlir::linnet

#endif // PASSES_CPU_ROWLOOPS_H
