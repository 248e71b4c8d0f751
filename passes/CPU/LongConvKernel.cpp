//===- LongConvKernel.cpp - causal convolution with a long filter ---------===//
//
// One item is a vector of channels over all rows of the batch, or one of them:
// the filter is prepared once, and the tail, which is updated in place, belongs
// to one thread. Lanes are channels throughout.
//
// Short filters and few tokens: products of a window of inputs in registers,
// several tokens and taps at a time.
//
// Otherwise filter and inputs are cut into blocks of M entries, each
// transformed once; block i of the output is the sum of the products of the
// input's block i - j with the filter's block j, which is taken before the one
// transform back, and half of which belongs to block i + 1 (a uniformly
// partitioned convolution with overlap-add, Stockham 1966, Wefers 2015). Blocks
// that stay in the first cache beat one transform over the whole length,
// whose passes would each go through the second.
//
//===----------------------------------------------------------------------===//

#include "passes/CPU/NegacyclicTransform.h"
#include "passes/CPU/RowLoops.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::linnet;

/// Tokens and taps of one step of the direct sum.
static constexpr int64_t kTileTokens = 8, kTileTaps = 4;
/// Vectors of channels that keep all threads busy.
static constexpr int64_t kManyVectors = 16;
/// Blocks of the transformed form, powers of two.
static constexpr int64_t kSmallestBlock = 16, kLargestBlock = 4096;
/// An operation of a transform takes the time of this many operations of the
/// direct sum, whose operands stand in registers: measured at D = 512 and
/// L = 64 to 1024 in 16 lanes, where it is 0.9 to 1.2.
static constexpr double kTransformWeight = 1.2;

namespace {
/// Lengths that decide how the sum is computed; upper bounds.
struct ConvShape {
  int64_t tokens, taps, before;

  int64_t tailBlocks(int64_t block) const {
    return llvm::divideCeil(before, block);
  }
  int64_t inputBlocks(int64_t block) const {
    return tailBlocks(block) + llvm::divideCeil(tokens, block);
  }
  int64_t filterBlocks(int64_t block) const {
    return llvm::divideCeil(taps, block);
  }
};
} // namespace

/// Operations per channel with blocks of `block`.
static double costOf(const ConvShape &shape, int64_t block) {
  int64_t inputs = shape.inputBlocks(block),
          filters = shape.filterBlocks(block), tails = shape.tailBlocks(block);
  double products = 0;
  for (int64_t i = std::max<int64_t>(tails - 1, 0); i < inputs; ++i)
    products += 4.0 * double(block) * double(std::min(i + 1, filters));
  double transforms = double(2 * inputs - tails + filters);
  return products + transforms * NegacyclicTransform::cost(block);
}

/// The block length that pays best, 0 where the direct sum does.
static int64_t chooseBlock(const ConvShape &shape) {
  double best = double(shape.tokens) * double(shape.taps);
  int64_t chosen = 0;
  for (int64_t block = kSmallestBlock; block <= kLargestBlock; block *= 2) {
    double cost = kTransformWeight * costOf(shape, block);
    if (cost < best) {
      best = cost;
      chosen = block;
    }
  }
  return chosen;
}

namespace {
/// Arguments: x, y, filter [G, L], then skip and tail where there are some.
class LongConvKernel {
public:
  LongConvKernel(KernelBuilder &k, LongConvOp op, const ConvShape &shape,
                 int64_t block, bool hasTail)
      : k(k), shape(shape), block(block), lanes(k.target.lanes),
        hasSkip(op.getSkip() != nullptr), hasTail(hasTail),
        channels(k.argumentType(0).getDimSize(2)),
        filters(k.argumentType(2).getDimSize(0)) {}

  void emit() {
    block ? reserveBlocks() : reserveDirect();
    tokens = k.extent(0, 1);
    int64_t whole = channels / lanes, rest = channels % lanes;
    if (whole)
      emitItems(whole, 0, lanes);
    if (rest)
      emitItems(1, whole * lanes, rest);
  }

private:
  /// Vectors of `count` channels from channel `first` on; where they are too
  /// few to go round the threads, rows of the batch are items of their own and
  /// each prepares the filter.
  void emitItems(int64_t vectors, int64_t first, int64_t count) {
    int64_t rows = k.argumentType(0).getDimSize(0);
    bool split = rows > 1 && vectors < kManyVectors;
    SmallVector<Value> sizes{k.cst(vectors), k.cst(split ? rows : 1)};
    k.share(k.mul(sizes[0], sizes[1]), [&](Value item) {
      SmallVector<Value> place = k.delinearize(item, sizes);
      channel = k.add(k.mul(place[0], k.cst(lanes)), k.cst(first));
      valid = count < lanes ? k.cst(count) : Value();
      width = count;
      block ? transformFilter() : stageFilter();
      auto emitRow = [&](Value row) {
        batch = row;
        block ? emitBlocks() : emitDirect();
        if (hasTail)
          moveTail();
      };
      split ? emitRow(place[1]) : k.loop(k.extent(0, 0), emitRow);
    });
  }

  // Reading and writing rows of this item's channels.

