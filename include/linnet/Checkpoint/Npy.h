//===- Npy.h - numpy array files ------------------------------*- C++ -*-===//
//
// Reads format versions 1 to 3 of .npy and writes version 1. Object arrays,
// structured types and big-endian data are errors.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_CHECKPOINT_NPY_H
#define LINNET_CHECKPOINT_NPY_H

#include "linnet/Checkpoint/DataType.h"
#include "linnet/Support/Result.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace linnet {

/// A dense array: row-major, little-endian elements.
struct NpyArray {
  DataType dtype = DataType::F32;
  std::vector<int64_t> shape;
  std::vector<std::byte> bytes;

  /// The number of elements.
  size_t size() const { return bytes.size() / dataTypeSize(dtype); }
  std::vector<double> toF64() const;
  std::vector<float> toF32() const;
  /// Errors when an element is not an integer in the int64 range.
  Result<std::vector<int64_t>> toI64() const;

  static NpyArray fromF32(std::vector<int64_t> shape,
                          const std::vector<float> &values);
  static NpyArray fromF64(std::vector<int64_t> shape,
                          const std::vector<double> &values);
  static NpyArray fromI64(std::vector<int64_t> shape,
                          const std::vector<int64_t> &values);
  static NpyArray fromI32(std::vector<int64_t> shape,
                          const std::vector<int32_t> &values);
};

/// Reads <f8 <f4 <f2 <i8 <i4 <i2 |i1 |u1 |b1; arrays in Fortran order are
/// transposed to row-major.
Result<NpyArray> readNpy(const std::string &path);

/// The same from memory; `what` prefixes errors.
Result<NpyArray> parseNpy(std::string_view content, const std::string &what);

/// Writes `array` atomically. BF16 and F8 have no numpy spelling: an error.
/// Errors also when `shape` and `bytes` disagree.
Status writeNpy(const std::string &path, const NpyArray &array);

} // namespace linnet

#endif // LINNET_CHECKPOINT_NPY_H
