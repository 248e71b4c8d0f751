//===- ChannelBounds.h - between what values channels stay ----*- C++ -*-===//
//
// Of a channel between two maps, bounds that hold whatever the model is given.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_COMPRESS_CHANNELBOUNDS_H
#define LIB_COMPRESS_CHANNELBOUNDS_H

#include "LayerValues.h"

#include <limits>

namespace linnet::compress {

struct Interval {
  double low = -std::numeric_limits<double>::infinity(),
         high = std::numeric_limits<double>::infinity();

  static Interval of(double value) { return {value, value}; }
  bool isConstant() const { return low == high; }
  bool operator==(const Interval &) const = default;
};

Interval operator+(const Interval &a, const Interval &b);
/// Bounded only where one is 0 or both are constants.
Interval operator*(const Interval &a, const Interval &b);
Interval applyActivation(mlir::linnet::Activation kind, const Interval &x);

/// Bounds of each of the `width` entries of `value`, a function of linear maps
/// entry by entry (producersOf). Errors: weights that are not finite.
Result<std::vector<Interval>> boundChannels(mlir::Value value,
                                            const LayerFunction &function,
                                            const Archive &archive,
                                            int64_t width);

} // namespace linnet::compress

#endif // LIB_COMPRESS_CHANNELBOUNDS_H
