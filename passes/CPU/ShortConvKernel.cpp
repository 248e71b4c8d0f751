//===- ShortConvKernel.cpp - causal depthwise convolution -----------------===//
//
// One item is a group of channels of one batch row over all tokens, so that
// the tail, which is updated in place, belongs to one thread. Within a group,
// blocks of tokens keep the rows read in the cache; the last W - 1 inputs of a
// vector of channels are loop-carried.
//
//===----------------------------------------------------------------------===//

#include "passes/CPU/ActivationMath.h"
#include "passes/CPU/RowLoops.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::linnet;

/// Channels of a group, and tokens of a block.
static constexpr int64_t kGroupChannels = 64;
static constexpr int64_t kBlockTokens = 32;
/// More taps would not be short: the window is in registers.
static constexpr int64_t kMaxTaps = 64;

namespace {
/// Arguments: x, y, weight [C * W], tail, and the bias if there is one.
class ShortConvKernel {
public:
  ShortConvKernel(KernelBuilder &k, ShortConvOp op, int64_t taps)
      : k(k), op(op), taps(taps), lanes(k.target.lanes) {}

  void emit() {
    int64_t channels = k.argumentType(0).getDimSize(2);
    int64_t width = std::max(kGroupChannels, lanes);
    int64_t groups = llvm::divideCeil(channels, width);
    int64_t rest = channels - (groups - 1) * width;
    if (k.argumentType(0).getDimSize(1) > 1) {
      packed = k.scratch({taps, width}, k.getF32Type());
      window =
          k.scratch({std::max<int64_t>(taps - 1, 1), width}, k.getF32Type());
    }
    SmallVector<Value> sizes{k.extent(0, 0), k.cst(groups)};
    k.share(k.mul(sizes[0], sizes[1]), [&](Value item) {
      SmallVector<Value> place = k.delinearize(item, sizes);
      batch = place[0];
      first = k.mul(place[1], k.cst(width));
      if (rest == width)
        return emitGroup(width);
      auto isLast = scf::IfOp::create(k, k.less(k.cst(groups - 2), place[1]),
                                      /*withElseRegion=*/true);
      OpBuilder::InsertionGuard guard(k);
      k.setInsertionPointToStart(isLast.thenBlock());
      emitGroup(rest);
      k.setInsertionPointToStart(isLast.elseBlock());
      emitGroup(width);
    });
  }

private:
  Value channel(Value offset) { return k.add(first, offset); }

  /// The taps of the channels at `offset`, one vector each.
  SmallVector<Value> loadTaps(Value offset, Value valid, int64_t validCount) {
    Value start = k.mul(channel(offset), k.cst(taps));
    SmallVector<Value> result;
    if (taps <= 8) {
      // Rows of taps to columns of channels by shuffles.
      Value rows = valid ? k.load(k.argument(2), start, lanes * taps,
                                  k.mul(valid, k.cst(taps)))
                         : k.load(k.argument(2), start, lanes * taps);
      for (int64_t j = 0; j < taps; ++j) {
        SmallVector<int64_t> mask;
        for (int64_t lane = 0; lane < lanes; ++lane)
          mask.push_back(lane * taps + j);
        result.push_back(vector::ShuffleOp::create(k, rows, rows, mask));
      }
      return result;
    }
    for (int64_t j = 0; j < taps; ++j) {
      Value tap = k.splat(0.0, lanes);
      for (int64_t lane = 0; lane < validCount; ++lane)
        tap = vector::InsertOp::create(
            k,
            k.loadScalar(k.argument(2), k.add(start, k.cst(lane * taps + j))),
            tap, lane);
      result.push_back(tap);
    }
    return result;
  }

  Value loadBias(Value offset, Value valid) {
    if (!op.getBias())
      return k.splat(0.0, lanes);
    return k.loadColumns(k.argument(4), channel(offset), valid);
  }
  Value tailRow(Value offset, int64_t row, Value valid) {
    return k.loadColumns(k.argument(3), {batch, k.cst(row), channel(offset)},
                         valid);
  }
  void storeTailRow(Value value, Value offset, int64_t row, Value valid) {
    k.storeColumns(value, k.argument(3), {batch, k.cst(row), channel(offset)},
                   valid);
  }

  /// Writes token t; returns the window for the next one.
  SmallVector<Value> emitToken(Value t, Value offset, Value valid,
                               ValueRange taken, ValueRange weights,
                               Value bias) {
    SmallVector<Value> at{batch, t, channel(offset)};
    SmallVector<Value> inputs(taken);
    inputs.push_back(k.loadColumns(k.argument(0), at, valid));
    Value sum = bias;
    for (auto [w, x] : llvm::zip(weights, inputs))
      sum = k.fma(w, x, sum);
    k.storeColumns(emitActivation(k, op.getActivation(), sum), k.argument(1),
                   at, valid);
    inputs.erase(inputs.begin());
    return inputs;
  }

