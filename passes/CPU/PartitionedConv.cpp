//===- PartitionedConv.cpp - convolution in transformed blocks ------------===//
//
// Filter and inputs are cut into blocks of M entries, each transformed once;
// block i of the output is the sum of the products of the input's block i - j
// with the filter's block j, which is taken before the one transform back, and
// half of which belongs to block i + 1 (a uniformly partitioned convolution
// with overlap-add, Stockham 1966, Wefers 2015). Blocks that stay in the first
// cache beat one transform over the whole length, whose passes would each go
// through the second.
//
//===----------------------------------------------------------------------===//

#include "passes/CPU/LongConvKernel.h"
#include "passes/CPU/NegacyclicTransform.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mlir::linnet;

/// Blocks of the transformed form, powers of two.
static constexpr int64_t kSmallestBlock = 16, kLargestBlock = 4096;
/// An operation of a transform takes the time of this many operations of the
/// direct sum, whose operands stand in registers: measured at D = 512 and
/// L = 64 to 1024 in 16 lanes, where it is 0.9 to 1.2.
static constexpr double kTransformWeight = 1.2;

namespace {
/// Blocks of the tail, of tail and inputs, and of the filter.
struct BlockCounts {
  BlockCounts(const ConvShape &shape, int64_t block)
      : tailBlocks(llvm::divideCeil(shape.before, block)),
        inputBlocks(tailBlocks + llvm::divideCeil(shape.tokens, block)),
        filterBlocks(llvm::divideCeil(shape.taps, block)) {}
  int64_t tailBlocks, inputBlocks, filterBlocks;
};
} // namespace

/// Operations per channel with blocks of `block`.
static double costOf(const ConvShape &shape, int64_t block) {
  BlockCounts count(shape, block);
  int64_t inputs = count.inputBlocks, filters = count.filterBlocks,
          tails = count.tailBlocks;
  double products = 0;
  for (int64_t i = std::max<int64_t>(tails - 1, 0); i < inputs; ++i)
    products += 4.0 * double(block) * double(std::min(i + 1, filters));
  double transforms = double(2 * inputs - tails + filters);
  return products + transforms * NegacyclicTransform::cost(block);
}

int64_t linnet::chooseConvBlock(const ConvShape &shape) {
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
class PartitionedConv : public ConvForm {
public:
  PartitionedConv(ConvChannels &c, int64_t block)
      : c(c), k(c.k), shape(c.shape), countOf(shape, block), block(block),
        lanes(c.lanes) {
    Type f32 = k.getF32Type();
    // A point more than the block: blocks a power of two apart would drive each
    // other from the cache.
    filterBlocks = k.scratch({countOf.filterBlocks, block + 1, 2, lanes}, f32);
    inputBlocks = k.scratch({countOf.inputBlocks, block + 1, 2, lanes}, f32);
    sumBlock = k.scratch({1, block + 1, 2, lanes}, f32);
    carry = k.scratch({block, lanes}, f32);
    transform.emplace(k, block);
  }

  void prepareFilter() override {
    // The inverse transform is not divided by its length; the filter is.
    Value scale = k.splat(1.0 / double(block), lanes);
    k.loop(countOf.filterBlocks, [&](Value number) {
      Value start = k.mul(number, k.cst(block));
      Value count = k.minimum(k.sub(k.cst(shape.taps), start), k.cst(block));
      c.forTaps(start, count, [&](Value value, Value point) {
        put(k.mul(scale, value), filterBlocks, number, point);
      });
      clear(filterBlocks, number, count, k.cst(block));
      transform->forward(filterBlocks, number);
    });
  }

  void convolve() override {
    int64_t tails = countOf.tailBlocks;
    // The tail ends where a block does.
    int64_t gap = tails * block - shape.before;
    if (tails) {
      k.loop(tails, [&](Value number) {
        Value start = k.mul(number, k.cst(block));
        Value lower = k.maximum(k.sub(k.cst(gap), start), k.cst(0));
        stageInputs(number, lower, k.cst(block), [&](Value point) {
          return c.loadTail(k.sub(k.add(start, point), k.cst(gap)));
        });
      });
      emitSum(k.cst(tails - 1));
    }
    k.loop(block, [&](Value point) {
      k.store(tails ? transform->load(sumBlock, k.cst(0), point).im
                    : k.splat(0.0, lanes),
              carry, {point, k.cst(0)});
    });
    k.loop(k.ceilDiv(c.tokens, block), [&](Value number) {
      Value start = k.mul(number, k.cst(block));
      Value count = k.minimum(k.sub(c.tokens, start), k.cst(block));
      Value place = k.add(number, k.cst(tails));
      stageInputs(place, k.cst(0), count, [&](Value point) {
        return c.loadInput(k.add(start, point));
      });
      emitSum(place);
      k.loop(count, [&](Value point) {
        ComplexLanes sum = transform->load(sumBlock, k.cst(0), point);
        SmallVector<Value> at{point, k.cst(0)};
        c.storeResult(k.add(sum.re, k.load(carry, at, lanes)),
                      k.add(start, point));
        k.store(sum.im, carry, at);
      });
    });
  }

private:
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

  /// The products of all blocks that meet in block `number`, transformed back.
  void emitSum(Value number) {
    Value count =
        k.minimum(k.add(number, k.cst(1)), k.cst(countOf.filterBlocks));
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

  ConvChannels &c;
  KernelBuilder &k;
  const ConvShape shape;
  const BlockCounts countOf;
  const int64_t block, lanes;
  /// Transformed blocks; what the block before adds to the next one.
  Value filterBlocks, inputBlocks, sumBlock, carry;
  std::optional<NegacyclicTransform> transform;
};
} // namespace

std::unique_ptr<ConvForm> linnet::createPartitionedConv(ConvChannels &channels,
                                                        int64_t block) {
  return std::make_unique<PartitionedConv>(channels, block);
}
