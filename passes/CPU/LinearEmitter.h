//===- LinearEmitter.h - products with packed matrices --------*- C++ -*-===//

#ifndef PASSES_CPU_LINEAREMITTER_H
#define PASSES_CPU_LINEAREMITTER_H

#include "passes/CPU/LinearPanels.h"
#include "passes/CPU/RegisterTile.h"

#include <numeric>

namespace mlir::linnet {

/// Where a kernel's arguments stand behind x, W and y.
struct LinearArguments {
  /// A tensor that is added last: its rows, or their entries in an order.
  struct Addend {
    unsigned rows;
    std::optional<unsigned> order;
  };
  std::optional<unsigned> bias;
  /// What goes with the panels: scales of codes and their zeros, positions.
  std::optional<unsigned> table, zeros;
  /// The order [in] of i32 in which x's entries are the inputs.
  std::optional<unsigned> order;
  SmallVector<Addend> addends;
};

/// Emits y = W x + bias for packed W, and adds tensors to that.
class LinearEmitter {
public:
  enum Argument { X, W, Y };

  /// For a stored matrix of `shape` in panels of `vectors` vectors. Unless
  /// `exact`, few rows add in another order than many.
  LinearEmitter(KernelBuilder &k, const LinearShape &shape,
                const PanelForm &form, int64_t vectors,
                LinearArguments arguments, bool exact)
      : k(k), exact(exact), blocks(shape.blocks), in(shape.blockIn()),
        out(shape.blockOut()), codes(form.codes), kept(form.kept),
        pattern(form.pattern), shifted(form.shifted), words(form.words),
        arguments(std::move(arguments)), vectors(vectors),
        width(vectors * k.target.lanes),
        blockPanels((out + width - 1) / width) {}

  /// Rows along dimension 1 (tokens) of each batch row.
  void emitManyRows();
  /// Few rows (static): the batch dimension, or a single row.
  void emitFewRows(int64_t rows, bool rowsAreBatch);

private:
  /// Where a panel stands: its number, the first of its columns and the end of
  /// its block's, and the first input of its block (null: 0).
  struct Panel {
    Value number, first, end, input;
  };
  Panel panelAt(Value number);
  /// The input that vector `v` of a panel has at an inner index.
  Value inputOf(const Panel &panel, unsigned v, Value inner);
  /// The same where only some inputs are stored, before they are reordered.
  Value keptInput(const Panel &panel, unsigned v, Value inner);
  /// So many vectors of a panel, from the first on, have the same inputs.
  unsigned sharedVectors() const {
    return kept ? std::gcd(kept.getHeight(), width) / k.target.lanes : vectors;
  }
  SmallVector<Value> place(Value batch, Value token, Value column);
  /// Weights of input `inner` in the lanes from `lane` on, as f32; codes
  /// without their zeros and scales, and these of group `number`.
  Value loadWeights(const Panel &panel, Value inner, Value lane);
  Value loadCodes(const Panel &panel, Value inner, Value lane);
  Value loadScales(const Panel &panel, Value number, Value lane) {
    return k.load(k.argument(*arguments.table), {panel.number, number, lane},
                  k.target.lanes);
  }
  Value loadZeros(const Panel &panel, Value number, Value lane);
  /// Whether few rows scale sums of codes rather than codes.
  bool scalesSums() const;
  /// Weights of input `inner` where these are a part of a vector.
  Value loadShifted(const Panel &panel, Value inner, Value lane);
  /// Weights of input `inner` of a pattern: those of its group that stand
  /// there.
  Value loadKept(const Panel &panel, Value inner, Value lane);
  /// Products of kept values with the inputs that they pick, without
  /// unpacking.
  TileAccumulators multiplyKept(ArrayRef<Panel> panels, int64_t rows,
                                bool rowsAreBatch, TileAccumulators sums);
  /// Entries of `table`, a vector of 16, by the lowest 4 bits of `index`.
  Value lookUp16(Value table, Value index) {
    return LLVM::CallIntrinsicOp::create(
               k, k.vector(k.target.lanes, k.getF32Type()),
               k.getStringAttr("llvm.x86.avx512.permvar.sf.512"),
               ValueRange{table, index})
        .getResult(0);
  }
  /// Where a panel has input `inner`.
  Value rowOf(Value inner) {
    if (pattern)
      return arith::DivUIOp::create(k, k.mul(inner, k.cst(pattern.getKept())),
                                    k.cst(pattern.getOf()));
    return codes && codes.getBits() == 4
               ? Value(arith::ShRUIOp::create(k, inner, k.cst(words ? 3 : 1)))
               : inner;
  }
  /// Rows of a register tile: narrow panels leave room for more.
  int64_t tileRows() const {
    return k.target.tileRows() * k.target.panelVectors() / vectors;
  }
  /// Whether weights are made f32 once for many rows.
  bool narrow() const {
    return pattern || !k.argumentType(W).getElementType().isF32();
  }
  /// Which of the lanes from `column` on are columns; null if all are.
  Value validLanes(const Panel &panel, Value column);
  /// Accumulators before the first product: the bias, or zeros.
  TileAccumulators initial(unsigned rows, const Panel &panel);
  /// Accumulators so far, from the output.
  TileAccumulators partial(unsigned rows, Value batch, Value firstRow,
                           bool rowsAreBatch, const Panel &panel);
  /// Where row `number` has `column`.
  SmallVector<Value> placeOfRow(Value batch, Value number, bool rowsAreBatch,
                                Value column) {
    return rowsAreBatch ? place(number, k.cst(0), column)
                        : place(batch, number, column);
  }
  /// A vector of what is added at `place`.
  Value loadAddend(const LinearArguments::Addend &addend, ArrayRef<Value> place,
                   Value valid);
  /// Sums of all inputs (`isWhole`) get the addends.
  void storeTile(const TileAccumulators &sums, unsigned rows, Value batch,
                 Value firstRow, bool rowsAreBatch, const Panel &panel,
                 bool isWhole);
  /// One panel, inner indices [begin, begin + size).
  void emitPart(const Panel &panel, Value batch, Value lower, Value upper,
                Value begin, int64_t size, bool isLast);
  void emitPanel(const Panel &panel, Value batch, Value lower, Value upper);
  /// A tile of rows against panels of one block, all streamed at once.
  void emitStreams(ArrayRef<Panel> panels, int64_t rows, bool rowsAreBatch);
  /// Inner indices taken at once where so many divide them.
  static unsigned unrollFor(int64_t size) {
    return size % 4 == 0 ? 4 : size % 2 == 0 ? 2 : 1;
  }
  /// Adds the products of all inputs to `sums`, row-major over rows, streams
  /// and vectors; `left` gives entries of x.
  TileAccumulators multiplyStreams(ArrayRef<Panel> panels, int64_t rows,
                                   TileAccumulators sums,
                                   TileColumnScalar left);
  /// The same with sums of codes that are scaled.
  TileAccumulators multiplyGroups(ArrayRef<Panel> panels, int64_t rows,
                                  TileAccumulators sums, TileColumnScalar left);
  /// Less the sums of x over each group: what all outputs' zeros are multiplied
  /// by.
  void sumGroups(int64_t rows, bool rowsAreBatch);
  /// That of inputs [begin, end) of a row.
  Value sumOfInputs(Value row, bool rowsAreBatch, Value begin, Value end,
                    bool isWhole);
  /// The products of inputs [begin, begin + size) with codes of 4 bits, as
  /// such: a byte is read once for its two inputs.
  TileAccumulators multiplyPairs(ArrayRef<Panel> panels, int64_t rows,
                                 Value begin, int64_t size,
                                 TileAccumulators sums, TileColumnScalar left);

