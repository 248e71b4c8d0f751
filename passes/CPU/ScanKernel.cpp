//===- ScanKernel.cpp - the recurrence, token by token --------------------===//
//
// Follows the normal form of any transition. One item is a block of value
// columns of one head over all tokens: columns never mix, so items are
// independent. The block's part of the state stays in the thread's scratch
// over several tokens; a single token updates the state where it is.
//
// What depends on how an operand varies is decided by its dimensions: decays
// that are the same for all rows or all columns are computed once per token.
//
//===----------------------------------------------------------------------===//

#include "passes/CPU/RowLoops.h"
#include "passes/CPU/ScanOperands.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mlir::linnet;

/// Vectors of a block of columns: enough sums to hide the latency of the
/// multiply-adds, few enough for 16 registers.
static constexpr int64_t kBlockVectors = 4;

namespace {
/// One vector of the block: its first column, and the valid lanes or null.
struct ColumnVector {
  Value offset, column, valid;
};

class SequentialScan {
public:
  SequentialScan(KernelBuilder &k, ScanOp op, const ScanOperands &operands)
      : k(k), op(op), form(op.getTransition().getNormalForm()), in(operands),
        lanes(k.target.lanes) {}

  void emit() {
    int64_t width = kBlockVectors * lanes;
    int64_t blocks = llvm::divideCeil(in.values, width);
    int64_t rest = in.values - (blocks - 1) * width;
    if (k.argumentType(in.value.argument).getDimSize(1) > 1)
      scratch = k.scratch({in.keys, width}, k.getF32Type());
    if (decayPlace() == DecayPlace::Row)
      rowDecays = k.scratch({in.keys}, k.getF32Type());
    SmallVector<Value> sizes{k.extent(in.result, 0), k.cst(in.heads), k.cst(blocks)};
    Value items = k.mul(k.mul(sizes[0], sizes[1]), sizes[2]);
    k.share(items, [&](Value item) {
      SmallVector<Value> place = k.delinearize(item, sizes);
      at.batch = place[0];
      at.head = place[1];
      first = k.mul(place[2], k.cst(width));
      if (rest == width)
        return emitBlock(width);
      if (blocks == 1)
        return emitBlock(rest);
      auto isLast = scf::IfOp::create(k, k.less(k.cst(blocks - 2), place[2]),
                                      /*withElseRegion=*/true);
      OpBuilder::InsertionGuard guard(k);
      k.setInsertionPointToStart(isLast.thenBlock());
      emitBlock(rest);
      k.setInsertionPointToStart(isLast.elseBlock());
      emitBlock(width);
    });
  }

private:
  /// Where the decays of one token are computed.
  enum class DecayPlace { None, Token, Row, Column, Entry };

  bool varies(char letter) const {
    auto varies = [&](int number) {
      return number >= 0 && in.parameters[number].varies(letter);
    };
    return varies(form.logDecay) || varies(form.logDecayFactor);
  }
  DecayPlace decayPlace() const {
    if (form.logDecay < 0)
      return DecayPlace::None;
    if (varies('k'))
      return varies('v') ? DecayPlace::Entry : DecayPlace::Row;
    return varies('v') ? DecayPlace::Column : DecayPlace::Token;
  }

  /// Whether decays that vary along k lie one behind the other.
  bool hasRowVectors() const {
    auto dense = [&](int number) {
      return number < 0 || !in.parameters[number].varies('k') ||
             in.parameters[number].letters.back() == 'k';
    };
    return dense(form.logDecay) && dense(form.logDecayFactor);
  }

  /// exp of the log decay at (row, column): a scalar, or a vector along the
  /// letter `along`.
  Value emitDecay(Value row, Value column, char along, Value valid) {
    auto load = [&](int number) {
      return in.parameters[number].load(k, at, row, column, along, valid);
    };
    Value log = load(form.logDecay);
    if (form.logDecayFactor >= 0) {
      Value factor = load(form.logDecayFactor);
      // One of the two may be the same for the whole vector.
      if (isa<VectorType>(factor.getType()) && !isa<VectorType>(log.getType()))
        log = k.splat(log, lanes);
      if (isa<VectorType>(log.getType()) && !isa<VectorType>(factor.getType()))
        factor = k.splat(factor, lanes);
      log = k.mul(log, factor);
    }
    return math::ExpOp::create(k, log);
  }

