//===- CodeGrid.h - the values that codes of a group have -----*- C++ -*-===//

#ifndef LIB_NUMERICS_CODEGRID_H
#define LIB_NUMERICS_CODEGRID_H

#include "linnet/Numerics/Quantization.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace linnet {

/// s, z and the codes' limits.
struct CodeGrid {
  double scale = 1, zero = 0, least = 0, most = 0;

  double codeOf(double weight) const {
    return std::clamp(std::nearbyint(weight / scale) + zero, least, most);
  }
  double valueOf(double code) const { return scale * (code - zero); }
  /// The squared error of `count` weights; `importance` weighs them unless it
  /// is null.
  double errorOf(const double *weights, const double *importance,
                 int64_t count) const;
};

/// The grids that the format tries for `count` weights: first the widest, which
/// is the only one without steps.
std::vector<CodeGrid> gridsOf(const double *weights, int64_t count,
                              const QuantizationFormat &format);

/// Inputs of a group.
int64_t groupWidth(const QuantizationFormat &format, int64_t columns);

/// `value` with as many significant binary digits; as it is for 0 of them.
double roundDigits(double value, int64_t digits);

} // namespace linnet

#endif // LIB_NUMERICS_CODEGRID_H
