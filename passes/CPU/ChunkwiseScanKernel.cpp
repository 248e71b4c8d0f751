//===- ChunkwiseScanKernel.cpp - the recurrence, chunk by chunk -----------===//
//
// Token by token, every token reads and writes the whole state. Over a chunk
// of C tokens with S0 the state at its start, a transition is a few readers
// (the query; the key of a delta rule or the a of a rank-1 term) and a few
// writers (the key, which writes values; the b of a rank-1 term). With P(x, y)
// the products x_i . y_j, y_j decayed from after token j to where x_i reads:
//
//   w_i = r_i S0 + sum over j < i and writers y of P(r, y)_ij written(y)_j
//   o_i = q_i S0 + sum over j <= i and writers y of P(q, y)_ij written(y)_j
//   S_C = D(C) S0 + sum over j and writers y of y_j written(y)_j^T
//
// where written(key) is v, or beta (v - w) for a delta rule, and written(b) is
// w. In the first lines readers carry the decay since the chunk's start, in
// the last one writers that to its end. Per block of columns, all reads of S0
// are one matrix product and the update is another; the scores are shared by
// the blocks.
//
// Decays are only ever multiplied, never divided: as i advances, every earlier
// writer fades by the decay of token i. No bound on the decay is needed. A
// chunk in which a decay is zero goes token by token, for zero times what is no
// number is none. See Yang et al. 2024,
// "Parallelizing linear transformers with the delta rule", for the scores and
// the triangular solve, which here is the loop over i.
//
//===----------------------------------------------------------------------===//

#include "passes/CPU/RegisterTile.h"
#include "passes/CPU/RowLoops.h"
#include "passes/CPU/ScanKernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace mlir::linnet;

/// What one prefetch is for: two lines, as processors fetch the other of a
/// pair.
static constexpr int64_t kPrefetchedFloats = 32;

/// Below these, the scores cost more than the state's traffic.
static constexpr int64_t kMinKeys = 16;

int64_t ScanKernel::mostSteps() {
  return k.argumentType(in.value.argument).getDimSize(1) * in.steps;
}

bool ScanKernel::isChunkwise() {
  // A row that is the same for all keys is not worth a vector.
  SmallVector<const ScanOperand *> rows{&in.query, &in.key};
  if (form.hasReader())
    rows.append({&in.parameters[form.reader], &in.parameters[form.writer]});
  if (!llvm::all_of(rows, [](const ScanOperand *operand) {
        return operand->varies('k');
      }))
    return false;
  ScanForm asked = op.getForm();
  if (asked == ScanForm::Chunkwise || asked == ScanForm::Quadratic)
    return mostSteps() >= kChunkTokens && in.keys > 0 && in.values > 0;
  return asked == ScanForm::Auto && mostSteps() >= 2 * kChunkTokens &&
         in.keys >= kMinKeys && in.values >= lanes &&
         llvm::is_contained(op.getTransition().getLegalForms(),
                            ScanForm::Chunkwise);
}

/// Groups of rows rounded up to whole vectors, and the length of all rows of
/// the scratch: they end in zeros.
int64_t ScanKernel::paddedGroups() const {
  return llvm::alignTo(rowGroups(), lanes);
}
int64_t ScanKernel::paddedKeys() const {
  return rowsOfGroup() * paddedGroups();
}

void ScanKernel::reserveChunk() {
  Type f32 = k.getF32Type();
  bool pre = op.getReadout() == Readout::Pre;
  readers.push_back({&in.query, pre});
  writers.push_back({&in.key});
  if (form.tied)
    readers.push_back({&in.key, /*pre=*/false});
  if (form.hasReader()) {
    readers.push_back({&in.parameters[form.reader], /*pre=*/true});
    writers.push_back({&in.parameters[form.writer]});
  }
  for (ChunkReader &reader : readers) {
    reader.rows = k.scratch({kChunkTokens, paddedKeys()}, f32);
    reader.reads = k.scratch({kChunkTokens, width}, f32);
  }
  for (ChunkWriter &writer : writers) {
    writer.rows = k.scratch({kChunkTokens, paddedKeys()}, f32);
    writer.written = k.scratch({kChunkTokens, width}, f32);
    for (size_t r = 0; r < readers.size(); ++r)
      writer.scores.push_back(k.scratch({kChunkTokens, kChunkTokens}, f32));
  }
  if (isQuadratic())
    reserveKept();
  if (decayPlace() == DecayPlace::None)
    return;
  decays = k.scratch({kChunkTokens, paddedKeys()}, f32);
  prefix = k.scratch({paddedKeys()}, f32);
}

