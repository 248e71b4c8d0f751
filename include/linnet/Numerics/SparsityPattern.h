//===- SparsityPattern.h - which weights are kept -------------*- C++ -*-===//
//
// A pattern says how many weights of a matrix (m x n, outputs x inputs) are
// kept and where they may lie; scores say which ones matter; a mask is the
// choice. Fractions are of weights kept, not of weights removed.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_NUMERICS_SPARSITYPATTERN_H
#define LINNET_NUMERICS_SPARSITYPATTERN_H

#include "linnet/Numerics/Matrix.h"

namespace linnet {

/// Which weights are kept.
class Mask {
public:
  Mask() = default;
  Mask(int64_t rows, int64_t columns, bool kept = false)
      : numRows(rows), numColumns(columns), flags(rows * columns, kept) {}

  int64_t rows() const { return numRows; }
  int64_t columns() const { return numColumns; }
  bool keeps(int64_t r, int64_t c) const { return flags[r * numColumns + c]; }
  void set(int64_t r, int64_t c, bool kept) {
    flags[r * numColumns + c] = kept;
  }
  /// A byte per weight, 0 or 1.
  const uint8_t *row(int64_t r) const { return flags.data() + r * numColumns; }

  /// The number of kept weights.
  int64_t count() const;
  /// The kept inputs of a row, ascending.
  std::vector<int64_t> support(int64_t row) const;

  bool operator==(const Mask &) const = default;

private:
  int64_t numRows = 0, numColumns = 0;
  std::vector<uint8_t> flags;
};

/// The weights that differ from 0.
Mask findNonZeros(const Matrix &weights);
/// The kept weights; the others, and kept ones of -0.0, are +0.0 (packed 2:4
/// formats tell the zeros apart). Sizes must agree.
Matrix applyMask(Matrix weights, const Mask &mask);

struct SparsityPattern {
  enum class Kind { OverMatrix, PerRow, OfInputs, Blocks, BlocksPerRow };

  /// round(kept m n) weights anywhere.
  static SparsityPattern keepOverMatrix(double kept);
  /// round(kept n) weights in each row.
  static SparsityPattern keepPerRow(double kept);
  /// `count` of every `group` consecutive inputs of a row: 2 of 4 is "2:4".
  static SparsityPattern keepOfInputs(int64_t count, int64_t group);
  /// round(kept m n / (rows columns)) blocks of rows x columns weights.
  static SparsityPattern keepBlocks(int64_t rows, int64_t columns, double kept);
  /// round(kept n / columns) blocks of rows x columns weights in each row of
  /// blocks, the last of which may be lower.
  static SparsityPattern keepBlocksPerRow(int64_t rows, int64_t columns,
                                          double kept);

  bool hasBlocks() const {
    return kind == Kind::Blocks || kind == Kind::BlocksPerRow;
  }

  Kind kind = Kind::OverMatrix;
  double kept = 1;
  int64_t groupKept = 1, groupSize = 1;
  int64_t blockRows = 1, blockColumns = 1;
};

/// Errors: a fraction that is not in [0, 1]; a group or a block of no weights;
/// more of a group than it has; sizes that groups or blocks do not divide.
Status checkPattern(const SparsityPattern &pattern, int64_t rows,
                    int64_t columns);
/// The number of weights kept of rows x columns. The pattern must fit them.
int64_t countKept(const SparsityPattern &pattern, int64_t rows,
                  int64_t columns);

/// |W_ij|.
Matrix scoreMagnitude(const Matrix &weights);
/// sqrt(G_jj), the root mean square of each input.
std::vector<double> measureInputScales(const Matrix &moment);
/// |W_ij| sqrt(G_jj), G the n x n second moment of the inputs: the root of the
/// loss of removing the weight alone (Sun et al. 2024, "Wanda"). Errors: sizes
/// that disagree, entries that are not finite, a G that is no second moment.
Result<Matrix> scoreActivations(const Matrix &weights, const Matrix &moment);

/// Keeps the weights of the largest scores that the pattern admits: of equal
/// scores that of the lower index (row major). A block's score is the sum of
/// the squares of its weights'. Errors: those of checkPattern; scores that are
/// negative or not finite.
Result<Mask> selectMask(const Matrix &scores, const SparsityPattern &pattern);

} // namespace linnet

#endif // LINNET_NUMERICS_SPARSITYPATTERN_H
