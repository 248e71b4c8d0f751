//===- Thresholds.h - inputs that add little to a map ---------*- C++ -*-===//
//
// y = W x without the small entries of x: x_j counts as zero where
// |x_j| |W[:, j]| <= t, with the norm of column j, because that is all it adds
// to y (CETT, Zhang et al. 2024, "ReLU^2 wins"). One number t goes with a map;
// what is stored is t / |W[:, j]| for each input.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_NUMERICS_THRESHOLDS_H
#define LINNET_NUMERICS_THRESHOLDS_H

#include "linnet/Numerics/Matrix.h"

#include <vector>

namespace linnet {

/// The largest t that is wanted of inputs x, the rows of `inputs`.
struct ThresholdGoal {
  enum Kind {
    /// This share of all x_j counts as zero, those that are zero included, or a
    /// little more, so that no x_j is very near to t.
    Share,
    /// |W x - W x'| is at most this, root mean square relative to |W x|, with
    /// x' what is left of x. Of shares in steps of a 64th, the largest.
    Error
  };
  Kind kind = Share;
  double amount = 0;
};

/// What thresholds do to inputs.
struct ThresholdEffect {
  /// The shares of x_j that are zero, and of x'_j.
  double zerosBefore = 0, zeros = 0;
  /// |W x - W x'| / |W x|, root mean square; 0 where W x is 0.
  double error = 0;
};

/// |W[:, j]| of each column.
std::vector<double> columnNorms(const Matrix &w);

/// t / norms[j] in f32; where the norm is 0, the largest number.
std::vector<float> makeThresholds(double t, const std::vector<double> &norms);

/// t for `goal`, 0 where the zeros among the inputs reach it already. Errors:
/// inputs that are not finite, or none.
Result<double> chooseThreshold(const Matrix &w, const Matrix &inputs,
                               const ThresholdGoal &goal);

/// What `thresholds`, one for each column of W, do to the rows of `inputs`.
ThresholdEffect measureThresholds(const Matrix &w, const Matrix &inputs,
                                  const std::vector<float> &thresholds);

} // namespace linnet

#endif // LINNET_NUMERICS_THRESHOLDS_H
