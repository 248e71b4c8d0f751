//===- BlockLowRank.cpp - blocks of low rank each -------------------------===//

#include "linnet/Numerics/BlockLowRank.h"

#include "FitOperands.h"

#include "linnet/Numerics/LowRank.h"

#include <algorithm>
#include <cmath>

namespace linnet {
namespace {

/// Relative to a block's mean square of inputs, for those that hang together.
constexpr double kRidge = 1e-6;

Matrix part(const Matrix &a, int64_t row, int64_t rows, int64_t column,
            int64_t columns) {
  return a.rowRange(row, rows).columnRange(column, columns);
}

void addTo(Matrix &sum, int64_t row, int64_t column, const Matrix &a) {
  for (int64_t r = 0; r < a.rows(); ++r)
    for (int64_t c = 0; c < a.columns(); ++c)
      sum.at(row + r, column + c) += a.at(r, c);
}

/// Descent by blocks.
class BlockFitter {
public:
  BlockFitter(const Matrix &weight, const Matrix *moment, int64_t blocks,
              int64_t rank)
      : blocks(blocks), rank(rank), p(weight.rows() / blocks),
        q(weight.columns() / blocks), moment(moment), residual(weight) {
    fit.blocks = blocks;
    fit.left.assign(size_t(blocks), Matrix(p, blocks * rank));
    fit.right.assign(size_t(blocks), Matrix(blocks * rank, q));
  }

  /// Of the inputs of each column of blocks.
  Status prepare() {
    for (int64_t j = 0; moment && j < blocks; ++j) {
      Matrix own = part(*moment, j * q, q, j * q, q);
      double least = kRidge * trace(own) / double(q);
      // Inputs that are always 0.
      if (!(least > 0))
        least = 1;
      Result<Matrix> inverse =
          invertPositive(own + least * Matrix::identity(q));
      if (!inverse)
        return inverse.error();
      inverses.push_back(inverse.take());
      moments.push_back(std::move(own));
    }
    return {};
  }

  /// With `useMoment`, or to what is left of W alone.
  Status sweep(bool useMoment) {
    for (int64_t j = 0; j < blocks; ++j)
      for (int64_t i = 0; i < blocks; ++i)
        if (Status status = fitBlock(i, j, useMoment); !status)
          return status;
    return {};
  }

  BlockLowRank take() { return std::move(fit); }

private:
  Matrix blockAt(int64_t i, int64_t j) const {
    return multiply(fit.left[size_t(i)].columnRange(j * rank, rank),
                    fit.right[size_t(j)].rowRange(i * rank, rank));
  }

  Status fitBlock(int64_t i, int64_t j, bool useMoment) {
    Matrix now = blockAt(i, j);
    // What the block alone would best be: its part of what is left, and what
    // that hangs together with.
    Result<LowRankFactors> best =
        useMoment
            ? fitLowRank(now + multiply(seenBy(i, j), inverses[size_t(j)]),
                         moments[size_t(j)], rank)
            : truncateSingularValues(now + part(residual, i * p, p, j * q, q),
                                     rank);
    if (!best)
      return best.error();
    balance(*best);
    Matrix next = best->toDense();
    // The ridge may have moved the target: then it stays.
    if (useMoment && gain(i, j, now - next) < 0)
      return {};
    addTo(residual, i * p, j * q, now - next);
    for (int64_t k = 0; k < rank; ++k) {
      for (int64_t r = 0; r < p; ++r)
        fit.left[size_t(i)].at(r, j * rank + k) = best->left.at(r, k);
      for (int64_t c = 0; c < q; ++c)
        fit.right[size_t(j)].at(i * rank + k, c) = best->right.at(k, c);
    }
    return {};
  }

  /// What is left of row i of blocks, on the inputs of column j.
  Matrix seenBy(int64_t i, int64_t j) const {
    return multiply(residual.rowRange(i * p, p), moment->columnRange(j * q, q));
  }

  /// By how much adding `change` to block (i, j) of the residual lowers the
  /// loss.
  double gain(int64_t i, int64_t j, const Matrix &change) const {
    return -2 * dot(seenBy(i, j), change) -
           congruenceTrace(change, moments[size_t(j)]);
  }

  /// Both factors of the same size, so that neither loses bits when rounded.
  void balance(LowRankFactors &factors) const {
    for (int64_t k = 0; k < rank; ++k) {
      double left = norm(factors.left.columnRange(k, 1)),
             right = norm(factors.right.rowRange(k, 1));
      if (!(left > 0) || !(right > 0))
        continue;
      double scale = std::sqrt(right / left);
      for (int64_t r = 0; r < p; ++r)
        factors.left.at(r, k) *= scale;
      for (int64_t c = 0; c < q; ++c)
        factors.right.at(k, c) /= scale;
    }
  }

  int64_t blocks, rank, p, q;
  const Matrix *moment;
  Matrix residual;
  std::vector<Matrix> moments, inverses;
  BlockLowRank fit;
};

} // namespace

Matrix BlockLowRank::toDense() const {
  if (blocks == 0)
    return Matrix();
  int64_t p = left[0].rows(), q = right[0].columns(),
          rank = left[0].columns() / blocks;
  Matrix dense(blocks * p, blocks * q);
  for (int64_t i = 0; i < blocks; ++i)
    for (int64_t j = 0; j < blocks; ++j)
      addTo(dense, i * p, j * q,
            multiply(left[size_t(i)].columnRange(j * rank, rank),
                     right[size_t(j)].rowRange(i * rank, rank)));
  return dense;
}

Result<BlockLowRank> fitBlockLowRank(const Matrix &weight, const Matrix *moment,
                                     int64_t blocks, int64_t rank,
                                     int64_t sweeps) {
  if (blocks < 1 || weight.rows() % blocks || weight.columns() % blocks)
    return makeError("expected blocks that divide ", weight.rows(), " and ",
                     weight.columns(), ", but got ", blocks);
  int64_t most = std::min(weight.rows(), weight.columns()) / blocks;
  if (rank < 1 || rank > most)
    return makeError("expected a rank of 1 to ", most, ", but got ", rank);
  if (Status status = checkFitOperands(weight, moment); !status)
    return status.error();
  BlockFitter fitter(weight, moment, blocks, rank);
  if (Status status = fitter.prepare(); !status)
    return status.error();
  for (int64_t sweep = 0; sweep <= (moment ? sweeps : 0); ++sweep)
    if (Status status = fitter.sweep(/*useMoment=*/sweep > 0); !status)
      return status.error();
  return fitter.take();
}

} // namespace linnet
