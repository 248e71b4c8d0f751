//===- LongConvKernel.cpp - causal convolution with a long filter ---------===//

#include "passes/CPU/LongConvKernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::linnet;

/// Tokens and taps of one step of the direct sum.
static constexpr int64_t kTileTokens = 8, kTileTaps = 4;
/// Vectors of channels that keep all threads busy.
static constexpr int64_t kManyVectors = 16;

//===----------------------------------------------------------------------===//
// Rows and taps
//===----------------------------------------------------------------------===//

ConvChannels::ConvChannels(KernelBuilder &k, LongConvOp op,
                           const ConvShape &shape)
    : k(k), shape(shape), lanes(k.target.lanes),
      channels(k.argumentType(0).getDimSize(2)), tokens(k.extent(0, 1)),
      hasSkip(op.getSkip() != nullptr),
      filters(k.argumentType(2).getDimSize(0)) {}

void ConvChannels::select(Value first, int64_t count) {
  channel = first;
  valid = count < lanes ? k.cst(count) : Value();
  width = count;
}

Value ConvChannels::loadRow(unsigned argument, Value row) {
  return k.loadColumns(k.argument(argument), {batch, row, channel}, valid);
}

void ConvChannels::storeRow(Value value, unsigned argument, Value row) {
  k.storeColumns(value, k.argument(argument), {batch, row, channel}, valid);
}

void ConvChannels::storeResult(Value sum, Value token) {
  if (hasSkip)
    sum = k.fma(k.loadColumns(k.argument(3), channel, valid), loadRow(0, token),
                sum);
  storeRow(sum, 1, token);
}

/// Tap `tap` of each channel's filter.
Value ConvChannels::loadTap(Value tap) {
  int64_t sharing = channels / filters;
  auto load = [&](Value place) {
    Value row = arith::DivUIOp::create(k, place, k.cst(sharing));
    return k.loadScalar(k.argument(2), {row, tap});
  };
  if (sharing % lanes == 0 || filters == 1)
    return k.splat(load(channel), lanes);
  Value taps = k.splat(0.0, lanes);
  for (int64_t lane = 0; lane < width; ++lane)
    taps = vector::InsertOp::create(k, load(k.add(channel, k.cst(lane))), taps,
                                    lane);
  return taps;
}

/// Rows of a filter per channel come as vectors of taps and are transposed.
void ConvChannels::forTaps(Value start, Value count,
                           llvm::function_ref<void(Value, Value)> put) {
  Value done = k.cst(0);
  if (filters == channels && width == lanes) {
    done = k.mul(arith::DivUIOp::create(k, count, k.cst(lanes)), k.cst(lanes));
    k.loop(k.cst(0), done, k.cst(lanes), [&](Value point) {
      SmallVector<Value> rows;
      for (int64_t lane = 0; lane < lanes; ++lane)
        rows.push_back(
            k.load(k.argument(2),
                   {k.add(channel, k.cst(lane)), k.add(start, point)}, lanes));
      transpose(rows);
      for (auto [j, taps] : llvm::enumerate(rows))
        put(taps, k.add(point, k.cst(j)));
    });
  }
  k.loop(done, count, k.cst(1),
         [&](Value point) { put(loadTap(k.add(start, point)), point); });
}

/// Swaps rows and lanes of a square, block by block of half the size.
void ConvChannels::transpose(SmallVectorImpl<Value> &rows) {
  for (int64_t half = 1; half < lanes; half *= 2)
    for (int64_t r = 0; r < lanes; ++r) {
      if (r & half)
        continue;
      SmallVector<int64_t> low, high;
      for (int64_t lane = 0; lane < lanes; ++lane) {
        bool other = lane & half;
        low.push_back(other ? lanes + lane - half : lane);
        high.push_back(other ? lanes + lane : lane + half);
      }
      Value first = rows[r], second = rows[r + half];
      rows[r] = vector::ShuffleOp::create(k, first, second, low);
      rows[r + half] = vector::ShuffleOp::create(k, first, second, high);
    }
}

void ConvChannels::moveTail() {
  Value length = k.cst(shape.before);
  Value kept = k.maximum(k.sub(length, tokens), k.cst(0));
  unsigned tail = tailArgument();
  // A row moves towards the front, so that ascending order reads it before it
  // is overwritten.
  k.loop(kept, [&](Value row) {
    storeRow(loadRow(tail, k.add(row, tokens)), tail, row);
  });
  Value skipped = k.sub(tokens, length);
  k.loop(kept, length, k.cst(1), [&](Value row) {
    storeRow(loadRow(0, k.add(row, skipped)), tail, row);
  });
}

//===----------------------------------------------------------------------===//
// The direct sum
//===----------------------------------------------------------------------===//

namespace {
class DirectConv : public ConvForm {
public:
  explicit DirectConv(ConvChannels &c)
      : c(c), k(c.k), shape(c.shape), lanes(c.lanes) {
    window = k.scratch({shape.taps - 1 + shape.tokens, lanes}, k.getF32Type());
    taps = k.scratch({shape.taps, lanes}, k.getF32Type());
  }

  void prepareFilter() override {
    c.forTaps(k.cst(0), k.cst(shape.taps), [&](Value value, Value tap) {
      k.store(value, taps, {tap, k.cst(0)});
    });
  }

