//===- LinearKernel.cpp - dense linear maps on the CPU --------------------===//
//
// Weights are packed once at load into panels [N / NR][K][NR]. Many rows:
// register tiles run down the rows against one panel, which stays in cache.
// One row: several far-apart panels are streamed at a time, because one
// sequential stream does not fill the memory pipeline.
//
//===----------------------------------------------------------------------===//

#include "dialects/Linnet/Linnet.h"
#include "passes/CPU/FunctionLowering.h"
#include "passes/CPU/RegisterTile.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::linnet;

namespace {
/// Emits y = W x + bias for packed W.
class LinearEmitter {
public:
  enum Argument { X, W, Y, Bias };

  LinearEmitter(KernelBuilder &k, int64_t in, int64_t out, bool bias)
      : k(k), in(in), out(out), bias(bias), vectors(k.target.panelVectors()),
        width(k.target.panelWidth()) {}

  /// Rows along dimension 1 (tokens) of each batch row.
  void emitManyRows();
  /// Few rows (static): the batch dimension, or a single row.
  void emitFewRows(int64_t rows, bool rowsAreBatch);

private:
  Value row(Value batch, Value token, ArrayRef<Value> inner);
  SmallVector<Value> place(Value batch, Value token, Value column);
  bool narrow() const { return !k.argumentType(W).getElementType().isF32(); }
  /// Which of the lanes from `column` on are columns; null if all are.
  Value validLanes(Value column);
  /// Accumulators before the first product: the bias, or zeros.
  TileAccumulators initial(unsigned rows, Value firstColumn);
  /// Accumulators so far, from the output.
  TileAccumulators partial(unsigned rows, Value batch, Value firstRow,
                           Value firstColumn);
  void storeTile(const TileAccumulators &sums, unsigned rows, Value batch,
                 Value firstRow, bool rowsAreBatch, Value firstColumn);
  /// One panel, inner indices [begin, begin + size).
  void emitBlock(Value panel, Value batch, Value lower, Value upper,
                 Value begin, int64_t size, bool first);
  void emitPanel(Value panel, Value batch, Value lower, Value upper);

  KernelBuilder &k;
  int64_t in, out;
  bool bias;
  int64_t vectors, width;
  /// A narrow panel block as f32, in scratch.
  Value wide;
};
} // namespace

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

Value LinearEmitter::validLanes(Value column) {
  if (out % width == 0)
    return {};
  return k.maximum(k.cst(0),
                   k.minimum(k.cst(k.target.lanes), k.sub(k.cst(out), column)));
}

TileAccumulators LinearEmitter::initial(unsigned rows, Value firstColumn) {
  TileAccumulators sums;
  for (int64_t v = 0; v < vectors; ++v) {
    Value column = k.add(firstColumn, k.cst(v * k.target.lanes));
    sums.push_back(
        bias ? k.loadColumns(k.argument(Bias), column, validLanes(column))
             : k.splat(0.0, k.target.lanes));
  }
  TileAccumulators all;
  for (unsigned r = 0; r < rows; ++r)
    llvm::append_range(all, sums);
  return all;
}

TileAccumulators LinearEmitter::partial(unsigned rows, Value batch,
                                        Value firstRow, Value firstColumn) {
  TileAccumulators sums;
  for (unsigned r = 0; r < rows; ++r)
    for (int64_t v = 0; v < vectors; ++v) {
      Value column = k.add(firstColumn, k.cst(v * k.target.lanes));
      sums.push_back(k.loadColumns(
          k.argument(Y), place(batch, k.add(firstRow, k.cst(r)), column),
          validLanes(column)));
    }
  return sums;
}

void LinearEmitter::storeTile(const TileAccumulators &sums, unsigned rows,
                              Value batch, Value firstRow, bool rowsAreBatch,
                              Value firstColumn) {
  for (unsigned r = 0; r < rows; ++r)
    for (int64_t v = 0; v < vectors; ++v) {
      Value column = k.add(firstColumn, k.cst(v * k.target.lanes));
      Value number = k.add(firstRow, k.cst(r));
      SmallVector<Value> indices = rowsAreBatch
                                       ? place(number, k.cst(0), column)
                                       : place(batch, number, column);
      k.storeColumns(sums[r * vectors + v], k.argument(Y), indices,
                     validLanes(column));
    }
}

