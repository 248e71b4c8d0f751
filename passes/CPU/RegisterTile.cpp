//===- RegisterTile.cpp - the one inner product kernel --------------------===//

#include "passes/CPU/RegisterTile.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mlir::linnet;

TileAccumulators linnet::multiplyTile(KernelBuilder &k, unsigned rows,
                                      unsigned vectors, unsigned shared,
                                      Value lower, Value upper, unsigned unroll,
                                      TileAccumulators accumulators,
                                      TileColumnScalar left, TileVector right) {
  return k.loop(lower, upper, k.cst(unroll), accumulators,
                [&](Value first, ValueRange carried) {
                  SmallVector<Value> sums(carried);
                  for (unsigned u = 0; u < unroll; ++u) {
                    Value inner = u ? k.add(first, k.cst(u)) : first;
                    SmallVector<Value> columns;
                    for (unsigned v = 0; v < vectors; ++v)
                      columns.push_back(right(v, inner));
                    for (unsigned r = 0; r < rows; ++r) {
                      Value scalar;
                      for (unsigned v = 0; v < vectors; ++v) {
                        // A scalar load feeding a broadcast becomes one
                        // vbroadcastss.
                        if (v % shared == 0)
                          scalar = k.splat(left(r, v, inner), k.target.lanes);
                        sums[r * vectors + v] =
                            k.fma(scalar, columns[v], sums[r * vectors + v]);
                      }
                    }
                  }
                  return sums;
                });
}

TileAccumulators linnet::multiplyTile(KernelBuilder &k, unsigned rows,
                                      unsigned vectors, Value lower,
                                      Value upper, unsigned unroll,
                                      TileAccumulators accumulators,
                                      TileScalar left, TileVector right) {
  return multiplyTile(
      k, rows, vectors, vectors, lower, upper, unroll, std::move(accumulators),
      [&](unsigned r, unsigned, Value inner) { return left(r, inner); }, right);
}

void linnet::forRowTiles(KernelBuilder &k, Value lower, Value upper,
                         unsigned largest,
                         llvm::function_ref<void(Value, unsigned)> body) {
  SmallVector<unsigned> sizes{largest};
  for (unsigned rows = llvm::PowerOf2Ceil(largest) / 2; rows; rows /= 2)
    sizes.push_back(rows);
  Value next = lower;
  for (unsigned rows : sizes) {
    Value count = arith::DivUIOp::create(k, k.sub(upper, next), k.cst(rows));
    Value stop = k.add(next, k.mul(count, k.cst(rows)));
    k.loop(next, stop, k.cst(rows), [&](Value row) { body(row, rows); });
    next = stop;
  }
}
