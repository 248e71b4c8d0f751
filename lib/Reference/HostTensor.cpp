//===- HostTensor.cpp - a tensor of f64 values ----------------------------===//

#include "linnet/Reference/HostTensor.h"

#include <cmath>

using namespace linnet;

HostTensor HostTensor::filled(std::vector<int64_t> shape, double value) {
  int64_t count = 1;
  for (int64_t size : shape)
    count *= size;
  return {std::move(shape), std::vector<double>(count, value)};
}

HostTensor HostTensor::fromNpy(const NpyArray &array) {
  return {array.shape, array.toF64()};
}

Result<double> linnet::relativeRms(const HostTensor &a, const HostTensor &b) {
  if (a.shape != b.shape)
    return makeError("expected shape ", formatShape(b.shape), ", but got ",
                     formatShape(a.shape));
  double difference = 0, norm = 0;
  for (int64_t i = 0; i < a.size(); ++i) {
    double delta = a.values[i] - b.values[i];
    difference += delta * delta;
    norm += b.values[i] * b.values[i];
  }
  // Equal tensors agree, all-zero ones too.
  return difference == 0 ? 0 : std::sqrt(difference / norm);
}
