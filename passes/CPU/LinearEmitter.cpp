//===- LinearEmitter.cpp - products with packed matrices ------------------===//
//
// Many rows: register tiles run down the rows against one panel, which stays in
// cache. Codes of a few bits become floats where narrow floats do: once per
// panel. Where only some blocks are stored, panels hold these alone, and the
// inner index finds its input in a table, one for all outputs of a row of
// blocks. What a result is added to is added where the last product is: a sum
// needs no pass of its own. Nor does a permutation of the inputs, or of what is
// added: an index finds its place in the order.
//
//===----------------------------------------------------------------------===//

#include "passes/CPU/LinearEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::linnet;

LinearEmitter::Panel LinearEmitter::panelAt(Value number) {
  if (blocks == 1)
    return {number, k.mul(number, k.cst(width)), k.cst(out), Value()};
  SmallVector<Value> at =
      k.delinearize(number, {k.cst(blocks), k.cst(blockPanels)});
  Value begin = k.mul(at[0], k.cst(out));
  return {number, k.add(begin, k.mul(at[1], k.cst(width))),
          k.add(begin, k.cst(out)), k.mul(at[0], k.cst(in))};
}

Value LinearEmitter::inputOf(const Panel &panel, unsigned v, Value inner) {
  Value input = kept          ? keptInput(panel, v, inner)
                : panel.input ? k.add(panel.input, inner)
                              : inner;
  if (!arguments.order)
    return input;
  // A file may hold any numbers.
  Value stored = k.loadScalar(k.argument(*arguments.order), input);
  Value last = arith::ConstantOp::create(
      k, k.getI32IntegerAttr(k.argumentType(X).getShape().back() - 1));
  return arith::IndexCastUIOp::create(k, k.getIndexType(),
                                      arith::MinUIOp::create(k, stored, last));
}

Value LinearEmitter::keptInput(const Panel &panel, unsigned v, Value inner) {
  // A panel's last vectors may lie behind the outputs; and a file may hold any
  // numbers. Memory stays in bounds.
  Value first = k.add(panel.first, k.cst(v * k.target.lanes));
  Value row =
      k.minimum(arith::DivUIOp::create(k, first, k.cst(kept.getHeight())),
                k.cst(k.argumentType(*arguments.table).getDimSize(0) - 1));
  const int64_t size = kept.getWidth();
  Value place =
      size == 1 ? inner : Value(arith::DivUIOp::create(k, inner, k.cst(size)));
  Value column = k.loadScalar(k.argument(*arguments.table), {row, place});
  Type element = column.getType();
  int64_t most = llvm::maxUIntN(element.getIntOrFloatBitWidth());
  Value last = arith::ConstantOp::create(
      k, k.getIntegerAttr(element,
                          APInt(element.getIntOrFloatBitWidth(),
                                std::min(kept.getInputs() / size - 1, most))));
  column = arith::IndexCastUIOp::create(
      k, k.getIndexType(), arith::MinUIOp::create(k, column, last));
  if (size == 1)
    return column;
  return k.add(k.mul(column, k.cst(size)),
               arith::RemUIOp::create(k, inner, k.cst(size)));
}

/// Indices of entry (batch, token, column) for rank 3, of (batch or token,
/// column) for rank 2, of (column) for rank 1. Rank 4 counts every head of a
/// token as one.
SmallVector<Value> LinearEmitter::place(Value batch, Value token,
                                        Value column) {
  switch (k.argumentType(X).getRank()) {
  case 1:
    return {column};
  case 2:
    return {batch, column};
  case 3:
    return {batch, token, column};
  default: {
    Value heads = k.cst(k.argumentType(X).getDimSize(2));
    return {batch, arith::DivUIOp::create(k, token, heads),
            arith::RemUIOp::create(k, token, heads), column};
  }
  }
}

