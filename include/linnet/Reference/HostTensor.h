//===- HostTensor.h - a tensor of f64 values ------------------*- C++ -*-===//

#ifndef LINNET_REFERENCE_HOSTTENSOR_H
#define LINNET_REFERENCE_HOSTTENSOR_H

#include "linnet/Checkpoint/Npy.h"
#include "linnet/Support/Result.h"

#include <cstdint>
#include <vector>

namespace linnet {

/// A dense row-major tensor. Floats are f64 whatever the IR's element type
/// says; integers, indices and booleans (0 or 1) stand exactly in the doubles.
/// The empty shape has one value: a scalar.
struct HostTensor {
  std::vector<int64_t> shape;
  std::vector<double> values;

  HostTensor() = default;
  HostTensor(std::vector<int64_t> shape, std::vector<double> values)
      : shape(std::move(shape)), values(std::move(values)) {}

  /// A tensor of `shape` (no negative dimension) filled with `value`.
  static HostTensor filled(std::vector<int64_t> shape, double value = 0);
  static HostTensor scalar(double value) { return {{}, {value}}; }
  static HostTensor fromNpy(const NpyArray &array);

  int64_t rank() const { return static_cast<int64_t>(shape.size()); }
  int64_t size() const { return static_cast<int64_t>(values.size()); }
};

/// sqrt(sum (a - b)^2 / sum b^2), the measure of `meta.json` tolerances. NaN
/// anywhere gives NaN; an error when the shapes differ.
Result<double> relativeRms(const HostTensor &a, const HostTensor &b);

} // namespace linnet

#endif // LINNET_REFERENCE_HOSTTENSOR_H