void LinearEmitter::emitBlock(Value panel, Value batch, Value lower,
                              Value upper, Value begin, int64_t size,
                              bool first) {
  auto weight = [&](Value inner, Value lane) {
    return k.load(k.argument(W), {panel, k.add(inner, begin), lane},
                  k.target.lanes);
  };
  // Narrow panels are widened once and then used by every row tile.
  if (wide)
    k.loop(size, [&](Value inner) {
      for (int64_t v = 0; v < vectors; ++v) {
        Value lane = k.cst(v * k.target.lanes);
        k.store(weight(inner, lane), wide, {inner, lane});
      }
    });
  Value firstColumn = k.mul(panel, k.cst(width));
  forRowTiles(
      k, lower, upper, k.target.tileRows(), [&](Value row, unsigned rows) {
        TileAccumulators sums = first ? initial(rows, firstColumn)
                                      : partial(rows, batch, row, firstColumn);
        sums = multiplyTile(
            k, rows, vectors, k.cst(0), k.cst(size), 1, sums,
            [&](unsigned r, Value inner) {
              return k.loadScalar(
                  k.argument(X),
                  place(batch, k.add(row, k.cst(r)), k.add(inner, begin)));
            },
            [&](unsigned v, Value inner) {
              Value lane = k.cst(v * k.target.lanes);
              return wide ? k.load(wide, {inner, lane}, k.target.lanes)
                          : weight(inner, lane);
            });
        storeTile(sums, rows, batch, row, false, firstColumn);
      });
}

/// Inner indices per block: a block of a panel has to stay in the second-level
/// cache while the rows pass. Equal blocks where `in` allows.
static int64_t blockSize(int64_t in) {
  constexpr int64_t kSmallest = 256, kUsual = 512, kLargest = 768;
  for (int64_t count = (in + kLargest - 1) / kLargest; in / count >= kSmallest;
       ++count)
    if (in % count == 0)
      return in / count;
  return std::min(in, kUsual);
}

void LinearEmitter::emitPanel(Value panel, Value batch, Value lower,
                              Value upper) {
  const int64_t block = blockSize(in);
  if (narrow() && !wide)
    wide = k.scratch({block, width}, k.getF32Type());
  emitBlock(panel, batch, lower, upper, k.cst(0), block, true);
  int64_t whole = in / block * block;
  if (whole > block)
    k.loop(k.cst(block), k.cst(whole), k.cst(block), [&](Value begin) {
      emitBlock(panel, batch, lower, upper, begin, block, false);
    });
  if (whole < in)
    emitBlock(panel, batch, lower, upper, k.cst(whole), in - whole, false);
}

void LinearEmitter::emitManyRows() {
  Value panels = k.cst((out + width - 1) / width);
  Value rows = k.extent(X, 1);
  if (k.argumentType(X).getRank() == 4)
    rows = k.mul(rows, k.cst(k.argumentType(X).getDimSize(2)));
  // Few panels would leave threads idle: then split the rows as well.
  Value parts = k.cst(1);
  if ((out + width - 1) / width < 8)
    parts = k.threads;
  k.onlyIf(k.less(k.cst(0), rows), [&] {
    k.share(k.mul(panels, parts), [&](Value item) {
      SmallVector<Value> place = k.delinearize(item, {panels, parts});
      auto bound = [&](Value part) {
        return Value(arith::DivUIOp::create(k, k.mul(rows, part), parts));
      };
      Value lower = bound(place[1]), upper = bound(k.add(place[1], k.cst(1)));
      k.loop(k.argumentType(X).getDimSize(0),
             [&](Value batch) { emitPanel(place[0], batch, lower, upper); });
    });
  });
}

