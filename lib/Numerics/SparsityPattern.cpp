//===- SparsityPattern.cpp - which weights are kept -----------------------===//

#include "linnet/Numerics/SparsityPattern.h"

#include "SparseOperands.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numeric>

namespace linnet {

//===----------------------------------------------------------------------===//
// Masks
//===----------------------------------------------------------------------===//

int64_t Mask::count() const {
  return std::accumulate(flags.begin(), flags.end(), int64_t(0));
}

std::vector<int64_t> Mask::support(int64_t row) const {
  std::vector<int64_t> inputs;
  for (int64_t c = 0; c < numColumns; ++c)
    if (keeps(row, c))
      inputs.push_back(c);
  return inputs;
}

Mask findNonZeros(const Matrix &weights) {
  Mask mask(weights.rows(), weights.columns());
  for (int64_t r = 0; r < weights.rows(); ++r)
    for (int64_t c = 0; c < weights.columns(); ++c)
      mask.set(r, c, weights.at(r, c) != 0);
  return mask;
}

Matrix applyMask(Matrix weights, const Mask &mask) {
  assert(weights.rows() == mask.rows() && weights.columns() == mask.columns());
  // -0.0 + 0.0 is +0.0.
  for (int64_t r = 0; r < weights.rows(); ++r)
    for (int64_t c = 0; c < weights.columns(); ++c)
      weights.at(r, c) = mask.keeps(r, c) ? weights.at(r, c) + 0.0 : 0.0;
  return weights;
}

//===----------------------------------------------------------------------===//
// Patterns
//===----------------------------------------------------------------------===//

SparsityPattern SparsityPattern::keepOverMatrix(double kept) {
  SparsityPattern pattern;
  pattern.kept = kept;
  return pattern;
}

SparsityPattern SparsityPattern::keepPerRow(double kept) {
  SparsityPattern pattern;
  pattern.kind = Kind::PerRow;
  pattern.kept = kept;
  return pattern;
}

SparsityPattern SparsityPattern::keepOfInputs(int64_t count, int64_t group) {
  SparsityPattern pattern;
  pattern.kind = Kind::OfInputs;
  pattern.groupKept = count;
  pattern.groupSize = group;
  return pattern;
}

SparsityPattern SparsityPattern::keepBlocks(int64_t rows, int64_t columns,
                                            double kept) {
  SparsityPattern pattern;
  pattern.kind = Kind::Blocks;
  pattern.blockRows = rows;
  pattern.blockColumns = columns;
  pattern.kept = kept;
  return pattern;
}

SparsityPattern SparsityPattern::keepBlocksPerRow(int64_t rows, int64_t columns,
                                                  double kept) {
  SparsityPattern pattern = keepBlocks(rows, columns, kept);
  pattern.kind = Kind::BlocksPerRow;
  return pattern;
}

static Status checkDivides(int64_t divisor, int64_t size, const char *what) {
  if (size % divisor != 0)
    return makeError("expected a multiple of ", divisor, " ", what,
                     ", but got ", size);
  return Status();
}

Status checkPattern(const SparsityPattern &pattern, int64_t rows,
                    int64_t columns) {
  if (pattern.kind == SparsityPattern::Kind::OfInputs) {
    if (pattern.groupSize < 1)
      return makeError("expected groups of at least 1 input, but got ",
                       pattern.groupSize);
    if (pattern.groupKept < 0 || pattern.groupKept > pattern.groupSize)
      return makeError("expected 0 to ", pattern.groupSize, " inputs of every ",
                       pattern.groupSize, ", but got ", pattern.groupKept);
    return checkDivides(pattern.groupSize, columns, "columns");
  }
  // NaN is in no range.
  if (!(pattern.kept >= 0 && pattern.kept <= 1))
    return makeError("expected a fraction from 0 to 1, but got ", pattern.kept);
  if (!pattern.hasBlocks())
    return Status();
  if (pattern.blockRows < 1 || pattern.blockColumns < 1)
    return makeError("expected blocks of at least 1 x 1 weights, but got ",
                     pattern.blockRows, " x ", pattern.blockColumns);
  if (pattern.kind == SparsityPattern::Kind::Blocks)
    if (Status status = checkDivides(pattern.blockRows, rows, "rows"); !status)
      return status;
  return checkDivides(pattern.blockColumns, columns, "columns");
}

/// Of the first `columns` columns: rounded, so that differences of it are what
/// ranges of columns keep.
static int64_t countUnits(const SparsityPattern &pattern, int64_t rows,
                          int64_t columns) {
  switch (pattern.kind) {
  case SparsityPattern::Kind::OverMatrix:
    return std::llround(pattern.kept * double(rows * columns));
  case SparsityPattern::Kind::PerRow:
    return std::llround(pattern.kept * double(columns));
  case SparsityPattern::Kind::OfInputs:
    return pattern.groupKept;
  case SparsityPattern::Kind::Blocks:
    return std::llround(
        pattern.kept *
        double((rows / pattern.blockRows) * (columns / pattern.blockColumns)));
  case SparsityPattern::Kind::BlocksPerRow:
    return std::llround(pattern.kept * double(columns / pattern.blockColumns));
  }
  return 0;
}

int64_t countKept(const SparsityPattern &pattern, int64_t rows,
                  int64_t columns) {
  int64_t units = countUnits(pattern, rows, columns);
  switch (pattern.kind) {
  case SparsityPattern::Kind::OverMatrix:
    return units;
  case SparsityPattern::Kind::PerRow:
    return rows * units;
  case SparsityPattern::Kind::OfInputs:
    return rows * (columns / pattern.groupSize) * units;
  case SparsityPattern::Kind::Blocks:
    return units * pattern.blockRows * pattern.blockColumns;
  case SparsityPattern::Kind::BlocksPerRow:
    return rows * units * pattern.blockColumns;
  }
  return 0;
}

//===----------------------------------------------------------------------===//
// Scores and choices
//===----------------------------------------------------------------------===//

Matrix scoreMagnitude(const Matrix &weights) {
  Matrix scores = weights;
  for (int64_t e = 0; e < scores.size(); ++e)
    scores.data()[e] = std::abs(scores.data()[e]);
  return scores;
}

std::vector<double> measureInputScales(const Matrix &moment) {
  std::vector<double> scales(moment.rows());
  for (int64_t j = 0; j < moment.rows(); ++j)
    scales[j] = std::sqrt(moment.at(j, j));
  return scales;
}

Result<Matrix> scoreActivations(const Matrix &weights, const Matrix &moment) {
  if (Status status = checkSparseOperands(weights, moment); !status)
    return status.error();
  return scaleColumns(scoreMagnitude(weights), measureInputScales(moment));
}

static Mask selectBlocks(const Matrix &scores, const SparsityPattern &pattern,
                         int64_t kept) {
  int64_t high = pattern.blockRows, wide = pattern.blockColumns,
          rows = scores.rows();
  Matrix sums((rows + high - 1) / high, scores.columns() / wide);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < scores.columns(); ++c)
      sums.at(r / high, c / wide) += scores.at(r, c) * scores.at(r, c);
  Mask mask(rows, scores.columns());
  // Blocks compete with those of their row or with all.
  bool inRows = pattern.kind == SparsityPattern::Kind::BlocksPerRow;
  int64_t size = inRows ? sums.columns() : sums.size();
  for (int64_t begin = 0; begin < sums.size(); begin += size)
    for (int64_t chosen : findLargest(sums.data() + begin, size, kept)) {
      int64_t block = begin + chosen, row = block / sums.columns() * high;
      for (int64_t r = row; r < std::min(row + high, rows); ++r)
        for (int64_t c = 0; c < wide; ++c)
          mask.set(r, block % sums.columns() * wide + c, true);
    }
  return mask;
}

