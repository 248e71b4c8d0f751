//===- RegisterTile.h - the one inner product kernel ----------*- C++ -*-===//
//
// acc[r][n] += x[r][k] * w[k][n] for a few rows and one panel width of
// columns, accumulators in registers. Linear maps, attention scores and
// attention outputs all go through it.
//
//===----------------------------------------------------------------------===//

#ifndef PASSES_CPU_REGISTERTILE_H
#define PASSES_CPU_REGISTERTILE_H

#include "passes/CPU/KernelBuilder.h"

namespace mlir::linnet {

/// Accumulators of a tile: [row][vector], row major.
using TileAccumulators = SmallVector<Value>;

/// Loads one x scalar (f32) for row `r` at inner index `k`.
using TileScalar = llvm::function_ref<Value(unsigned r, Value k)>;
/// The same for vector `v` of the columns, where these differ in what they
/// read.
using TileColumnScalar =
    llvm::function_ref<Value(unsigned r, unsigned v, Value k)>;
/// Loads vector `v` of the right operand (f32) at inner index `k`.
using TileVector = llvm::function_ref<Value(unsigned v, Value k)>;

/// Adds the products over k in [lower, upper) to `accumulators` of `rows` x
/// `vectors`, `unroll` steps at a time where the bounds are known to divide.
TileAccumulators multiplyTile(KernelBuilder &k, unsigned rows, unsigned vectors,
                              Value lower, Value upper, unsigned unroll,
                              TileAccumulators accumulators, TileScalar left,
                              TileVector right);
/// The same where vectors v, ..., v + `shared` - 1 read the same scalar, for
/// each v that `shared`, a divisor of `vectors`, divides.
TileAccumulators multiplyTile(KernelBuilder &k, unsigned rows, unsigned vectors,
                              unsigned shared, Value lower, Value upper,
                              unsigned unroll, TileAccumulators accumulators,
                              TileColumnScalar left, TileVector right);

/// Calls body(firstRow, rows) over [lower, upper): as many tiles of
/// `largest` rows as fit, then smaller powers of two.
void forRowTiles(KernelBuilder &k, Value lower, Value upper, unsigned largest,
                 llvm::function_ref<void(Value, unsigned)> body);

} // namespace mlir::linnet

#endif // PASSES_CPU_REGISTERTILE_H
