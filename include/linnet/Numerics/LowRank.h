//===- LowRank.h - matrices of low rank -----------------------*- C++ -*-===//
//
// A weight W (m x n, out x in) with inputs x of second moment G = E[x x^T]
// (n x n) loses E|(W - W1) x|^2 = tr((W - W1) G (W - W1)^T) when it becomes
// W1. Over all W1 of rank r the loss is least for W1 = P P^T W, where P are
// the r leading eigenvectors of M = W G W^T: with any root S of G, Eckart and
// Young's optimum of W S is P P^T W S (SVD-LLM, Wang et al. 2024, reaches the
// same matrix by a Cholesky factor and its inverse; here there is neither a
// root nor an inverse, so that G may be singular). With outputs weighed by R,
// P are those of R^(1/2) M R^(1/2), and W1 = R^(-1/2) P P^T R^(1/2) W. Of a
// tall W = Q T (m > n) they are Q times the eigenvectors of T G T^T: nothing
// that is decomposed is larger than min(m, n), and an m x n product with G is
// the most that is computed.
//
// Eigenvalues of M are squares: rounding blurs them by 1e-16 of the largest,
// what the entries of G, squares too, are known to at best. So losses have an
// absolute error of that size, and roots of losses one of 1e-8; directions that
// weigh less than 1e-8 of the heaviest (their singular values, relative) are
// left to chance.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_NUMERICS_LOWRANK_H
#define LINNET_NUMERICS_LOWRANK_H

#include "linnet/Numerics/Matrix.h"

namespace linnet {

/// tr(D G D^T) for D = W - W1: the mean square of the difference of outputs.
double outputLoss(const Matrix &difference, const Matrix &moment);

/// How outputs are weighed: |R^(1/2) (W - W1) x|^2 with R = `metric`, m x m or
/// a diagonal as one row of m; nothing weighs all outputs the same. R is
/// regularised by `ridge` times its mean diagonal.
struct OutputMetric {
  Matrix metric;
  double ridge = 1e-3;
};

/// R^(1/2), regularised, and its inverse; m x m, a diagonal as one row, or
/// empty where nothing is weighed.
struct MetricRoots {
  Matrix root, inverse;
  /// R^(1/2) a and R^(-1/2) a, for `a` of m rows.
  Matrix weigh(const Matrix &a) const;
  Matrix undo(const Matrix &a) const;
};

/// Of a metric for `outputs` outputs. One of zeros tells nothing: its roots are
/// empty. Errors: another size; entries that are not finite.
Result<MetricRoots> takeMetricRoots(const OutputMetric &metric,
                                    int64_t outputs);

/// W1 = left right, left m x r, right r x n. Columns come by falling weight:
/// the first k of left and right are the best matrix of rank k.
struct LowRankFactors {
  Matrix left, right;
  Matrix toDense() const { return multiply(left, right); }
};

/// The eigenvalues of M, which descend: dropping all but the first r loses the
/// sum of the rest. With a metric, of R^(1/2) M R^(1/2).
Result<std::vector<double>> lossSpectrum(const Matrix &weight,
                                         const Matrix &moment,
                                         const OutputMetric *metric = nullptr);
/// The same of inputs that are independent without `moment`, with the roots of
/// a metric.
Result<std::vector<double>> lossSpectrum(const Matrix &weight,
                                         const Matrix *moment,
                                         const MetricRoots &roots);

/// How many of `spectrum`, squared singular values, count: the exponential of
/// the entropy of their shares (Roy and Vetterli 2007, of squares here), from 1
/// for one value to their number for equal ones. 0 if all are 0.
double effectiveRank(const std::vector<double> &spectrum);

/// The least rank that loses at most `share` of the sum; they descend.
int64_t utilisedRank(const std::vector<double> &spectrum, double share);

/// The best W1 of rank `rank`: left = P, right = P^T W; with a metric,
/// left = R^(-1/2) P, right = P^T R^(1/2) W. Errors: sizes that do not agree, a
/// rank below 0 or above min(m, n), entries that are not finite.
Result<LowRankFactors> fitLowRank(const Matrix &weight, const Matrix &moment,
                                  int64_t rank,
                                  const OutputMetric *metric = nullptr);

/// The same for inputs that are independent without `moment`, with the roots of
/// a metric.
Result<LowRankFactors> fitLowRank(const Matrix &weight, const Matrix *moment,
                                  int64_t rank, const MetricRoots &roots);

/// The same without data: G = I, the truncated singular value decomposition.
Result<LowRankFactors> truncateSingularValues(const Matrix &weight,
                                              int64_t rank);

/// ASVD (Yuan et al. 2023): the truncated decomposition of W diag(s) times
/// diag(s)^-1 with s_j = (mean |x_j|)^alpha + 1e-6. `meanMagnitudes` has n
/// entries.
Result<LowRankFactors>
truncateScaledSingularValues(const Matrix &weight,
                             const std::vector<double> &meanMagnitudes,
                             int64_t rank, double alpha = 0.5);

/// The M that minimises E|W x - M x'|^2 + `ridge` (tr G' / n) |W - M|^2, where
/// x are the inputs of the original model, x' those of the compressed one,
/// G' = E[x' x'^T] and `cross` = E[t x'^T] the moment of the targets t = W x
/// with them: M = (cross + ridge' W) (G' + ridge' I)^-1. Fitting M to x' in W's
/// place turns any data-aware fit into one to another model's inputs
/// (reduced-rank regression, Izenman 1975). `trust` between 0 and 1 mixes
/// `cross` with W G': 0 keeps W. A singular G' needs a ridge.
Result<Matrix> refitTarget(const Matrix &weight, const Matrix &cross,
                           const Matrix &moment, double trust = 1,
                           double ridge = 1e-3);

/// The same, with room for the solution in `moment`, which is as before
/// afterwards.
Result<Matrix> refitTargetInPlace(const Matrix &weight, const Matrix &cross,
                                  Matrix &moment, double trust, double ridge);

/// A matrix of rank r in r (m + n - r) numbers: r of its own columns, kept as
/// they are, and the others as combinations of them,
/// W1[:, kept] = columns and W1[:, others] = columns * coefficients
/// (an interpolative decomposition; PIFA, Zhao et al. 2025).
struct PivotedLowRank {
  /// Both ascend.
  std::vector<int64_t> kept, others;
  /// m x r and r x (n - r).
  Matrix columns, coefficients;
  Matrix toDense() const;
  /// r (m + n - r).
  int64_t numbers() const { return columns.size() + coefficients.size(); }
};

/// Factors in the smaller storage, up to rounding the same matrix: the kept
/// columns are those that QR with pivoting finds in `right`. Errors: factors
/// that do not fit each other.
Result<PivotedLowRank> pivotLowRank(const LowRankFactors &factors);

} // namespace linnet

#endif // LINNET_NUMERICS_LOWRANK_H
