//===- ChunkwiseScanKernel.cpp - the recurrence, chunk by chunk -----------===//
//
// Token by token, every token reads and writes the whole state. Over a chunk
// of C tokens with S0 the state at its start (post readout; d(i, j) the decay
// from after token j through token i, D(i) = d(i, start)):
//
//   w_i = v_i, or tied: beta_i (v_i - D(i) S0^T k_i - sum_{j<i} d(i,j)
//   (k_i.k_j) w_j) o_i = D(i) S0^T q_i + sum_{j<=i} d(i,j) (q_i.k_j) w_j S_C =
//   D(C) S0 + sum_j d(C,j) k_j w_j^T
//
// Per block of columns, all reads of S0 are one matrix product and the update
// is another, which keep their accumulators in registers; the scores are
// shared by the blocks. Decays are only ever multiplied, never
// divided: none exceeds one, and a zero (a reset) stays exact.
//
//===----------------------------------------------------------------------===//

#include "passes/CPU/RegisterTile.h"
#include "passes/CPU/RowLoops.h"
#include "passes/CPU/ScanKernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mlir::linnet;

/// Below these, the scores cost more than the state's traffic.
static constexpr int64_t kMinKeys = 16;

bool ScanKernel::isChunkwise() {
  if (!llvm::is_contained(op.getTransition().getLegalForms(),
                          ScanForm::Chunkwise) ||
      form.hasReader())
    return false;
  if (decayPlace() != DecayPlace::None && decayPlace() != DecayPlace::Token)
    return false;
  return k.argumentType(in.value.argument).getDimSize(1) >= 2 * kChunkTokens &&
         in.keys >= kMinKeys && in.values >= lanes && in.query.varies('k') &&
         in.key.varies('k');
}

void ScanKernel::reserveChunk() {
  Type f32 = k.getF32Type();
  for (Value *rows : {&queries, &keys})
    *rows = k.scratch({kChunkTokens, in.keys}, f32);
  for (Value *list : {&decays, &before, &through, &fading})
    *list = k.scratch({kChunkTokens}, f32);
  for (Value *scores : {&outScores, &keyScores})
    *scores = k.scratch({kChunkTokens, kChunkTokens}, f32);
  for (Value *rows : {&queryReads, &keyReads, &written})
    *rows = k.scratch({kChunkTokens, width}, f32);
}

/// Rows of a register tile: as many as the accumulators allow, a divisor of
/// the chunk's tokens.
int64_t ScanKernel::tileRows() const {
  int64_t accumulators = k.target.registers >= 32 ? 16 : 8;
  int64_t rows = accumulators / int64_t(columns.size());
  return std::clamp<int64_t>(llvm::bit_floor(uint64_t(rows)), 2, kChunkTokens);
}

void ScanKernel::emitChunk(Value start) {
  packChunk(start);
  emitScores(start);
  forBlocks([&] { emitBlockOfChunk(start); });
}

void ScanKernel::emitBlockOfChunk(Value start) {
  k.loop(kChunkTokens, [&](Value i) {
    at.token = tokenAt(k.add(start, i));
    for (const ColumnVector &c : columns)
      k.store(loadValue(c), written, {i, c.offset});
  });
  emitReads();
  emitOutputs(start);
  emitUpdate();
}

/// Copies the chunk's queries and keys: rows of neighbouring tokens lie a power
/// of two apart, where they would drive each other and the state from the
/// cache.
void ScanKernel::packChunk(Value start) {
  k.loop(kChunkTokens, [&](Value i) {
    at.token = tokenAt(k.add(start, i));
    k.forColumns(in.keys, [&](Value column, Value valid) {
      auto copy = [&](const ScanOperand &from, Value to) {
        k.storeColumns(from.load(k, at, column, k.cst(0), 'k', valid), to,
                       {i, column}, valid);
      };
      copy(in.query, queries);
      copy(in.key, keys);
    });
  });
}

/// The product of row i of `readers` with the key of token j.
Value ScanKernel::emitScore(Value readers, Value i, Value j) {
  return sumColumns(k, in.keys, [&](Value column, Value valid) {
    return k.mul(k.loadColumns(readers, {i, column}, valid),
                 k.loadColumns(keys, {j, column}, valid));
  });
}

/// Decays within the chunk and the scores of later tokens with earlier ones.
void ScanKernel::emitScores(Value start) {
  bool pre = op.getReadout() == Readout::Pre,
       decayed = decayPlace() != DecayPlace::None;
  Value one = k.f32(1.0), zero = k.cst(0);
  if (decayed)
    k.loop(kChunkTokens, [&](Value i) {
      at.token = tokenAt(k.add(start, i));
      k.storeScalar(emitDecay(zero, zero, 0, Value()), decays, i);
    });
  k.loop(zero, k.cst(kChunkTokens), k.cst(1), one,
         [&](Value i, ValueRange carried) -> SmallVector<Value> {
           Value decay = one;
           k.storeScalar(carried[0], before, i);
           if (decayed)
             decay = k.loadScalar(decays, i);
           k.loop(i, [&](Value j) {
             Value earlier = k.loadScalar(fading, j);
             Value now = decayed ? k.mul(earlier, decay) : earlier;
             k.storeScalar(now, fading, j);
             k.storeScalar(k.mul(emitScore(queries, i, j), pre ? earlier : now),
                           outScores, {i, j});
             if (form.tied)
               k.storeScalar(k.mul(emitScore(keys, i, j), now), keyScores,
                             {i, j});
           });
           k.storeScalar(one, fading, i);
           if (!pre)
             k.storeScalar(emitScore(queries, i, i), outScores, {i, i});
           Value next = decayed ? k.mul(carried[0], decay) : one;
           k.storeScalar(next, through, i);
           return {next};
         });
}

