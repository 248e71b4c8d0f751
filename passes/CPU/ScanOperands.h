//===- ScanOperands.h - reading the operands of a scan --------*- C++ -*-===//
//
// linnet.scan broadcasts by size; this is the one place that knows how.
//
//===----------------------------------------------------------------------===//

#ifndef PASSES_CPU_SCANOPERANDS_H
#define PASSES_CPU_SCANOPERANDS_H

#include "passes/CPU/FunctionLowering.h"

#include "dialects/Linnet/Linnet.h"

namespace mlir::linnet {

/// Batch row, token and head that a kernel works on, the head's number in
/// operands with a group of heads per micro-step, and the row of a block that
/// is mixed into another one.
struct ScanPlace {
  Value batch, token, head, stepHead, mixed;
};

/// One operand of the recurrence.
struct ScanOperand {
  /// Number of the kernel's argument.
  unsigned argument = 0;
  /// Its dimensions, e.g. "bthk".
  std::string letters;
  SmallVector<int64_t> sizes;
  /// Heads of the recurrence, of all micro-steps if `byStep`.
  int64_t heads = 1;
  bool byStep = false;

  /// Whether entries differ along the dimension `letter`.
  bool varies(char letter) const {
    size_t d = letters.find(letter);
    return d != std::string::npos && sizes[d] > 1;
  }
  /// Where the entry of (place, row, column) stands; the row of a dimension
  /// `p` is a pair's.
  SmallVector<Value> indices(KernelBuilder &k, const ScanPlace &place,
                             Value row, Value column) const;
  /// That entry, or, if the operand varies along the letter `along` ('k', 'p'
  /// or 'v'), a vector from it on (the first `valid` lanes if set).
  Value load(KernelBuilder &k, const ScanPlace &place, Value row, Value column,
             char along, Value valid) const;
};

/// The operands of a scan as arguments of its kernel.
struct ScanOperands {
  ScanOperand query, key, value;
  std::vector<ScanOperand> parameters;
  std::optional<ScanOperand> bonus, resets;
  /// Argument numbers of the output and of the state [B, H, K, V].
  unsigned result = 0, state = 0;
  int64_t heads = 0, keys = 0, values = 0, steps = 1;
};

/// Appends the buffers of `op` to `arguments`; the state's buffer holds the
/// initial state.
ScanOperands collectScanOperands(FunctionLowering &f, ScanOp op,
                                 SmallVectorImpl<KernelArgument> &arguments);

} // namespace mlir::linnet

#endif // PASSES_CPU_SCANOPERANDS_H
