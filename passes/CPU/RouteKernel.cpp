//===- RouteKernel.cpp - the choice of experts ----------------------------===//
//
// One item is one token: its scores stand in the thread's scratch, and the
// best ones are picked one after the other. That is k passes over E numbers,
// far less than the linear map that made them.
//
//===----------------------------------------------------------------------===//

#include "passes/CPU/ActivationMath.h"
#include "passes/CPU/RowLoops.h"

#include "mlir/Dialect/Math/IR/Math.h"

#include <limits>

using namespace mlir;
using namespace mlir::linnet;

namespace {
class RouteKernel {
public:
  enum Argument { Logits, Indices, Weights, Bias };

  RouteKernel(KernelBuilder &k, RouteOp op)
      : k(k), op(op), experts(k.argumentType(Logits).getDimSize(2)),
        groups(op.getGroups()), chosen(op.getK()) {}

  void emit() {
    scores = k.scratch({experts}, k.getF32Type());
    biased = op.getBias() ? k.scratch({experts}, k.getF32Type()) : scores;
    taken = k.scratch({experts}, k.getI32Type());
    values = k.scratch({groups}, k.getF32Type());
    closed = k.scratch({groups}, k.getI32Type());
    SmallVector<Value> sizes;
    Value rows = countRows(k, Logits, 2, sizes);
    k.share(rows, [&](Value row) {
      place = k.delinearize(row, sizes);
      emitScores();
      emitGroups();
      k.loop(chosen, [&](Value number) {
        Value expert = pick(biased, taken, experts);
        k.storeScalar(arith::IndexCastOp::create(k, k.getI32Type(), expert),
                      k.argument(Indices), at(number));
        k.storeScalar(k.loadScalar(scores, expert), k.argument(Weights),
                      at(number));
      });
      emitWeights();
    });
  }

private:
  SmallVector<Value> at(Value last) { return {place[0], place[1], last}; }
  Value lowest() { return k.f32(-std::numeric_limits<float>::infinity()); }
  Value flag(int64_t value) {
    return arith::ConstantOp::create(k, k.getI32IntegerAttr(value));
  }
  /// The maximum, or sum, of load(i) over [0, count).
  Value reduce(int64_t count, bool sum,
               llvm::function_ref<Value(Value)> loadEntry) {
    return k.loop(
        k.cst(0), k.cst(count), k.cst(1), ValueRange(sum ? k.f32(0) : lowest()),
        [&](Value number, ValueRange carried) {
          Value entry = loadEntry(number);
          return SmallVector<Value>{sum ? k.add(carried[0], entry)
                                        : k.maximum(carried[0], entry)};
        })[0];
  }

  void emitScores() {
    int64_t lanes = k.target.lanes;
    Value largest;
    if (op.getScore() == RouteScore::Softmax)
      largest =
          k.splat(reduce(experts, /*sum=*/false,
                         [&](Value number) {
                           return k.loadScalar(k.argument(Logits), at(number));
                         }),
                  lanes);
    k.forColumns(experts, [&](Value column, Value valid) {
      Value s = k.loadColumns(k.argument(Logits), at(column), valid);
      if (largest)
        s = math::ExpOp::create(k, k.sub(s, largest));
      else if (op.getScore() == RouteScore::Sigmoid)
        s = emitActivation(k, Activation::Sigmoid, s);
      k.storeColumns(s, scores, column, valid);
    });
    Value sum;
    if (largest)
      sum = k.splat(sumColumns(k, experts,
                               [&](Value column, Value valid) {
                                 return k.loadColumns(scores, column, valid);
                               }),
                    lanes);
    k.forColumns(experts, [&](Value column, Value valid) {
      Value s = k.loadColumns(scores, column, valid);
      if (sum) {
        s = arith::DivFOp::create(k, s, sum);
        k.storeColumns(s, scores, column, valid);
      }
      if (op.getBias())
        k.storeColumns(k.add(s, k.loadColumns(k.argument(Bias), column, valid)),
                       biased, column, valid);
    });
  }

