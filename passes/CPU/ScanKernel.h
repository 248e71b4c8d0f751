//===- ScanKernel.h - the recurrence on one block of columns --*- C++ -*-===//
//
// Columns of the state never mix: one item is one or several blocks of value
// columns of one head over all tokens. Follows the normal form of any
// transition; where the decays of a token are computed follows from how their
// operands vary.
//
//===----------------------------------------------------------------------===//

#ifndef PASSES_CPU_SCANKERNEL_H
#define PASSES_CPU_SCANKERNEL_H

#include "passes/CPU/RegisterTile.h"
#include "passes/CPU/ScanOperands.h"

namespace mlir::linnet {

class ScanKernel {
public:
  /// Tokens of a chunk in the chunkwise form.
  static constexpr int64_t kChunkTokens = 8;

  ScanKernel(KernelBuilder &k, ScanOp op, const ScanOperands &operands);

  /// Emits the kernel: chunks where the form allows and pays (in the quadratic
  /// form with the tokens before them), and the remaining tokens one by one.
  void emit();

private:
  /// Where the decays of one token are computed.
  enum class DecayPlace { None, Token, Row, Column, Entry };
  /// One vector of the block: its first column within the block and of all,
  /// and the valid lanes or null.
  struct ColumnVector {
    Value offset, column, valid;
  };

  /// What reads the state in each token of a chunk: rows [C][K], and what they
  /// read from the state at the chunk's start [C][block]. `pre`: before the
  /// token's decay.
  struct ChunkReader {
    const ScanOperand *source;
    bool pre;
    Value rows = {}, reads = {};
  };
  /// What writes it: rows [C][K], what they write [C][block], and their
  /// products with each reader [C][C]. In the quadratic form also the same of
  /// the tokens before the chunk: rows [K][T], blocks [blocks * T][block] and
  /// products [C][T].
  struct ChunkWriter {
    const ScanOperand *source;
    Value rows = {}, written = {};
    SmallVector<Value> scores = {};
    Value keptRows = {}, keptWritten = {};
    SmallVector<Value> keptScores = {};
  };

  bool varies(char letter) const;
  DecayPlace decayPlace() const;
  bool isChunkwise();
  bool isQuadratic() {
    return op.getForm() == ScanForm::Quadratic && isChunkwise();
  }
  /// Steps of the longest call.
  int64_t mostSteps();

  // One item, and one block.
  void emitItem(Value begin, Value end);
  void forBlocks(llvm::function_ref<void()> body);
  void selectBlock(Value block, int64_t width);
  void emitTokens(Value begin, Value end);
  void moveState(bool toScratch);
  Value scratchRow(Value row);
  Value loadState(Value row, const ColumnVector &c);
  void storeState(Value s, Value row, const ColumnVector &c);
  Value emitDecay(Value row, Value column, char along, Value valid);
  Value applyDecay(Value decay, Value s);
  Value rowOf(const ScanOperand &operand, Value row);
  Value loadValue(const ColumnVector &c);
  void storeResult(Value sum, const ColumnVector &c);
  /// Stores the output's columns if the place is at its token's last step.
  void storeResults(ArrayRef<Value> sums);
  void addBonus(ArrayRef<Value> values, MutableArrayRef<Value> sums);
  Value emitBonus();
  /// Whether the state before token `at` is zero.
  Value isReset();
  void clearState();
  void emitChunkOrTokens(Value start);
  /// Sets the place to what the scan reaches in step `step`; a token has
  /// several of them.
  void moveTo(Value step);

  // One token (ScanKernel.cpp).
  void emitToken();
  void prepareDecays();
  SmallVector<Value> decaysOf(Value row);
  void prepareRows(Value list, llvm::function_ref<Value(Value, Value)> entry);
  Value emitAngle(Value row, Value column, char along, Value valid);
  SmallVector<std::pair<Value, Value>> turnsOf(Value row);
  /// The rows that a transition mixes: one, or the two of a complex row.
  int64_t rowsOfGroup() const { return form.hasPhase() ? 2 : 1; }
  char groupLetter() const { return form.hasPhase() ? 'p' : 'k'; }
  int64_t rowGroups() const { return in.keys / rowsOfGroup(); }
  SmallVector<Value> applyTransition(ArrayRef<Value> old, Value decay,
                                     std::pair<Value, Value> turn);
  void mixState();
  SmallVector<Value> readState(const ScanOperand &reader, bool decayed,
                               ValueRange zeros);
  SmallVector<Value> emitCorrection(ArrayRef<Value> values, ValueRange zeros);