/// What the chunk's queries (and, if tied, keys) read from the state at its
/// start.
void ScanKernel::emitReads() {
  int64_t rows = tileRows(), perToken = form.tied ? 2 : 1,
          group = rows / perToken;
  unsigned vectors = columns.size();
  k.loop(k.cst(0), k.cst(kChunkTokens), k.cst(group), [&](Value firstToken) {
    TileAccumulators sums(rows * vectors, k.splat(0.0, lanes));
    auto tokenOf = [&](unsigned r) {
      return k.add(firstToken, k.cst(r / perToken));
    };
    auto isKey = [&](unsigned r) { return form.tied && r % 2 == 1; };
    sums = multiplyTile(
        k, rows, vectors, k.cst(0), k.cst(in.keys), in.keys % 2 ? 1 : 2, sums,
        [&](unsigned r, Value inner) {
          return k.loadScalar(isKey(r) ? keys : queries, {tokenOf(r), inner});
        },
        [&](unsigned v, Value inner) { return loadState(inner, columns[v]); });
    for (unsigned r = 0; r < rows; ++r)
      for (unsigned v = 0; v < vectors; ++v)
        k.store(sums[r * vectors + v], isKey(r) ? keyReads : queryReads,
                {tokenOf(r), columns[v].offset});
  });
}

/// What each token writes, and the outputs.
void ScanKernel::emitOutputs(Value start) {
  bool pre = op.getReadout() == Readout::Pre,
       decayed = decayPlace() != DecayPlace::None;
  k.loop(kChunkTokens, [&](Value i) {
    at.token = tokenAt(k.add(start, i));
    auto decayedRead = [&](Value reads, Value list, const ColumnVector &c) {
      Value read = k.load(reads, {i, c.offset}, lanes);
      if (!decayed)
        return read;
      return applyDecay(k.splat(k.loadScalar(list, i), lanes), read);
    };
    // sum over j < end of scores[i][j] w_j, added to `sums`.
    auto addWritten = [&](Value scores, Value end, SmallVector<Value> sums) {
      return k.loop(
          k.cst(0), end, k.cst(1), sums, [&](Value j, ValueRange carried) {
            Value score = k.splat(k.loadScalar(scores, {i, j}), lanes);
            SmallVector<Value> next;
            for (auto [sum, c] : llvm::zip(carried, columns))
              next.push_back(
                  k.fma(score, k.load(written, {j, c.offset}, lanes), sum));
            return next;
          });
    };
    SmallVector<Value> values, reads;
    for (const ColumnVector &c : columns)
      values.push_back(k.load(written, {i, c.offset}, lanes));
    SmallVector<Value> additions = values;
    if (form.tied) {
      for (const ColumnVector &c : columns)
        reads.push_back(decayedRead(keyReads, through, c));
      reads = addWritten(keyScores, i, reads);
      Value beta = rowOf(in.parameters[form.beta], k.cst(0));
      for (auto [addition, value, read] : llvm::zip(additions, values, reads))
        addition = k.mul(beta, k.sub(value, read));
    }
    if (form.tied)
      for (auto [addition, c] : llvm::zip(additions, columns))
        k.store(addition, written, {i, c.offset});
    SmallVector<Value> sums;
    for (const ColumnVector &c : columns)
      sums.push_back(decayedRead(queryReads, pre ? before : through, c));
    sums = addWritten(outScores, pre ? i : k.add(i, k.cst(1)), sums);
    Value bonus = emitBonus();
    for (auto [j, c] : llvm::enumerate(columns))
      storeResult(bonus ? k.fma(bonus, values[j], sums[j]) : sums[j], c);
  });
}

/// The state after the chunk.
void ScanKernel::emitUpdate() {
  bool decayed = decayPlace() != DecayPlace::None;
  Value last = k.cst(kChunkTokens - 1), whole;
  if (decayed) {
    k.loop(kChunkTokens, [&](Value j) {
      Value decay = k.splat(k.loadScalar(fading, j), lanes);
      for (const ColumnVector &c : columns) {
        SmallVector<Value> place{j, c.offset};
        k.store(k.mul(decay, k.load(written, place, lanes)), written, place);
      }
    });
    whole = k.splat(k.loadScalar(through, last), lanes);
  }
  unsigned vectors = columns.size();
  forRowTiles(
      k, k.cst(0), k.cst(in.keys), tileRows(), [&](Value row, unsigned rows) {
        TileAccumulators sums;
        for (unsigned r = 0; r < rows; ++r)
          for (const ColumnVector &c : columns)
            sums.push_back(
                applyDecay(whole, loadState(k.add(row, k.cst(r)), c)));
        sums = multiplyTile(
            k, rows, vectors, k.cst(0), k.cst(kChunkTokens), kChunkTokens, sums,
            [&](unsigned r, Value inner) {
              return k.loadScalar(keys, {inner, k.add(row, k.cst(r))});
            },
            [&](unsigned v, Value inner) {
              return k.load(written, {inner, columns[v].offset}, lanes);
            });
        for (unsigned r = 0; r < rows; ++r)
          for (auto [v, c] : llvm::enumerate(columns))
            storeState(sums[r * vectors + v], k.add(row, k.cst(r)), c);
      });
}