Value LinearEmitter::loadKept(const Panel &panel, Value inner, Value lane) {
  const int64_t lanes = k.target.lanes, bits = pattern.getPositionBits();
  Type integers = k.vector(lanes, k.getI32Type());
  auto splat = [&](Value index) {
    return k.splat(arith::IndexCastOp::create(k, k.getI32Type(), index), lanes);
  };
  Value group = arith::DivUIOp::create(k, inner, k.cst(pattern.getOf()));
  Value place = splat(arith::RemUIOp::create(k, inner, k.cst(pattern.getOf())));
  Value sum = k.splat(0.0, lanes), mask = splat(k.cst((1 << bits) - 1));
  for (int64_t i = 0; i < pattern.getKept(); ++i) {
    Value row = k.add(k.mul(group, k.cst(pattern.getKept())), k.cst(i));
    Value byte = arith::DivUIOp::create(k, row, k.cst(8 / bits));
    Value shift =
        k.mul(arith::RemUIOp::create(k, row, k.cst(8 / bits)), k.cst(bits));
    Value position =
        arith::ExtUIOp::create(k, integers,
                               k.load(k.argument(*arguments.table),
                                      {panel.number, byte, lane}, lanes));
    position = arith::AndIOp::create(
        k, arith::ShRUIOp::create(k, position, splat(shift)), mask);
    Value isThere =
        arith::CmpIOp::create(k, arith::CmpIPredicate::eq, position, place);
    sum = arith::SelectOp::create(
        k, isThere, k.load(k.argument(W), {panel.number, row, lane}, lanes),
        sum);
  }
  return sum;
}

Value LinearEmitter::loadShifted(const Panel &panel, Value inner, Value lane) {
  Value column = k.add(panel.first, lane);
  Value place = k.add(k.sub(column, inner), k.cst(in - 1));
  return k.loadColumns(k.argument(W), place, validLanes(panel, column));
}

Value LinearEmitter::loadWeights(const Panel &panel, Value inner, Value lane) {
  if (shifted)
    return loadShifted(panel, inner, lane);
  if (pattern)
    return loadKept(panel, inner, lane);
  if (!codes)
    return k.load(k.argument(W), {panel.number, inner, lane}, k.target.lanes);
  Value group = k.cst(0);
  if (codes.getGroup() < in)
    group = arith::DivUIOp::create(k, inner, k.cst(codes.getGroup()));
  Value code = loadCodes(panel, inner, lane);
  if (codes.getHasZeros())
    code = arith::SubFOp::create(k, code, loadZeros(panel, group, lane));
  return arith::MulFOp::create(k, code, loadScales(panel, group, lane));
}

Value LinearEmitter::validLanes(const Panel &panel, Value column) {
  if (out % width == 0)
    return {};
  return k.maximum(k.cst(0),
                   k.minimum(k.cst(k.target.lanes), k.sub(panel.end, column)));
}

TileAccumulators LinearEmitter::initial(unsigned rows, const Panel &panel) {
  TileAccumulators sums;
  for (int64_t v = 0; v < vectors; ++v) {
    Value column = k.add(panel.first, k.cst(v * k.target.lanes));
    sums.push_back(arguments.bias
                       ? k.loadColumns(k.argument(*arguments.bias), column,
                                       validLanes(panel, column))
                       : k.splat(0.0, k.target.lanes));
  }
  TileAccumulators all;
  for (unsigned r = 0; r < rows; ++r)
    llvm::append_range(all, sums);
  return all;
}

TileAccumulators LinearEmitter::partial(unsigned rows, Value batch,
                                        Value firstRow, bool rowsAreBatch,
                                        const Panel &panel) {
  TileAccumulators sums;
  for (unsigned r = 0; r < rows; ++r)
    for (int64_t v = 0; v < vectors; ++v) {
      Value column = k.add(panel.first, k.cst(v * k.target.lanes));
      sums.push_back(k.loadColumns(
          k.argument(Y),
          placeOfRow(batch, k.add(firstRow, k.cst(r)), rowsAreBatch, column),
          validLanes(panel, column)));
    }
  return sums;
}

Value LinearEmitter::loadAddend(const LinearArguments::Addend &addend,
                                ArrayRef<Value> place, Value valid) {
  Value rows = k.argument(addend.rows);
  if (!addend.order)
    return k.loadColumns(rows, place, valid);
  const int64_t lanes = k.target.lanes;
  MemRefType type = k.argumentType(addend.rows);
  // A file may hold any numbers.
  Value last = k.splat(arith::ConstantOp::create(
                           k, k.getI32IntegerAttr(type.getShape().back() - 1)),
                       lanes);
  Value from = arith::MinUIOp::create(
      k, k.loadColumns(k.argument(*addend.order), place.back(), valid), last);
  Value mask = vector::CreateMaskOp::create(k, k.vector(lanes, k.getI1Type()),
                                            valid ? valid : k.cst(lanes));
  SmallVector<Value> row(place);
  row.back() = k.cst(0);
  return vector::GatherOp::create(k, k.vector(lanes, type.getElementType()),
                                  rows, row, from, mask, k.splat(0.0, lanes));
}

