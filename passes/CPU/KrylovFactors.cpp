//===- KrylovFactors.cpp - powers of a transition that mixes rows ---------===//
//
// Readers are B products of a row with the transition's matrix, anchors L / B
// products of its B-th power, which is log2(B) squarings, with a column: for
// K rows O(K^2 (B + L / B) + K^3 log B) operations where a token by token pass
// takes O(K^2 L) (Gu et al. 2021, LSSL, compute powers by such a doubling).
//
// All of it is f64: a power of the matrix multiplies the rounding of its
// entries by the exponent, which is thousands.
//
//===----------------------------------------------------------------------===//

#include "passes/CPU/RegisterTile.h"
#include "passes/CPU/SsmKernelKernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::linnet;

/// Beyond these, an exponential is zero or infinite in f32.
static constexpr double kLargestExponent = 104;

/// Scalars and vectors of f64, which the builder's loads would narrow.
static Value loadEntry(KernelBuilder &k, Value from, ValueRange at) {
  return memref::LoadOp::create(k, from, at);
}
static Value loadRow(KernelBuilder &k, Value from, ValueRange at) {
  return vector::LoadOp::create(k, k.vector(k.target.lanes, k.getF64Type()),
                                from, at);
}
static Value constant(KernelBuilder &k, double value) {
  return arith::ConstantOp::create(k, k.getF64FloatAttr(value));
}
static Value zeroRow(KernelBuilder &k) {
  return k.splat(constant(k, 0), k.target.lanes);
}
static Value widen(KernelBuilder &k, Value scalar) {
  return arith::ExtFOp::create(k, k.getF64Type(), scalar);
}

/// e^log in f64: a Taylor series of log / 1024, ten times squared.
static Value emitExp(KernelBuilder &k, Value log) {
  Value x = widen(k, log), least = constant(k, -kLargestExponent);
  Value reduced =
      k.mul(k.minimum(k.maximum(x, least), constant(k, kLargestExponent)),
            constant(k, 0x1p-10));
  Value sum = constant(k, 1);
  for (int term = 9; term > 0; --term)
    sum = k.add(constant(k, 1),
                k.mul(sum, k.mul(reduced, constant(k, 1.0 / term))));
  for (int i = 0; i < 10; ++i)
    sum = k.mul(sum, sum);
  // A decay that erases is exactly zero.
  Value erased = arith::CmpFOp::create(k, arith::CmpFPredicate::OLT, x, least);
  return arith::SelectOp::create(k, erased, constant(k, 0), sum);
}

int64_t SsmKernelKernel::paddedRows() const {
  return llvm::alignTo(keys, lanes);
}

void SsmKernelKernel::reserveMatrices() {
  Type f64 = k.getF64Type();
  for (Value *place : {&matrix, &squared})
    *place = k.scratch({keys, paddedRows()}, f64);
  for (Value *place : {&readerRow, &nextReader, &anchorColumn, &nextAnchor})
    *place = k.scratch({paddedRows()}, f64);
}

/// The matrix of one token's transition: decay, blocks, then the rank-1 term.
void SsmKernelKernel::emitMatrix() {
  k.loop(keys, [&](Value r) {
    k.loop(k.cst(0), k.cst(paddedRows()), k.cst(lanes),
           [&](Value c) { k.store(zeroRow(k), matrix, {r, c}); });
  });
  if (form.hasMixing()) {
    addBlocks();
  } else {
    k.loop(keys, [&](Value r) {
      k.storeScalar(emitExp(k, logDecay(r)), matrix, {r, r});
    });
  }
  if (form.hasPerturbation())
    addRankOne();
}

void SsmKernelKernel::addBlocks() {
  const ScanOperand &blocks = in.parameters[form.mixing];
  int64_t size = blocks.sizes.back();
  k.loop(keys, [&](Value r) {
    Value first = k.mul(arith::DivUIOp::create(k, r, k.cst(size)), k.cst(size));
    k.loop(size, [&](Value j) {
      Value c = k.add(first, j);
      Value decay = emitExp(k, logDecay(c));
      k.storeScalar(k.mul(widen(k, loadScalar(blocks, r, j)), decay), matrix,
                    {r, c});
    });
  });
}

/// b a^T, where for a tied term a is the decayed key and b is -beta times the
/// key.
void SsmKernelKernel::addRankOne() {
  auto entry = [&](const ScanOperand &operand, Value row) {
    return widen(k, loadScalar(operand, row));
  };
  k.loop(keys, [&](Value r) {
    Value writer;
    if (form.tied)
      writer = arith::NegFOp::create(
          k, k.mul(entry(in.parameters[form.beta], r), entry(in.key, r)));
    else
      writer = entry(in.parameters[form.writer], r);
    k.loop(keys, [&](Value c) {
      Value reader = form.tied
                         ? k.mul(emitExp(k, logDecay(c)), entry(in.key, c))
                         : entry(in.parameters[form.reader], c);
      Value old = loadEntry(k, matrix, {r, c});
      k.storeScalar(k.add(old, k.mul(writer, reader)), matrix, {r, c});
    });
  });
}