  Value loadRow(unsigned argument, Value row) {
    return k.loadColumns(k.argument(argument), {batch, row, channel}, valid);
  }
  void storeRow(Value value, unsigned argument, Value row) {
    k.storeColumns(value, k.argument(argument), {batch, row, channel}, valid);
  }
  unsigned tailArgument() const { return hasSkip ? 4 : 3; }
  /// The last step of a token: the skip, and the store.
  void storeResult(Value sum, Value token) {
    if (hasSkip)
      sum = k.fma(k.loadColumns(k.argument(3), channel, valid),
                  loadRow(0, token), sum);
    storeRow(sum, 1, token);
  }

  /// Tap `tap` of each channel's filter.
  Value loadTap(Value tap) {
    int64_t sharing = channels / filters;
    auto load = [&](Value place) {
      Value row = arith::DivUIOp::create(k, place, k.cst(sharing));
      return k.loadScalar(k.argument(2), {row, tap});
    };
    if (sharing % lanes == 0 || filters == 1)
      return k.splat(load(channel), lanes);
    Value taps = k.splat(0.0, lanes);
    for (int64_t lane = 0; lane < width; ++lane)
      taps = vector::InsertOp::create(k, load(k.add(channel, k.cst(lane))),
                                      taps, lane);
    return taps;
  }

  /// Calls put(taps, point) for taps start .. start + count - 1. Rows of a
  /// filter per channel come as vectors of taps and are transposed.
  void forTaps(Value start, Value count,
               llvm::function_ref<void(Value, Value)> put) {
    Value done = k.cst(0);
    if (filters == channels && width == lanes) {
      done =
          k.mul(arith::DivUIOp::create(k, count, k.cst(lanes)), k.cst(lanes));
      k.loop(k.cst(0), done, k.cst(lanes), [&](Value point) {
        SmallVector<Value> rows;
        for (int64_t lane = 0; lane < lanes; ++lane)
          rows.push_back(k.load(
              k.argument(2), {k.add(channel, k.cst(lane)), k.add(start, point)},
              lanes));
        transpose(rows);
        for (auto [j, taps] : llvm::enumerate(rows))
          put(taps, k.add(point, k.cst(j)));
      });
    }
    k.loop(done, count, k.cst(1),
           [&](Value point) { put(loadTap(k.add(start, point)), point); });
  }

