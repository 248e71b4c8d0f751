//===- Quantization.cpp - weights as small integers -----------------------===//

#include "linnet/Numerics/Quantization.h"

#include "ColumnFeedback.h"

#include <algorithm>
#include <cmath>

namespace linnet {
namespace {

using Range = QuantizationFormat::Range;

int64_t groupWidth(const QuantizationFormat &format, int64_t columns) {
  return format.group ? format.group : std::max<int64_t>(1, columns);
}

/// s, z and the codes' limits.
struct Grid {
  double scale = 1, zero = 0, least = 0, most = 0;

  double codeOf(double weight) const {
    return std::clamp(std::nearbyint(weight / scale) + zero, least, most);
  }
  double valueOf(double code) const { return scale * (code - zero); }
};

/// The grid of `count` weights.
Grid fitGrid(const double *weights, int64_t count,
             const QuantizationFormat &format) {
  double low = 0, high = 0;
  for (int64_t j = 0; j < count; ++j) {
    low = std::min(low, weights[j]);
    high = std::max(high, weights[j]);
  }
  double largest = std::max(-low, high);
  double levels = double((int64_t(1) << format.bits) - 1);
  double half = double(int64_t(1) << (format.bits - 1));
  switch (format.range) {
  case Range::Signed: {
    double most = half - 1;
    return {largest > 0 ? largest / most : 1, 0, -most, most};
  }
  case Range::Centered:
    return {2 * (largest > 0 ? largest : 1) / levels, half, 0, levels};
  case Range::Offset:
    if (largest == 0)
      low = -1, high = 1;
    double scale = (high - low) / levels;
    return {scale, std::nearbyint(-low / scale), 0, levels};
  }
  return {};
}

/// One pass over columns, of which a block is at hand.
class RoundingPass {
public:
  RoundingPass(Matrix weights, const QuantizationFormat &format)
      : weights(std::move(weights)),
        width(groupWidth(format, this->weights.columns())) {
    int64_t m = this->weights.rows(), n = this->weights.columns();
    result.format = format;
    result.rows = m;
    result.columns = n;
    result.codes.resize(m * n);
    result.scales = result.zeros = Matrix(m, (n + width - 1) / width);
    grids.resize(m);
  }

  QuantizedMatrix roundAlone() && {
    for (int64_t r = 0; r < result.rows; ++r)
      for (int64_t j = 0; j < result.columns; ++j)
        round(r, j);
    return std::move(result);
  }

  QuantizedMatrix roundWithFeedback(const Matrix &factor, int64_t block) && {
    // Groups start where blocks start, or lie within one.
    if (width <= block)
      block = block / width * width;
    else if (width < result.columns && width % block != 0)
      block = width;
    for (int64_t c = 0; c < result.columns; c += block)
      replaceColumns(weights, factor, c, std::min(block, result.columns - c),
                     [&](int64_t r, int64_t j) { return round(r, j); });
    return std::move(result);
  }

private:
  /// The value that weight becomes.
  double round(int64_t r, int64_t j) {
    if (j % width == 0) {
      grids[r] = fitGrid(weights.row(r) + j,
                         std::min(width, result.columns - j), result.format);
      result.scales.at(r, j / width) = grids[r].scale;
      result.zeros.at(r, j / width) = grids[r].zero;
    }
    double code = grids[r].codeOf(weights.at(r, j));
    result.codes[r * result.columns + j] = int16_t(code);
    return grids[r].valueOf(code);
  }

  Matrix weights;
  int64_t width;
  /// Of each row, that of the group at hand.
  std::vector<Grid> grids;
  QuantizedMatrix result;
};

} // namespace

Matrix QuantizedMatrix::toDense() const {
  int64_t width = groupWidth(format, columns);
  Matrix dense(rows, columns);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t j = 0; j < columns; ++j)
      dense.at(r, j) = scales.at(r, j / width) *
                       (codes[r * columns + j] - zeros.at(r, j / width));
  return dense;
}

int64_t QuantizedMatrix::bits(int64_t scaleBits) const {
  int64_t perGroup =
      format.range == Range::Offset ? scaleBits + format.bits : scaleBits;
  return rows * columns * format.bits + scales.size() * perGroup;
}

Status checkFormat(const QuantizationFormat &format) {
  if (format.bits < 2 || format.bits > 8)
    return makeError("expected 2 to 8 bits, but got ", format.bits);
  if (format.group < 0)
    return makeError("expected groups of at least 1 input, or 0 for rows, but "
                     "got ",
                     format.group);
  return Status();
}

Result<QuantizedMatrix> roundToNearest(const Matrix &weights,
                                       const QuantizationFormat &format) {
  if (Status status = checkFormat(format); !status)
    return status.error();
  if (!isFinite(weights))
    return makeError("expected finite weights, but got NaN or infinity");
  return RoundingPass(weights, format).roundAlone();
}

Result<QuantizedMatrix>
quantizeWithFeedback(const Matrix &weights, const Matrix &moment,
                     const QuantizationFormat &format,
                     const QuantizationFeedback &options) {
  for (Status status :
       {checkFormat(format), checkSparseOperands(weights, moment),
        checkDamping(options.damping), checkFeedbackBlock(options.block)})
    if (!status)
      return status.error();
  auto factor = factorFeedback(moment, options.damping);
  if (!factor)
    return factor.error();
  return RoundingPass(clearDeadInputs(weights, moment), format)
      .roundWithFeedback(*factor, options.block);
}

} // namespace linnet