/// Rows of a register tile: as many as the accumulators allow, a divisor of
/// the chunk's tokens.
int64_t ScanKernel::tileRows() const {
  int64_t accumulators = k.target.registers >= 32 ? 16 : 8;
  int64_t rows = accumulators / int64_t(columns.size());
  return std::clamp<int64_t>(llvm::bit_floor(uint64_t(rows)), 2, kChunkTokens);
}

void ScanKernel::emitChunk(Value start) {
  emitScores();
  if (isQuadratic())
    scoreKept();
  forBlocks([&] { emitBlockOfChunk(start); });
  if (isQuadratic())
    keepRows();
}

/// Whether a decay in the packed chunk is zero. Writers behind it must not see
/// what stood before, not even that it is no number, which a product with zero
/// would tell them. The size of a small complex decay may be rounded to zero:
/// then the chunk goes token by token for nothing.
Value ScanKernel::erasesInChunk() {
  Value end = k.cst(decaysByRow() ? paddedGroups() : lanes);
  Value most = k.loop(
      k.cst(0), k.cst(kChunkTokens), k.cst(1), k.splat(-1.0, lanes),
      [&](Value i, ValueRange outer) {
        return k.loop(
            k.cst(0), end, k.cst(lanes), outer,
            [&](Value column, ValueRange carried) -> SmallVector<Value> {
              SmallVector<Value> parts = loadParts(decays, i, column);
              Value size = parts[0];
              if (form.hasPhase())
                size = k.fma(size, size, k.mul(parts[1], parts[1]));
              Value negated = k.sub(k.splat(0.0, lanes), size);
              // False for NaN, which erases nothing.
              Value isMore = arith::CmpFOp::create(k, arith::CmpFPredicate::OGT,
                                                   negated, carried[0]);
              return {arith::SelectOp::create(k, isMore, negated, carried[0])};
            });
      })[0];
  return arith::CmpFOp::create(k, arith::CmpFPredicate::OEQ, k.reduceMax(most),
                               k.f32(0.0));
}

/// Fetches a share of the rows of the chunk at `start`, that of `count` of the
/// state's groups of rows from `group` on: a head's rows lie a page apart,
/// further than processors prefetch by themselves, and all at once they would
/// wait for each other. Into the second level: rows a power of two apart share
/// few sets of the first.
void ScanKernel::prefetchShare(Value start, Value group, unsigned count) {
  int64_t spans =
      llvm::divideCeil(std::max(in.keys, in.values), kPrefetchedFloats);
  Value shares = k.cst(blocksPerItem * rowGroups()),
        all = k.cst(kChunkTokens * spans);
  auto before = [&](Value share) {
    return Value(arith::DivUIOp::create(k, k.mul(share, all), shares));
  };
  Value share = k.add(k.mul(blockInItem, k.cst(rowGroups())), group);
  k.loop(before(share), before(k.add(share, k.cst(count))), k.cst(1),
         [&](Value span) {
           Value token = arith::DivUIOp::create(k, span, k.cst(spans));
           Value column = arith::RemUIOp::create(k, span, k.cst(spans));
           moveTo(k.minimum(k.add(start, token), k.sub(steps, k.cst(1))));
           prefetchRows(k.mul(column, k.cst(kPrefetchedFloats)));
         });
}

/// Fetches what begins at `column` of all rows of the place.
void ScanKernel::prefetchRows(Value column) {
  auto fetch = [&](const ScanOperand &operand, int64_t count) {
    if (!operand.varies('t') || !operand.varies(operand.letters.back()))
      return;
    Value within = k.minimum(column, k.cst(count - 1));
    memref::PrefetchOp::create(k, k.argument(operand.argument),
                               operand.indices(k, at, within, within),
                               /*isWrite=*/false, /*localityHint=*/2,
                               /*isDataCache=*/true);
  };
  for (ChunkReader &reader : readers)
    fetch(*reader.source, in.keys);
  for (ChunkWriter &writer : writers)
    fetch(*writer.source, in.keys);
  for (ArrayRef<int> term : form.logDecay)
    for (int operand : term)
      fetch(in.parameters[operand], rowGroups());
  fetch(in.value, in.values);
}