  void forGroup(int64_t width,
                llvm::function_ref<void(Value, Value, int64_t)> body) {
    k.forColumns(width, [&](Value offset, Value valid) {
      body(offset, valid, valid ? width % lanes : lanes);
    });
  }

  void emitGroup(int64_t width) {
    if (!packed)
      return forGroup(width, [&](Value offset, Value valid, int64_t count) {
        SmallVector<Value> taken;
        for (int64_t j = 0; j + 1 < taps; ++j)
          taken.push_back(tailRow(offset, j, valid));
        SmallVector<Value> weights = loadTaps(offset, valid, count);
        // The only token, unless the step has none.
        k.onlyIf(k.less(k.cst(0), k.extent(0, 1)), [&] {
          taken = emitToken(k.cst(0), offset, valid, taken, weights,
                            loadBias(offset, valid));
          for (auto [j, row] : llvm::enumerate(taken))
            storeTailRow(row, offset, j, valid);
        });
      });

    forGroup(width, [&](Value offset, Value valid, int64_t count) {
      for (auto [j, tap] : llvm::enumerate(loadTaps(offset, valid, count)))
        k.store(tap, packed, {k.cst(j), offset});
      for (int64_t j = 0; j + 1 < taps; ++j)
        k.store(tailRow(offset, j, valid), window, {k.cst(j), offset});
    });
    Value tokens = k.extent(0, 1);
    k.loop(k.cst(0), tokens, k.cst(kBlockTokens), [&](Value begin) {
      Value end = k.minimum(k.add(begin, k.cst(kBlockTokens)), tokens);
      forGroup(width, [&](Value offset, Value valid, int64_t) {
        SmallVector<Value> weights, taken;
        for (int64_t j = 0; j < taps; ++j)
          weights.push_back(k.load(packed, {k.cst(j), offset}, lanes));
        for (int64_t j = 0; j + 1 < taps; ++j)
          taken.push_back(k.load(window, {k.cst(j), offset}, lanes));
        Value bias = loadBias(offset, valid);
        taken = k.loop(
            begin, end, k.cst(1), taken, [&](Value t, ValueRange carried) {
              return emitToken(t, offset, valid, carried, weights, bias);
            });
        for (auto [j, row] : llvm::enumerate(taken))
          k.store(row, window, {k.cst(j), offset});
      });
    });
    forGroup(width, [&](Value offset, Value valid, int64_t) {
      for (int64_t j = 0; j + 1 < taps; ++j)
        storeTailRow(k.load(window, {k.cst(j), offset}, lanes), offset, j,
                     valid);
    });
  }

  KernelBuilder &k;
  ShortConvOp op;
  int64_t taps, lanes;
  /// The group's taps [W][group] and window [W - 1][group].
  Value packed, window;
  Value batch, first;
};
} // namespace

static LogicalResult lowerShortConv(FunctionLowering &f, Operation *source) {
  auto op = cast<ShortConvOp>(source);
  auto type = cast<RankedTensorType>(op.getWeight().getType());
  int64_t taps = type.getDimSize(2);
  if (taps > kMaxTaps)
    return op.emitOpError("expected at most ")
           << kMaxTaps << " taps, but got " << taps;
  Buffer weight = denseRows(f, op, op.getWeight());
  if (!weight.type.getLayout().isIdentity()) {
    Buffer dense =
        f.temporary(weight.type.getShape(), weight.type.getElementType());
    f.copy(op, weight, dense);
    weight = dense;
  }
  weight.type =
      MemRefType::get({type.getNumElements()}, weight.type.getElementType());
  SmallVector<KernelArgument> arguments{
      KernelArgument::read(denseRows(f, op, op.getInput())),
      KernelArgument::write(denseRows(f, op, op.getResult())),
      KernelArgument::read(weight),
      KernelArgument::update(f.prepareState(op.getTail(), op.getNewTail()))};
  if (op.getBias())
    arguments.push_back(KernelArgument::read(denseRows(f, op, op.getBias())));
  f.call(op, "short_conv", arguments,
         [&](KernelBuilder &k) { ShortConvKernel(k, op, taps).emit(); });
  return success();
}

void linnet::addShortConvLowering(OpLoweringMap &map) {
  map[ShortConvOp::getOperationName()] = lowerShortConv;
}
