//===- ScanDecays.cpp - decays and turns of a recurrence's rows -----------===//
//
// Decays and angles are computed once per token where they are the same for
// all columns, and where they are used otherwise.
//
//===----------------------------------------------------------------------===//

#include "passes/CPU/ScanKernel.h"

#include "passes/CPU/RowLoops.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mlir::linnet;

bool ScanKernel::varies(char letter) const {
  return llvm::any_of(form.logDecay, [&](ArrayRef<int> term) {
    return llvm::any_of(term, [&](int operand) {
      return in.parameters[operand].varies(letter);
    });
  });
}

ScanKernel::DecayPlace ScanKernel::decayPlace() const {
  if (form.logDecay.empty())
    return DecayPlace::None;
  if (varies(groupLetter()))
    return varies('v') ? DecayPlace::Entry : DecayPlace::Row;
  return varies('v') ? DecayPlace::Column : DecayPlace::Token;
}

/// exp of the log decay at (row, column): a scalar, or a vector along the
/// letter `along`.
Value ScanKernel::emitDecay(Value row, Value column, char along, Value valid) {
  // One of two operands may be the same for the whole vector.
  auto widened = [&](Value value, Value other) {
    return !isa<VectorType>(value.getType()) && isa<VectorType>(other.getType())
               ? k.splat(value, lanes)
               : value;
  };
  Value log;
  for (ArrayRef<int> term : form.logDecay) {
    Value product;
    for (int operand : term) {
      Value factor =
          in.parameters[operand].load(k, at, row, column, along, valid);
      product = product
                    ? k.mul(widened(product, factor), widened(factor, product))
                    : factor;
    }
    log = log ? k.add(widened(log, product), widened(product, log)) : product;
  }
  return math::ExpOp::create(k, log);
}

/// decay * s, exactly zero for a zero decay whatever s is.
Value ScanKernel::applyDecay(Value decay, Value s) {
  if (!decay)
    return s;
  Value zero = k.splat(0.0, lanes);
  Value erased =
      arith::CmpFOp::create(k, arith::CmpFPredicate::OEQ, decay, zero);
  return arith::SelectOp::create(k, erased, zero, k.mul(decay, s));
}

void ScanKernel::prepareDecays() {
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
    prepareRows(rowDecays, [&](Value row, Value valid) {
      return emitDecay(row, zero, groupLetter(), valid);
    });
    break;
  case DecayPlace::None:
  case DecayPlace::Entry:
    break;
  }
  if (!rowCosines)
    return;
  auto angle = [&](Value row, Value valid) {
    return emitAngle(row, zero, groupLetter(), valid);
  };
  prepareRows(rowCosines, [&](Value row, Value valid) {
    return math::CosOp::create(k, angle(row, valid));
  });
  prepareRows(rowSines, [&](Value row, Value valid) {
    return math::SinOp::create(k, angle(row, valid));
  });
}

/// Fills a list with one entry per group of rows. Entries that lie one behind
/// the other come as vectors, else (or if all are the same) as scalars.
void ScanKernel::prepareRows(Value list,
                             llvm::function_ref<Value(Value, Value)> entry) {
  k.forColumns(rowGroups(), [&](Value row, Value valid) {
    Value entries = entry(row, valid);
    if (isa<VectorType>(entries.getType()))
      return k.storeColumns(entries, list, row, valid);
    Value end = k.add(row, valid ? valid : k.cst(lanes));
    k.loop(row, end, k.cst(1),
           [&](Value one) { k.storeScalar(entry(one, Value()), list, one); });
  });
}

Value ScanKernel::emitAngle(Value row, Value column, char along, Value valid) {
  return in.parameters[form.phase].load(k, at, row, column, along, valid);
}

/// Cosine and sine of the turn of a complex row, one pair per column vector;
/// empty without.
SmallVector<std::pair<Value, Value>> ScanKernel::turnsOf(Value row) {
  SmallVector<std::pair<Value, Value>> result(columns.size());
  if (!form.hasPhase())
    return result;
  if (rowCosines) {
    auto load = [&](Value list) {
      return k.splat(k.loadScalar(list, row), lanes);
    };
    result.assign(columns.size(), {load(rowCosines), load(rowSines)});
    return result;
  }
  for (auto [turn, c] : llvm::zip(result, columns)) {
    Value angle = emitAngle(row, c.column, 'v', c.valid);
    turn = {math::CosOp::create(k, angle), math::SinOp::create(k, angle)};
  }
  return result;
}

/// The rows of a group after decay and turn.
SmallVector<Value> ScanKernel::applyTransition(ArrayRef<Value> old, Value decay,
                                               std::pair<Value, Value> turn) {
  SmallVector<Value> rows;
  for (Value row : old)
    rows.push_back(applyDecay(decay, row));
  if (!form.hasPhase())
    return rows;
  auto [cosine, sine] = turn;
  return {k.sub(k.mul(cosine, rows[0]), k.mul(sine, rows[1])),
          k.fma(sine, rows[0], k.mul(cosine, rows[1]))};
}

/// The decays of one row, one vector (or null) per column vector.
SmallVector<Value> ScanKernel::decaysOf(Value row) {
  if (isMixed)
    return SmallVector<Value>(columns.size());
  if (decayPlace() == DecayPlace::Row)
    return SmallVector<Value>(columns.size(),
                              k.splat(k.loadScalar(rowDecays, row), lanes));
  if (decayPlace() != DecayPlace::Entry)
    return tokenDecays;
  SmallVector<Value> result;
  for (const ColumnVector &c : columns)
    result.push_back(emitDecay(row, c.column, 'v', c.valid));
  return result;
}