void ScanKernel::emitBlockOfChunk(Value start) {
  k.loop(kChunkTokens, [&](Value i) {
    moveTo(k.add(start, i));
    for (const ColumnVector &c : columns)
      k.store(loadValue(c), writers[0].written, {i, c.offset});
  });
  emitReads();
  emitOutputs(start);
  isQuadratic() ? keepBlock() : emitUpdate(start);
}

/// What a token multiplies rows by: the decay, or real and imaginary part.
SmallVector<Value> ScanKernel::emitFade(Value row, Value valid) {
  auto widened = [&](Value value) {
    return isa<VectorType>(value.getType()) ? value : k.splat(value, lanes);
  };
  Value decay = widened(emitDecay(row, k.cst(0), groupLetter(), valid));
  if (!form.hasPhase())
    return {decay};
  Value angle = widened(emitAngle(row, k.cst(0), groupLetter(), valid));
  return {k.mul(decay, math::CosOp::create(k, angle)),
          k.mul(decay, math::SinOp::create(k, angle))};
}

SmallVector<Value> ScanKernel::loadParts(Value rows, ValueRange before,
                                         Value column) {
  SmallVector<Value> parts;
  for (int64_t part = 0; part < rowsOfGroup(); ++part) {
    SmallVector<Value> place(before);
    place.push_back(k.add(column, k.cst(part * paddedGroups())));
    parts.push_back(k.load(rows, place, lanes));
  }
  return parts;
}

void ScanKernel::storeParts(ArrayRef<Value> parts, Value rows,
                            ValueRange before, Value column) {
  for (auto [part, value] : llvm::enumerate(parts)) {
    SmallVector<Value> place(before);
    place.push_back(k.add(column, k.cst(int64_t(part) * paddedGroups())));
    k.store(value, rows, place);
  }
}

/// The parts of `row` after one token; a reader's row, which stands on the
/// other side of the state, turns the other way.
SmallVector<Value> ScanKernel::applyFade(ArrayRef<Value> row,
                                         ArrayRef<Value> fade,
                                         bool transposed) {
  if (row.size() == 1)
    return {k.mul(fade[0], row[0])};
  Value crossed = k.mul(fade[1], row[1]), own = k.mul(fade[0], row[1]);
  if (transposed)
    return {k.fma(fade[0], row[0], crossed),
            k.sub(own, k.mul(fade[1], row[0]))};
  return {k.sub(k.mul(fade[0], row[0]), crossed), k.fma(fade[1], row[0], own)};
}

/// Copies the chunk's readers and writers and computes its decays: rows of
/// neighbouring tokens lie a power of two apart, where they would drive each
/// other and the state from the cache.
void ScanKernel::packChunk(Value start) {
  // A decay that is the same for all rows is computed once per token.
  bool byRow = decaysByRow();
  k.loop(kChunkTokens, [&](Value i) {
    moveTo(k.add(start, i));
    SmallVector<Value> shared;
    if (decays && !byRow)
      shared = emitFade(k.cst(0), Value());
    k.forColumns(rowGroups(), [&](Value group, Value valid) {
      auto copy = [&](const ScanOperand &from, Value to) {
        SmallVector<Value> parts;
        for (int64_t part = 0; part < rowsOfGroup(); ++part)
          parts.push_back(from.load(k, at,
                                    k.add(group, k.cst(part * rowGroups())),
                                    k.cst(0), 'k', valid));
        storeParts(parts, to, i, group);
      };
      for (ChunkReader &reader : readers)
        copy(*reader.source, reader.rows);
      for (ChunkWriter &writer : writers)
        copy(*writer.source, writer.rows);
      if (decays)
        storeParts(byRow ? emitFade(group, valid) : shared, decays, i, group);
    });
  });
  if (!prefix)
    return;
  SmallVector<Value> one{k.splat(1.0, lanes), k.splat(0.0, lanes)};
  one.truncate(rowsOfGroup());
  k.loop(k.cst(0), k.cst(paddedGroups()), k.cst(lanes),
         [&](Value column) { storeParts(one, prefix, {}, column); });
}

/// The scores of each token's readers with the writers of the tokens up to it,
/// which fade on the way. Leaves readers decayed since the chunk's start. The
/// tokens of a chunk are written out: their sums do not wait for each other.
void ScanKernel::emitScores() {
  for (int64_t i = 0; i < kChunkTokens; ++i)
    emitScoresOf(i);
}

