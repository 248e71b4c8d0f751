//===- LogCumsumExpKernel.cpp - running sums in the log domain ------------===//
//
// One item is a vector of channels of one batch row over all tokens; the sum
// so far is loop-carried.
//
//===----------------------------------------------------------------------===//

#include "passes/CPU/RowLoops.h"

#include "dialects/Linnet/Linnet.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <limits>

using namespace mlir;
using namespace mlir::linnet;

namespace {
/// Arguments: x, z, before, state [B, 2, C], and the decay if there is one.
class LogCumsumExpKernel {
public:
  LogCumsumExpKernel(KernelBuilder &k, LogCumsumExpOp op)
      : k(k), op(op), lanes(k.target.lanes) {}

  void emit() {
    int64_t channels = k.argumentType(0).getDimSize(2);
    int64_t whole = channels / lanes, rest = channels % lanes;
    auto overVectors = [&](int64_t count, int64_t first, Value valid) {
      SmallVector<Value> sizes{k.extent(0, 0), k.cst(count)};
      k.share(k.mul(sizes[0], sizes[1]), [&](Value item) {
        SmallVector<Value> place = k.delinearize(item, sizes);
        Value offset = k.mul(place[1], k.cst(lanes));
        emitVector(place[0], k.add(offset, k.cst(first)), valid);
      });
    };
    if (whole)
      overVectors(whole, 0, Value());
    if (rest)
      overVectors(1, whole * lanes, k.cst(rest));
  }

private:
  Value splat(double value) { return k.splat(value, lanes); }

  Value loadDecay(Value batch, Value token, Value channel, Value valid) {
    MemRefType type = k.argumentType(4);
    SmallVector<Value> at{batch, token, channel};
    for (int d = 0; d < 3; ++d)
      if (type.getDimSize(d) == 1 && k.argumentType(0).getDimSize(d) != 1)
        at[d] = k.cst(0);
    if (type.getDimSize(2) == 1)
      return k.splat(k.loadScalar(k.argument(4), at), lanes);
    return k.loadColumns(k.argument(4), at, valid);
  }

  /// log(e^a + e^b), also where both are the same infinity.
  Value emitCombine(Value a, Value b) {
    Value high = arith::MaximumFOp::create(k, a, b);
    if (op.getMaximum())
      return high;
    Value low = arith::MinimumFOp::create(k, a, b);
    Value equal =
        arith::CmpFOp::create(k, arith::CmpFPredicate::OEQ, high, low);
    Value gap = arith::SelectOp::create(k, equal, splat(0), k.sub(low, high));
    Value small = math::ExpOp::create(k, gap);
    return k.add(high, math::Log1pOp::create(k, small));
  }

  void emitVector(Value batch, Value channel, Value valid) {
    SmallVector<Value> seenAt{batch, k.cst(0), channel},
        sumAt{batch, k.cst(1), channel};
    Value empty = splat(-std::numeric_limits<double>::infinity());
    Value seen = k.loadColumns(k.argument(3), seenAt, valid);
    Value unseen =
        arith::CmpFOp::create(k, arith::CmpFPredicate::OEQ, seen, splat(0));
    Value running = arith::SelectOp::create(
        k, unseen, empty, k.loadColumns(k.argument(3), sumAt, valid));
    running = k.loop(k.cst(0), k.extent(0, 1), k.cst(1), running,
                     [&](Value t, ValueRange carried) -> SmallVector<Value> {
                       SmallVector<Value> at{batch, t, channel};
                       k.storeColumns(carried[0], k.argument(2), at, valid);
                       Value faded = carried[0];
                       if (op.getDecay())
                         faded =
                             k.add(faded, loadDecay(batch, t, channel, valid));
                       Value next = emitCombine(
                           faded, k.loadColumns(k.argument(0), at, valid));
                       k.storeColumns(next, k.argument(1), at, valid);
                       return {next};
                     })[0];
    Value none =
        arith::CmpFOp::create(k, arith::CmpFPredicate::OEQ, running, empty);
    k.storeColumns(arith::SelectOp::create(k, none, splat(0), splat(1)),
                   k.argument(3), seenAt, valid);
    k.storeColumns(arith::SelectOp::create(k, none, splat(0), running),
                   k.argument(3), sumAt, valid);
  }

  KernelBuilder &k;
  LogCumsumExpOp op;
  int64_t lanes;
};
} // namespace

static LogicalResult lowerLogCumsumExp(FunctionLowering &f, Operation *source) {
  auto op = cast<LogCumsumExpOp>(source);
  SmallVector<KernelArgument> arguments{
      KernelArgument::read(denseRows(f, op, op.getInput())),
      KernelArgument::write(denseRows(f, op, op.getResult())),
      KernelArgument::write(denseRows(f, op, op.getBefore())),
      KernelArgument::update(f.prepareState(op.getInitial(), op.getState()))};
  if (op.getDecay())
    arguments.push_back(KernelArgument::read(denseRows(f, op, op.getDecay())));
  f.call(op, "log_cumsum_exp", arguments,
         [&](KernelBuilder &k) { LogCumsumExpKernel(k, op).emit(); });
  return success();
}

void linnet::addLogCumsumExpLowering(OpLoweringMap &map) {
  map[LogCumsumExpOp::getOperationName()] = lowerLogCumsumExp;
}
