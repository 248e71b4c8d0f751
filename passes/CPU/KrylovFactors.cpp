//===- KrylovFactors.cpp - powers of a transition that mixes rows ---------===//
//
// Readers are B products of a row with the transition's matrix, anchors L / B
// products of its B-th power, which is log2(B) squarings, with a column: for
// K rows O(K^2 (B + L / B) + K^3 log B) operations where a token by token pass
// takes O(K^2 L) (Gu et al. 2021, LSSL, compute powers by such a doubling).
//
//===----------------------------------------------------------------------===//

#include "passes/CPU/RegisterTile.h"
#include "passes/CPU/SsmKernelKernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mlir::linnet;

int64_t SsmKernelKernel::paddedRows() const {
  return llvm::alignTo(keys, lanes);
}

void SsmKernelKernel::reserveMatrices() {
  Type f32 = k.getF32Type();
  for (Value *place : {&matrix, &squared})
    *place = k.scratch({keys, paddedRows()}, f32);
  for (Value *place : {&readerRow, &nextReader, &anchorColumn, &nextAnchor})
    *place = k.scratch({paddedRows()}, f32);
}

/// The matrix of one token's transition: decay, blocks, then the rank-1 term.
void SsmKernelKernel::emitMatrix() {
  k.loop(keys, [&](Value r) {
    k.loop(k.cst(0), k.cst(paddedRows()), k.cst(lanes),
           [&](Value c) { k.store(k.splat(0.0, lanes), matrix, {r, c}); });
  });
  if (form.hasMixing()) {
    addBlocks();
  } else {
    k.loop(keys, [&](Value r) {
      k.storeScalar(math::ExpOp::create(k, logDecay(r)), matrix, {r, r});
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
      Value decay = math::ExpOp::create(k, logDecay(c));
      k.storeScalar(k.mul(loadScalar(blocks, r, j), decay), matrix, {r, c});
    });
  });
}

/// b a^T, where for a tied term a is the decayed key and b is -beta times the
/// key.
void SsmKernelKernel::addRankOne() {
  k.loop(keys, [&](Value r) {
    Value writer = form.tied
                       ? arith::NegFOp::create(
                             k, k.mul(loadScalar(in.parameters[form.beta], r),
                                      loadScalar(in.key, r)))
                             .getResult()
                       : loadScalar(in.parameters[form.writer], r);
    k.loop(keys, [&](Value c) {
      Value reader = form.tied ? k.mul(math::ExpOp::create(k, logDecay(c)),
                                       loadScalar(in.key, c))
                               : loadScalar(in.parameters[form.reader], c);
      Value old = k.loadScalar(matrix, {r, c});
      k.storeScalar(k.add(old, k.mul(writer, reader)), matrix, {r, c});
    });
  });
}

/// to = from from.
void SsmKernelKernel::square(Value from, Value to) {
  unsigned vectors = k.target.panelVectors();
  while (paddedRows() / lanes % vectors)
    vectors /= 2;
  k.loop(k.cst(0), k.cst(paddedRows()), k.cst(vectors * lanes), [&](Value c) {
    forRowTiles(
        k, k.cst(0), k.cst(keys), k.target.tileRows(),
        [&](Value first, unsigned rows) {
          TileAccumulators sums(rows * vectors, k.splat(0.0, lanes));
          auto columnOf = [&](unsigned v) {
            return k.add(c, k.cst(v * lanes));
          };
          auto rowOf = [&](unsigned r) { return k.add(first, k.cst(r)); };
          sums = multiplyTile(
              k, rows, vectors, k.cst(0), k.cst(keys), 1, sums,
              [&](unsigned r, Value inner) {
                return k.loadScalar(from, {rowOf(r), inner});
              },
              [&](unsigned v, Value inner) {
                return k.load(from, {inner, columnOf(v)}, lanes);
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
    Value sum =
        k.loop(k.cst(0), k.cst(keys), k.cst(1), k.splat(0.0, lanes),
               [&](Value r, ValueRange carried) -> SmallVector<Value> {
                 return {k.fma(k.splat(k.loadScalar(row, r), lanes),
                               k.load(matrix, {r, c}, lanes), carried[0])};
               })[0];
    k.store(sum, result, c);
  });
}

/// result = matrix column.
void SsmKernelKernel::multiplyColumn(Value matrix, Value column, Value result) {
  k.loop(keys, [&](Value r) {
    Value sum =
        k.loop(k.cst(0), k.cst(paddedRows()), k.cst(lanes), k.splat(0.0, lanes),
               [&](Value c, ValueRange carried) -> SmallVector<Value> {
                 return {k.fma(k.load(matrix, {r, c}, lanes),
                               k.load(column, c, lanes), carried[0])};
               })[0];
    k.storeScalar(k.reduceSum(sum), result, r);
  });
}

void SsmKernelKernel::emitKrylov() {
  emitMatrix();
  Value zero = k.splat(0.0, lanes);
  for (Value place : {readerRow, anchorColumn, nextAnchor})
    k.loop(k.cst(0), k.cst(paddedRows()), k.cst(lanes),
           [&](Value c) { k.store(zero, place, c); });
  Value scale = k.f32(op.getScale().convertToDouble());
  k.loop(keys, [&](Value r) {
    k.storeScalar(k.mul(scale, loadScalar(in.query, r)), readerRow, r);
    Value key = loadScalar(in.key, r);
    if (form.tied)
      key = k.mul(loadScalar(in.parameters[form.beta], r), key);
    k.storeScalar(key, anchorColumn, r);
  });
  auto copy = [&](Value from, Value to) {
    k.loop(k.cst(0), k.cst(paddedRows()), k.cst(lanes),
           [&](Value c) { k.store(k.load(from, c, lanes), to, c); });
  };
  auto put = [&](Value from, Value list, Value place) {
    k.loop(keys, [&](Value r) {
      k.storeScalar(k.loadScalar(from, r), list, {r, place});
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
