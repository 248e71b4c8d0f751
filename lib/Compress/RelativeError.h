//===- RelativeError.h - of what one model computes -----------*- C++ -*-===//

#ifndef LIB_COMPRESS_RELATIVEERROR_H
#define LIB_COMPRESS_RELATIVEERROR_H

#include <cmath>
#include <cstdint>

namespace linnet::compress {

/// The root mean square of differences, relative to that of what they differ
/// from.
class RelativeError {
public:
  /// Adds `count` numbers of the original and of the other.
  void add(const float *original, const float *other, int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      double d = double(original[i]) - double(other[i]);
      difference += d * d;
      all += double(original[i]) * double(original[i]);
    }
  }
  /// 0 where both are; NaN where a number is none.
  double value() const {
    return difference == 0 && all == 0 ? 0 : std::sqrt(difference / all);
  }

private:
  double difference = 0, all = 0;
};

} // namespace linnet::compress

#endif // LIB_COMPRESS_RELATIVEERROR_H