  /// Codes of input `inner`, of words.
  Value loadOfWords(const Panel &panel, Value inner, Value lane);
  /// Inputs of each of the blocks, whose largest entry says their unit, that
  /// make up a group of `size`.
  int64_t blockOf(int64_t size) const;
  /// Rounds few rows to integers of 23 bits, in digits.
  void splitRows(int64_t rows, bool rowsAreBatch);
  void splitBlock(int64_t row, bool rowsAreBatch, Value number, Value begin,
                  int64_t size);
  void storeDigit(Value all, int64_t digit, int64_t row, Value inner);
  /// The products of all inputs, as digits, with words of codes.
  TileAccumulators multiplyWords(ArrayRef<Panel> panels, int64_t rows,
                                 TileAccumulators sums);
  /// The same of a block of inputs, a part of a group, and `count` vectors of
  /// the panels: [row][vector].
  TileAccumulators multiplyBlock(ArrayRef<Panel> panels, int64_t rows,
                                 int64_t firstColumn, int64_t count,
                                 Value number, Value group, Value begin,
                                 int64_t size);
  /// Fetches what a stream reads some time after input `inner`.
  void fetchAhead(const Panel &panel, Value inner);
  /// What 4 bits are in two's complement, by their number.
  Value signedTable();
  /// The codes in the lower and the upper halves of bytes, as f32.
  std::pair<Value, Value> splitPairs(Value bytes);
  /// More rows than a tile has against a panel, part after part.
  void emitParts(const Panel &panel, int64_t rows, bool rowsAreBatch);
  void emitPartOfRows(const Panel &panel, int64_t rows, bool rowsAreBatch,
                      Value begin, Value end);

  KernelBuilder &k;
  bool exact;
  /// Blocks on the diagonal, and the widths of one.
  int64_t blocks, in, out;
  QuantizedStructureAttr codes;
  BlockSparseStructureAttr kept;
  NmSparseStructureAttr pattern;
  bool shifted, words;
  LinearArguments arguments;
  int64_t vectors, width, blockPanels;
  /// A narrow panel block as f32, in scratch.
  Value wide;
  /// What sumGroups found [rows, groups], in scratch; null without zeros.
  Value groupSums;
  /// What splitRows found of few rows: digits of 8 bits [rows, digit, in / 4],
  /// and of each block of inputs what their unit is worth and the sum of their
  /// rounded entries [rows, blocks].
  Value digits, units, blockSums;
};

} // namespace mlir::linnet

#endif // PASSES_CPU_LINEAREMITTER_H
