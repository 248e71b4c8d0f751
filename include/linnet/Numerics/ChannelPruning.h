//===- ChannelPruning.h - fewer inputs of a linear map --------*- C++ -*-===//
//
// Dropping channels h_j from between two maps leaves fewer outputs of the first
// and fewer inputs of the second, W (m x n, outputs x inputs). What the second
// loses depends on the n x n second moment G = E[h h^T] and the means
// mu = E[h]; what is kept makes up for what is dropped.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_NUMERICS_CHANNELPRUNING_H
#define LINNET_NUMERICS_CHANNELPRUNING_H

#include "linnet/Numerics/Matrix.h"

namespace linnet {

/// What goes together. `unit` consecutive channels are one: 1, or the width of
/// a head. Units stand in `sets` of as many consecutive ones each, of all of
/// which as many are kept: the query heads of each key head.
struct ChannelUnits {
  int64_t unit = 1;
  int64_t sets = 1;
};

/// sqrt(G_jj), without regard to what follows.
std::vector<double> scoreEnergy(const Matrix &moment);
/// (G_jj - mu_j^2) |W_:j|^2, the loss of the channel alone when its mean goes
/// into a bias (An et al. 2023, "FLAP"). Errors: sizes that disagree.
Result<std::vector<double>> scoreFluctuation(const Matrix &weights,
                                             const Matrix &moment,
                                             const std::vector<double> &means);

/// The channels of the `count` units whose scores sum to most, ascending: of
/// equal units that of the lower index. Errors: a unit that does not divide the
/// channels, sets that do not divide the units, a count out of range or not the
/// same for all sets, scores that are not numbers.
Result<std::vector<int64_t>> keepLargest(const std::vector<double> &scores,
                                         int64_t count,
                                         ChannelUnits units = {});

/// Drops, again and again, the unit u whose loss is least when all that remain
/// make up for it, tr(W_u ([G^-1]_uu)^-1 W_u^T) with W refitted so far (Kurtic
/// et al. 2023, "ZipLM"), among those in sets that have units to spare. The
/// kept channels, ascending. About n^3 + m n^2 operations. Errors: as above; G
/// is not positive definite after damping.
Result<std::vector<int64_t>>
keepByBrainSurgeon(const Matrix &weights, const Matrix &moment, int64_t count,
                   ChannelUnits units = {}, double damping = 1e-3);

/// What is lost with k single channels left, entry k, as keepByBrainSurgeon()
/// leaves them; with all, nothing. About as many operations. Errors: as above.
Result<std::vector<double>> lossesByBrainSurgeon(const Matrix &weights,
                                                 const Matrix &moment,
                                                 double damping = 1e-3);

/// y = W' h_K + b.
struct PrunedInputs {
  /// m x |K|.
  Matrix weights;
  /// m entries; empty without means.
  std::vector<double> bias;
};

/// The best W' for the kept channels K, W' = (W G_:K + d W_:K) (G_KK + d I)^-1
/// with d = `damping` times the mean of G's diagonal: what says little of W'
/// leaves W as it is. Given means, the best W' and
/// b: the same with the covariance G - mu mu^T, and b = W mu - W' mu_K. Errors:
/// sizes that disagree; channels that do not ascend or are out of range;
/// entries that are not finite; a G_KK that is singular without damping.
Result<PrunedInputs> refitKept(const Matrix &weights, const Matrix &moment,
                               const std::vector<int64_t> &kept,
                               const std::vector<double> &means = {},
                               double damping = 1e-3);

/// W' = W_:K with b = W_:D mu_D for the dropped channels D: no moment needed.
Result<PrunedInputs> shiftDropped(const Matrix &weights,
                                  const std::vector<int64_t> &kept,
                                  const std::vector<double> &means);

} // namespace linnet

#endif // LINNET_NUMERICS_CHANNELPRUNING_H