Mask selectInColumns(const Matrix &scores, const SparsityPattern &pattern,
                     int64_t first) {
  int64_t rows = scores.rows(), columns = scores.columns();
  int64_t kept = countUnits(pattern, rows, first + columns) -
                 countUnits(pattern, rows, first);
  if (pattern.hasBlocks())
    return selectBlocks(scores, pattern, kept);
  Mask mask(rows, columns);
  if (scores.size() == 0)
    return mask;
  if (pattern.kind == SparsityPattern::Kind::OverMatrix) {
    for (int64_t e : findLargest(scores.data(), scores.size(), kept))
      mask.set(e / columns, e % columns, true);
    return mask;
  }
  int64_t group = columns;
  if (pattern.kind == SparsityPattern::Kind::OfInputs) {
    group = pattern.groupSize;
    kept = pattern.groupKept;
  }
  std::vector<int64_t> indices(group);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; c += group) {
      std::iota(indices.begin(), indices.end(), 0);
      partitionLargest(scores.row(r) + c, indices, kept);
      for (int64_t i = 0; i < kept; ++i)
        mask.set(r, c + indices[i], true);
    }
  return mask;
}

Result<Mask> selectMask(const Matrix &scores, const SparsityPattern &pattern) {
  if (Status status = checkPattern(pattern, scores.rows(), scores.columns());
      !status)
    return status.error();
  for (int64_t e = 0; e < scores.size(); ++e)
    if (!std::isfinite(scores.data()[e]) || scores.data()[e] < 0)
      return makeError("expected finite scores of at least 0, but got ",
                       scores.data()[e]);
  return selectInColumns(scores, pattern, 0);
}

} // namespace linnet
