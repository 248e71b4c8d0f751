//===- SparseFeedback.cpp - removal by columns with feedback --------------===//

#include "linnet/Numerics/SparseFit.h"

#include "ColumnFeedback.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace linnet {
namespace {

/// `width` rounded up to whole groups or blocks; at most `columns`.
int64_t roundUpBlock(int64_t width, int64_t columns,
                     const SparsityPattern &pattern) {
  int64_t unit = 1;
  if (pattern.kind == SparsityPattern::Kind::OfInputs)
    unit = pattern.groupSize;
  if (pattern.hasBlocks())
    unit = pattern.blockColumns;
  width = std::min(width, std::max<int64_t>(1, columns));
  return (width + unit - 1) / unit * unit;
}

/// One pass over columns, of which a block is at hand.
class FeedbackPass {
public:
  FeedbackPass(Matrix weights, Matrix factor, const SparsityPattern &pattern)
      : weights(std::move(weights)), factor(std::move(factor)),
        pattern(pattern), mask(this->weights.rows(), this->weights.columns()) {}

  SparseWeights run(int64_t block) && {
    for (int64_t c = 0; c < weights.columns(); c += block)
      removeInBlock(c, std::min(block, weights.columns() - c));
    weights = applyMask(std::move(weights), mask);
    return {std::move(weights), std::move(mask)};
  }

private:
  double score(int64_t r, int64_t j) const {
    return std::abs(weights.at(r, j)) / factor.at(j, j);
  }

  void selectInBlock(int64_t first, int64_t count) {
    Matrix scores(weights.rows(), count);
    for (int64_t r = 0; r < weights.rows(); ++r)
      for (int64_t j = 0; j < count; ++j)
        scores.at(r, j) = score(r, first + j);
    Mask chosen = selectInColumns(scores, pattern, first);
    for (int64_t r = 0; r < weights.rows(); ++r)
      for (int64_t j = 0; j < count; ++j)
        mask.set(r, first + j, chosen.keeps(r, j));
  }

  void selectInGroup(int64_t r, int64_t first) {
    groupScores.resize(pattern.groupSize);
    groupOrder.resize(pattern.groupSize);
    for (int64_t j = 0; j < pattern.groupSize; ++j)
      groupScores[j] = score(r, first + j);
    std::iota(groupOrder.begin(), groupOrder.end(), 0);
    partitionLargest(groupScores.data(), groupOrder, pattern.groupKept);
    for (int64_t j = 0; j < pattern.groupKept; ++j)
      mask.set(r, first + groupOrder[j], true);
  }

  /// Rows are on their own once the mask of the block stands.
  void removeInBlock(int64_t first, int64_t count) {
    bool inGroups = pattern.kind == SparsityPattern::Kind::OfInputs;
    if (!inGroups)
      selectInBlock(first, count);
    replaceColumns(weights, factor, first, count, [&](int64_t r, int64_t j) {
      if (inGroups && j % pattern.groupSize == 0)
        selectInGroup(r, j);
      return mask.keeps(r, j) ? weights.at(r, j) : 0;
    });
  }

  Matrix weights, factor;
  const SparsityPattern &pattern;
  Mask mask;
  std::vector<double> groupScores;
  std::vector<int64_t> groupOrder;
};

} // namespace

Result<SparseWeights> sparsifyWithFeedback(const Matrix &weights,
                                           const Matrix &moment,
                                           const SparsityPattern &pattern,
                                           const FeedbackOptions &options) {
  for (Status status :
       {checkSparseOperands(weights, moment), checkDamping(options.damping),
        checkPattern(pattern, weights.rows(), weights.columns()),
        checkFeedbackBlock(options.block)})
    if (!status)
      return status.error();
  auto factor = factorFeedback(moment, options.damping);
  if (!factor)
    return factor.error();
  return FeedbackPass(clearDeadInputs(weights, moment), factor.take(), pattern)
      .run(roundUpBlock(options.block, weights.columns(), pattern));
}

} // namespace linnet
