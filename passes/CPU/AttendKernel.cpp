//===- AttendKernel.cpp - queries against stored keys ---------------------===//
//
// Flash-style: blocks of keys with a running maximum and sum (Milakov and
// Gimelshein 2018), never a T x T matrix.
//
//===----------------------------------------------------------------------===//

#include "passes/CPU/AttendKernel.h"

#include "dialects/Linnet/Linnet.h"
#include "passes/CPU/RegisterTile.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mlir::linnet;

namespace {
/// Emits the attend kernel.
class AttendEmitter {
public:
  AttendEmitter(KernelBuilder &k, AttentionOp op, const AttentionShape &shape,
                int64_t maskNumber, int64_t biasNumber)
      : k(k), op(op), shape(shape), maskNumber(maskNumber),
        biasNumber(biasNumber), lanes(k.target.lanes),
        keyVectors(k.target.panelVectors()), keyBlock(k.target.panelWidth()),
        paddedValue(llvm::alignTo(shape.valueWidth, lanes)) {}

  void emit();

private:
  enum Argument { Query, Keys, Values, Output, Length };

  /// Row r of the tile: which token and which query head.
  struct Row {
    Value token, head;
  };

  void emitItem(Value batch, Value keyHead, Value head, Value firstToken,
                Value firstHead, unsigned rows);
  TileAccumulators scores(ArrayRef<Row> tile, Value batch, Value keyHead,
                          Value block);
  /// Products with packed keys, and with keys that lie row by row.
  TileAccumulators packedProducts(ArrayRef<Row> tile, Value batch,
                                  Value keyHead, Value block);
  TileAccumulators rowProducts(ArrayRef<Row> tile, Value batch, Value keyHead,
                               Value block);
  /// Keys of a block, fewer in the last one.
  Value countIn(Value block) {
    return k.minimum(k.cst(keyBlock),
                     k.sub(keyCount, k.mul(block, k.cst(keyBlock))));
  }
  void mask(TileAccumulators &s, ArrayRef<Row> tile, Value batch, Value block);
  void accumulate(unsigned rows, Value batch, Value keyHead, Value block,
                  ArrayRef<Value> correction);

  KernelBuilder &k;
  AttentionOp op;
  AttentionShape shape;
  int64_t maskNumber, biasNumber;
  int64_t lanes, keyVectors, keyBlock, paddedValue;

  Value queries, keyCount, position;
  Value probabilities, outputs, running;
};
} // namespace

TileAccumulators AttendEmitter::packedProducts(ArrayRef<Row> tile, Value batch,
                                               Value keyHead, Value block) {
  TileAccumulators zero(tile.size() * keyVectors, k.splat(0.0, lanes));
  return multiplyTile(
      k, tile.size(), keyVectors, k.cst(0), k.cst(shape.keyWidth), 1, zero,
      [&](unsigned r, Value d) {
        return k.loadScalar(k.argument(Query),
                            {batch, tile[r].token, tile[r].head, d});
      },
      [&](unsigned v, Value d) {
        return k.load(k.argument(Keys),
                      {batch, keyHead, block, d, k.cst(v * lanes)}, lanes);
      });
}

TileAccumulators AttendEmitter::rowProducts(ArrayRef<Row> tile, Value batch,
                                            Value keyHead, Value block) {
  // A tile of rows by keys, lanes along the width, which are summed at the end.
  const int64_t rows = tile.size(), keys = keyVectors;
  Value first = k.mul(block, k.cst(keyBlock));
  k.loop(k.cst(0), countIn(block), k.cst(keys), [&](Value key) {
    auto accumulate = [&](Value d, Value valid, ValueRange sums) {
      SmallVector<Value> columns, next;
      for (int64_t c = 0; c < keys; ++c)
        columns.push_back(k.load(
            k.argument(Keys),
            {batch, keyHead, k.add(first, k.add(key, k.cst(c))), d}, lanes));
      for (int64_t r = 0; r < rows; ++r) {
        Value query = k.loadColumns(
            k.argument(Query), {batch, tile[r].token, tile[r].head, d}, valid);
        for (int64_t c = 0; c < keys; ++c)
          next.push_back(k.fma(query, columns[c], sums[r * keys + c]));
      }
      return next;
    };
    SmallVector<Value> sums(rows * keys, k.splat(0.0, lanes));
    const int64_t whole = shape.keyWidth / lanes * lanes;
    sums = k.loop(
        k.cst(0), k.cst(whole), k.cst(lanes), sums,
        [&](Value d, ValueRange sums) { return accumulate(d, Value(), sums); });
    if (whole < shape.keyWidth)
      sums = accumulate(k.cst(whole), k.cst(shape.keyWidth - whole), sums);
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < keys; ++c)
        k.storeScalar(k.reduceSum(sums[r * keys + c]), probabilities,
                      {k.cst(r), k.add(key, k.cst(c))});
  });
  // Beyond the last key is what was there before: mask() drops it.
  TileAccumulators products;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t v = 0; v < keyVectors; ++v)
      products.push_back(
          k.load(probabilities, {k.cst(r), k.cst(v * lanes)}, lanes));
  return products;
}

