//===- QuadraticScanKernel.cpp - the recurrence, all tokens by all --------===//
//
// Readers meet the writers of all earlier tokens instead of a state: the chunk
// kernel with what its chunks wrote kept beside the state instead of in it.
// The products of a chunk's readers with all kept rows are one matrix product
// with tokens in the lanes, the sums of what those wrote another. With every
// chunk the kept rows fade by its decay, so that none is ever divided by. The
// state enters once, faded, and is complete again when the kept tokens are
// added to it: at the end, or before tokens that go one by one.
//
// Over T tokens that is T (K + V) multiply-adds per token instead of 2 K V, and
// nothing for a state that is zero before and not read after. See Katharopoulos
// et al. 2020, "Transformers are RNNs", section 3.2, for the form, and Yang et
// al. 2024, "Parallelizing linear transformers with the delta rule", section
// 3.2, for the delta rule's.
//
//===----------------------------------------------------------------------===//

#include "passes/CPU/ScanKernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace mlir::linnet;

/// Vectors of tokens in the tile of products: 8 readers fill the registers.
static unsigned tokenVectors(const CpuTarget &target) {
  return target.registers >= 32 ? 2 : 1;
}

void ScanKernel::reserveKept() {
  Type f32 = k.getF32Type();
  int64_t most = llvm::alignTo(mostSteps(), lanes * tokenVectors(k.target));
  for (ChunkWriter &writer : writers) {
    writer.keptRows = k.scratch({in.keys, most}, f32);
    writer.keptWritten = k.scratch({blocksPerItem * most, width}, f32);
    for (size_t r = 0; r < readers.size(); ++r)
      writer.keptScores.push_back(k.scratch({kChunkTokens, most}, f32));
  }
  kept = k.scratch({2}, k.getI64Type());
}

static Value loadCount(KernelBuilder &k, Value counts, int64_t place) {
  return arith::IndexCastOp::create(
      k, k.getIndexType(),
      memref::LoadOp::create(k, counts, ValueRange{k.cst(place)}));
}

Value ScanKernel::keptTokens() { return loadCount(k, kept, 0); }
Value ScanKernel::stateGroups() { return loadCount(k, kept, 1); }

void ScanKernel::setKept(Value tokens, Value groups) {
  for (auto [place, count] : llvm::enumerate(ValueRange{tokens, groups}))
    memref::StoreOp::create(
        k, arith::IndexCastOp::create(k, k.getI64Type(), count), kept,
        ValueRange{k.cst(int64_t(place))});
}

/// Without an initial state there is nothing to read until tokens are folded.
void ScanKernel::startKept() {
  setKept(k.cst(0), k.cst(op.getInitial() ? rowGroups() : 0));
}

/// Where the selected block keeps what a token wrote.
Value ScanKernel::keptRow(Value token) {
  auto type = cast<MemRefType>(writers[0].keptRows.getType());
  return k.add(k.mul(blockInItem, k.cst(type.getDimSize(1))), token);
}

/// The products of the chunk's readers with the kept rows.
void ScanKernel::scoreKept() {
  unsigned vectors = tokenVectors(k.target);
  Value end = keptTokens();
  auto tile = [&](ChunkReader &reader, ChunkWriter &writer, Value scores) {
    k.loop(k.cst(0), end, k.cst(lanes * vectors), [&](Value token) {
      auto vectorAt = [&](unsigned v) {
        return k.add(token, k.cst(v * lanes));
      };
      TileAccumulators sums(kChunkTokens * vectors, k.splat(0.0, lanes));
      for (int64_t part = 0; part < rowsOfGroup(); ++part)
        sums = multiplyTile(
            k, kChunkTokens, vectors, k.cst(0), k.cst(rowGroups()),
            rowGroups() % 2 ? 1 : 2, sums,
            [&](unsigned r, Value inner) {
              return k.loadScalar(
                  reader.rows,
                  {k.cst(r), k.add(inner, k.cst(part * paddedGroups()))});
            },
            [&](unsigned v, Value inner) {
              return k.load(
                  writer.keptRows,
                  {k.add(inner, k.cst(part * rowGroups())), vectorAt(v)},
                  lanes);
            });
      for (int64_t i = 0; i < kChunkTokens; ++i)
        for (unsigned v = 0; v < vectors; ++v)
          k.store(sums[i * vectors + v], scores, {k.cst(i), vectorAt(v)});
    });
  };
  for (ChunkWriter &writer : writers)
    for (auto [reader, scores] : llvm::zip(readers, writer.keptScores))
      tile(reader, writer, scores);
}

