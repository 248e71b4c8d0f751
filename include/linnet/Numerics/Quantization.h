//===- Quantization.h - weights as small integers -------------*- C++ -*-===//
//
// A weight W (m x n, outputs x inputs) as codes q of a few bits, with a scale s
// and a zero z for every group of consecutive inputs of a row:
//   W'_ij = s (q_ij - z).
// All rounding is to the nearest, ties to even.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_NUMERICS_QUANTIZATION_H
#define LINNET_NUMERICS_QUANTIZATION_H

#include "linnet/Numerics/Matrix.h"

namespace linnet {

struct QuantizationFormat {
  enum class Range {
    /// Signed codes, z = 0, s = max|w| / (2^(b-1) - 1): 0 is exact and codes
    /// reach from -(2^(b-1) - 1) to 2^(b-1) - 1. Of a group of zeros s = 1.
    Signed,
    /// Codes from 0 to 2^b - 1, z = 2^(b-1), s = 2 max|w| / (2^b - 1): one code
    /// more than Signed, but the largest weight is half a step off. (The code
    /// published with GPTQ halves s where no weight is negative, and
    /// cuts the largest off.)
    Centered,
    /// Codes from 0 to 2^b - 1 over the weights and 0:
    /// s = (max - min) / (2^b - 1), z = round(-min / s).
    Offset
  };
  /// 2 to 8.
  int64_t bits = 4;
  /// Inputs that share a scale; the last group of a row may have fewer. 0 is
  /// the whole row.
  int64_t group = 0;
  Range range = Range::Signed;
  /// Smaller scales that are tried for each group, down to kLeastScale of the
  /// one above, in Centered also their negatives, whose one code more lies on
  /// the other side, and in Offset each with all zeros that cut off only what
  /// the scale cannot hold: the grid of least squared error stands, with
  /// feedback weighed by 1 / U_jj^2. It cuts the largest weights off where that
  /// helps the others.
  int64_t scaleSteps = 0;
  static constexpr double kLeastScale = 0.6;
  /// Significant binary digits that scales are rounded to before weights are
  /// (8 for bf16, 11 for f16); 0: none are lost.
  int64_t scaleDigits = 0;
};

struct QuantizedMatrix {
  QuantizationFormat format;
  int64_t rows = 0, columns = 0;
  /// Row major, a code each, -127 to 255.
  std::vector<int16_t> codes;
  /// rows x groups. Zeros are integers, in Offset from 0 to 2^b - 1.
  Matrix scales, zeros;

  Matrix toDense() const;
  /// The bits of codes, and of scales and zeros if each takes `scaleBits`;
  /// zeros count where the range has them.
  int64_t bits(int64_t scaleBits = 16) const;
};

/// Errors: bits or a group out of range, negative steps or digits.
Status checkFormat(const QuantizationFormat &format);

/// Each weight to its nearest code: |W'_ij - W_ij| is at most s / 2 (in
/// Offset s, as z is rounded too). Errors: those of checkFormat; weights that
/// are not finite.
Result<QuantizedMatrix> roundToNearest(const Matrix &weights,
                                       const QuantizationFormat &format);

struct QuantizationFeedback {
  double damping = 0.01;
  /// Columns after which the errors are handed on to all later ones, at least
  /// 1; adapted to groups so that a group's scale always sees all errors before
  /// it. It changes the time, not the result.
  int64_t block = 128;
  /// Whether inputs with large second moments come first, so that more of the
  /// others make up for their errors: groups by their sums, and in each its
  /// inputs by the variance that those after them leave. A last group of fewer
  /// inputs stays last.
  bool sorts = false;
  /// Passes afterwards: if the format searches grids, each group gets the one
  /// that is best after rounding with feedback within it, and its scale the
  /// best for its codes; then each code becomes the best while all others stand
  /// (damping counts too). The loss never rises. A pass that changes nothing is
  /// the last.
  int64_t sweeps = 0;
  /// How passes weigh errors of outputs: the loss is tr(R D G D^T), with a
  /// positive semidefinite R, m x m. Empty: all outputs count the same.
  Matrix metric = {};
};

/// Rounds column by column, left to right, and lets the later columns make up
/// for it (Frantar et al. 2023, "GPTQ"): with the upper U, G^-1 = U^T U, the
/// error e of column j subtracts e / U_jj U_jk from w_k for k > j. Of a group
/// the scale is that of its weights when its first column is reached. `moment`
/// is the n x n second moment G of the inputs, `damping` times its mean
/// diagonal is added to its diagonal; weights of inputs that are always 0
/// become 0. Errors: those of checkFormat; sizes that disagree; entries that
/// are not finite; a G that is no second moment, or is not positive definite
/// after damping.
Result<QuantizedMatrix>
quantizeWithFeedback(const Matrix &weights, const Matrix &moment,
                     const QuantizationFormat &format,
                     const QuantizationFeedback &options = {});

} // namespace linnet

#endif // LINNET_NUMERICS_QUANTIZATION_H