TileAccumulators AttendEmitter::scores(ArrayRef<Row> tile, Value batch,
                                       Value keyHead, Value block) {
  TileAccumulators s = op.valuesAreKeys()
                           ? rowProducts(tile, batch, keyHead, block)
                           : packedProducts(tile, batch, keyHead, block);
  Value scale = k.splat(op.getScale().convertToDouble(), lanes);
  for (Value &value : s) {
    value = k.mul(value, scale);
    if (op.getSoftCap()) {
      double cap = op.getSoftCap()->convertToDouble();
      Value inner =
          math::TanhOp::create(k, k.mul(value, k.splat(1 / cap, lanes)));
      value = k.mul(inner, k.splat(cap, lanes));
    }
  }
  return s;
}

void AttendEmitter::mask(TileAccumulators &s, ArrayRef<Row> tile, Value batch,
                         Value block) {
  Type i32 = k.getI32Type();
  auto toVector = [&](Value index) {
    return k.splat(arith::IndexCastOp::create(k, i32, index), lanes);
  };
  SmallVector<int32_t> numbers(lanes);
  std::iota(numbers.begin(), numbers.end(), 0);
  Value iota = arith::ConstantOp::create(k, k.getI32VectorAttr(numbers));
  Value never = k.splat(-std::numeric_limits<double>::infinity(), lanes);
  Value limit = toVector(keyCount);
  for (int64_t v = 0; v < keyVectors; ++v) {
    Value first = k.add(k.mul(block, k.cst(keyBlock)), k.cst(v * lanes));
    Value key = arith::AddIOp::create(k, toVector(first), iota);
    Value visible =
        arith::CmpIOp::create(k, arith::CmpIPredicate::slt, key, limit);
    if (maskNumber >= 0) {
      // Lanes beyond the keys are not read.
      Value inside =
          k.maximum(k.cst(0), k.minimum(k.cst(lanes), k.sub(keyCount, first)));
      Value given =
          k.load(k.argument(maskNumber), {batch, first}, lanes, inside);
      Value zero = arith::ConstantOp::create(
          k, cast<TypedAttr>(k.getZeroAttr(given.getType())));
      Value kept =
          arith::CmpIOp::create(k, arith::CmpIPredicate::ne, given, zero);
      visible = arith::AndIOp::create(k, visible, kept);
    }
    for (auto [r, row] : llvm::enumerate(tile)) {
      Value query = toVector(k.add(position, row.token));
      Value &entry = s[r * keyVectors + v];
      Value seen = visible;
      auto restrict = [&](arith::CmpIPredicate predicate, Value x, Value y) {
        seen = arith::AndIOp::create(k, seen,
                                     arith::CmpIOp::create(k, predicate, x, y));
      };
      if (op.getCausal())
        restrict(arith::CmpIPredicate::sle, key, query);
      if (op.getWindow()) {
        Value window = k.splat(
            arith::ConstantOp::create(k, k.getI32IntegerAttr(std::min<int64_t>(
                                             *op.getWindow(), INT32_MAX))),
            lanes);
        restrict(arith::CmpIPredicate::slt, k.sub(query, key), window);
        if (!op.getCausal())
          restrict(arith::CmpIPredicate::slt, k.sub(key, query), window);
      }
      if (biasNumber >= 0) {
        MemRefType type = k.argumentType(biasNumber);
        auto at = [&](unsigned d, Value index) {
          return type.getDimSize(d) == 1 ? k.cst(0) : index;
        };
        Value inside = k.maximum(
            k.cst(0), k.minimum(k.cst(lanes), k.sub(keyCount, first)));
        entry = k.add(entry,
                      k.load(k.argument(biasNumber),
                             {at(0, batch), at(1, row.head), row.token, first},
                             lanes, inside));
      }
      entry = arith::SelectOp::create(k, seen, entry, never);
    }
  }
}