/// Adds what the kept tokens wrote to a tile of reads, whose row r is that of
/// reader r % readers of its token.
TileAccumulators
ScanKernel::readKept(TileAccumulators sums, unsigned rows,
                     llvm::function_ref<Value(unsigned)> tokenOf) {
  Value end = keptTokens();
  for (ChunkWriter &writer : writers)
    sums = multiplyTile(
        k, rows, columns.size(), k.cst(0), end, kChunkTokens, sums,
        [&](unsigned r, Value inner) {
          return k.loadScalar(writer.keptScores[r % readers.size()],
                              {tokenOf(r), inner});
        },
        [&](unsigned v, Value inner) {
          return k.load(writer.keptWritten, {keptRow(inner), columns[v].offset},
                        lanes);
        });
  return sums;
}

/// Keeps what the chunk wrote to the selected block, and fades the state.
void ScanKernel::keepBlock() {
  Value end = keptTokens();
  for (ChunkWriter &writer : writers)
    k.loop(kChunkTokens, [&](Value i) {
      for (const ColumnVector &c : columns)
        k.store(k.load(writer.written, {i, c.offset}, lanes),
                writer.keptWritten, {keptRow(k.add(end, i)), c.offset});
    });
  if (!prefix)
    return;
  k.loop(stateGroups(), [&](Value group) {
    for (const ColumnVector &c : columns) {
      SmallVector<Value> old;
      for (int64_t part = 0; part < rowsOfGroup(); ++part)
        old.push_back(loadState(k.add(group, k.cst(part * rowGroups())), c));
      for (auto [part, s] : llvm::enumerate(fadeState(old, group)))
        storeState(s, k.add(group, k.cst(int64_t(part) * rowGroups())), c);
    }
  });
}

/// Fades the kept rows over the chunk, and adds the chunk's.
void ScanKernel::keepRows() {
  Value end = keptTokens();
  auto fade = [&](ChunkWriter &writer, Value group) {
    k.loop(k.cst(0), end, k.cst(lanes), [&](Value token) {
      SmallVector<Value> parts;
      for (int64_t part = 0; part < rowsOfGroup(); ++part)
        parts.push_back(k.load(writer.keptRows,
                               {k.add(group, k.cst(part * rowGroups())), token},
                               lanes));
      for (auto [part, row] : llvm::enumerate(fadeState(parts, group)))
        k.store(row, writer.keptRows,
                {k.add(group, k.cst(int64_t(part) * rowGroups())), token});
    });
  };
  for (ChunkWriter &writer : writers)
    k.loop(k.cst(rowGroups()), [&](Value group) {
      if (prefix)
        fade(writer, group);
      for (int64_t part = 0; part < rowsOfGroup(); ++part)
        for (int64_t i = 0; i < kChunkTokens; ++i)
          k.storeScalar(
              k.loadScalar(
                  writer.rows,
                  {k.cst(i), k.add(group, k.cst(part * paddedGroups()))}),
              writer.keptRows,
              {k.add(group, k.cst(part * rowGroups())), k.add(end, k.cst(i))});
    });
  setKept(k.add(end, k.cst(kChunkTokens)), stateGroups());
}

/// Adds what the kept tokens wrote to the state, and keeps none.
void ScanKernel::foldKept() {
  Value end = keptTokens();
  k.onlyIf(k.less(k.cst(0), end), [&] {
    forBlocks([&] {
      updateState(
          /*fades=*/false, end, [](Value, unsigned) {},
          [&](ChunkWriter &writer, Value group, int64_t part, Value inner) {
            return k.loadScalar(
                writer.keptRows,
                {k.add(group, k.cst(part * rowGroups())), inner});
          },
          [&](ChunkWriter &writer, const ColumnVector &c, Value inner) {
            return k.load(writer.keptWritten, {keptRow(inner), c.offset},
                          lanes);
          });
    });
  });
  setKept(k.cst(0), k.cst(rowGroups()));
}