  /// decay * s, exactly zero for a zero decay whatever s is.
  Value applyDecay(Value decay, Value s) {
    if (!decay)
      return s;
    Value zero = k.splat(0.0, lanes);
    Value erased = arith::CmpFOp::create(k, arith::CmpFPredicate::OEQ, decay, zero);
    return arith::SelectOp::create(k, erased, zero, k.mul(decay, s));
  }

  Value loadState(Value row, const ColumnVector &c) {
    if (scratch)
      return k.load(scratch, {row, c.offset}, lanes);
    return k.loadColumns(k.argument(in.state), {at.batch, at.head, row, c.column},
                         c.valid);
  }
  void storeState(Value s, Value row, const ColumnVector &c) {
    if (scratch)
      return k.store(s, scratch, {row, c.offset});
    k.storeColumns(s, k.argument(in.state), {at.batch, at.head, row, c.column},
                   c.valid);
  }

  /// Moves the block's state between its place and the scratch.
  void moveState(bool toScratch) {
    k.loop(in.keys, [&](Value row) {
      for (const ColumnVector &c : columns) {
        SmallVector<Value> place{at.batch, at.head, row, c.column};
        if (toScratch)
          k.store(k.loadColumns(k.argument(in.state), place, c.valid), scratch,
                  {row, c.offset});
        else
          k.storeColumns(k.load(scratch, {row, c.offset}, lanes),
                         k.argument(in.state), place, c.valid);
      }
    });
  }

  void emitBlock(int64_t width) {
    columns.clear();
    for (int64_t offset = 0; offset < width; offset += lanes)
      columns.push_back({k.cst(offset), k.add(first, k.cst(offset)),
                         offset + lanes > width ? k.cst(width - offset) : Value()});
    if (scratch)
      moveState(/*toScratch=*/true);
    Value tokens = k.extent(in.result, 1);
    k.loop(tokens, [&](Value step) {
      at.token = op.getReverse() ? k.sub(k.sub(tokens, k.cst(1)), step) : step;
      emitToken();
    });
    if (scratch)
      moveState(/*toScratch=*/false);
  }

  void prepareDecays() {
    tokenDecays.assign(columns.size(), Value());
    Value zero = k.cst(0);
    switch (decayPlace()) {
    case DecayPlace::Token: {
      Value decay = k.splat(emitDecay(zero, zero, 0, Value()), lanes);
      tokenDecays.assign(columns.size(), decay);
      break;
    }
    case DecayPlace::Column:
      for (auto [decay, c] : llvm::zip(tokenDecays, columns))
        decay = emitDecay(zero, c.column, 'v', c.valid);
      break;
    case DecayPlace::Row:
      if (!hasRowVectors()) {
        k.loop(in.keys, [&](Value row) {
          k.storeScalar(emitDecay(row, zero, 0, Value()), rowDecays, row);
        });
        break;
      }
      k.forColumns(in.keys, [&](Value row, Value valid) {
        k.storeColumns(emitDecay(row, zero, 'k', valid), rowDecays, row, valid);
      });
      break;
    case DecayPlace::None:
    case DecayPlace::Entry:
      break;
    }
  }

  /// The decays of one row, one vector (or null) per column vector.
  SmallVector<Value> decaysOf(Value row) {
    if (decayPlace() == DecayPlace::Row)
      return SmallVector<Value>(columns.size(),
                                k.splat(k.loadScalar(rowDecays, row), lanes));
    if (decayPlace() != DecayPlace::Entry)
      return tokenDecays;
    SmallVector<Value> decays;
    for (const ColumnVector &c : columns)
      decays.push_back(emitDecay(row, c.column, 'v', c.valid));
    return decays;
  }

  Value rowOf(const ScanOperand &operand, Value row) {
    return k.splat(operand.load(k, at, row, k.cst(0), 0, Value()), lanes);
  }

