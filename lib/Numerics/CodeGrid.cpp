//===- CodeGrid.cpp - the values that codes of a group have ---------------===//

#include "CodeGrid.h"

namespace linnet {
namespace {

using Range = QuantizationFormat::Range;

/// What the weights of a group span, 0 included.
struct Span {
  double low = 0, high = 0;
};

CodeGrid widestGrid(Span &span, const QuantizationFormat &format) {
  double largest = std::max(-span.low, span.high);
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
      span = {-1, 1};
    double scale = (span.high - span.low) / levels;
    return {scale, std::nearbyint(-span.low / scale), 0, levels};
  }
  return {};
}

} // namespace

double CodeGrid::errorOf(const double *weights, const double *importance,
                         int64_t count) const {
  double error = 0;
  for (int64_t j = 0; j < count; ++j) {
    double off = valueOf(codeOf(weights[j])) - weights[j];
    error += (importance ? importance[j] : 1) * off * off;
  }
  return error;
}

int64_t groupWidth(const QuantizationFormat &format, int64_t columns) {
  return format.group ? format.group : std::max<int64_t>(1, columns);
}

double roundDigits(double value, int64_t digits) {
  if (digits == 0)
    return value;
  int exponent = 0;
  double fraction = std::frexp(value, &exponent);
  return std::ldexp(std::nearbyint(std::ldexp(fraction, int(digits))),
                    exponent - int(digits));
}

std::vector<CodeGrid> gridsOf(const double *weights, int64_t count,
                              const QuantizationFormat &format) {
  Span span;
  for (int64_t j = 0; j < count; ++j) {
    span.low = std::min(span.low, weights[j]);
    span.high = std::max(span.high, weights[j]);
  }
  const CodeGrid widest = widestGrid(span, format);
  std::vector<CodeGrid> grids;
  for (int64_t step = 0; step <= format.scaleSteps; ++step) {
    CodeGrid grid = widest;
    grid.scale *= 1 - (1 - QuantizationFormat::kLeastScale) * double(step) /
                          double(std::max<int64_t>(format.scaleSteps, 1));
    grid.scale = roundDigits(grid.scale, format.scaleDigits);
    if (format.scaleSteps && format.range == Range::Offset) {
      // Codes that the span needs and the grid lacks are cut off above, below,
      // or on both sides.
      double first = std::nearbyint(-span.low / grid.scale),
             lacking = std::ceil(std::max(
                 0.0, (span.high - span.low) / grid.scale - grid.most));
      for (double cut = 0; cut <= lacking; ++cut) {
        grid.zero = std::clamp(first - cut, grid.least, grid.most);
        grids.push_back(grid);
      }
      continue;
    }
    grids.push_back(grid);
    if (format.scaleSteps && format.range == Range::Centered) {
      grid.scale = -grid.scale;
      grids.push_back(grid);
    }
  }
  return grids;
}

} // namespace linnet