  /// Swaps rows and lanes of a square, block by block of half the size.
  void transpose(SmallVectorImpl<Value> &rows) {
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

  /// The tail after this step: the last L - 1 of the tail and the inputs.
  void moveTail() {
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

  // The direct sum.

  void reserveDirect() {
    window = k.scratch({shape.taps - 1 + shape.tokens, lanes}, k.getF32Type());
    taps = k.scratch({shape.taps, lanes}, k.getF32Type());
  }
  void stageFilter() {
    forTaps(k.cst(0), k.cst(shape.taps), [&](Value value, Value tap) {
      k.store(value, taps, {tap, k.cst(0)});
    });
  }
  Value windowRow(Value row) { return k.load(window, {row, k.cst(0)}, lanes); }

  void emitDirect() {
    int64_t before = shape.taps - 1;
    k.loop(before, [&](Value row) {
      k.store(hasTail ? loadRow(tailArgument(), row) : k.splat(0.0, lanes),
              window, {row, k.cst(0)});
    });
    k.loop(tokens, [&](Value token) {
      k.store(loadRow(0, token), window,
              {k.add(token, k.cst(before)), k.cst(0)});
    });
    Value whole = k.mul(arith::DivUIOp::create(k, tokens, k.cst(kTileTokens)),
                        k.cst(kTileTokens));
    if (shape.tokens >= kTileTokens)
      k.loop(k.cst(0), whole, k.cst(kTileTokens),
             [&](Value token) { emitTile(token, kTileTokens); });
    else
      whole = k.cst(0);
    k.loop(whole, tokens, k.cst(1), [&](Value token) { emitTile(token, 1); });
  }

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
      storeResult(sum, k.add(token, k.cst(r)));
  }

  // In transformed blocks.

  void reserveBlocks() {
    Type f32 = k.getF32Type();
    // A point more than the block: blocks a power of two apart would drive each
    // other from the cache.
    filterBlocks =
        k.scratch({shape.filterBlocks(block), block + 1, 2, lanes}, f32);
    inputBlocks =
        k.scratch({shape.inputBlocks(block), block + 1, 2, lanes}, f32);
    sumBlock = k.scratch({1, block + 1, 2, lanes}, f32);
    carry = k.scratch({block, lanes}, f32);
    transform.emplace(k, block);
  }

  void put(Value value, Value buffer, Value number, Value point) {
    k.store(value, buffer, {number, point, k.cst(0), k.cst(0)});
  }
  void clear(Value buffer, Value number, Value lower, Value upper) {
    k.loop(lower, upper, k.cst(1), [&](Value point) {
      put(k.splat(0.0, lanes), buffer, number, point);
    });
  }

  /// Fills block `number` with rows [lower, upper) of `row` and zeros around.
  void stageInputs(Value number, Value lower, Value upper,
                   llvm::function_ref<Value(Value)> row) {
    clear(inputBlocks, number, k.cst(0), lower);
    k.loop(lower, upper, k.cst(1),
           [&](Value point) { put(row(point), inputBlocks, number, point); });
    clear(inputBlocks, number, upper, k.cst(block));
    transform->forward(inputBlocks, number);
  }

  void transformFilter() {
    // The inverse transform is not divided by its length; the filter is.
    Value scale = k.splat(1.0 / double(block), lanes);
    k.loop(shape.filterBlocks(block), [&](Value number) {
      Value start = k.mul(number, k.cst(block));
      Value count = k.minimum(k.sub(k.cst(shape.taps), start), k.cst(block));
      forTaps(start, count, [&](Value value, Value point) {
        put(k.mul(scale, value), filterBlocks, number, point);
      });
      clear(filterBlocks, number, count, k.cst(block));
      transform->forward(filterBlocks, number);
    });
  }

  void emitBlocks() {
    int64_t tails = shape.tailBlocks(block);
    // The tail ends where a block does.
    int64_t gap = tails * block - shape.before;
    if (tails) {
      k.loop(tails, [&](Value number) {
        Value start = k.mul(number, k.cst(block));
        Value lower = k.maximum(k.sub(k.cst(gap), start), k.cst(0));
        stageInputs(number, lower, k.cst(block), [&](Value point) {
          return loadRow(tailArgument(),
                         k.sub(k.add(start, point), k.cst(gap)));
        });
      });
      emitSum(k.cst(tails - 1));
    }
    k.loop(block, [&](Value point) {
      k.store(tails ? transform->load(sumBlock, k.cst(0), point).im
                    : k.splat(0.0, lanes),
              carry, {point, k.cst(0)});
    });
    k.loop(k.ceilDiv(tokens, block), [&](Value number) {
      Value start = k.mul(number, k.cst(block));
      Value count = k.minimum(k.sub(tokens, start), k.cst(block));
      Value place = k.add(number, k.cst(tails));
      stageInputs(place, k.cst(0), count,
                  [&](Value point) { return loadRow(0, k.add(start, point)); });
      emitSum(place);
      k.loop(count, [&](Value point) {
        ComplexLanes sum = transform->load(sumBlock, k.cst(0), point);
        SmallVector<Value> at{point, k.cst(0)};
        storeResult(k.add(sum.re, k.load(carry, at, lanes)),
                    k.add(start, point));
        k.store(sum.im, carry, at);
      });
    });
  }

  /// The products of all blocks that meet in block `number`, transformed back.
  void emitSum(Value number) {
    Value count =
        k.minimum(k.add(number, k.cst(1)), k.cst(shape.filterBlocks(block)));
    // Points are independent: several at once hide the latency of the sums.
    int64_t points = k.target.registers >= 32 ? 4 : 2;
    k.loop(k.cst(0), k.cst(block), k.cst(points), [&](Value first) {
      SmallVector<Value> sums(4 * points, k.splat(0.0, lanes));
      sums = k.loop(
          k.cst(0), count, k.cst(1), sums, [&](Value j, ValueRange carried) {
            SmallVector<Value> next;
            for (int64_t p = 0; p < points; ++p) {
              Value point = k.add(first, k.cst(p));
              ComplexLanes x =
                  transform->load(inputBlocks, k.sub(number, j), point);
              ComplexLanes h = transform->load(filterBlocks, j, point);
              next.push_back(k.fma(x.re, h.re, carried[4 * p]));
              next.push_back(k.fma(x.im, h.im, carried[4 * p + 1]));
              next.push_back(k.fma(x.re, h.im, carried[4 * p + 2]));
              next.push_back(k.fma(x.im, h.re, carried[4 * p + 3]));
            }
            return next;
          });
      for (int64_t p = 0; p < points; ++p)
        transform->store({k.sub(sums[4 * p], sums[4 * p + 1]),
                          k.add(sums[4 * p + 2], sums[4 * p + 3])},
                         sumBlock, k.cst(0), k.add(first, k.cst(p)));
    });
    transform->inverse(sumBlock, k.cst(0));
  }

  KernelBuilder &k;
  const ConvShape shape;
  const int64_t block, lanes;
  const bool hasSkip, hasTail;
  const int64_t channels, filters;
  Value tokens, batch, channel, valid;
  int64_t width = 0;
  /// Tail and inputs [L - 1 + T][lanes], and the taps [L][lanes].
  Value window, taps;
  /// Transformed blocks; what the block before adds to the next one.
  Value filterBlocks, inputBlocks, sumBlock, carry;
  std::optional<NegacyclicTransform> transform;
};
} // namespace

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
  int64_t block = chooseBlock(shape);
  f.call(
      op, "long_conv", arguments,
      [&](KernelBuilder &k) {
        LongConvKernel(k, op, shape, block, hasTail).emit();
      },
      hasTail ? "" : "stateless");
  return success();
}

void linnet::addLongConvLowering(OpLoweringMap &map) {
  map[LongConvOp::getOperationName()] = lowerLongConv;
}