  /// sum over k of u[k] k[k] q[k].
  Value emitBonus() {
    return sumColumns(k, in.keys, [&](Value row, Value valid) {
      auto load = [&](const ScanOperand &operand) {
        Value value = operand.load(k, at, row, k.cst(0), 'k', valid);
        return isa<VectorType>(value.getType()) ? value : k.splat(value, lanes);
      };
      return keepValid(
          k, k.mul(k.mul(load(in.query), load(in.key)), load(*in.bonus)), valid);
    });
  }

  void emitToken() {
    prepareDecays();
    SmallVector<Value> values, written;
    for (const ColumnVector &c : columns)
      values.push_back(k.loadColumns(k.argument(in.value.argument),
                                     {at.batch, at.token, at.head, c.column},
                                     c.valid));
    SmallVector<Value> zeros(columns.size(), k.splat(0.0, lanes));
    written = values;
    if (form.tied)
      written = emitCorrection(values, zeros);

    bool pre = op.getReadout() == Readout::Pre;
    SmallVector<Value> sums = k.loop(
        k.cst(0), k.cst(in.keys), k.cst(1), zeros,
        [&](Value row, ValueRange carried) {
          SmallVector<Value> next;
          Value key = rowOf(in.key, row), query = rowOf(in.query, row);
          SmallVector<Value> decays = decaysOf(row);
          for (auto [j, c] : llvm::enumerate(columns)) {
            Value old = loadState(row, c);
            Value s = k.fma(key, written[j], applyDecay(decays[j], old));
            storeState(s, row, c);
            next.push_back(k.fma(query, pre ? old : s, carried[j]));
          }
          return next;
        });

    Value bonus = in.bonus ? k.splat(emitBonus(), lanes) : Value();
    Value scale = k.splat(op.getScale().convertToDouble(), lanes);
    for (auto [j, c] : llvm::enumerate(columns)) {
      Value sum = bonus ? k.fma(bonus, values[j], sums[j]) : sums[j];
      if (!op.getScale().isExactlyValue(1.0))
        sum = k.mul(sum, scale);
      k.storeColumns(sum, k.argument(in.result),
                     {at.batch, at.token, at.head, c.column}, c.valid);
    }
  }

  /// beta (v - S'^T k), S' the decayed state: what a tied transition writes.
  SmallVector<Value> emitCorrection(ArrayRef<Value> values, ValueRange zeros) {
    SmallVector<Value> read = k.loop(
        k.cst(0), k.cst(in.keys), k.cst(1), zeros,
        [&](Value row, ValueRange carried) {
          SmallVector<Value> next;
          Value key = rowOf(in.key, row);
          SmallVector<Value> decays = decaysOf(row);
          for (auto [j, c] : llvm::enumerate(columns))
            next.push_back(
                k.fma(key, applyDecay(decays[j], loadState(row, c)), carried[j]));
          return next;
        });
    Value beta = rowOf(in.parameters[form.beta], k.cst(0));
    SmallVector<Value> written;
    for (auto [value, sum] : llvm::zip(values, read))
      written.push_back(k.mul(beta, k.sub(value, sum)));
    return written;
  }

  KernelBuilder &k;
  ScanOp op;
  const NormalForm form;
  const ScanOperands &in;
  const int64_t lanes;
  /// The block's state [K][block], absent for one token; row decays [K].
  Value scratch, rowDecays;
  ScanPlace at;
  Value first;
  SmallVector<ColumnVector> columns;
  SmallVector<Value> tokenDecays;
};
} // namespace

static LogicalResult lowerScan(FunctionLowering &f, Operation *source) {
  auto op = cast<ScanOp>(source);
  SmallVector<KernelArgument> arguments;
  ScanOperands operands = collectScanOperands(f, op, arguments);
  f.call(op, "scan", arguments, [&](KernelBuilder &k) {
    SequentialScan(k, op, operands).emit();
  });
  return success();
}

void linnet::addScanLowering(OpLoweringMap &map) {
  map[ScanOp::getOperationName()] = lowerScan;
}