void AttendEmitter::accumulate(unsigned rows, Value batch, Value keyHead,
                               Value block, ArrayRef<Value> correction) {
  Value first = k.mul(block, k.cst(keyBlock));
  // Values beyond the last key may be anything, so they are not read.
  Value count = countIn(block);
  for (int64_t column = 0; column < paddedValue;) {
    unsigned vectors =
        std::min<int64_t>(keyVectors, (paddedValue - column) / lanes);
    TileAccumulators sums;
    for (unsigned r = 0; r < rows; ++r)
      for (unsigned v = 0; v < vectors; ++v)
        sums.push_back(
            k.mul(k.load(outputs, {k.cst(r), k.cst(column + v * lanes)}, lanes),
                  k.splat(correction[r], lanes)));
    sums = multiplyTile(
        k, rows, vectors, k.cst(0), count, 1, sums,
        [&](unsigned r, Value key) {
          return k.loadScalar(probabilities, {k.cst(r), key});
        },
        [&](unsigned v, Value key) {
          return k.load(
              k.argument(Values),
              {batch, keyHead, k.add(first, key), k.cst(column + v * lanes)},
              lanes);
        });
    for (unsigned r = 0; r < rows; ++r)
      for (unsigned v = 0; v < vectors; ++v)
        k.store(sums[r * vectors + v], outputs,
                {k.cst(r), k.cst(column + v * lanes)});
    column += vectors * lanes;
  }
}

