//===- LowRank.h - matrices of low rank -----------------------*- C++ -*-===//
//
// A weight W (m x n, out x in) with inputs x of second moment G = E[x x^T]
// (n x n) loses E|(W - W1) x|^2 = tr((W - W1) G (W - W1)^T) when it becomes
// W1. Over all W1 of rank r the loss is least for W1 = P P^T W, where P are
// the r leading eigenvectors of W G W^T: with any root S of G, Eckart and
// Young's optimum of W S is P P^T W S (SVD-LLM, Wang et al. 2024, reaches the
// same matrix by a Cholesky factor and its inverse; here none is formed, so
// that G may be singular).
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

/// S = V diag(sqrt(values)) with S S^T = G, from G's eigenvectors: eigenvalues
/// below 0 are rounding and count as 0. Errors: entries that are not finite.
Result<Matrix> takeRoot(const Matrix &moment);

/// The squared singular values of W S, S S^T = G: dropping all but the first r
/// loses the sum of the rest. With a metric, of R^(1/2) W S.
Result<std::vector<double>> lossSpectrum(const Matrix &weight,
                                         const Matrix &moment,
                                         const OutputMetric *metric = nullptr);

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

/// The same with roots of the moment and of the metric, for several weights of
/// the same inputs or several fits.
Result<LowRankFactors> fitLowRankToRoot(const Matrix &weight,
                                        const Matrix &root, int64_t rank,
                                        const MetricRoots &roots = {});

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