/// to = from from.
void SsmKernelKernel::square(Value from, Value to) {
  unsigned vectors = k.target.panelVectors() / 2;
  while (paddedRows() / lanes % vectors)
    vectors /= 2;
  k.loop(k.cst(0), k.cst(paddedRows()), k.cst(vectors * lanes), [&](Value c) {
    forRowTiles(
        k, k.cst(0), k.cst(keys), k.target.tileRows(),
        [&](Value first, unsigned rows) {
          TileAccumulators sums(rows * vectors, zeroRow(k));
          auto columnOf = [&](unsigned v) {
            return k.add(c, k.cst(v * lanes));
          };
          auto rowOf = [&](unsigned r) { return k.add(first, k.cst(r)); };
          sums = multiplyTile(
              k, rows, vectors, k.cst(0), k.cst(keys), 1, sums,
              [&](unsigned r, Value inner) {
                return loadEntry(k, from, {rowOf(r), inner});
              },
              [&](unsigned v, Value inner) {
                return loadRow(k, from, {inner, columnOf(v)});
              });
          for (unsigned r = 0; r < rows; ++r)
            for (unsigned v = 0; v < vectors; ++v)
              k.store(sums[r * vectors + v], to, {rowOf(r), columnOf(v)});
        });
  });
}

/// result = row matrix.
void SsmKernelKernel::multiplyRow(Value row, Value matrix, Value result) {
  k.loop(k.cst(0), k.cst(paddedRows()), k.cst(lanes), [&](Value c) {
    Value sum = k.loop(k.cst(0), k.cst(keys), k.cst(1), zeroRow(k),
                       [&](Value r, ValueRange carried) -> SmallVector<Value> {
                         return {k.fma(k.splat(loadEntry(k, row, r), lanes),
                                       loadRow(k, matrix, {r, c}), carried[0])};
                       })[0];
    k.store(sum, result, c);
  });
}

/// result = matrix column.
void SsmKernelKernel::multiplyColumn(Value matrix, Value column, Value result) {
  k.loop(keys, [&](Value r) {
    Value sum = k.loop(k.cst(0), k.cst(paddedRows()), k.cst(lanes), zeroRow(k),
                       [&](Value c, ValueRange carried) -> SmallVector<Value> {
                         return {k.fma(loadRow(k, matrix, {r, c}),
                                       loadRow(k, column, c), carried[0])};
                       })[0];
    k.storeScalar(k.reduceSum(sum), result, r);
  });
}

void SsmKernelKernel::emitKrylov() {
  emitMatrix();
  Value zero = zeroRow(k);
  for (Value place : {readerRow, anchorColumn, nextAnchor})
    k.loop(k.cst(0), k.cst(paddedRows()), k.cst(lanes),
           [&](Value c) { k.store(zero, place, c); });
  Value scale = constant(k, op.getScale().convertToDouble());
  k.loop(keys, [&](Value r) {
    k.storeScalar(k.mul(scale, widen(k, loadScalar(in.query, r))), readerRow,
                  r);
    Value key = widen(k, loadScalar(in.key, r));
    if (form.tied)
      key = k.mul(widen(k, loadScalar(in.parameters[form.beta], r)), key);
    k.storeScalar(key, anchorColumn, r);
  });
  auto copy = [&](Value from, Value to) {
    k.loop(k.cst(0), k.cst(paddedRows()), k.cst(lanes),
           [&](Value c) { k.store(loadRow(k, from, c), to, c); });
  };
  auto put = [&](Value from, Value list, Value place) {
    k.loop(keys, [&](Value r) {
      Value entry =
          arith::TruncFOp::create(k, k.getF32Type(), loadEntry(k, from, r));
      k.storeScalar(entry, list, {r, place});
    });
  };
  k.loop(block, [&](Value j) {
    put(readerRow, right, j);
    multiplyRow(readerRow, matrix, nextReader);
    copy(nextReader, readerRow);
  });
  Value power = matrix, other = squared;
  for (int64_t exponent = 1; exponent < block; exponent *= 2) {
    square(power, other);
    std::swap(power, other);
  }
  k.loop(llvm::divideCeil(length, block), [&](Value a) {
    put(anchorColumn, left, a);
    multiplyColumn(power, anchorColumn, nextAnchor);
    copy(nextAnchor, anchorColumn);
  });
}
