//===- LongConvKernel.h - causal convolution, long filter -----*- C++ -*-===//
//
// One item is a vector of channels over all rows of the batch, or one of them:
// the filter is prepared once, and the tail, which is updated in place, belongs
// to one thread. Lanes are channels throughout.
//
//===----------------------------------------------------------------------===//

#ifndef PASSES_CPU_LONGCONVKERNEL_H
#define PASSES_CPU_LONGCONVKERNEL_H

#include "passes/CPU/RowLoops.h"

#include <memory>

namespace mlir::linnet {

/// Lengths that decide how the sum is computed; upper bounds. `before` is the
/// length of the tail, 0 without one.
struct ConvShape {
  int64_t tokens, taps, before;
};

/// The channels of one item: their rows of inputs, outputs and tail, and their
/// taps. Arguments: x, y, filter [G, L], then skip and tail where there are
/// some.
class ConvChannels {
public:
  ConvChannels(KernelBuilder &k, LongConvOp op, const ConvShape &shape);

  /// Chooses `count` channels from `first` on.
  void select(Value first, int64_t count);
  void selectRow(Value row) { batch = row; }

  Value loadInput(Value token) { return loadRow(0, token); }
  Value loadTail(Value row) { return loadRow(tailArgument(), row); }
  /// The last step of a token: the skip, and the store.
  void storeResult(Value sum, Value token);
  /// Calls put(taps, point) for taps start .. start + count - 1.
  void forTaps(Value start, Value count,
               llvm::function_ref<void(Value, Value)> put);
  /// The tail after this step: the last L - 1 of the tail and the inputs.
  void moveTail();

  KernelBuilder &k;
  const ConvShape shape;
  const int64_t lanes, channels;
  Value tokens;

private:
  Value loadRow(unsigned argument, Value row);
  void storeRow(Value value, unsigned argument, Value row);
  unsigned tailArgument() const { return hasSkip ? 4 : 3; }
  Value loadTap(Value tap);
  void transpose(SmallVectorImpl<Value> &rows);

  const bool hasSkip;
  const int64_t filters;
  Value batch, channel, valid;
  int64_t width = 0;
};

/// A way to compute the sum.
class ConvForm {
public:
  virtual ~ConvForm() = default;
  /// For the channels selected.
  virtual void prepareFilter() = 0;
  /// For the row of the batch selected; leaves the tail as it is.
  virtual void convolve() = 0;
};

/// Products of a window of inputs in registers, several tokens and taps at a
/// time.
std::unique_ptr<ConvForm> createDirectConv(ConvChannels &channels);

/// Products of transformed blocks of `block` entries.
std::unique_ptr<ConvForm> createPartitionedConv(ConvChannels &channels,
                                                int64_t block);

/// The block length for createPartitionedConv that pays best, 0 where
/// createDirectConv does.
int64_t chooseConvBlock(const ConvShape &shape);

} // namespace mlir::linnet

#endif // PASSES_CPU_LONGCONVKERNEL_H