void LinearEmitter::emitFewRows(int64_t rows, bool rowsAreBatch) {
  // Rows per pass over the weights: all of them if their accumulators fit.
  int64_t tile = std::min<int64_t>(rows, k.target.tileRows());
  // Panels streamed at once.
  int64_t streams = tile == 1 ? 4 : tile == 2 ? 2 : 1;
  Value panels = k.cst((out + width - 1) / width);
  auto [lower, upper] = k.shareBounds(panels);
  Value mine = k.sub(upper, lower);
  Value distance = arith::DivUIOp::create(k, mine, k.cst(streams));
  auto emit = [&](Value first, int64_t count) {
    auto panelOf = [&](int64_t s) {
      return s ? k.add(first, k.mul(distance, k.cst(s))) : first;
    };
    for (int64_t begin = 0; begin < rows; begin += tile) {
      unsigned now = std::min(tile, rows - begin);
      TileAccumulators sums;
      SmallVector<TileAccumulators> starts;
      for (int64_t s = 0; s < count; ++s)
        starts.push_back(initial(now, k.mul(panelOf(s), k.cst(width))));
      // Row-major over rows, then streams, then vectors.
      for (unsigned r = 0; r < now; ++r)
        for (int64_t s = 0; s < count; ++s)
          for (int64_t v = 0; v < vectors; ++v)
            sums.push_back(starts[s][r * vectors + v]);
      auto left = [&](unsigned r, Value inner) {
        Value number = k.cst(begin + r);
        return k.loadScalar(k.argument(X),
                            rowsAreBatch ? place(number, k.cst(0), inner)
                                         : place(k.cst(0), number, inner));
      };
      auto right = [&](unsigned v, Value inner) {
        Value lane = k.cst((v % vectors) * k.target.lanes);
        return k.load(k.argument(W), {panelOf(v / vectors), inner, lane},
                      k.target.lanes);
      };
      unsigned unroll = in % 4 == 0 ? 4 : in % 2 == 0 ? 2 : 1;
      sums = multiplyTile(k, now, vectors * count, k.cst(0), k.cst(in), unroll,
                          sums, left, right);
      for (int64_t s = 0; s < count; ++s) {
        TileAccumulators part;
        for (unsigned r = 0; r < now; ++r)
          for (int64_t v = 0; v < vectors; ++v)
            part.push_back(sums[(r * count + s) * vectors + v]);
        storeTile(part, now, k.cst(0), k.cst(begin), rowsAreBatch,
                  k.mul(panelOf(s), k.cst(width)));
      }
    }
  };
  if (streams > 1)
    k.loop(lower, k.add(lower, distance), k.cst(1),
           [&](Value first) { emit(first, streams); });
  Value rest =
      streams > 1 ? k.add(lower, k.mul(distance, k.cst(streams))) : lower;
  k.loop(rest, upper, k.cst(1), [&](Value first) { emit(first, 1); });
}

/// The panels of a part of a weight that has all outputs but only some of the
/// inputs, which lie along dimension `inputs`: they are a part of the weight's.
static std::optional<Buffer> partOfWeight(FunctionLowering &f, Value factor,
                                          ArrayRef<NamedAttribute> layout,
                                          MemRefType packed, unsigned inputs) {
  auto slice = factor.getDefiningOp<tensor::ExtractSliceOp>();
  if (!slice || !slice.getSource().getDefiningOp<WeightOp>() ||
      slice.getSourceType().getRank() != 2 || slice.getType().getRank() != 2 ||
      slice.getType().getDimSize(1 - inputs) !=
          slice.getSourceType().getDimSize(1 - inputs) ||
      !areAllConstantIntValue(slice.getMixedStrides(), 1))
    return std::nullopt;
  auto begin = getConstantIntValue(slice.getMixedOffsets()[inputs]);
  if (!begin)
    return std::nullopt;
  SmallVector<int64_t> shape(packed.getShape());
  shape[1] = slice.getSourceType().getDimSize(inputs);
  auto all = MemRefType::get(shape, packed.getElementType());
  Buffer part = *f.weight(slice.getSource(), layout, all);
  auto [strides, offset] = all.getStridesAndOffset();
  ImplicitLocOpBuilder &b = f.builder();
  int32_t skipped = *begin * strides[1];
  part.pointer =
      LLVM::GEPOp::create(b, part.pointer.getType(), packed.getElementType(),
                          part.pointer, ArrayRef<LLVM::GEPArg>{skipped});
  part.type =
      MemRefType::get(packed.getShape(), packed.getElementType(),
                      StridedLayoutAttr::get(b.getContext(), 0, strides));
  return part;
}