  void convolve() override {
    int64_t before = shape.taps - 1;
    k.loop(before, [&](Value row) {
      k.store(shape.before ? c.loadTail(row) : k.splat(0.0, lanes), window,
              {row, k.cst(0)});
    });
    k.loop(c.tokens, [&](Value token) {
      k.store(c.loadInput(token), window,
              {k.add(token, k.cst(before)), k.cst(0)});
    });
    Value whole = k.mul(arith::DivUIOp::create(k, c.tokens, k.cst(kTileTokens)),
                        k.cst(kTileTokens));
    if (shape.tokens >= kTileTokens)
      k.loop(k.cst(0), whole, k.cst(kTileTokens),
             [&](Value token) { emitTile(token, kTileTokens); });
    else
      whole = k.cst(0);
    k.loop(whole, c.tokens, k.cst(1), [&](Value token) { emitTile(token, 1); });
  }

private:
  Value windowRow(Value row) { return k.load(window, {row, k.cst(0)}, lanes); }

  void emitTile(Value token, int64_t rows) {
    SmallVector<Value> sums(rows, k.splat(0.0, lanes));
    int64_t whole = shape.taps / kTileTaps * kTileTaps;
    auto addTaps = [&](Value first, int64_t count, ValueRange carried) {
      SmallVector<Value> next(carried), rowsOfWindow;
      // Tap j meets row token + before - j.
      Value lowest = k.sub(k.add(token, k.cst(shape.taps - count)), first);
      for (int64_t i = 0; i < rows + count - 1; ++i)
        rowsOfWindow.push_back(windowRow(k.add(lowest, k.cst(i))));
      for (int64_t j = 0; j < count; ++j) {
        Value tap = k.load(taps, {k.add(first, k.cst(j)), k.cst(0)}, lanes);
        for (int64_t r = 0; r < rows; ++r)
          next[r] = k.fma(tap, rowsOfWindow[r + count - 1 - j], next[r]);
      }
      return next;
    };
    sums = k.loop(k.cst(0), k.cst(whole), k.cst(kTileTaps), sums,
                  [&](Value first, ValueRange carried) {
                    return addTaps(first, kTileTaps, carried);
                  });
    if (whole < shape.taps)
      sums = addTaps(k.cst(whole), shape.taps - whole, sums);
    for (auto [r, sum] : llvm::enumerate(sums))
      c.storeResult(sum, k.add(token, k.cst(r)));
  }

  ConvChannels &c;
  KernelBuilder &k;
  const ConvShape shape;
  const int64_t lanes;
  /// Tail and inputs [L - 1 + T][lanes], and the taps [L][lanes].
  Value window, taps;
};
} // namespace

std::unique_ptr<ConvForm> linnet::createDirectConv(ConvChannels &channels) {
  return std::make_unique<DirectConv>(channels);
}

//===----------------------------------------------------------------------===//
// Items
//===----------------------------------------------------------------------===//

/// Vectors of `count` channels from channel `first` on; where they are too few
/// to go round the threads, rows of the batch are items of their own and each
/// prepares the filter.
static void emitItems(ConvChannels &c, ConvForm &form, int64_t vectors,
                      int64_t first, int64_t count) {
  KernelBuilder &k = c.k;
  int64_t rows = k.argumentType(0).getDimSize(0);
  bool split = rows > 1 && vectors < kManyVectors;
  SmallVector<Value> sizes{k.cst(vectors), k.cst(split ? rows : 1)};
  k.share(k.mul(sizes[0], sizes[1]), [&](Value item) {
    SmallVector<Value> place = k.delinearize(item, sizes);
    c.select(k.add(k.mul(place[0], k.cst(c.lanes)), k.cst(first)), count);
    form.prepareFilter();
    auto emitRow = [&](Value row) {
      c.selectRow(row);
      form.convolve();
      if (c.shape.before)
        c.moveTail();
    };
    split ? emitRow(place[1]) : k.loop(k.extent(0, 0), emitRow);
  });
}

static void emitLongConv(KernelBuilder &k, LongConvOp op,
                         const ConvShape &shape) {
  ConvChannels c(k, op, shape);
  int64_t block = chooseConvBlock(shape);
  std::unique_ptr<ConvForm> form =
      block ? createPartitionedConv(c, block) : createDirectConv(c);
  int64_t whole = c.channels / c.lanes, rest = c.channels % c.lanes;
  if (whole)
    emitItems(c, *form, whole, 0, c.lanes);
  if (rest)
    emitItems(c, *form, 1, whole * c.lanes, rest);
}

static LogicalResult lowerLongConv(FunctionLowering &f, Operation *source) {
  auto op = cast<LongConvOp>(source);
  auto filter = cast<RankedTensorType>(op.getFilter().getType());
  if (!filter.hasStaticShape())
    return op.emitOpError("expected a filter of known length, but got ")
           << filter;
  SmallVector<KernelArgument> arguments{
      KernelArgument::read(denseRows(f, op, op.getInput())),
      KernelArgument::write(denseRows(f, op, op.getResult())),
      KernelArgument::read(denseRows(f, op, op.getFilter()))};
  if (op.getSkip())
    arguments.push_back(KernelArgument::read(denseRows(f, op, op.getSkip())));
  int64_t taps = arguments[2].buffer.type.getDimSize(1);
  bool hasTail = taps > 1 && (op.getTail() || !op.getNewTail().use_empty());
  if (hasTail)
    arguments.push_back(
        KernelArgument::update(f.prepareState(op.getTail(), op.getNewTail())));
  // Taps that only ever meet zeros have no part.
  int64_t tokens = arguments[0].buffer.type.getDimSize(1);
  ConvShape shape{tokens,
                  hasTail ? taps : std::min(taps, std::max<int64_t>(tokens, 1)),
                  hasTail ? taps - 1 : 0};
  f.call(
      op, "long_conv", arguments,
      [&](KernelBuilder &k) { emitLongConv(k, op, shape); },
      hasTail ? "" : "stateless");
  return success();
}

void linnet::addLongConvLowering(OpLoweringMap &map) {
  map[LongConvOp::getOperationName()] = lowerLongConv;
}
