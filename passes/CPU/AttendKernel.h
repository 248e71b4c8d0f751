//===- AttendKernel.h - queries against stored keys -----------*- C++ -*-===//

#ifndef PASSES_CPU_ATTENDKERNEL_H
#define PASSES_CPU_ATTENDKERNEL_H

#include "dialects/Linnet/Linnet.h"
#include "passes/CPU/KernelBuilder.h"

namespace mlir::linnet {

/// Sizes of one attention operation.
struct AttentionShape {
  int64_t batch, queryHeads, keyHeads, keyWidth, valueWidth;
  int64_t group() const { return queryHeads / keyHeads; }
};

/// The outputs of `op` from the arguments queries, stored keys and values,
/// outputs, and the number of keys or, with a cache, the position; then the
/// mask and the bias, at these numbers if not negative.
void emitAttend(KernelBuilder &k, AttentionOp op, const AttentionShape &shape,
                int64_t maskNumber, int64_t biasNumber);

} // namespace mlir::linnet

#endif // PASSES_CPU_ATTENDKERNEL_H
