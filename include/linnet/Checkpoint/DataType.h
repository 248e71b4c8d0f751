//===- DataType.h - element types of stored tensors -----------*- C++ -*-===//
//
// The element types Linnet reads and writes, and their exact conversions.
// Elements are little-endian and need no alignment.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_CHECKPOINT_DATATYPE_H
#define LINNET_CHECKPOINT_DATATYPE_H

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace linnet {

/// F8E4M3 is the finite-only variant (no infinities, one NaN pattern, maximum
/// 448); F8E5M2 follows IEEE conventions.
enum class DataType {
  F64,
  F32,
  F16,
  BF16,
  F8E4M3,
  F8E5M2,
  I64,
  I32,
  I16,
  I8,
  U8,
  BOOL
};

/// Bytes per element.
size_t dataTypeSize(DataType type);

/// The safetensors spelling: "F32", "F8_E4M3", "BOOL", ...
std::string_view dataTypeName(DataType type);

/// The inverse of dataTypeName.
std::optional<DataType> parseDataType(std::string_view name);

/// All names, comma-separated, for error messages.
std::string supportedDataTypes();

bool isFloat(DataType type);

/// Element `index` of the array at `data`. Exact, but for int64 values beyond
/// 2^53, which round to nearest even.
double loadAsDouble(const void *data, DataType type, size_t index);

/// Bulk conversion of `n` elements of `data` into `out`. Integers and F64 round
/// to the nearest f32, ties to even; all else is exact.
void convertToF32(const void *data, DataType type, float *out, size_t n);
void convertToF64(const void *data, DataType type, double *out, size_t n);

/// Bulk conversion of `n` values into elements of `type` at `out`
/// (n * dataTypeSize(type) bytes). Floats round to nearest even, overflow to
/// infinity (F8E4M3: to NaN), NaN stays NaN. Integers round to nearest even and
/// saturate, NaN gives 0. BOOL is value != 0.
void convertFromF32(const float *values, DataType type, void *out, size_t n);
void convertFromF64(const double *values, DataType type, void *out, size_t n);

/// The product of `shape`, or nothing if a dimension is negative or the product
/// exceeds int64. The empty shape has one element.
std::optional<int64_t> elementCount(const std::vector<int64_t> &shape);

/// "[2, 3]", for messages: dimensions beyond the sixteenth are "...".
std::string formatShape(const std::vector<int64_t> &shape);

} // namespace linnet

#endif // LINNET_CHECKPOINT_DATATYPE_H
