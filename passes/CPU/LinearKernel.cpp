//===- LinearKernel.cpp - linear maps on the CPU --------------------------===//
//
// Dense, or dense blocks on the diagonal. Weights are packed once at load into
// panels [N / NR][K][NR], block after block. Many rows: register tiles run down
// the rows against one panel, which stays in cache. One row: several far-apart
// panels are streamed at a time, because one sequential stream does not fill
// the memory pipeline. Codes of a few bits become floats where narrow floats
// do: once per panel for many rows, as they are read for one. Where only some
// blocks are stored, panels hold these alone, and the inner index finds its
// input in a table, one for all outputs of a row of blocks. What a result is
// added to is added where the last product is: a sum needs no pass of its own.
//
//===----------------------------------------------------------------------===//

#include "passes/CPU/LinearKernel.h"
#include "dialects/Linnet/Linnet.h"
#include "passes/CPU/DiagKernel.h"
#include "passes/CPU/FunctionLowering.h"
#include "passes/CPU/LinearEmitter.h"
#include "passes/CPU/LinearPanels.h"
#include "passes/CPU/PermutationKernel.h"
#include "passes/CPU/RowLoops.h"
#include "passes/CPU/SkippingKernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/Remarks.h"

using namespace mlir;
using namespace mlir::linnet;

namespace {
/// Inner indices of a part of a panel that few rows share: little enough for
/// the first-level cache to hold it, the next one and the rows.
static constexpr int64_t kFewRowsPart = 16;
} // namespace

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
  if (!kept)
    return panel.input ? k.add(panel.input, inner) : inner;
  // A panel's last vectors may lie behind the outputs; and a file may hold any
  // numbers. Memory stays in bounds.
  Value first = k.add(panel.first, k.cst(v * k.target.lanes));
  Value row =
      k.minimum(arith::DivUIOp::create(k, first, k.cst(kept.getHeight())),
                k.cst(k.argumentType(table).getDimSize(0) - 1));
  const int64_t size = kept.getWidth();
  Value place =
      size == 1 ? inner : Value(arith::DivUIOp::create(k, inner, k.cst(size)));
  Value column = k.loadScalar(k.argument(table), {row, place});
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
    Value position = arith::ExtUIOp::create(
        k, integers,
        k.load(k.argument(table), {panel.number, byte, lane}, lanes));
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

