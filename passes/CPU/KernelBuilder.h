//===- KernelBuilder.h - emits the body of one CPU kernel -----*- C++ -*-===//
//
// A kernel is a function over pointers that every thread of the pool calls
// with the same arguments; it does this thread's share of the work. Inside,
// arguments are memrefs of static shape whose dimension 1 may hold fewer
// valid entries (the tokens of this step).
//
//===----------------------------------------------------------------------===//

#ifndef PASSES_CPU_KERNELBUILDER_H
#define PASSES_CPU_KERNELBUILDER_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::linnet {

/// What kernels need to know of the processor.
struct CpuTarget {
  /// f32 values in one vector register.
  int64_t lanes;
  /// Vector registers.
  int64_t registers;
  /// Whether products of bytes are summed in lanes of 32 bits (VNNI).
  bool dotsBytes = false;

  /// Columns of a packed weight panel, and keys of a packed key block.
  int64_t panelWidth() const { return lanes * panelVectors(); }
  /// Vectors of a panel row.
  int64_t panelVectors() const { return registers >= 32 ? 4 : 2; }
  /// Whether a vector of 16 is looked up by the lowest 4 bits of each lane:
  /// AVX-512, the only target with vectors of 16, does.
  bool looksUp16() const { return lanes == 16; }
  /// Rows of the largest register tile: accumulators, one panel row and one
  /// broadcast have to fit the registers.
  int64_t tileRows() const { return 6; }
};

/// The type of one kernel argument: a memref behind a pointer, or (null) an
/// index.
struct KernelArgumentType {
  MemRefType type;
  /// Dimension 1 holds as many valid entries as the step has tokens.
  bool dynamicTokens = false;
};

class KernelBuilder : public ImplicitLocOpBuilder {
public:
  using IndexedBody = llvm::function_ref<void(Value)>;
  using CarriedBody = llvm::function_ref<SmallVector<Value>(Value, ValueRange)>;

  /// Starts the kernel `function` (no body yet), made for `arguments`.
  KernelBuilder(func::FuncOp function, ArrayRef<KernelArgumentType> arguments,
                const CpuTarget &target);

  /// Ends the function.
  void finish();

  /// Argument `number` as a memref, or as an index.
  Value argument(unsigned number) const { return values[number]; }
  MemRefType argumentType(unsigned number) const {
    return arguments[number].type;
  }
  /// Valid entries of dimension `dim` of argument `number`: the tokens of
  /// this step, or the static size.
  Value extent(unsigned number, unsigned dim);

  const CpuTarget &target;
  /// Number of tokens of this step, this thread, and all threads (index).
  Value tokens, thread, threads;

  /// A buffer of this thread, alive until the kernel ends.
  Value scratch(ArrayRef<int64_t> shape, Type element);
  /// What lies at an address (i64).
  Value view(Value address, MemRefType type);
  /// Bytes of scratch used so far.
  int64_t scratchBytes() const { return scratchOffset; }

  //===--------------------------------------------------------------------===//
  // Shorthand
  //===--------------------------------------------------------------------===//

  Value cst(int64_t value);
  Value f32(double value);
  /// A vector of `value` (a scalar, or an f32 constant).
  Value splat(Value scalar, int64_t lanes);
  Value splat(double value, int64_t lanes) { return splat(f32(value), lanes); }
  VectorType vector(int64_t lanes, Type element = {});
  Value add(Value a, Value b);
  Value sub(Value a, Value b);
  Value mul(Value a, Value b);
  Value minimum(Value a, Value b);
  Value maximum(Value a, Value b);
  Value ceilDiv(Value a, int64_t b);
  Value ceilDiv(Value a, Value b);
  Value fma(Value a, Value b, Value c);

  /// for (iv = lower; iv < upper; iv += step) body(iv).
  void loop(Value lower, Value upper, Value step, IndexedBody body);
  void loop(int64_t upper, IndexedBody body);
  void loop(Value upper, IndexedBody body);
  /// The same with loop-carried values; returns their final values.
  SmallVector<Value> loop(Value lower, Value upper, Value step,
                          ValueRange carried, CarriedBody body);
  /// Runs body only if the i1 `condition` holds.
  void onlyIf(Value condition, llvm::function_ref<void()> body);
  Value less(Value a, Value b);

  /// Calls body for this thread's contiguous share of `count` items.
  void share(Value count, IndexedBody body);
  /// The bounds of that share.
  std::pair<Value, Value> shareBounds(Value count);
  /// Splits a linear index into coordinates of `sizes` (the last fastest).
  SmallVector<Value> delinearize(Value index, ArrayRef<Value> sizes);

  /// Loads / stores `lanes` consecutive entries of the last dimension
  /// (unaligned). Loads widen bf16 and f16 to f32.
  Value load(Value memref, ValueRange indices, int64_t lanes);
  void store(Value vectorValue, Value memref, ValueRange indices);
  /// The same for the first `valid` (index) lanes only; other lanes load 0.
  Value load(Value memref, ValueRange indices, int64_t lanes, Value valid);
  void store(Value vectorValue, Value memref, ValueRange indices, Value valid);
  /// A scalar of the last dimension, widened to f32.
  Value loadScalar(Value memref, ValueRange indices);
  void storeScalar(Value scalar, Value memref, ValueRange indices);

  /// Calls body(column, width, valid) over [0, columns): whole vectors of
  /// `lanes` with a null `valid`, then, if columns is no multiple, one with
  /// the number of valid lanes.
  void forColumns(int64_t columns, llvm::function_ref<void(Value, Value)> body);
  /// Load/store that is masked only if `valid` is set.
  Value loadColumns(Value memref, ValueRange indices, Value valid);
  void storeColumns(Value vectorValue, Value memref, ValueRange indices,
                    Value valid);
  /// A float (or vector of them) as f32; anything else as it is.
  Value widen(Value value);
  /// Sum and maximum of a vector's lanes.
  Value reduceSum(Value vectorValue);
  Value reduceMax(Value vectorValue);

private:
  Value makeMemRef(Value pointer, MemRefType type);

  func::FuncOp function;
  SmallVector<KernelArgumentType> arguments;
  SmallVector<Value> values;
  Value scratchPointer;
  int64_t scratchOffset = 0;
};

} // namespace mlir::linnet

#endif // PASSES_CPU_KERNELBUILDER_H