static LogicalResult lowerLinear(FunctionLowering &f, Operation *operation) {
  auto op = cast<LinearOp>(operation);
  auto dense = dyn_cast<DenseStructureAttr>(op.getStructure());
  if (!dense)
    return op.emitOpError("expected a dense structure (run "
                          "linnet-expand-structures), but got ")
           << op.getStructure();
  Value factor = op.getFactors()[0];
  auto matrix = cast<RankedTensorType>(factor.getType());
  bool transposed = dense.getStorage() == Storage::InOut;
  int64_t in = matrix.getDimSize(transposed ? 0 : 1);
  int64_t out = matrix.getDimSize(transposed ? 1 : 0);
  int64_t width = f.target().panelWidth();
  Builder &b = f.builder();
  Type element = matrix.getElementType();
  if (!element.isBF16() && !element.isF16())
    element = b.getF32Type();
  auto packed =
      MemRefType::get({(out + width - 1) / width, in, width}, element);

  SmallVector<NamedAttribute> layout = {
      b.getNamedAttr("kind", b.getStringAttr("panel")),
      b.getNamedAttr("transposed", b.getBoolAttr(transposed)),
      b.getNamedAttr("width", b.getI64IntegerAttr(width))};
  auto w = f.weight(factor, layout, packed);
  if (!w)
    w = partOfWeight(f, factor, layout, packed, transposed ? 0 : 1);
  if (!w) {
    f.fallback(op, "its matrix is computed, so it is packed on every call");
    packed = MemRefType::get(packed.getShape(), b.getF32Type());
    Buffer source = f.buffer(factor);
    Buffer panels = f.temporary(packed.getShape(), b.getF32Type());
    f.call(
        op, transposed ? "pack_transposed" : "pack",
        {KernelArgument::read(source), KernelArgument::write(panels)},
        [&](KernelBuilder &k) {
          k.share(k.cst(packed.getDimSize(0) * in), [&](Value item) {
            auto place =
                k.delinearize(item, {k.cst(packed.getDimSize(0)), k.cst(in)});
            k.loop(width, [&](Value lane) {
              Value column = k.add(k.mul(place[0], k.cst(width)), lane);
              Value inside = k.less(column, k.cst(out));
              Value safe = k.minimum(column, k.cst(out - 1));
              Value value = k.loadScalar(
                  k.argument(0), transposed ? ValueRange{place[1], safe}
                                            : ValueRange{safe, place[1]});
              value = arith::SelectOp::create(k, inside, value, k.f32(0));
              k.storeScalar(value, k.argument(1), {place[0], place[1], lane});
            });
          });
        });
    w = panels;
  }
  Buffer x = f.buffer(op.getInput());
  Buffer y = f.buffer(op.getResult());
  int64_t rank = x.type.getRank();
  if (rank < 1 || rank > 4)
    return op.emitOpError("expected an input of rank 1 to 4, but got ") << rank;
  SmallVector<KernelArgument> arguments{KernelArgument::read(x),
                                        KernelArgument::read(*w),
                                        KernelArgument::write(y)};
  if (op.getBias())
    arguments.push_back(KernelArgument::read(f.buffer(op.getBias())));
  bool manyRows =
      rank == 4 || (rank == 3 && (x.dynamicTokens || x.type.getDimSize(1) > 1));
  f.call(op, manyRows ? "linear" : "linear_row", arguments,
         [&](KernelBuilder &k) {
           LinearEmitter emitter(k, in, out, bool(op.getBias()));
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
