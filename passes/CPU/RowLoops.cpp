//===- RowLoops.cpp - loops over the rows of a tensor ---------------------===//

#include "passes/CPU/RowLoops.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::linnet;

/// Vectors of a row that one thread does at least: enough work to pay for
/// finding the row.
static constexpr int64_t kBlockVectors = 32;

Buffer linnet::denseRows(FunctionLowering &f, Operation *op, Value tensor) {
  Buffer place = f.buffer(tensor);
  if (place.type.getRank() == 0) {
    place.type = MemRefType::get({1}, place.type.getElementType());
    return place;
  }
  auto [strides, offset] = place.type.getStridesAndOffset();
  if (strides.back() == 1)
    return place;
  Buffer dense =
      f.temporary(place.type.getShape(), place.type.getElementType());
  dense.dynamicTokens = place.dynamicTokens;
  f.copy(op, place, dense);
  return dense;
}

Value linnet::countRows(KernelBuilder &k, unsigned number, int64_t end,
                        SmallVectorImpl<Value> &sizes) {
  Value rows = k.cst(1);
  for (int64_t d = 0; d < end; ++d) {
    sizes.push_back(k.extent(number, d));
    rows = k.mul(rows, sizes.back());
  }
  return rows;
}

/// Calls body(coordinates but the last, first column, last column) for this
/// thread's share of the row blocks of argument `number`; the last column is
/// rounded down to whole steps of `step` columns. tail(coordinates) is called
/// once per row if columns are left.
static void
forRowBlocks(KernelBuilder &k, unsigned number, int64_t step,
             llvm::function_ref<void(ArrayRef<Value>, Value, Value)> body,
             llvm::function_ref<void(ArrayRef<Value>)> tail) {
  MemRefType type = k.argumentType(number);
  int64_t columns = type.getShape().back(), whole = columns / step * step;
  int64_t blockColumns = kBlockVectors * k.target.lanes;
  int64_t blocks = llvm::divideCeil(columns, blockColumns);
  SmallVector<Value> sizes;
  Value items = countRows(k, number, type.getRank() - 1, sizes);
  sizes.push_back(k.cst(blocks));
  k.share(k.mul(items, sizes.back()), [&](Value item) {
    SmallVector<Value> place = k.delinearize(item, sizes);
    Value block = place.pop_back_val();
    Value first = k.cst(0), last = k.cst(whole);
    if (blocks > 1) {
      first = k.mul(block, k.cst(blockColumns));
      last = k.minimum(k.add(first, k.cst(blockColumns)), last);
    }
    if (whole > 0)
      body(place, first, last);
    if (whole == columns)
      return;
    if (blocks == 1)
      return tail(place);
    k.onlyIf(k.less(k.cst(blocks - 2), block), [&] { tail(place); });
  });
}

void linnet::forVectors(KernelBuilder &k, unsigned number,
                        llvm::function_ref<void(ArrayRef<Value>, Value)> body) {
  int64_t columns = k.argumentType(number).getShape().back();
  int64_t lanes = k.target.lanes, whole = columns / lanes * lanes;
  auto visit = [&](ArrayRef<Value> row, Value column, Value valid) {
    SmallVector<Value> at(row);
    at.push_back(column);
    body(at, valid);
  };
  forRowBlocks(
      k, number, lanes,
      [&](ArrayRef<Value> row, Value first, Value last) {
        k.loop(first, last, k.cst(lanes),
               [&](Value column) { visit(row, column, Value()); });
      },
      [&](ArrayRef<Value> row) {
        visit(row, k.cst(whole), k.cst(columns - whole));
      });
}

void linnet::forEntries(KernelBuilder &k, unsigned number,
                        llvm::function_ref<void(ArrayRef<Value>)> body) {
  forRowBlocks(
      k, number, 1,
      [&](ArrayRef<Value> row, Value first, Value last) {
        k.loop(first, last, k.cst(1), [&](Value column) {
          SmallVector<Value> at(row);
          at.push_back(column);
          body(at);
        });
      },
      [](ArrayRef<Value>) {});
}

Value linnet::keepValid(KernelBuilder &k, Value value, Value valid) {
  if (!valid)
    return value;
  int64_t lanes = cast<VectorType>(value.getType()).getDimSize(0);
  Value mask =
      vector::CreateMaskOp::create(k, k.vector(lanes, k.getI1Type()), valid);
  return arith::SelectOp::create(k, mask, value, k.splat(0.0, lanes));
}

Value linnet::sumColumns(KernelBuilder &k, int64_t columns,
                         llvm::function_ref<Value(Value, Value)> term) {
  // Four sums hide the latency of the addition.
  constexpr int64_t kSums = 4;
  int64_t lanes = k.target.lanes, whole = columns / lanes * lanes;
  int64_t unrolled = columns / (kSums * lanes) * (kSums * lanes);
  SmallVector<Value> sums;
  auto put = [&](int64_t number, Value value) {
    if (number < int64_t(sums.size()))
      sums[number] = k.add(sums[number], value);
    else
      sums.push_back(value);
  };
  if (unrolled) {
    sums.assign(kSums, k.splat(0.0, lanes));
    sums = k.loop(
        k.cst(0), k.cst(unrolled), k.cst(kSums * lanes), sums,
        [&](Value column, ValueRange carried) {
          SmallVector<Value> next;
          for (int64_t i = 0; i < kSums; ++i)
            next.push_back(k.add(
                carried[i], term(k.add(column, k.cst(i * lanes)), Value())));
          return next;
        });
  }
  int64_t number = 0;
  for (int64_t column = unrolled; column < whole; column += lanes)
    put(number++, term(k.cst(column), Value()));
  if (whole < columns)
    put(number, term(k.cst(whole), k.cst(columns - whole)));
  if (sums.empty())
    return k.f32(0);
  while (sums.size() > 1) {
    Value last = sums.pop_back_val();
    unsigned other = sums.size() / 2;
    sums[other] = k.add(sums[other], last);
  }
  return k.reduceSum(sums[0]);
}