void ScanKernel::emitScoresOf(int64_t i) {
  // What a token writes, it reads at once after the write.
  int64_t end = readers[0].pre ? i : i + 1;
  Value token = k.cst(i);
  SmallVector<Value> zeros(end * writers.size() * readers.size(),
                           k.splat(0.0, lanes));
  SmallVector<Value> sums = k.loop(
      k.cst(0), k.cst(paddedGroups()), k.cst(lanes), zeros,
      [&](Value column, ValueRange carried) {
        SmallVector<Value> next, fade;
        SmallVector<SmallVector<Value>> rows;
        if (decays)
          fade = loadParts(decays, token, column);
        for (ChunkReader &reader : readers)
          rows.push_back(loadParts(reader.rows, token, column));
        for (int64_t j = 0; j < end; ++j)
          for (ChunkWriter &writer : writers) {
            SmallVector<Value> early = loadParts(writer.rows, k.cst(j), column),
                               late = early;
            if (decays && j < i) {
              late = applyFade(early, fade, /*transposed=*/false);
              storeParts(late, writer.rows, k.cst(j), column);
            }
            for (auto [reader, row] : llvm::zip(readers, rows)) {
              Value sum = carried[next.size()];
              for (auto [x, y] : llvm::zip(row, reader.pre ? early : late))
                sum = k.fma(x, y, sum);
              next.push_back(sum);
            }
          }
        if (decays)
          fadeReaders(token, column, fade, rows);
        return next;
      });
  unsigned number = 0;
  for (int64_t j = 0; j < end; ++j)
    for (ChunkWriter &writer : writers)
      for (Value scores : writer.scores)
        k.storeScalar(k.reduceSum(sums[number++]), scores, {token, k.cst(j)});
}

/// Lets a token's readers carry the decay since the chunk's start.
void ScanKernel::fadeReaders(Value token, Value column, ArrayRef<Value> fade,
                             ArrayRef<SmallVector<Value>> rows) {
  SmallVector<Value> before = loadParts(prefix, {}, column),
                     through = applyFade(before, fade, /*transposed=*/false);
  for (auto [reader, row] : llvm::zip(readers, rows))
    storeParts(applyFade(row, reader.pre ? before : through,
                         /*transposed=*/true),
               reader.rows, token, column);
  storeParts(through, prefix, {}, column);
}

/// What the chunk's readers read from the state at its start.
void ScanKernel::emitReads() {
  int64_t rows = tileRows(), perToken = readers.size(), group = rows / perToken;
  unsigned vectors = columns.size();
  Value end = isQuadratic() ? stateGroups() : k.cst(rowGroups());
  k.loop(k.cst(0), k.cst(kChunkTokens), k.cst(group), [&](Value firstToken) {
    TileAccumulators sums(rows * vectors, k.splat(0.0, lanes));
    auto tokenOf = [&](unsigned r) {
      return k.add(firstToken, k.cst(r / perToken));
    };
    auto readerOf = [&](unsigned r) -> ChunkReader & {
      return readers[r % perToken];
    };
    for (int64_t part = 0; part < rowsOfGroup(); ++part)
      sums = multiplyTile(
          k, rows, vectors, k.cst(0), end, rowGroups() % 2 ? 1 : 2, sums,
          [&](unsigned r, Value inner) {
            return k.loadScalar(
                readerOf(r).rows,
                {tokenOf(r), k.add(inner, k.cst(part * paddedGroups()))});
          },
          [&](unsigned v, Value inner) {
            return loadState(k.add(inner, k.cst(part * rowGroups())),
                             columns[v]);
          });
    if (isQuadratic())
      sums = readKept(sums, rows, tokenOf);
    for (unsigned r = 0; r < rows; ++r)
      for (unsigned v = 0; v < vectors; ++v)
        k.store(sums[r * vectors + v], readerOf(r).reads,
                {tokenOf(r), columns[v].offset});
  });
}

/// What reader `number` of token i reads in all: from the state at the
/// chunk's start and from the writers of tokens before `end`.
SmallVector<Value> ScanKernel::readChunk(unsigned number, int64_t i,
                                         int64_t end) {
  SmallVector<Value> sums;
  for (const ColumnVector &c : columns)
    sums.push_back(k.load(readers[number].reads, {k.cst(i), c.offset}, lanes));
  for (int64_t j = 0; j < end; ++j)
    for (ChunkWriter &writer : writers) {
      Value score = k.splat(
          k.loadScalar(writer.scores[number], {k.cst(i), k.cst(j)}), lanes);
      for (auto [sum, c] : llvm::zip(sums, columns))
        sum = k.fma(score, k.load(writer.written, {k.cst(j), c.offset}, lanes),
                    sum);
    }
  return sums;
}

