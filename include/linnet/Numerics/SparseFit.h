//===- SparseFit.h - sparse weights that compute the same -----*- C++ -*-===//
//
// Sparse W' near W (both m x n) for the loss
//   tr((W' - W) G (W' - W)^T),
// the mean of |W' x - W x|^2 over inputs x with the n x n second moment G.
// `damping` adds itself times the mean of G's diagonal to that diagonal: the
// loss then counts the distance from W itself too.
//
// Inputs that are always 0 (G_jj = 0) are dead. Where masks are chosen here,
// their weights become 0 and are the first to go. All zeros are +0.0.
//
// Errors of all: sizes that disagree; entries that are not finite; a G that is
// not symmetric or has a negative diagonal; a negative damping; those of
// checkPattern.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_NUMERICS_SPARSEFIT_H
#define LINNET_NUMERICS_SPARSEFIT_H

#include "linnet/Numerics/SparsityPattern.h"

namespace linnet {

struct SparseWeights {
  Matrix weights;
  Mask mask;
};

struct RefitOptions {
  double damping = 0;
  /// 0 solves each support exactly, in k^3 / 3 operations for k kept weights.
  /// Otherwise all rows take up to so many steps of conjugate gradients, each
  /// m n^2 operations: the way for thousands of inputs.
  int64_t steps = 0;
  /// A row is done once its gradient is this share of its first one.
  double tolerance = 1e-10;
};

/// The W' of least loss on the mask: on the support S of each row, the rest of
/// which is R,
///   w'_S = w_S + (G_SS)^-1 G_SR w_R,  that is  G_SS w'_S = (w G)_S.
/// Rows of equal support share a factorisation. Where G_SS is singular it is
/// the minimiser nearest to W, in units of inputs' own size (least
/// sum of G_jj (w'_j - w_j)^2), which a dwindling damping tends to; a dead
/// input keeps its weight. Conjugate gradients start from w_S and never raise
/// the loss.
Result<Matrix> refitOnMask(const Matrix &weights, const Matrix &moment,
                           const Mask &mask, const RefitOptions &options = {});

struct FeedbackOptions {
  double damping = 0.01;
  /// Columns whose mask is chosen at once, and after which the errors are
  /// handed on to all later columns: at least 1. Rounded up to whole groups or
  /// blocks of the pattern.
  int64_t block = 128;
};

/// Removes column by column, left to right, and lets the later columns make up
/// for it (Frantar and Alistarh 2023, "SparseGPT"): with the upper U,
/// G^-1 = U^T U, scores are |w_j| / U_jj, and removing w_j subtracts
/// (w_j / U_jj) U_j,k from w_k for k > j. The pattern's share is taken in each
/// block, that of N:M in each group as it is reached. (The published code
/// removes one weight more per block of an unstructured pattern.) Errors: G is
/// not positive definite after damping.
Result<SparseWeights> sparsifyWithFeedback(const Matrix &weights,
                                           const Matrix &moment,
                                           const SparsityPattern &pattern,
                                           const FeedbackOptions &options = {});

/// Removes from each row, again and again, the weight whose loss is least when
/// all that remain make up for it, w_j^2 / [(G_SS)^-1]_jj (Hassibi and Stork
/// 1993, "optimal brain surgeon"). For keepPerRow and keepOfInputs. About n^3
/// operations per row. Errors: other patterns; G is not positive definite
/// after damping.
Result<SparseWeights> removeByBrainSurgeon(const Matrix &weights,
                                           const Matrix &moment,
                                           const SparsityPattern &pattern,
                                           double damping = 0.01);

/// In which order the blocks of each row of blocks go, and what that costs.
struct BlockOrder {
  int64_t rows = 0, columns = 0, blockRows = 1, blockColumns = 1;
  /// Of each row of blocks, the numbers of those that go, the first one first.
  std::vector<std::vector<int64_t>> removed;
  /// losses[k]: the damped loss with k blocks left in each row of blocks, from
  /// the least number that was asked for on.
  std::vector<double> losses;

  /// The last `count` of each row of blocks, at least the least number.
  Mask keep(int64_t count) const;
};

/// Removes from each row of blocks (of `rows` x `columns` weights, the last of
/// which may be lower), again and again until `least` are left, the block B
/// whose loss is least when all that remain make up for it,
/// tr(W_B ([(G_SS)^-1]_BB)^-1 W_B^T) (Hassibi and Stork 1993; of blocks, Kurtic
/// et al. 2022, "oBERT"). While more than 63 remain, a 32nd of them goes at
/// once. About 1/3 n^3 operations per row of blocks, for all numbers of blocks
/// together. Errors: those of keepBlocksPerRow; a least number out of range; G
/// is not positive definite after damping.
Result<BlockOrder> orderBlocks(const Matrix &weights, const Matrix &moment,
                               int64_t rows, int64_t columns, int64_t least = 0,
                               double damping = 0.01);

struct SparseFitOptions {
  /// Over 4/5 of them the mask is chosen anew; then it stands.
  int64_t iterations = 20;
  /// rho of the alternating directions, in units of the scaled G, whose
  /// diagonal is 1.
  double penalty = 0.1;
  double damping = 0.01;
  /// What a row's loss counts, each above 0; all 1 if empty. It matters to
  /// patterns in which rows compete.
  std::vector<double> rowWeights = {};
  /// Exact least squares on the last mask. Otherwise the last iterate.
  bool refitRows = true;
  RefitOptions refit = {.damping = 0.01};
};

/// Alternating directions between the loss and the pattern, on inputs scaled
/// to G_jj = 1, where the kept fraction falls to the pattern's along
/// 1 - (1 - t)^3 (Boza 2024; Zhu and Gupta 2017), then least squares on the
/// mask. Errors: fewer than 1 iteration; a penalty or a row weight that is not
/// above 0; G is not positive semidefinite.
Result<SparseWeights> fitSparse(const Matrix &weights, const Matrix &moment,
                                const SparsityPattern &pattern,
                                const SparseFitOptions &options = {});

} // namespace linnet

#endif // LINNET_NUMERICS_SPARSEFIT_H