  /// Marks the experts that cannot be chosen.
  void emitGroups() {
    int64_t kept = op.getTopGroups(), length = experts / groups;
    if (kept == groups)
      return k.loop(experts, [&](Value expert) {
        k.storeScalar(flag(0), taken, expert);
      });
    k.loop(groups, [&](Value group) {
      SmallVector<Value> best = k.loop(
          k.cst(0), k.cst(length), k.cst(1), ValueRange{lowest(), lowest()},
          [&](Value number, ValueRange carried) {
            Value c = k.loadScalar(biased,
                                   k.add(k.mul(group, k.cst(length)), number));
            return SmallVector<Value>{
                k.maximum(carried[0], c),
                k.maximum(carried[1], k.minimum(carried[0], c))};
          });
      k.storeScalar(op.getGroupRule() == GroupRule::Best
                        ? best[0]
                        : k.add(best[0], best[1]),
                    values, group);
      k.storeScalar(flag(0), closed, group);
    });
    k.loop(kept, [&](Value) { pick(values, closed, groups); });
    k.loop(experts, [&](Value expert) {
      Value group = arith::DivUIOp::create(k, expert, k.cst(length));
      // Picked groups are open.
      k.storeScalar(k.sub(flag(1), k.loadScalar(closed, group)), taken, expert);
    });
  }

  /// The number of the largest of `count` values that is not marked, the first
  /// of equals, NaN the largest of all; marks it.
  Value pick(Value from, Value marks, int64_t count) {
    Value none = k.cst(-1);
    SmallVector<Value> best = k.loop(
        k.cst(0), k.cst(count), k.cst(1), ValueRange{none, lowest()},
        [&](Value number, ValueRange carried) {
          Value value = k.loadScalar(from, number);
          auto compare = [&](arith::CmpFPredicate how, Value x,
                             Value y) -> Value {
            return arith::CmpFOp::create(k, how, x, y);
          };
          Value larger = arith::AndIOp::create(
              k, compare(arith::CmpFPredicate::UGT, value, carried[1]),
              compare(arith::CmpFPredicate::ORD, carried[1], carried[1]));
          Value better =
              arith::OrIOp::create(k, k.less(carried[0], k.cst(0)), larger);
          Value open = k.less(k.loadScalar(marks, number), flag(1));
          Value take = arith::AndIOp::create(k, open, better);
          return SmallVector<Value>{
              arith::SelectOp::create(k, take, number, carried[0]),
              arith::SelectOp::create(k, take, value, carried[1])};
        });
    k.storeScalar(flag(1), marks, best[0]);
    return best[0];
  }

  void emitWeights() {
    auto load = [&](Value number) {
      return k.loadScalar(k.argument(Weights), at(number));
    };
    auto update = [&](llvm::function_ref<Value(Value)> change) {
      k.loop(chosen, [&](Value number) {
        k.storeScalar(change(load(number)), k.argument(Weights), at(number));
      });
    };
    if (op.getScore() == RouteScore::SoftmaxChosen) {
      Value largest = reduce(chosen, /*sum=*/false, load);
      update([&](Value w) -> Value {
        return math::ExpOp::create(k, k.sub(w, largest));
      });
      Value sum = reduce(chosen, /*sum=*/true, load);
      update(
          [&](Value w) -> Value { return arith::DivFOp::create(k, w, sum); });
    }
    if (op.getNormalize()) {
      Value sum = k.add(reduce(chosen, /*sum=*/true, load),
                        k.f32(op.getEps().convertToDouble()));
      update(
          [&](Value w) -> Value { return arith::DivFOp::create(k, w, sum); });
    }
    if (!op.getScale().isExactlyValue(1.0))
      update([&](Value w) {
        return k.mul(w, k.f32(op.getScale().convertToDouble()));
      });
  }

  KernelBuilder &k;
  RouteOp op;
  int64_t experts, groups, chosen;
  /// s, c, which experts are out of the question, worth of groups, which
  /// groups are picked.
  Value scores, biased, taken, values, closed;
  SmallVector<Value> place;
};
} // namespace

static LogicalResult lowerRoute(FunctionLowering &f, Operation *source) {
  auto op = cast<RouteOp>(source);
  SmallVector<KernelArgument> arguments{
      KernelArgument::read(denseRows(f, op, op.getLogits())),
      KernelArgument::write(f.buffer(op.getIndices())),
      // The scores of the chosen become weights in place.
      KernelArgument::write(f.buffer(op.getWeights()))};
  if (op.getBias())
    arguments.push_back(KernelArgument::read(denseRows(f, op, op.getBias())));
  f.call(op, "route", arguments,
         [&](KernelBuilder &k) { RouteKernel(k, op).emit(); });
  return success();
}

void linnet::addRouteLowering(OpLoweringMap &map) {
  map[RouteOp::getOperationName()] = lowerRoute;
}
