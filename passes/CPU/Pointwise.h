//===- Pointwise.h - structured computations in kernels -------*- C++ -*-===//
//
// What linalg operations and elementwise arith and math operations on tensors
// have in common: operands read through maps, and a scalar computation.
//
//===----------------------------------------------------------------------===//

#ifndef PASSES_CPU_POINTWISE_H
#define PASSES_CPU_POINTWISE_H

#include "passes/CPU/FunctionLowering.h"

#include "mlir/IR/AffineMap.h"

namespace mlir::linnet {

/// The constant that every entry of `value` is (a scalar constant or a dense
/// splat), or null.
TypedAttr splatConstant(Value value);

/// One operand: a constant, or entries of a kernel argument.
struct PointwiseOperand {
  Value tensor;
  /// From the iteration space to the operand: dimensions and constants.
  AffineMap map;
  TypedAttr constant;
  /// Argument of the kernel; -1 for constants.
  int argument = -1;
};

/// A computation of `outputs` from `inputs` over an iteration space. The
/// scalars are computed by the operations of `body`, whose arguments are the
/// inputs, then the outputs' old values, or by the one operation `single`.
class Pointwise {
public:
  Operation *op = nullptr;
  Block *body = nullptr;
  SmallVector<PointwiseOperand> inputs, outputs;
  int64_t rank = 0;

  /// Checks that kernels can compute this; an operation error if not.
  LogicalResult check();
  /// Calls the kernel.
  LogicalResult lower(FunctionLowering &f);

private:
  bool usesOld(unsigned output) const;
  bool reduces() const;
  bool canVectorise(KernelBuilder &k) const;
  std::string describe() const;
  SmallVector<Value> place(KernelBuilder &k, const PointwiseOperand &operand,
                           ArrayRef<Value> dims) const;
  Value load(KernelBuilder &k, const PointwiseOperand &operand,
             ArrayRef<Value> dims, Value valid, bool vector) const;
  void store(KernelBuilder &k, Value value, const PointwiseOperand &operand,
             ArrayRef<Value> dims, Value valid) const;
  SmallVector<Value> compute(KernelBuilder &k, ArrayRef<Value> arguments,
                             ArrayRef<Value> dims, bool vector) const;
  SmallVector<Value> dimsOf(ArrayRef<Value> at) const;
  void emit(KernelBuilder &k) const;
  void emitReduction(KernelBuilder &k) const;
  /// Iteration dimensions the first output lacks.
  SmallVector<unsigned> reducedDims() const;
};

} // namespace mlir::linnet

#endif // PASSES_CPU_POINTWISE_H
