//===- SsmKernelKernel.h - filters of time-invariant scans ----*- C++ -*-===//
//
// The filter h[l] = q^T T^l k of one channel in blocks of B taps: with
// l = a B + j it is the product of anchors T^(a B) k with readers q^T T^j, a
// matrix product of L/B x R times R x B. Only the two factors depend on the
// transition: a decay that mixes no rows has its powers from exponentials (a
// Vandermonde matrix), any other one from products with its matrix (a Krylov
// space). Errors of a power do not add up over the length: each tap is at most
// two products away from an exact one.
//
//===----------------------------------------------------------------------===//

#ifndef PASSES_CPU_SSMKERNELKERNEL_H
#define PASSES_CPU_SSMKERNELKERNEL_H

#include "passes/CPU/ScanOperands.h"

namespace mlir::linnet {

/// The operands of an ssm_kernel as arguments of its kernel.
struct SsmOperands {
  ScanOperand query, key;
  std::vector<ScanOperand> parameters;
  unsigned result = 0;
};

class SsmKernelKernel {
public:
  SsmKernelKernel(KernelBuilder &k, SsmKernelOp op, const SsmOperands &in);

  void emit();

private:
  /// A complex number, or a real one if there is no imaginary part.
  struct Number {
    Value re, im;
  };
  bool isComplex() const { return form.hasPhase(); }
  bool isKrylov() const { return form.hasMixing() || form.hasPerturbation(); }

  void emitChannel(Value channel);
  Value loadScalar(const ScanOperand &operand, Value row, Value mixed = {});
  Value logDecay(Value row);

  // Powers of decays.
  void emitPowers();
  void emitPowersOf(Value row);
  Number multiply(Number x, Number y);
  Number powersOf(Value log, Value angle, Value exponents);
  void emitList(Value list, Value row, Number first, Number step, int64_t count,
                bool conjugate);
  Value ascending();

  // Powers of a matrix (KrylovFactors.cpp).
  void reserveMatrices();
  void emitKrylov();
  void emitMatrix();
  void addBlocks();
  void addRankOne();
  void square(Value from, Value to);
  void multiplyRow(Value row, Value matrix, Value result);
  void multiplyColumn(Value matrix, Value column, Value result);
  int64_t paddedRows() const;

  void emitProduct(Value channel);
  void emitTile(Value channel, Value anchor, unsigned rows, Value first,
                unsigned vectors, int64_t valid);

  KernelBuilder &k;
  SsmKernelOp op;
  const SsmOperands &in;
  const NormalForm form;
  const int64_t lanes, length, keys;
  /// Taps of a block, and blocks rounded up to whole vectors.
  int64_t block = 0, anchors = 0;
  ScanPlace at;
  Value column;
  /// Anchors [R][L / B] and readers [R][B], R rows of the real state.
  Value left, right;
  /// The transition and its squares [K][K padded], a row and a column.
  Value matrix, squared, readerRow, nextReader, anchorColumn, nextAnchor;
};

} // namespace mlir::linnet

#endif // PASSES_CPU_SSMKERNELKERNEL_H
