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

/// `value` with as many significant binary digits, at least 1.
double roundDigits(double value, int64_t digits) {
  int exponent = 0;
  double fraction = std::frexp(value, &exponent);
  return std::ldexp(std::nearbyint(std::ldexp(fraction, int(digits))),
                    exponent - int(digits));
}

/// The grid of least squared error among those that the format tries;
/// `importance` weighs the weights unless it is null.
Grid searchGrid(const double *weights, const double *importance, int64_t count,
                const QuantizationFormat &format) {
  const Grid widest = fitGrid(weights, count, format);
  Grid best;
  double least = 0;
  for (int64_t step = 0; step <= format.scaleSteps; ++step)
    for (double sign : {1.0, -1.0}) {
      if (sign < 0 && (format.range != Range::Centered || !format.scaleSteps))
        continue;
      Grid grid = widest;
      double share = 1 - (1 - QuantizationFormat::kLeastScale) * double(step) /
                             double(std::max<int64_t>(format.scaleSteps, 1));
      grid.scale *= sign * share;
      if (format.scaleDigits)
        grid.scale = roundDigits(grid.scale, format.scaleDigits);
      double error = 0;
      for (int64_t j = 0; j < count && format.scaleSteps; ++j) {
        double off = grid.valueOf(grid.codeOf(weights[j])) - weights[j];
        error += (importance ? importance[j] : 1) * off * off;
      }
      if ((step == 0 && sign > 0) || error < least) {
        best = grid;
        least = error;
      }
    }
  return best;
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
    // What an error of each column costs once later ones made up for it.
    for (int64_t j = 0; j < result.columns; ++j)
      importance.push_back(1 / (factor.at(j, j) * factor.at(j, j)));
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
      grids[r] = searchGrid(weights.row(r) + j,
                            importance.empty() ? nullptr : &importance[j],
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
  /// Of each column; empty: alike.
  std::vector<double> importance;
  QuantizedMatrix result;
};

/// The scale of row `r`'s group that begins at input `first` becomes the one of
/// least loss for its codes. Whether it changed.
bool refitScale(QuantizedMatrix &codes, int64_t r, int64_t first,
                const Matrix &moment, double *slope) {
  int64_t n = codes.columns, width = groupWidth(codes.format, n),
          end = std::min(first + width, n);
  double &scale = codes.scales.at(r, first / width);
  double zero = codes.zeros.at(r, first / width), rise = 0, curvature = 0;
  const int16_t *row = &codes.codes[size_t(r * n)];
  for (int64_t j = first; j < end; ++j) {
    double code = row[j] - zero, inner = 0;
    if (code == 0)
      continue;
    for (int64_t k = first; k < end; ++k)
      inner += moment.at(j, k) * (row[k] - zero);
    rise += code * slope[j];
    curvature += code * inner;
  }
  if (!(curvature > 0))
    return false;
  double next = scale - rise / curvature;
  if (codes.format.scaleDigits)
    next = roundDigits(next, codes.format.scaleDigits);
  double step = next - scale;
  // A rounded scale may be worse.
  if (next == 0 || !(2 * step * rise + step * step * curvature < 0))
    return false;
  scale = next;
  for (int64_t j = first; j < end; ++j)
    if (double change = step * (row[j] - zero))
      for (int64_t k = 0; k < n; ++k)
        slope[k] += change * moment.at(j, k);
  return true;
}

/// Takes row `r` of `codes` through all its scales and codes once; `slope` is
/// the row of (W' - W) G. Whether one changed.
bool sweepRow(QuantizedMatrix &codes, int64_t r, const Matrix &moment,
              double *slope) {
  bool changed = false;
  int64_t n = codes.columns, width = groupWidth(codes.format, n);
  double half = double(int64_t(1) << (codes.format.bits - 1));
  bool isSigned = codes.format.range == Range::Signed;
  double least = isSigned ? 1 - half : 0,
         most = isSigned ? half - 1 : 2 * half - 1;
  for (int64_t j = 0; j < n; ++j) {
    if (j % width == 0 && codes.format.scaleSteps)
      changed |= refitScale(codes, r, j, moment, slope);
    double scale = codes.scales.at(r, j / width);
    int16_t &code = codes.codes[size_t(r * n + j)];
    double wanted = code - slope[j] / (moment.at(j, j) * scale);
    double next = std::clamp(std::nearbyint(wanted), least, most);
    if (next == code)
      continue;
    double step = (next - code) * scale;
    code = int16_t(next);
    changed = true;
    for (int64_t k = 0; k < n; ++k)
      slope[k] += step * moment.at(j, k);
  }
  return changed;
}

/// Coordinate descent on codes for the loss against `target`.
void sweepCodes(QuantizedMatrix &codes, const Matrix &target,
                const Matrix &moment, int64_t sweeps) {
  if (sweeps <= 0)
    return;
  Matrix slopes = multiply(codes.toDense() - target, moment);
  for (int64_t r = 0; r < codes.rows; ++r)
    for (int64_t sweep = 0; sweep < sweeps; ++sweep)
      if (!sweepRow(codes, r, moment, slopes.row(r)))
        break;
}

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
  if (format.scaleSteps < 0 || format.scaleDigits < 0)
    return makeError("expected scale steps and digits of at least 0, but got ",
                     format.scaleSteps, " and ", format.scaleDigits);
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
  if (options.sweeps < 0)
    return makeError("expected sweeps of at least 0, but got ", options.sweeps);
  auto factor = factorFeedback(moment, options.damping);
  if (!factor)
    return factor.error();
  Matrix target = clearDeadInputs(weights, moment);
  QuantizedMatrix codes =
      RoundingPass(target, format).roundWithFeedback(*factor, options.block);
  sweepCodes(codes, target, dampMoment(moment, options.damping),
             options.sweeps);
  return codes;
}

} // namespace linnet