TileAccumulators LinearEmitter::multiplyKept(ArrayRef<Panel> panels,
                                             int64_t rows, bool rowsAreBatch,
                                             TileAccumulators sums) {
  const int64_t kept = pattern.getKept(), of = pattern.getOf(),
                bits = pattern.getPositionBits(), lanes = k.target.lanes;
  // So many groups whose positions fill bytes.
  const int64_t groups = std::lcm(kept * bits, int64_t(8)) / (kept * bits);
  const int64_t bytes = groups * kept * bits / 8,
                columns = vectors * int64_t(panels.size());
  // The inputs of a group, again and again: bits above a position's do not
  // matter then.
  SmallVector<int64_t> again;
  for (int64_t lane = 0; lane < lanes; ++lane)
    again.push_back(std::min(lane % (int64_t(1) << bits), of - 1));
  Type integers = k.vector(lanes, k.getI32Type());
  return k.loop(
      k.cst(0), k.cst(in / of / groups), k.cst(1), sums,
      [&](Value number, ValueRange carried) {
        SmallVector<Value> totals(carried), inputs;
        for (int64_t r = 0; r < rows; ++r)
          for (int64_t g = 0; g < groups; ++g) {
            Value group = k.add(k.mul(number, k.cst(groups)), k.cst(g));
            Value x = k.load(k.argument(X),
                             placeOfRow(k.cst(0), k.cst(r), rowsAreBatch,
                                        k.mul(group, k.cst(of))),
                             of);
            inputs.push_back(vector::ShuffleOp::create(k, x, x, again));
          }
        for (int64_t v = 0; v < columns; ++v) {
          Value panel = panels[v / vectors].number,
                lane = k.cst(v % vectors * lanes);
          for (int64_t b = 0; b < bytes; ++b) {
            Value byte = k.add(k.mul(number, k.cst(bytes)), k.cst(b));
            Value positions = arith::ExtUIOp::create(
                k, integers,
                k.load(k.argument(table), {panel, byte, lane}, lanes));
            for (int64_t e = 0; e < 8 / bits; ++e) {
              int64_t own = b * 8 / bits + e;
              Value index = positions;
              if (e)
                index = arith::ShRUIOp::create(
                    k, positions,
                    k.splat(arith::ConstantIntOp::create(k, k.getI32Type(),
                                                         e * bits),
                            lanes));
              Value value = k.load(
                  k.argument(W),
                  {panel,
                   k.add(k.mul(number, k.cst(groups * kept)), k.cst(own)),
                   lane},
                  lanes);
              for (int64_t r = 0; r < rows; ++r) {
                Value picked = lookUp16(inputs[r * groups + own / kept], index);
                Value &sum = totals[r * columns + v];
                sum = k.fma(picked, value, sum);
              }
            }
          }
        }
        return totals;
      });
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
    sums.push_back(bias ? k.loadColumns(k.argument(Bias), column,
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

void LinearEmitter::storeTile(const TileAccumulators &sums, unsigned rows,
                              Value batch, Value firstRow, bool rowsAreBatch,
                              const Panel &panel, bool isWhole) {
  for (unsigned r = 0; r < rows; ++r)
    for (int64_t v = 0; v < vectors; ++v) {
      Value column = k.add(panel.first, k.cst(v * k.target.lanes));
      SmallVector<Value> place =
          placeOfRow(batch, k.add(firstRow, k.cst(r)), rowsAreBatch, column);
      Value valid = validLanes(panel, column), sum = sums[r * vectors + v];
      for (unsigned i = 0; isWhole && i < addends; ++i)
        sum = arith::AddFOp::create(
            k, sum, k.loadColumns(k.argument(addend + i), place, valid));
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
  forRowTiles(
      k, lower, upper, k.target.tileRows(), [&](Value row, unsigned rows) {
        TileAccumulators sums = isFirst
                                    ? initial(rows, panel)
                                    : partial(rows, batch, row, false, panel);
        sums = multiplyTile(
            k, rows, vectors, sharedVectors(), k.cst(0), k.cst(size), 1, sums,
            [&](unsigned r, unsigned v, Value inner) {
              return k.loadScalar(
                  k.argument(X), place(batch, k.add(row, k.cst(r)),
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
  if (addends && rest == 0)
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

TileAccumulators LinearEmitter::multiplyStreams(ArrayRef<Panel> panels,
                                                int64_t rows,
                                                TileAccumulators sums,
                                                TileColumnScalar left) {
  const unsigned columns = vectors * panels.size();
  // Panels of one block have the same inputs if all of them are stored.
  const unsigned shared = kept ? sharedVectors() : columns;
  return multiplyTile(k, rows, columns, shared, k.cst(0), k.cst(in),
                      unrollFor(in), sums, left, [&](unsigned v, Value inner) {
                        return loadWeights(panels[v / vectors], inner,
                                           k.cst(v % vectors * k.target.lanes));
                      });
}

void LinearEmitter::emitStreams(ArrayRef<Panel> panels, int64_t rows,
                                bool rowsAreBatch) {
  const int64_t count = panels.size();
  TileAccumulators sums;
  SmallVector<TileAccumulators> starts;
  for (const Panel &panel : panels)
    starts.push_back(initial(rows, panel));
  // Row-major over rows, then streams, then vectors.
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t s = 0; s < count; ++s)
      for (int64_t v = 0; v < vectors; ++v)
        sums.push_back(starts[s][r * vectors + v]);
  auto left = [&](unsigned r, unsigned v, Value inner) {
    return k.loadScalar(
        k.argument(X),
        placeOfRow(k.cst(0), k.cst(r), rowsAreBatch,
                   inputOf(panels[v / vectors], v % vectors, inner)));
  };
  sums = pattern && !exact && k.target.looksUp16()
             ? multiplyKept(panels, rows, rowsAreBatch, std::move(sums))
         : scalesSums() ? multiplyGroups(panels, rows, std::move(sums), left)
                        : multiplyStreams(panels, rows, std::move(sums), left);
  for (int64_t s = 0; s < count; ++s) {
    TileAccumulators part;
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t v = 0; v < vectors; ++v)
        part.push_back(sums[(r * count + s) * vectors + v]);
    storeTile(part, rows, k.cst(0), k.cst(0), rowsAreBatch, panels[s], true);
  }
}

/// Each part of the panel is read once from memory: the rows' tiles that come
/// after the first find it in the first-level cache. While they compute, the
/// next part is fetched.
void LinearEmitter::emitParts(const Panel &panel, int64_t rows,
                              bool rowsAreBatch) {
  for (int64_t row = 0; row < rows; ++row)
    storeTile(initial(1, panel), 1, k.cst(0), k.cst(row), rowsAreBatch, panel,
              false);
  Value end = k.cst(in), part = k.cst(kFewRowsPart);
  k.loop(k.cst(0), end, part, [&](Value begin) {
    emitPartOfRows(panel, rows, rowsAreBatch, begin,
                   in % kFewRowsPart ? k.minimum(k.add(begin, part), end)
                                     : k.add(begin, part));
  });
  for (int64_t row = 0; addends && row < rows; ++row)
    storeTile(partial(1, k.cst(0), k.cst(row), rowsAreBatch, panel), 1,
              k.cst(0), k.cst(row), rowsAreBatch, panel, true);
}

void LinearEmitter::emitPartOfRows(const Panel &panel, int64_t rows,
                                   bool rowsAreBatch, Value begin, Value end) {
  auto weights = k.argumentType(W);
  int64_t lineWidth = 64 / (weights.getElementTypeBitWidth() / 8);
  int64_t tiles = llvm::divideCeil(rows, k.target.tileRows());
  int64_t tile = llvm::divideCeil(rows, tiles);
  // The part after this one may be the next panel's first.
  Value isLast =
      arith::CmpIOp::create(k, arith::CmpIPredicate::uge, end, k.cst(in));
  Value nextPanel =
      arith::SelectOp::create(k, isLast,
                              k.minimum(k.add(panel.number, k.cst(1)),
                                        k.cst(weights.getDimSize(0) - 1)),
                              panel.number);
  Value nextBegin = arith::SelectOp::create(k, isLast, k.cst(0), end);
  for (int64_t number = 0; number < tiles; ++number) {
    int64_t firstRow = number * tile;
    unsigned now = std::min(tile, rows - firstRow);
    TileAccumulators sums =
        partial(now, k.cst(0), k.cst(firstRow), rowsAreBatch, panel);
    sums = multiplyTile(
        k, now, vectors, sharedVectors(), begin, end, in % 4 == 0 ? 4 : 1, sums,
        [&](unsigned r, unsigned v, Value inner) {
          return k.loadScalar(k.argument(X),
                              placeOfRow(k.cst(0), k.cst(firstRow + r),
                                         rowsAreBatch,
                                         inputOf(panel, v, inner)));
        },
        [&](unsigned v, Value inner) {
          if (v == 0 && !shifted)
            for (int64_t line = number; line * lineWidth < width; line += tiles)
              memref::PrefetchOp::create(
                  k, k.argument(W),
                  ValueRange{
                      nextPanel,
                      rowOf(k.minimum(k.add(nextBegin, k.sub(inner, begin)),
                                      k.cst(in - 1))),
                      k.cst(line * lineWidth)},
                  /*isWrite=*/false, /*localityHint=*/3,
                  /*isDataCache=*/true);
          return loadWeights(panel, inner, k.cst(v * k.target.lanes));
        });
    storeTile(sums, now, k.cst(0), k.cst(firstRow), rowsAreBatch, panel, false);
  }
}

void LinearEmitter::emitFewRows(int64_t rows, bool rowsAreBatch) {
  // Rows per pass over the weights: all of them if their accumulators fit.
  int64_t tile = std::min<int64_t>(rows, k.target.tileRows());
  if (rows <= tile && scalesSums() && codes.getHasZeros())
    sumGroups(rows, rowsAreBatch);
  // Panels streamed at once.
  int64_t streams = tile == 1 ? 4 : tile == 2 ? 2 : 1;
  auto emit = [&](Value first, Value distance, int64_t count) {
    SmallVector<Panel> panels;
    for (int64_t s = 0; s < count; ++s)
      panels.push_back(
          panelAt(s ? k.add(first, k.mul(distance, k.cst(s))) : first));
    if (rows > tile)
      return emitParts(panels[0], rows, rowsAreBatch);
    emitStreams(panels, rows, rowsAreBatch);
  };
  if (blocks > 1) {
    // Streams share their input, so they are of one block.
    while (blockPanels % streams)
      streams /= 2;
    Value each = k.cst(blockPanels / streams), rest = k.cst(blockPanels);
    k.share(k.mul(k.cst(blocks), each), [&](Value item) {
      SmallVector<Value> at = k.delinearize(item, {k.cst(blocks), each});
      emit(k.add(k.mul(at[0], rest), at[1]), each, streams);
    });
    return;
  }
  auto [lower, upper] = k.shareBounds(k.cst(blockPanels));
  Value mine = k.sub(upper, lower);
  Value distance = arith::DivUIOp::create(k, mine, k.cst(streams));
  if (streams > 1)
    k.loop(lower, k.add(lower, distance), k.cst(1),
           [&](Value first) { emit(first, distance, streams); });
  Value rest =
      streams > 1 ? k.add(lower, k.mul(distance, k.cst(streams))) : lower;
  k.loop(rest, upper, k.cst(1), [&](Value first) { emit(first, distance, 1); });
}

/// How panels hold a structure that has a kernel here.
static std::optional<PanelForm> panelFormOf(StructureAttrInterface structure) {
  if (auto dense = dyn_cast<DenseStructureAttr>(structure))
    return PanelForm{dense.getStorage(), {}, {}, {}};
  if (auto blocks = dyn_cast<BlockDiagonalStructureAttr>(structure))
    return PanelForm{blocks.getStorage(), {}, {}, {}};
  if (auto codes = dyn_cast<QuantizedStructureAttr>(structure))
    return PanelForm{Storage::OutIn, codes, {}, {}};
  if (auto kept = dyn_cast<BlockSparseStructureAttr>(structure))
    return PanelForm{Storage::OutIn, {}, kept, {}};
  if (auto pattern = dyn_cast<NmSparseStructureAttr>(structure))
    return PanelForm{Storage::OutIn, {}, {}, pattern};
  if (isa<ToeplitzStructureAttr>(structure))
    return PanelForm{Storage::OutIn, {}, {}, {}, /*shifted=*/true};
  return std::nullopt;
}

/// Whether the scalars that `body` computes are the sum of the first `terms` of
/// its arguments, each once.
static bool isSumOfArguments(Block &body, unsigned terms) {
  auto arguments = body.getArguments();
  if (!llvm::all_of(arguments.take_front(terms),
                    [](Value term) { return term.hasOneUse(); }) ||
      !llvm::all_of(arguments.drop_front(terms),
                    [](Value old) { return old.use_empty(); }))
    return false;
  unsigned sums = 0;
  for (Operation &inner : body.without_terminator()) {
    if (!isa<arith::AddFOp>(inner) || !inner.getResult(0).hasOneUse())
      return false;
    ++sums;
  }
  return sums + 1 == terms;
}

/// The terms of `op` if it is a sum of tensors of one shape, as such or after
/// it became a loop; none otherwise.
static SmallVector<Value> termsOf(Operation *op) {
  if (auto sum = dyn_cast<arith::AddFOp>(op))
    return {sum.getLhs(), sum.getRhs()};
  auto loop = dyn_cast<linalg::GenericOp>(op);
  if (!loop || loop.getNumResults() != 1 || !loop.hasPureTensorSemantics() ||
      loop.getNumParallelLoops() != loop.getNumLoops() ||
      !llvm::all_of(loop.getIndexingMapsArray(),
                    [](AffineMap map) { return map.isIdentity(); }) ||
      !isSumOfArguments(*loop.getBlock(), loop.getNumDpsInputs()))
    return {};
  return loop.getDpsInputs();
}

FusedSum linnet::findFusedSum(LinearOp op) {
  Value result = op.getResult();
  if (result.use_empty() || !panelFormOf(op.getStructure()))
    return {};
  Operation *sum = *result.user_begin();
  SmallVector<Value> terms = termsOf(sum);
  // Loops also name a tensor whose entries they overwrite.
  if (llvm::count(terms, result) != 1 || sum->getBlock() != op->getBlock() ||
      !llvm::all_of(result.getUsers(),
                    [&](Operation *user) { return user == sum; }))
    return {};
  FusedSum found;
  for (Value other : terms) {
    if (other == result)
      continue;
    Operation *source = other.getDefiningOp();
    bool isThere = source ? !isa<arith::ConstantOp>(source) &&
                                source->getBlock() == op->getBlock() &&
                                source->isBeforeInBlock(op)
                          : other.getParentBlock() == op->getBlock();
    if (!isThere || other.getType() != result.getType())
      return {};
    found.others.push_back(other);
  }
  found.result = sum->getResult(0);
  return found;
}

bool linnet::isFusedSum(Operation *sum) {
  return llvm::any_of(termsOf(sum), [&](Value term) {
    auto map = term.getDefiningOp<LinearOp>();
    return map && findFusedSum(map).result == sum->getResult(0);
  });
}

LinearResult linnet::resultOf(FunctionLowering &f, LinearOp op) {
  FusedSum sum = findFusedSum(op);
  if (!sum.result)
    return {f.buffer(op.getResult()), {}};
  remark::passed(
      op.getLoc(),
      remark::RemarkOpts::name("sum fused").category("linnet-lower-cpu"));
  LinearResult result{f.buffer(sum.result), {}};
  for (Value other : sum.others)
    result.addends.push_back(denseRows(f, op, other));
  return result;
}

static LogicalResult lowerLinear(FunctionLowering &f, Operation *operation) {
  auto op = cast<LinearOp>(operation);
  if (isa<PermutationStructureAttr>(op.getStructure()))
    return lowerPermutation(f, op);
  if (isa<DiagStructureAttr>(op.getStructure()))
    return lowerDiag(f, op);
  if (skipsZeros(f, op))
    return lowerSkippingLinear(f, op);
  std::optional<PanelForm> form = panelFormOf(op.getStructure());
  if (!form)
    return op.emitOpError("expected a dense structure (run "
                          "linnet-expand-structures), but got ")
           << op.getStructure();
  TypeRange factors = op.getFactors().getTypes();
  LinearShape shape = form->stored(
      *op.getStructure().inferShape(factors, [&] { return op.emitOpError(); }),
      factors);
  SmallVector<Buffer> tables;
  Buffer w;
  if (form->codes || form->pattern) {
    for (Value factor : op.getFactors())
      if (std::optional<Buffer> stored = panelsOfWeight(f, factor))
        tables.push_back(*stored);
    if (tables.size() != factors.size())
      return op.emitOpError("expected ")
             << (form->codes ? "codes, scales and zeros"
                             : "values and positions")
             << " that are weights";
    w = tables.front();
    tables.erase(tables.begin());
  } else if (form->shifted) {
    w = denseRows(f, op, op.getFactors()[0]);
  } else {
    w = panelsOf(f, op, shape, form->storage == Storage::InOut);
  }
  if (form->kept)
    tables.push_back(wholeFactor(f, op, op.getFactors()[1]));
  Buffer x = f.buffer(op.getInput());
  auto [y, addends] = resultOf(f, op);
  int64_t rank = x.type.getRank();
  if (rank < 1 || rank > 4)
    return op.emitOpError("expected an input of rank 1 to 4, but got ") << rank;
  SmallVector<KernelArgument> arguments{KernelArgument::read(x),
                                        KernelArgument::read(w),
                                        KernelArgument::write(y)};
  if (op.getBias())
    arguments.push_back(KernelArgument::read(f.buffer(op.getBias())));
  for (const Buffer &table : tables)
    arguments.push_back(KernelArgument::read(table));
  for (const Buffer &addend : addends)
    arguments.push_back(KernelArgument::read(addend));
  bool manyRows = hasManyRows(x);
  bool exact = op->getParentOfType<ModuleOp>()->hasAttr(kExactDecodeAttr);
  f.call(op, manyRows ? "linear" : "linear_row", arguments,
         [&, count = unsigned(addends.size())](KernelBuilder &k) {
           LinearEmitter emitter(k, shape, bool(op.getBias()), count, *form,
                                 exact);
           if (manyRows)
             return emitter.emitManyRows();
           int64_t rows = x.type.getRank() == 1 ? 1 : x.type.getDimSize(0);
           emitter.emitFewRows(rows, true);
         });
  return success();
}

void linnet::addLinearLowering(OpLoweringMap &map) {
  map[LinearOp::getOperationName()] = lowerLinear;
}
