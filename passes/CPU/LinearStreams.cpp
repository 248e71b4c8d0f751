//===- LinearStreams.cpp - products of few rows ---------------------------===//
//
// Several far-apart panels are streamed at a time, because one sequential
// stream does not fill the memory pipeline.
//
//===----------------------------------------------------------------------===//

#include "passes/CPU/LinearEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::linnet;

/// Inner indices of a part of a panel that few rows share: little enough for
/// the first-level cache to hold it, the next one and the rows.
static constexpr int64_t kFewRowsPart = 16;
/// Bytes of a stream that are under way while others are multiplied: the
/// hardware's own prefetch stops at the end of a page.
static constexpr int64_t kBytesAhead = 1024;
/// The same of codes in words, which are multiplied faster, and in fewer
/// streams.
static constexpr int64_t kWordBytesAhead = 4096;

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
            Value positions =
                arith::ExtUIOp::create(k, integers,
                                       k.load(k.argument(*arguments.table),
                                              {panel, byte, lane}, lanes));
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

TileAccumulators LinearEmitter::multiplyStreams(ArrayRef<Panel> panels,
                                                int64_t rows,
                                                TileAccumulators sums,
                                                TileColumnScalar left) {
  const unsigned columns = vectors * panels.size();
  // Panels of one block have the same inputs if all of them are stored.
  const unsigned shared = kept ? sharedVectors() : columns;
  return multiplyTile(k, rows, columns, shared, k.cst(0), k.cst(in),
                      unrollFor(in), sums, left, [&](unsigned v, Value inner) {
                        if (v % vectors == 0)
                          fetchAhead(panels[v / vectors], inner);
                        return loadWeights(panels[v / vectors], inner,
                                           k.cst(v % vectors * k.target.lanes));
                      });
}

void LinearEmitter::fetchAhead(const Panel &panel, Value inner) {
  // Patterns and vectors have other places.
  if (pattern || shifted)
    return;
  const int64_t rowBytes =
      width * k.argumentType(W).getElementTypeBitWidth() / 8;
  // Behind a panel's last row lies the next panel's first; a fetch behind the
  // last of all does nothing.
  Value later = k.add(
      rowOf(inner),
      k.cst(llvm::divideCeil(words ? kWordBytesAhead : kBytesAhead, rowBytes)));
  for (int64_t begin = 0; begin < rowBytes; begin += 64)
    memref::PrefetchOp::create(
        k, k.argument(W),
        ValueRange{panel.number, later, k.cst(begin * width / rowBytes)},
        /*isWrite=*/false, /*localityHint=*/3, /*isDataCache=*/true);
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
         : digits       ? multiplyWords(panels, rows, std::move(sums))
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
  for (int64_t row = 0; !arguments.addends.empty() && row < rows; ++row)
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
  if (rows <= tile && scalesSums()) {
    if (words)
      splitRows(rows, rowsAreBatch);
    else if (codes.getHasZeros())
      sumGroups(rows, rowsAreBatch);
  }
  // Panels streamed at once: those whose accumulators fit.
  int64_t streams = tile == 1 ? 4 : tile == 2 ? 2 : 1;
  if (digits)
    streams = tile == 1 ? 2 : 1;
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
  // What is too little for all streams goes in half as many.
  Value next = lower;
  for (int64_t count = streams; count > 0; count /= 2) {
    Value distance =
        arith::DivUIOp::create(k, k.sub(upper, next), k.cst(count));
    k.loop(next, k.add(next, distance), k.cst(1),
           [&](Value first) { emit(first, distance, count); });
    next = k.add(next, k.mul(distance, k.cst(count)));
  }
}
