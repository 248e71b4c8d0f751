//===- ScanKernel.cpp - the recurrence, token by token --------------------===//
//
// The block's part of the state stays in the thread's scratch over several
// tokens; a single token updates the state where it is.
//
//===----------------------------------------------------------------------===//

#include "passes/CPU/ScanKernel.h"

#include "passes/CPU/RowLoops.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mlir::linnet;

/// Vectors of a block of columns: enough sums to hide the latency of the
/// multiply-adds, few enough for 16 registers.
static constexpr int64_t kBlockVectors = 4;

/// Tokens after which items take turns, as the rows of neighbouring heads share
/// pages; many enough for the state's moves between scratch and memory not to
/// count.
static constexpr int64_t kBlockTokens = 128;

/// Items wanted, so that every thread of a usual machine has one.
static constexpr int64_t kWantedItems = 16;

ScanKernel::ScanKernel(KernelBuilder &k, ScanOp op,
                       const ScanOperands &operands)
    : k(k), op(op), form(op.getTransition().getNormalForm()), in(operands),
      lanes(k.target.lanes), width(kBlockVectors * k.target.lanes),
      blocks(llvm::divideCeil(operands.values, width)) {
  // The blocks of an item share what a chunk prepares.
  if (isChunkwise()) {
    int64_t heads = in.heads * k.argumentType(in.result).getDimSize(0);
    blocksPerItem = blocks;
    while (blocksPerItem > 1 &&
           heads * llvm::divideCeil(blocks, blocksPerItem) < kWantedItems)
      blocksPerItem = llvm::divideCeil(blocksPerItem, 2);
  }
  groups = llvm::divideCeil(blocks, blocksPerItem);
}

void ScanKernel::emit() {
  if (mostSteps() > 1)
    scratch = k.scratch({blocksPerItem * in.keys, width}, k.getF32Type());
  if (decayPlace() == DecayPlace::Row)
    rowDecays = k.scratch({rowGroups()}, k.getF32Type());
  if (form.hasPhase() && !in.parameters[form.phase].varies('v'))
    for (Value *list : {&rowCosines, &rowSines})
      *list = k.scratch({rowGroups()}, k.getF32Type());
  if (form.hasMixing())
    mixedRows = k.scratch({in.parameters[form.mixing].sizes.back(), width},
                          k.getF32Type());
  if (isChunkwise())
    reserveChunk();
  tokens = k.extent(in.result, 1);
  steps = in.steps == 1 ? tokens : k.mul(tokens, k.cst(in.steps));
  SmallVector<Value> sizes{k.extent(in.result, 0), k.cst(in.heads),
                           k.cst(groups)};
  Value items = k.mul(k.mul(sizes[0], sizes[1]), sizes[2]);
  // Every item keeps its thread, so that blocks of tokens need no barrier.
  // What the quadratic form keeps is one item's.
  Value block = k.cst(isQuadratic() ? mostSteps() : kBlockTokens);
  k.loop(k.cst(0), steps, block, [&](Value begin) {
    Value end = k.minimum(k.add(begin, block), steps);
    k.share(items, [&](Value item) {
      SmallVector<Value> place = k.delinearize(item, sizes);
      at.batch = place[0];
      at.head = place[1];
      group = place[2];
      emitItem(begin, end);
    });
  });
}

//===----------------------------------------------------------------------===//
// One item
//===----------------------------------------------------------------------===//

void ScanKernel::selectBlock(Value block, int64_t valid) {
  first = k.mul(block, k.cst(width));
  blockInItem = k.sub(block, k.mul(group, k.cst(blocksPerItem)));
  firstRow = k.mul(blockInItem, k.cst(in.keys));
  columns.clear();
  for (int64_t offset = 0; offset < valid; offset += lanes)
    columns.push_back(
        {k.cst(offset), k.add(first, k.cst(offset)),
         offset + lanes > valid ? k.cst(valid - offset) : Value()});
}

/// Calls body for every block of the item; only the last block of a head may
/// be narrower.
void ScanKernel::forBlocks(llvm::function_ref<void()> body) {
  int64_t whole = in.values / width;
  if (whole > 0) {
    Value begin = k.mul(group, k.cst(blocksPerItem));
    Value end = k.minimum(k.add(begin, k.cst(blocksPerItem)), k.cst(whole));
    k.loop(begin, end, k.cst(1), [&](Value block) {
      selectBlock(block, width);
      body();
    });
  }
  if (whole == blocks)
    return;
  k.onlyIf(k.less(k.cst(groups - 2), group), [&] {
    selectBlock(k.cst(whole), in.values - whole * width);
    body();
  });
}

