//===- LowRankPlusSparse.h - W = L + S ------------------------*- C++ -*-===//
//
// Weights W (m x n) as a matrix of low rank, which holds what many weights
// share, plus a sparse one, which holds the outliers. Either part is fitted to
// what the other leaves, in turns.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_NUMERICS_LOWRANKPLUSSPARSE_H
#define LINNET_NUMERICS_LOWRANKPLUSSPARSE_H

#include "linnet/Numerics/LowRank.h"
#include "linnet/Numerics/SparseFit.h"

namespace linnet {

struct LowRankPlusSparse {
  LowRankFactors low;
  Matrix sparse;
  Mask mask;
  /// What is left of W after each iteration, relative, in the norm of the fit;
  /// 0 for a W of norm 0.
  std::vector<double> history;

  Matrix toDense() const { return low.toDense() + sparse; }
};

/// Turns of L = the nearest matrix of rank r to W D - S (truncated singular
/// values) and S = the largest entries of W D - L in the pattern, from S = 0,
/// then divides by D = diag(inputScales), the identity if empty (Zhang and
/// Papyan 2024, "OATS"). History: |W D - L - S| / |W D| (Frobenius), which
/// never rises. Inputs of scale 0 get weights 0. Errors: a rank that is not in
/// [0, min(m, n)]; fewer than 1 iteration; scales that are not n numbers of at
/// least 0; weights that are not finite; those of checkPattern.
Result<LowRankPlusSparse> decomposeByThresholding(
    const Matrix &weights, int64_t rank, const SparsityPattern &pattern,
    const std::vector<double> &inputScales = {}, int64_t iterations = 80);

struct LowRankPlusSparseOptions {
  int64_t alternations = 4;
  SparseFitOptions fit = {.iterations = 15};
};

/// The same for the loss tr((L + S - W) G (L + S - W)^T): L is the best of rank
/// r for W - S in that loss, S is that of fitSparse for W - L (its rows
/// refitted in the last turn, if the options ask for it), and L comes last once
/// more. History: the root of the loss over that of W' = 0, after each S and
/// after the last L. Errors: a rank that is not in [0, min(m, n)]; fewer than 1
/// alternation; those of fitSparse.
Result<LowRankPlusSparse>
fitLowRankPlusSparse(const Matrix &weights, const Matrix &moment, int64_t rank,
                     const SparsityPattern &pattern,
                     const LowRankPlusSparseOptions &options = {});

/// How kept m n numbers are shared out: a matrix of rank r takes r (m + n - r),
/// its r independent columns or rows and what the others are of them.
struct NumbersShare {
  /// The largest whose numbers are at most `lowRankShare` of all kept.
  int64_t rank = 0;
  /// The fraction of weights left for the sparse part.
  double keptSparse = 0;
};
/// Errors: fractions that are not in [0, 1].
Result<NumbersShare> shareNumbers(int64_t rows, int64_t columns, double kept,
                                  double lowRankShare);

} // namespace linnet

#endif // LINNET_NUMERICS_LOWRANKPLUSSPARSE_H