void LinearEmitter::storeTile(const TileAccumulators &sums, unsigned rows,
                              Value batch, Value firstRow, bool rowsAreBatch,
                              const Panel &panel, bool isWhole) {
  for (unsigned r = 0; r < rows; ++r)
    for (int64_t v = 0; v < vectors; ++v) {
      Value column = k.add(panel.first, k.cst(v * k.target.lanes));
      SmallVector<Value> place =
          placeOfRow(batch, k.add(firstRow, k.cst(r)), rowsAreBatch, column);
      Value valid = validLanes(panel, column), sum = sums[r * vectors + v];
      if (isWhole)
        for (const LinearArguments::Addend &addend : arguments.addends)
          sum = arith::AddFOp::create(k, sum, loadAddend(addend, place, valid));
      k.storeColumns(sum, k.argument(Y), place, valid);
    }
}

void LinearEmitter::emitPart(const Panel &panel, Value batch, Value lower,
                             Value upper, Value begin, int64_t size,
                             bool isLast) {
  bool isFirst = isConstantIntValue(begin, 0);
  auto weight = [&](Value inner, Value lane) {
    return loadWeights(panel, k.add(inner, begin), lane);
  };
  // Narrow panels are widened once and then used by every row tile.
  if (wide)
    k.loop(size, [&](Value inner) {
      for (int64_t v = 0; v < vectors; ++v) {
        Value lane = k.cst(v * k.target.lanes);
        k.store(weight(inner, lane), wide, {inner, lane});
      }
    });
  forRowTiles(k, lower, upper, tileRows(), [&](Value row, unsigned rows) {
    TileAccumulators sums = isFirst ? initial(rows, panel)
                                    : partial(rows, batch, row, false, panel);
    sums = multiplyTile(
        k, rows, vectors, sharedVectors(), k.cst(0), k.cst(size), 1, sums,
        [&](unsigned r, unsigned v, Value inner) {
          return k.loadScalar(k.argument(X),
                              place(batch, k.add(row, k.cst(r)),
                                    inputOf(panel, v, k.add(inner, begin))));
        },
        [&](unsigned v, Value inner) {
          Value lane = k.cst(v * k.target.lanes);
          return wide ? k.load(wide, {inner, lane}, k.target.lanes)
                      : weight(inner, lane);
        });
    storeTile(sums, rows, batch, row, false, panel, isLast);
  });
}

/// Inner indices per part: a part of a panel has to stay in the second-level
/// cache while the rows pass. Equal parts where `in` allows.
static int64_t partSize(int64_t in) {
  constexpr int64_t kSmallest = 256, kUsual = 512, kLargest = 768;
  for (int64_t count = (in + kLargest - 1) / kLargest; in / count >= kSmallest;
       ++count)
    if (in % count == 0)
      return in / count;
  return std::min(in, kUsual);
}

void LinearEmitter::emitPanel(const Panel &panel, Value batch, Value lower,
                              Value upper) {
  const int64_t part = partSize(in);
  if (narrow() && !wide)
    wide = k.scratch({part, width}, k.getF32Type());
  emitPart(panel, batch, lower, upper, k.cst(0), part, part == in);
  int64_t whole = in / part * part;
  // A part that is unlike those in the loop: it is shorter, or adds.
  int64_t rest = in - whole;
  if (!arguments.addends.empty() && rest == 0)
    rest = part;
  if (in - rest > part)
    k.loop(k.cst(part), k.cst(in - rest), k.cst(part), [&](Value begin) {
      emitPart(panel, batch, lower, upper, begin, part, false);
    });
  if (rest > 0 && part < in)
    emitPart(panel, batch, lower, upper, k.cst(in - rest), rest, true);
}

void LinearEmitter::emitManyRows() {
  Value panels = k.cst(blocks * blockPanels);
  Value rows = k.extent(X, 1);
  if (k.argumentType(X).getRank() == 4)
    rows = k.mul(rows, k.cst(k.argumentType(X).getDimSize(2)));
  // Few panels would leave threads idle: then split the rows as well.
  Value parts = k.cst(1);
  if (blocks * blockPanels < 8)
    parts = k.threads;
  k.onlyIf(k.less(k.cst(0), rows), [&] {
    k.share(k.mul(panels, parts), [&](Value item) {
      SmallVector<Value> place = k.delinearize(item, {panels, parts});
      auto bound = [&](Value part) {
        return Value(arith::DivUIOp::create(k, k.mul(rows, part), parts));
      };
      Value lower = bound(place[1]), upper = bound(k.add(place[1], k.cst(1)));
      k.loop(k.argumentType(X).getDimSize(0), [&](Value batch) {
        emitPanel(panelAt(place[0]), batch, lower, upper);
      });
    });
  });
}