void ScanKernel::emitItem(Value begin, Value end) {
  if (!isChunkwise())
    return forBlocks([&] {
      moveState(/*toScratch=*/true);
      emitTokens(begin, end);
      moveState(/*toScratch=*/false);
    });
  forBlocks([&] { moveState(/*toScratch=*/true); });
  if (isQuadratic())
    startKept();
  Value length = k.cst(kChunkTokens);
  Value rest = arith::RemUIOp::create(k, k.sub(end, begin), length);
  Value chunked = k.sub(end, rest);
  k.loop(begin, chunked, length,
         [&](Value start) { emitChunkOrTokens(start); });
  if (isQuadratic()) {
    // A state that nobody reads need not be complete.
    if (!op.getState().use_empty())
      foldKept();
    else
      k.onlyIf(k.less(chunked, end), [&] { foldKept(); });
  }
  forBlocks([&] {
    emitTokens(chunked, end);
    moveState(/*toScratch=*/false);
  });
}

/// Chunks know no token that drops the state, whatever stands there: a chunk
/// with a reset or a decay of zero goes token by token.
void ScanKernel::emitChunkOrTokens(Value start) {
  packChunk(start);
  Value drops;
  auto add = [&](Value found) {
    drops = drops ? arith::OrIOp::create(k, drops, found).getResult() : found;
  };
  if (decays)
    add(erasesInChunk());
  for (int64_t i = 0; in.resets && i < kChunkTokens; ++i) {
    moveTo(k.add(start, k.cst(i)));
    add(isReset());
  }
  if (!drops)
    return emitChunk(start);
  auto branch = scf::IfOp::create(k, drops, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(k);
  k.setInsertionPointToStart(branch.thenBlock());
  if (isQuadratic())
    foldKept();
  forBlocks([&] { emitTokens(start, k.add(start, k.cst(kChunkTokens))); });
  k.setInsertionPointToStart(branch.elseBlock());
  emitChunk(start);
}

Value ScanKernel::isReset() {
  Value entry = in.resets->load(k, at, k.cst(0), k.cst(0), 0, Value());
  Value zero = arith::ConstantOp::create(k, k.getZeroAttr(entry.getType()));
  Value marked =
      arith::CmpIOp::create(k, arith::CmpIPredicate::ne, entry, zero);
  if (!microStep)
    return marked;
  // The token's state is zero before its first step.
  Value first =
      arith::CmpIOp::create(k, arith::CmpIPredicate::eq, microStep, k.cst(0));
  return arith::AndIOp::create(k, marked, first);
}

/// Zeros in the block, whatever stands there.
void ScanKernel::clearState() {
  k.loop(in.keys, [&](Value row) {
    for (const ColumnVector &c : columns)
      storeState(k.splat(0.0, lanes), row, c);
  });
}

//===----------------------------------------------------------------------===//
// One block
//===----------------------------------------------------------------------===//

Value ScanKernel::scratchRow(Value row) { return k.add(firstRow, row); }

Value ScanKernel::loadState(Value row, const ColumnVector &c) {
  if (scratch)
    return k.load(scratch, {scratchRow(row), c.offset}, lanes);
  return k.loadColumns(k.argument(in.state), {at.batch, at.head, row, c.column},
                       c.valid);
}

void ScanKernel::storeState(Value s, Value row, const ColumnVector &c) {
  if (scratch)
    return k.store(s, scratch, {scratchRow(row), c.offset});
  k.storeColumns(s, k.argument(in.state), {at.batch, at.head, row, c.column},
                 c.valid);
}

/// Moves the block's state between its place and the scratch, if there is one.
void ScanKernel::moveState(bool toScratch) {
  if (!scratch)
    return;
  k.loop(in.keys, [&](Value row) {
    for (const ColumnVector &c : columns) {
      SmallVector<Value> place{at.batch, at.head, row, c.column};
      if (toScratch)
        k.store(k.loadColumns(k.argument(in.state), place, c.valid), scratch,
                {scratchRow(row), c.offset});
      else
        k.storeColumns(k.load(scratch, {scratchRow(row), c.offset}, lanes),
                       k.argument(in.state), place, c.valid);
    }
  });
}

void ScanKernel::moveTo(Value step) {
  at.token = step;
  at.stepHead = at.head;
  if (in.steps > 1) {
    Value perToken = k.cst(in.steps);
    microStep = arith::RemUIOp::create(k, step, perToken);
    at.token = arith::DivUIOp::create(k, step, perToken);
    at.stepHead = k.add(k.mul(microStep, k.cst(in.heads)), at.head);
  }
  if (op.getReverse())
    at.token = k.sub(k.sub(tokens, k.cst(1)), at.token);
}

/// The tokens of steps [begin, end), one by one.
void ScanKernel::emitTokens(Value begin, Value end) {
  k.loop(begin, end, k.cst(1), [&](Value step) {
    moveTo(step);
    emitToken();
  });
}

/// A scalar of q, k, beta or a bonus, for all columns.
Value ScanKernel::rowOf(const ScanOperand &operand, Value row) {
  return k.splat(operand.load(k, at, row, k.cst(0), 0, Value()), lanes);
}

Value ScanKernel::loadValue(const ColumnVector &c) {
  return k.loadColumns(k.argument(in.value.argument),
                       {at.batch, at.token, at.stepHead, c.column}, c.valid);
}

void ScanKernel::storeResults(ArrayRef<Value> sums) {
  auto store = [&] {
    for (auto [sum, c] : llvm::zip(sums, columns))
      storeResult(sum, c);
  };
  if (!microStep)
    return store();
  Value last = k.cst(in.steps - 1);
  k.onlyIf(arith::CmpIOp::create(k, arith::CmpIPredicate::eq, microStep, last),
           store);
}

void ScanKernel::storeResult(Value sum, const ColumnVector &c) {
  if (!op.getScale().isExactlyValue(1.0))
    sum = k.mul(sum, k.splat(op.getScale().convertToDouble(), lanes));
  k.storeColumns(sum, k.argument(in.result),
                 {at.batch, at.token, at.head, c.column}, c.valid);
}

/// What a token's own values add to the sums of a readout with a bonus.
void ScanKernel::addBonus(ArrayRef<Value> values, MutableArrayRef<Value> sums) {
  Value bonus = emitBonus();
  if (bonus)
    for (auto [value, sum] : llvm::zip(values, sums))
      sum = k.fma(bonus, value, sum);
}

/// sum over k of u[k] k[k] q[k], for all columns; null without a bonus.
Value ScanKernel::emitBonus() {
  if (!in.bonus)
    return {};
  Value sum = sumColumns(k, in.keys, [&](Value row, Value valid) {
    auto load = [&](const ScanOperand &operand) {
      Value value = operand.load(k, at, row, k.cst(0), 'k', valid);
      return isa<VectorType>(value.getType()) ? value : k.splat(value, lanes);
    };
    return keepValid(
        k, k.mul(k.mul(load(in.query), load(in.key)), load(*in.bonus)), valid);
  });
  return k.splat(sum, lanes);
}

//===----------------------------------------------------------------------===//
// One token
//===----------------------------------------------------------------------===//

void ScanKernel::emitToken() {
  if (in.resets)
    k.onlyIf(isReset(), [&] { clearState(); });
  prepareDecays();
  SmallVector<Value> values;
  for (const ColumnVector &c : columns)
    values.push_back(loadValue(c));
  SmallVector<Value> zeros(columns.size(), k.splat(0.0, lanes));
  bool pre = op.getReadout() == Readout::Pre;
  SmallVector<Value> reads, outputs;
  if (form.hasReader())
    reads = readState(in.parameters[form.reader], /*decayed=*/false, zeros);
  if (form.hasMixing()) {
    if (pre)
      outputs = readState(in.query, /*decayed=*/false, zeros);
    mixState();
  }
  SmallVector<Value> additions =
      form.tied ? emitCorrection(values, zeros) : values;
  SmallVector<Value> sums = k.loop(
      k.cst(0), k.cst(rowGroups()), k.cst(1), zeros,
      [&](Value group, ValueRange carried) {
        SmallVector<Value> next(carried), rows;
        for (int64_t i = 0; i < rowsOfGroup(); ++i)
          rows.push_back(i ? k.add(group, k.cst(i * rowGroups())) : group);
        SmallVector<Value> decays = decaysOf(group);
        SmallVector<std::pair<Value, Value>> turns = turnsOf(group);
        for (auto [j, c] : llvm::enumerate(columns)) {
          SmallVector<Value> old;
          for (Value row : rows)
            old.push_back(loadState(row, c));
          SmallVector<Value> moved = applyTransition(old, decays[j], turns[j]);
          for (auto [i, row] : llvm::enumerate(rows)) {
            Value s = k.fma(rowOf(in.key, row), additions[j], moved[i]);
            if (form.hasReader())
              s = k.fma(rowOf(in.parameters[form.writer], row), reads[j], s);
            storeState(s, row, c);
            next[j] = k.fma(rowOf(in.query, row), pre ? old[i] : s, next[j]);
          }
        }
        return next;
      });
  isMixed = false;
  if (!outputs.empty())
    sums = outputs;

  addBonus(values, sums);
  storeResults(sums);
}

/// Replaces the rows of every block by their decayed mixtures.
void ScanKernel::mixState() {
  const ScanOperand &matrix = in.parameters[form.mixing];
  Value size = k.cst(matrix.sizes.back());
  SmallVector<Value> zeros(columns.size(), k.splat(0.0, lanes));
  k.loop(k.cst(0), k.cst(in.keys), size, [&](Value first) {
    k.loop(k.cst(0), size, k.cst(1), [&](Value r) {
      SmallVector<Value> sums = k.loop(
          k.cst(0), size, k.cst(1), zeros, [&](Value j, ValueRange carried) {
            at.mixed = j;
            Value factor = rowOf(matrix, k.add(first, r)),
                  row = k.add(first, j);
            // An entry of zero reads nothing, whatever is there.
            Value skips = arith::CmpFOp::create(k, arith::CmpFPredicate::OEQ,
                                                factor, zeros[0]);
            SmallVector<Value> next, decays = decaysOf(row);
            for (auto [i, c] : llvm::enumerate(columns)) {
              Value sum = k.fma(
                  factor, applyDecay(decays[i], loadState(row, c)), carried[i]);
              next.push_back(
                  arith::SelectOp::create(k, skips, carried[i], sum));
            }
            return next;
          });
      for (auto [sum, c] : llvm::zip(sums, columns))
        k.store(sum, mixedRows, {r, c.offset});
    });
    k.loop(k.cst(0), size, k.cst(1), [&](Value r) {
      for (const ColumnVector &c : columns)
        storeState(k.load(mixedRows, {r, c.offset}, lanes), k.add(first, r), c);
    });
  });
  isMixed = true;
}

/// S^T r for the reader r, S before or after its decay.
SmallVector<Value> ScanKernel::readState(const ScanOperand &reader,
                                         bool decayed, ValueRange zeros) {
  return k.loop(
      k.cst(0), k.cst(in.keys), k.cst(1), zeros,
      [&](Value row, ValueRange carried) {
        SmallVector<Value> next, rowDecay(columns.size());
        Value factor = rowOf(reader, row);
        if (decayed)
          rowDecay = decaysOf(row);
        for (auto [j, c] : llvm::enumerate(columns))
          next.push_back(k.fma(
              factor, applyDecay(rowDecay[j], loadState(row, c)), carried[j]));
        return next;
      });
}

/// beta (v - S'^T k), S' the decayed state: what a tied transition writes.
SmallVector<Value> ScanKernel::emitCorrection(ArrayRef<Value> values,
                                              ValueRange zeros) {
  SmallVector<Value> read = readState(in.key, /*decayed=*/true, zeros);
  Value beta = rowOf(in.parameters[form.beta], k.cst(0));
  SmallVector<Value> result;
  for (auto [value, sum] : llvm::zip(values, read))
    result.push_back(k.mul(beta, k.sub(value, sum)));
  return result;
}

static LogicalResult lowerScan(FunctionLowering &f, Operation *source) {
  auto op = cast<ScanOp>(source);
  SmallVector<KernelArgument> arguments;
  ScanOperands operands = collectScanOperands(f, op, arguments);
  f.call(op, "scan", arguments,
         [&](KernelBuilder &k) { ScanKernel(k, op, operands).emit(); });
  return success();
}

void linnet::addScanLowering(OpLoweringMap &map) {
  map[ScanOp::getOperationName()] = lowerScan;
}
