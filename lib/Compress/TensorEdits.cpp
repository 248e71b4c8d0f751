//===- TensorEdits.cpp - what becomes of tensors that are kept ------------===//

#include "TensorEdits.h"

#include "linnet/Support/Quote.h"

#include <algorithm>
#include <cmath>

namespace linnet::compress {

Result<std::vector<double>> readValues(const Archive &archive,
                                       const std::string &name) {
  Result<const Archive::Tensor *> tensor = archive.require(name);
  if (!tensor)
    return tensor.error();
  std::vector<double> values((*tensor)->bytes / dataTypeSize((*tensor)->dtype));
  convertToF64((*tensor)->data, (*tensor)->dtype, values.data(), values.size());
  if (!std::all_of(values.begin(), values.end(),
                   [](double v) { return std::isfinite(v); }))
    return makeError("tensor ", quoteName(name), " in ",
                     archive.fileOf(**tensor),
                     ": expected finite entries, but got others");
  return values;
}

void TensorEdits::scale(const std::string &name, size_t dimension,
                        std::vector<double> factors) {
  edits[name].factors[dimension] = std::move(factors);
}

void TensorEdits::add(const std::string &name,
                      const std::vector<double> &addend) {
  std::vector<double> &sum = edits[name].addend;
  sum.resize(addend.size());
  for (size_t i = 0; i < addend.size(); ++i)
    sum[i] += addend[i];
}

void TensorEdits::fill(const std::string &name, double value) {
  edits[name].value = value;
}

void TensorEdits::keep(const std::string &name, size_t dimension,
                       std::vector<int64_t> kept) {
  edits[name].kept[dimension] = std::move(kept);
}

const TensorEdits::Edit *TensorEdits::find(const std::string &name) const {
  auto edit = edits.find(name);
  return edit == edits.end() ? nullptr : &edit->second;
}

bool TensorEdits::isWidened(const Archive::Tensor &tensor) const {
  return typeOf(tensor) != tensor.dtype;
}

DataType TensorEdits::typeOf(const Archive::Tensor &tensor) const {
  const Edit *edit = find(tensor.name);
  bool isComputed = edit && !(edit->factors.empty() && edit->addend.empty());
  return isComputed && dataTypeSize(tensor.dtype) < sizeof(float)
             ? DataType::F32
             : tensor.dtype;
}

std::vector<int64_t> TensorEdits::shapeOf(const Archive::Tensor &tensor) const {
  std::vector<int64_t> shape = tensor.shape;
  if (const Edit *edit = find(tensor.name))
    for (const auto &[dimension, kept] : edit->kept)
      shape[dimension] = int64_t(kept.size());
  return shape;
}

/// Entries of one index along `dimension`, and how many follow one another.
static size_t strideOf(const std::vector<int64_t> &shape, size_t dimension) {
  size_t stride = 1;
  for (size_t d = dimension + 1; d < shape.size(); ++d)
    stride *= size_t(shape[d]);
  return stride;
}

Result<std::vector<std::byte>> TensorEdits::apply(const Archive &archive,
                                                  const Archive::Tensor &tensor,
                                                  double &rounding) const {
  const Edit *edit = find(tensor.name);
  if (!edit)
    return makeError("tensor ", quoteName(tensor.name),
                     ": expected one that is edited");
  Result<std::vector<double>> read = readValues(archive, tensor.name);
  if (!read)
    return read.error();
  std::vector<double> values = read.take();
  if (edit->value)
    std::fill(values.begin(), values.end(), *edit->value);
  for (const auto &[dimension, factors] : edit->factors) {
    size_t stride = strideOf(tensor.shape, dimension),
           length = size_t(tensor.shape[dimension]);
    for (size_t i = 0; i < values.size(); ++i)
      values[i] *= factors[i / stride % length % factors.size()];
  }
  for (size_t i = 0; i < edit->addend.size(); ++i)
    values[i] += edit->addend[i];
  std::vector<int64_t> shape = tensor.shape;
  for (const auto &[dimension, kept] : edit->kept) {
    size_t stride = strideOf(shape, dimension),
           block = stride * size_t(shape[dimension]);
    std::vector<double> slices;
    for (size_t begin = 0; begin < values.size(); begin += block)
      for (int64_t k : kept) {
        auto at = values.begin() + std::ptrdiff_t(begin + size_t(k) * stride);
        slices.insert(slices.end(), at, at + std::ptrdiff_t(stride));
      }
    values = std::move(slices);
    shape[dimension] = int64_t(kept.size());
  }
  DataType type = typeOf(tensor);
  std::vector<std::byte> bytes(values.size() * dataTypeSize(type));
  convertFromF64(values.data(), type, bytes.data(), values.size());
  double error = 0, all = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    double stored = loadAsDouble(bytes.data(), type, i);
    if (!std::isfinite(stored))
      return makeError("tensor ", quoteName(tensor.name),
                       ": expected entries in the range of ",
                       dataTypeName(type), ", but got larger ones");
    error += (stored - values[i]) * (stored - values[i]);
    all += values[i] * values[i];
  }
  if (error > 0)
    rounding = std::max(rounding, std::sqrt(error / all));
  return bytes;
}

} // namespace linnet::compress