  // One chunk (ChunkwiseScanKernel.cpp).
  void reserveChunk();
  void emitChunk(Value start);
  void prefetchShare(Value start, Value group, unsigned count);
  void prefetchRows(Value column);
  void packChunk(Value start);
  Value erasesInChunk();
  void emitBlockOfChunk(Value start);
  void emitScores();
  void emitScoresOf(int64_t i);
  SmallVector<Value> loadParts(Value rows, ValueRange before, Value column);
  void storeParts(ArrayRef<Value> parts, Value rows, ValueRange before,
                  Value column);
  SmallVector<Value> applyFade(ArrayRef<Value> row, ArrayRef<Value> fade,
                               bool transposed);
  void fadeReaders(Value token, Value column, ArrayRef<Value> fade,
                   ArrayRef<SmallVector<Value>> rows);
  void emitReads();
  SmallVector<Value> readChunk(unsigned number, int64_t i, int64_t end);
  void emitOutputs(Value start);
  void emitUpdate(Value start);
  /// Adds to the state, decayed over the chunk if `fades`, tile by tile (first
  /// group of rows, groups) the products over `count` tokens of what `left`
  /// loads of a writer's rows for a row's group and part, and `right` of what
  /// it wrote.
  void updateState(bool fades, Value count,
                   llvm::function_ref<void(Value, unsigned)> beforeTile,
                   llvm::function_ref<Value(ChunkWriter &, Value group,
                                            int64_t part, Value inner)>
                       left,
                   llvm::function_ref<Value(ChunkWriter &, const ColumnVector &,
                                            Value inner)>
                       right);
  int64_t tileRows() const;
  int64_t paddedKeys() const;
  SmallVector<Value> fadeState(ArrayRef<Value> old, Value group);
  bool decaysByRow() const {
    return decayPlace() == DecayPlace::Row || form.hasPhase();
  }
  int64_t paddedGroups() const;
  SmallVector<Value> emitFade(Value row, Value valid);

  // The tokens before a chunk (QuadraticScanKernel.cpp).
  void reserveKept();
  void startKept();
  void scoreKept();
  TileAccumulators readKept(TileAccumulators sums, unsigned rows,
                            llvm::function_ref<Value(unsigned)> tokenOf);
  void keepBlock();
  void keepRows();
  void foldKept();
  Value keptRow(Value token);
  Value keptTokens();
  Value stateGroups();
  void setKept(Value tokens, Value groups);

  KernelBuilder &k;
  ScanOp op;
  const NormalForm form;
  const ScanOperands &in;
  const int64_t lanes;
  /// Columns of a block; blocks of the values, blocks of an item, items of a
  /// head.
  int64_t width, blocks, blocksPerItem = 1, groups;
  /// The item's state [blocks * K][block], absent for one token; row decays
  /// [K].
  Value scratch, rowDecays;
  /// A block's rows while they mix [M][block].
  Value mixedRows;
  /// Cosine and sine of each complex row's angle [K / 2], where it is the same
  /// for all columns.
  Value rowCosines, rowSines;
  ScanPlace at;
  /// The item's group and, of the selected block, its number within the item,
  /// the first column and the first row in the scratch.
  Value group, blockInItem, first, firstRow;
  /// Tokens and steps; which of a token's steps the place is at, null if there
  /// is only one.
  Value tokens, steps, microStep;
  SmallVector<ColumnVector> columns;
  SmallVector<Value> tokenDecays;
  /// Whether the state holds the token's decay already.
  bool isMixed = false;
  /// A chunk's scratch: the decays of its tokens [C][K] and their product so
  /// far [K], for complex rows their real and imaginary parts. Rows of scratch
  /// have the parts of complex rows one behind the other, each padded.
  SmallVector<ChunkReader> readers;
  SmallVector<ChunkWriter> writers;
  Value decays, prefix;
  /// The quadratic form's counts [2]: tokens kept, and groups of rows of the
  /// state that may not be zero.
  Value kept;
};

} // namespace mlir::linnet

#endif // PASSES_CPU_SCANKERNEL_H
