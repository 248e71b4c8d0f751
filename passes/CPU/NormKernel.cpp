//===- NormKernel.cpp - normalisation of the last dimension ---------------===//
//
// One item is one group of one row: a pass for each statistic, then one that
// writes. With a gate before the norm, u = x act(gate) is computed once and
// kept in the result's place.
//
//===----------------------------------------------------------------------===//

#include "passes/CPU/ActivationMath.h"
#include "passes/CPU/RowLoops.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mlir::linnet;

namespace {
class NormKernel {
public:
  NormKernel(KernelBuilder &k, NormOp op, int weight, int bias, int gate)
      : k(k), op(op), weight(weight), bias(bias), gate(gate),
        columns(k.argumentType(1).getShape().back() / op.getGroups()) {}

  void emit() {
    SmallVector<Value> sizes;
    Value rows = countRows(k, 1, k.argumentType(1).getRank() - 1, sizes);
    sizes.push_back(k.cst(op.getGroups()));
    k.share(k.mul(rows, sizes.back()), [&](Value item) {
      place = k.delinearize(item, sizes);
      start = k.mul(place.pop_back_val(), k.cst(columns));
      emitGroup();
    });
  }

private:
  bool gatedBefore() {
    return gate >= 0 && op.getGateOrder() == GateOrder::Before;
  }
  SmallVector<Value> at(Value column) {
    SmallVector<Value> indices = place;
    indices.push_back(k.add(start, column));
    return indices;
  }
  Value load(unsigned argument, Value column, Value valid) {
    return k.loadColumns(k.argument(argument), at(column), valid);
  }
  /// An entry of a [D] parameter.
  Value parameter(int argument, Value column, Value valid) {
    return k.loadColumns(k.argument(argument), k.add(start, column), valid);
  }
  Value activatedGate(Value column, Value valid) {
    return emitActivation(k, op.getGateActivation(), load(gate, column, valid));
  }
  /// u, as the first pass sees it; leaves it in the result for later passes.
  Value firstLoad(Value column, Value valid) {
    Value u = load(0, column, valid);
    if (!gatedBefore())
      return u;
    u = k.mul(u, activatedGate(column, valid));
    k.storeColumns(u, k.argument(1), at(column), valid);
    return u;
  }
  Value load(Value column, Value valid) {
    return load(gatedBefore() ? 1 : 0, column, valid);
  }

  void emitGroup() {
    int64_t lanes = k.target.lanes;
    Value count = k.f32(columns), mean, squares;
    if (op.getKind() == NormKind::Layer) {
      Value sum = sumColumns(k, columns, [&](Value column, Value valid) {
        return firstLoad(column, valid);
      });
      mean = k.splat(arith::DivFOp::create(k, sum, count), lanes);
      squares = sumColumns(k, columns, [&](Value column, Value valid) {
        Value centred = keepValid(k, k.sub(load(column, valid), mean), valid);
        return k.mul(centred, centred);
      });
    } else {
      squares = sumColumns(k, columns, [&](Value column, Value valid) {
        Value u = firstLoad(column, valid);
        return k.mul(u, u);
      });
    }
    if (op.getKind() != NormKind::L2)
      squares = arith::DivFOp::create(k, squares, count);
    Value root = math::SqrtOp::create(
        k, k.add(squares, k.f32(op.getEps().convertToDouble())));
    Value factor = k.splat(arith::DivFOp::create(k, k.f32(1), root), lanes);
    k.forColumns(columns, [&](Value column, Value valid) {
      Value y = load(column, valid);
      if (mean)
        y = k.sub(y, mean);
      y = k.mul(y, factor);
      if (weight >= 0) {
        Value w = parameter(weight, column, valid);
        if (op.getUnitOffset())
          w = k.add(w, k.splat(1.0, lanes));
        y = bias >= 0 ? k.fma(y, w, parameter(bias, column, valid))
                      : k.mul(y, w);
      } else if (bias >= 0) {
        y = k.add(y, parameter(bias, column, valid));
      }
      if (gate >= 0 && !gatedBefore())
        y = k.mul(y, activatedGate(column, valid));
      k.storeColumns(y, k.argument(1), at(column), valid);
    });
  }

  KernelBuilder &k;
  NormOp op;
  int weight, bias, gate;
  int64_t columns;
  SmallVector<Value> place;
  Value start;
};
} // namespace

static LogicalResult lowerNorm(FunctionLowering &f, Operation *source) {
  auto op = cast<NormOp>(source);
  SmallVector<KernelArgument> arguments{
      KernelArgument::read(denseRows(f, op, op.getInput())),
      KernelArgument::write(denseRows(f, op, op.getResult()))};
  auto optional = [&](Value operand) -> int {
    if (!operand)
      return -1;
    arguments.push_back(KernelArgument::read(denseRows(f, op, operand)));
    return arguments.size() - 1;
  };
  int weight = optional(op.getWeight()), bias = optional(op.getBias());
  int gate = optional(op.getGate());
  f.call(op, "norm", arguments, [&](KernelBuilder &k) {
    NormKernel(k, op, weight, bias, gate).emit();
  });
  return success();
}

void linnet::addNormLowering(OpLoweringMap &map) {
  map[NormOp::getOperationName()] = lowerNorm;
}