void AttendEmitter::emitItem(Value batch, Value keyHead, Value head,
                             Value firstToken, Value firstHead, unsigned rows) {
  // Rows past the end repeat the last one and are not stored.
  SmallVector<Row> tile;
  for (unsigned r = 0; r < rows; ++r) {
    if (head) {
      tile.push_back(
          {k.minimum(k.add(firstToken, k.cst(r)), k.sub(queries, k.cst(1))),
           head});
    } else {
      Value last = k.cst(shape.group() - 1);
      Value member = k.minimum(k.add(firstHead, k.cst(r)), last);
      tile.push_back(
          {firstToken, k.add(k.mul(keyHead, k.cst(shape.group())), member)});
    }
  }
  Value never = k.f32(-std::numeric_limits<double>::infinity());
  for (unsigned r = 0; r < rows; ++r)
    for (int64_t column = 0; column < paddedValue; column += lanes)
      k.store(k.splat(0.0, lanes), outputs, {k.cst(r), k.cst(column)});

  Value lower = k.cst(0), upper = k.ceilDiv(keyCount, keyBlock);
  if (op.getCausal())
    upper = k.minimum(
        upper, k.ceilDiv(k.add(k.add(position, tile.back().token), k.cst(1)),
                         keyBlock));
  if (op.getWindow()) {
    Value oldest =
        k.sub(k.add(position, tile.front().token), k.cst(*op.getWindow() - 1));
    lower =
        arith::DivUIOp::create(k, k.maximum(oldest, k.cst(0)), k.cst(keyBlock));
  }
  SmallVector<Value> carried(rows, never);
  carried.append(rows, k.f32(0));
  auto final = k.loop(
      lower, upper, k.cst(1), carried, [&](Value block, ValueRange state) {
        TileAccumulators s = scores(tile, batch, keyHead, block);
        mask(s, tile, batch, block);
        SmallVector<Value> maxima, sums, correction;
        for (unsigned r = 0; r < rows; ++r) {
          Value peak = s[r * keyVectors];
          for (int64_t v = 1; v < keyVectors; ++v)
            peak = k.maximum(peak, s[r * keyVectors + v]);
          Value before = state[r];
          Value maximum = k.maximum(before, k.reduceMax(peak));
          // Nothing visible yet: any finite reference gives zero weights.
          Value none = arith::CmpFOp::create(k, arith::CmpFPredicate::OEQ,
                                             maximum, never);
          Value reference = arith::SelectOp::create(k, none, k.f32(0), maximum);
          Value factor = math::ExpOp::create(k, k.sub(before, reference));
          Value total = k.splat(0.0, lanes);
          for (int64_t v = 0; v < keyVectors; ++v) {
            Value p = math::ExpOp::create(
                k, k.sub(s[r * keyVectors + v], k.splat(reference, lanes)));
            k.store(p, probabilities, {k.cst(r), k.cst(v * lanes)});
            total = k.add(total, p);
          }
          maxima.push_back(maximum);
          correction.push_back(factor);
          sums.push_back(
              k.add(k.mul(state[rows + r], factor), k.reduceSum(total)));
        }
        accumulate(rows, batch, keyHead, block, correction);
        llvm::append_range(maxima, sums);
        return maxima;
      });

  for (unsigned r = 0; r < rows; ++r) {
    Value sum = final[rows + r];
    Value empty =
        arith::CmpFOp::create(k, arith::CmpFPredicate::OEQ, sum, k.f32(0));
    Value factor = arith::SelectOp::create(
        k, empty, k.f32(0), arith::DivFOp::create(k, k.f32(1), sum));
    Value valid =
        head ? k.less(k.add(firstToken, k.cst(r)), queries)
             : k.less(k.add(firstHead, k.cst(r)), k.cst(shape.group()));
    k.onlyIf(valid, [&] {
      k.forColumns(shape.valueWidth, [&](Value column, Value lanesValid) {
        Value value = k.mul(k.load(outputs, {k.cst(r), column}, lanes),
                            k.splat(factor, lanes));
        k.storeColumns(value, k.argument(Output),
                       {batch, tile[r].token, tile[r].head, column},
                       lanesValid);
      });
    });
  }
}

void AttendEmitter::emit() {
  queries = k.extent(Query, 1);
  if (!op.getCache().empty()) {
    position = k.argument(Length);
    keyCount = k.add(position, queries);
  } else {
    position = k.cst(0);
    keyCount = k.argument(Length);
  }
  unsigned largest = 4;
  probabilities = k.scratch({largest, keyBlock}, k.getF32Type());
  outputs = k.scratch({largest, paddedValue}, k.getF32Type());
  Value batches = k.cst(shape.batch);
  MemRefType type = k.argumentType(Query);
  if (k.extent(Query, 1) == k.tokens || type.getDimSize(1) > 1) {
    // Many tokens: a tile is a few tokens of one head.
    Value tiles = k.ceilDiv(queries, largest);
    SmallVector<Value> sizes{batches, k.cst(shape.queryHeads), tiles};
    k.share(k.mul(k.mul(batches, sizes[1]), tiles), [&](Value item) {
      SmallVector<Value> at = k.delinearize(item, sizes);
      Value keyHead = arith::DivUIOp::create(k, at[1], k.cst(shape.group()));
      emitItem(at[0], keyHead, at[1], k.mul(at[2], k.cst(largest)), Value(),
               largest);
    });
    return;
  }
  // One token: a tile is the query heads that share a key head.
  unsigned rows = std::min<int64_t>(largest, shape.group());
  Value tiles = k.cst((shape.group() + rows - 1) / rows);
  SmallVector<Value> sizes{batches, k.cst(shape.keyHeads), tiles};
  k.share(k.mul(k.mul(batches, sizes[1]), tiles), [&](Value item) {
    SmallVector<Value> at = k.delinearize(item, sizes);
    emitItem(at[0], at[1], Value(), k.cst(0), k.mul(at[2], k.cst(rows)), rows);
  });
}

void linnet::emitAttend(KernelBuilder &k, AttentionOp op,
                        const AttentionShape &shape, int64_t maskNumber,
                        int64_t biasNumber) {
  AttendEmitter(k, op, shape, maskNumber, biasNumber).emit();
}