/// What each token writes, and the outputs.
void ScanKernel::emitOutputs(Value start) {
  for (int64_t i = 0; i < kChunkTokens; ++i) {
    Value token = k.cst(i);
    moveTo(k.add(start, token));
    SmallVector<Value> values;
    for (const ColumnVector &c : columns)
      values.push_back(k.load(writers[0].written, {token, c.offset}, lanes));
    if (readers.size() > 1) {
      SmallVector<Value> written = readChunk(1, i, i);
      if (form.tied) {
        Value beta = rowOf(in.parameters[form.beta], k.cst(0));
        for (auto [sum, value] : llvm::zip(written, values))
          sum = k.mul(beta, k.sub(value, sum));
      }
      Value place = writers[form.tied ? 0 : 1].written;
      for (auto [sum, c] : llvm::zip(written, columns))
        k.store(sum, place, {token, c.offset});
    }
    SmallVector<Value> sums = readChunk(0, i, readers[0].pre ? i : i + 1);
    addBonus(values, sums);
    storeResults(sums);
  }
}

/// The state after the chunk.
void ScanKernel::emitUpdate(Value start) {
  Value next = k.add(start, k.cst(kChunkTokens));
  updateState(
      /*fades=*/true, k.cst(kChunkTokens),
      [&](Value group, unsigned count) { prefetchShare(next, group, count); },
      [&](ChunkWriter &writer, Value group, int64_t part, Value inner) {
        return k.loadScalar(
            writer.rows, {inner, k.add(group, k.cst(part * paddedGroups()))});
      },
      [&](ChunkWriter &writer, const ColumnVector &c, Value inner) {
        return k.load(writer.written, {inner, c.offset}, lanes);
      });
}

void ScanKernel::updateState(
    bool fades, Value count,
    llvm::function_ref<void(Value, unsigned)> beforeTile,
    llvm::function_ref<Value(ChunkWriter &, Value, int64_t, Value)> left,
    llvm::function_ref<Value(ChunkWriter &, const ColumnVector &, Value)>
        right) {
  unsigned vectors = columns.size(), parts = rowsOfGroup();
  forRowTiles(
      k, k.cst(0), k.cst(rowGroups()), tileRows() / parts,
      [&](Value first, unsigned groups) {
        // Row r of the tile is part r % parts of group r / parts.
        unsigned rows = groups * parts;
        beforeTile(first, groups);
        TileAccumulators sums(rows * vectors);
        auto rowAt = [&](unsigned r) {
          return k.add(first, k.cst(r / parts + r % parts * rowGroups()));
        };
        for (unsigned g = 0; g < groups; ++g)
          for (unsigned v = 0; v < vectors; ++v) {
            SmallVector<Value> old;
            for (unsigned part = 0; part < parts; ++part)
              old.push_back(loadState(rowAt(g * parts + part), columns[v]));
            if (fades)
              old = fadeState(old, k.add(first, k.cst(g)));
            for (auto [part, s] : llvm::enumerate(old))
              sums[(g * parts + part) * vectors + v] = s;
          }
        for (ChunkWriter &writer : writers)
          sums = multiplyTile(
              k, rows, vectors, k.cst(0), count, kChunkTokens, sums,
              [&](unsigned r, Value inner) {
                return left(writer, k.add(first, k.cst(r / parts)), r % parts,
                            inner);
              },
              [&](unsigned v, Value inner) {
                return right(writer, columns[v], inner);
              });
        for (unsigned r = 0; r < rows; ++r)
          for (auto [v, c] : llvm::enumerate(columns))
            storeState(sums[r * vectors + v], rowAt(r), c);
      });
}

/// One vector of each row of a group, decayed over the chunk.
SmallVector<Value> ScanKernel::fadeState(ArrayRef<Value> old, Value group) {
  if (!prefix)
    return SmallVector<Value>(old);
  SmallVector<Value> fade;
  for (int64_t part = 0; part < rowsOfGroup(); ++part)
    fade.push_back(k.splat(
        k.loadScalar(prefix, k.add(group, k.cst(part * paddedGroups()))),
        lanes));
  return applyFade(old, fade, /*transposed=*/false);
}
