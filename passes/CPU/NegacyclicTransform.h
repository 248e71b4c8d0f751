//===- NegacyclicTransform.h - products of real polynomials ---*- C++ -*-===//
//
// A real polynomial A of 2M coefficients modulo x^2M + 1 is, with x^M = i, the
// complex one of coefficients a_n + i a_(n+M) modulo x^M - i. Evaluated at the
// M roots, products are entry by entry, so that the product of two blocks of M
// real entries needs neither padding with imaginary parts nor their separation
// afterwards: its first half comes out in the real parts, its second in the
// imaginary ones.
//
// One lane is one polynomial: no transform moves data between lanes, and since
// both directions run in place and products are in whatever order the forward
// one leaves, nothing is ever reordered. Splitting x^4q - r^4 at the four roots
// of x^q = s has one set of factors per polynomial rather than per
// coefficient (the untwisted form of Bernstein 2007, "The tangent FFT", which
// is also that of number-theoretic transforms).
//
//===----------------------------------------------------------------------===//

#ifndef PASSES_CPU_NEGACYCLICTRANSFORM_H
#define PASSES_CPU_NEGACYCLICTRANSFORM_H

#include "passes/CPU/KernelBuilder.h"

namespace mlir::linnet {

/// A vector of complex numbers; no imaginary part means zero.
struct ComplexLanes {
  Value re, im;
};

/// Emits the transforms of `size` (a power of two) points of buffers
/// [blocks][>= size][2][lanes]: real and imaginary part of a point are
/// neighbours.
class NegacyclicTransform {
public:
  NegacyclicTransform(KernelBuilder &k, int64_t size);

  /// Evaluates block `block` of `buffer` in place; its imaginary parts are
  /// taken for zero.
  void forward(Value buffer, Value block);
  /// `size` times the inverse, in place.
  void inverse(Value buffer, Value block);

  ComplexLanes load(Value buffer, Value block, Value point) const;
  void store(ComplexLanes value, Value buffer, Value block, Value point) const;

  /// Multiply-adds and sums of one transform per lane.
  static double cost(int64_t size);

private:
  /// Polynomials that one level splits into `radix` parts of `part` points.
  struct Level {
    int64_t radix, part, first, count;
  };
  using Body =
      llvm::function_ref<void(Value point, ArrayRef<ComplexLanes> factors)>;
  void forPoints(const Level &level, Body body) const;
  Value rootTable();

  KernelBuilder &k;
  int64_t size, lanes;
  SmallVector<Level> levels;
  /// Per polynomial the powers 1 to 3 of its root, [polynomials][6].
  Value roots;
};

} // namespace mlir::linnet

#endif // PASSES_CPU_NEGACYCLICTRANSFORM_H
