//===- DataType.cpp - element types and their conversions -----------------===//
//
// The narrow floats are one family: sign, e exponent bits, m mantissa bits.
// Decoding and encoding are written once over (e, m) and specialised by the
// compiler; encoding starts from f64, so there is no double rounding.
//
//===----------------------------------------------------------------------===//

#include "linnet/Checkpoint/DataType.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace linnet {
namespace {

struct TypeRow {
  DataType type;
  std::string_view name;
  size_t size;
  bool isFloat;
};

constexpr std::array<TypeRow, 12> kTypes = {{
    {DataType::F64, "F64", 8, true},
    {DataType::F32, "F32", 4, true},
    {DataType::F16, "F16", 2, true},
    {DataType::BF16, "BF16", 2, true},
    {DataType::F8E4M3, "F8_E4M3", 1, true},
    {DataType::F8E5M2, "F8_E5M2", 1, true},
    {DataType::I64, "I64", 8, false},
    {DataType::I32, "I32", 4, false},
    {DataType::I16, "I16", 2, false},
    {DataType::I8, "I8", 1, false},
    {DataType::U8, "U8", 1, false},
    {DataType::BOOL, "BOOL", 1, false},
}};

const TypeRow &row(DataType type) { return kTypes[static_cast<size_t>(type)]; }

/// A float of 1 + exponent + mantissa bits. `finiteOnly`: the top exponent is
/// an ordinary one and only its all-ones mantissa is NaN.
struct FloatFormat {
  int exponentBits;
  int mantissaBits;
  bool finiteOnly;

  constexpr int bias() const { return (1 << (exponentBits - 1)) - 1; }
  constexpr uint32_t topExponent() const { return (1u << exponentBits) - 1; }
  constexpr uint32_t mantissaMask() const { return (1u << mantissaBits) - 1; }
  constexpr uint32_t infinity() const { return topExponent() << mantissaBits; }
  constexpr uint32_t nan() const {
    return finiteOnly ? infinity() | mantissaMask()
                      : infinity() | 1u << (mantissaBits - 1);
  }
  /// The largest magnitude that is neither infinity nor NaN.
  constexpr uint32_t largest() const {
    return finiteOnly ? nan() - 1 : infinity() - 1;
  }
};

constexpr FloatFormat kF16 = {5, 10, false};
constexpr FloatFormat kBF16 = {8, 7, false};
constexpr FloatFormat kF8E4M3 = {4, 3, true};
constexpr FloatFormat kF8E5M2 = {5, 2, false};

/// The f32 bits of a value of a format with at most 5 exponent bits. No
/// intermediate is subnormal, so that flush-to-zero modes do no harm.
template <FloatFormat format>
inline float decode(uint32_t bits) {
  constexpr int kShift = 23 - format.mantissaBits;
  uint32_t magnitude = bits & (format.infinity() | format.mantissaMask());
  uint32_t sign = (bits >> (format.exponentBits + format.mantissaBits)) << 31;
  uint32_t exponent = magnitude >> format.mantissaBits;
  uint32_t normal =
      (magnitude << kShift) + (uint32_t(127 - format.bias()) << 23);
  float scale = std::bit_cast<float>(
      uint32_t(128 - format.bias() - format.mantissaBits) << 23);
  uint32_t subnormal = std::bit_cast<uint32_t>(
      static_cast<float>(static_cast<int32_t>(magnitude)) * scale);
  uint32_t result = exponent == 0 ? subnormal : normal;
  if constexpr (format.finiteOnly) {
    result = magnitude == format.nan() ? 0x7FC00000u : result;
  } else {
    uint32_t special = 0x7F800000u | (magnitude << kShift);
    result = exponent == format.topExponent() ? special : result;
  }
  return std::bit_cast<float>(result | sign);
}

inline float decodeBF16(uint32_t bits) {
  return std::bit_cast<float>(bits << 16);
}

/// Rounds an f64 to the format, to nearest, ties to even.
template <FloatFormat format>
inline uint32_t encode(double value) {
  uint64_t bits = std::bit_cast<uint64_t>(value);
  uint32_t sign = uint32_t(bits >> 63)
                  << (format.exponentBits + format.mantissaBits);
  if (std::isnan(value))
    return sign | format.nan();
  constexpr uint32_t kOverflow =
      format.finiteOnly ? format.nan() : format.infinity();
  if (std::isinf(value))
    return sign | kOverflow;
  int exponent = int(bits >> 52 & 0x7FF) - 1023;
  // f64 subnormals are far below half the smallest value of any format.
  if (exponent == -1023)
    return sign;
  uint64_t significand = (bits & ((uint64_t(1) << 52) - 1)) | uint64_t(1) << 52;
  int minExponent = 1 - format.bias();
  int dropped = 52 - format.mantissaBits;
  if (exponent < minExponent)
    dropped += minExponent - exponent;
  if (dropped > 53)
    return sign;
  uint64_t kept = significand >> dropped;
  uint64_t rest = significand & ((uint64_t(1) << dropped) - 1);
  uint64_t half = uint64_t(1) << (dropped - 1);
  if (rest > half || (rest == half && (kept & 1)))
    ++kept;
  // A carry out of the mantissa lands in the exponent, which is what it means.
  uint64_t magnitude = kept;
  if (exponent >= minExponent) {
    if (exponent > format.bias() + 1)
      return sign | kOverflow;
    magnitude += uint64_t(exponent - minExponent) << format.mantissaBits;
  }
  return sign |
         (magnitude > format.largest() ? kOverflow
                                       : static_cast<uint32_t>(magnitude));
}

template <typename Int>
Int saturate(double value) {
  if (std::isnan(value))
    return 0;
  value = std::nearbyint(value);
  // The upper limit as a double is exclusive: 2^63 is not an int64.
  constexpr double kEnd =
      2.0 * static_cast<double>(std::numeric_limits<Int>::max() / 2 + 1);
  if (value >= kEnd)
    return std::numeric_limits<Int>::max();
  if (value < static_cast<double>(std::numeric_limits<Int>::min()))
    return std::numeric_limits<Int>::min();
  return static_cast<Int>(value);
}

template <typename T>
inline T loadAt(const void *data, size_t index) {
  T value;
  std::memcpy(&value, static_cast<const char *>(data) + index * sizeof(T),
              sizeof(T));
  return value;
}

template <typename T>
inline void storeAt(void *data, size_t index, T value) {
  std::memcpy(static_cast<char *>(data) + index * sizeof(T), &value, sizeof(T));
}

/// Converts n stored values of C type T by `convert`.
template <typename T, typename Out, typename Convert>
void readAll(const void *data, Out *out, size_t n, Convert convert) {
  for (size_t i = 0; i < n; ++i)
    out[i] = static_cast<Out>(convert(loadAt<T>(data, i)));
}

template <typename T, typename In, typename Convert>
void writeAll(const In *values, void *out, size_t n, Convert convert) {
  for (size_t i = 0; i < n; ++i)
    storeAt<T>(out, i, static_cast<T>(convert(static_cast<double>(values[i]))));
}

template <typename Out>
void convertTo(const void *data, DataType type, Out *out, size_t n) {
  auto plain = [](auto value) { return value; };
  switch (type) {
  case DataType::F64:
    return readAll<double>(data, out, n, plain);
  case DataType::F32:
    return readAll<float>(data, out, n, plain);
  case DataType::F16:
    return readAll<uint16_t>(data, out, n, decode<kF16>);
  case DataType::BF16:
    return readAll<uint16_t>(data, out, n, decodeBF16);
  case DataType::F8E4M3:
    return readAll<uint8_t>(data, out, n, decode<kF8E4M3>);
  case DataType::F8E5M2:
    return readAll<uint8_t>(data, out, n, decode<kF8E5M2>);
  case DataType::I64:
    return readAll<int64_t>(data, out, n, plain);
  case DataType::I32:
    return readAll<int32_t>(data, out, n, plain);
  case DataType::I16:
    return readAll<int16_t>(data, out, n, plain);
  case DataType::I8:
    return readAll<int8_t>(data, out, n, plain);
  case DataType::U8:
    return readAll<uint8_t>(data, out, n, plain);
  case DataType::BOOL:
    return readAll<uint8_t>(data, out, n,
                            [](uint8_t value) { return value != 0; });
  }
}

template <typename In>
void convertFrom(const In *values, DataType type, void *out, size_t n) {
  auto plain = [](double value) { return value; };
  switch (type) {
  case DataType::F64:
    return writeAll<double>(values, out, n, plain);
  case DataType::F32:
    return writeAll<float>(values, out, n, plain);
  case DataType::F16:
    return writeAll<uint16_t>(values, out, n, encode<kF16>);
  case DataType::BF16:
    return writeAll<uint16_t>(values, out, n, encode<kBF16>);
  case DataType::F8E4M3:
    return writeAll<uint8_t>(values, out, n, encode<kF8E4M3>);
  case DataType::F8E5M2:
    return writeAll<uint8_t>(values, out, n, encode<kF8E5M2>);
  case DataType::I64:
    return writeAll<int64_t>(values, out, n, saturate<int64_t>);
  case DataType::I32:
    return writeAll<int32_t>(values, out, n, saturate<int32_t>);
  case DataType::I16:
    return writeAll<int16_t>(values, out, n, saturate<int16_t>);
  case DataType::I8:
    return writeAll<int8_t>(values, out, n, saturate<int8_t>);
  case DataType::U8:
    return writeAll<uint8_t>(values, out, n, saturate<uint8_t>);
  case DataType::BOOL:
    return writeAll<uint8_t>(values, out, n,
                             [](double value) { return value != 0; });
  }
}

} // namespace

size_t dataTypeSize(DataType type) { return row(type).size; }

std::string_view dataTypeName(DataType type) { return row(type).name; }

bool isFloat(DataType type) { return row(type).isFloat; }

std::optional<DataType> parseDataType(std::string_view name) {
  for (const TypeRow &candidate : kTypes)
    if (candidate.name == name)
      return candidate.type;
  return std::nullopt;
}

std::string supportedDataTypes() {
  std::string list;
  for (const TypeRow &candidate : kTypes) {
    list += list.empty() ? "" : ", ";
    list += candidate.name;
  }
  return list;
}

double loadAsDouble(const void *data, DataType type, size_t index) {
  double value = 0;
  convertTo(static_cast<const char *>(data) + index * dataTypeSize(type), type,
            &value, 1);
  return value;
}

void convertToF32(const void *data, DataType type, float *out, size_t n) {
  if (type == DataType::F32 && n > 0)
    std::memcpy(out, data, n * sizeof(float));
  else
    convertTo(data, type, out, n);
}

void convertToF64(const void *data, DataType type, double *out, size_t n) {
  if (type == DataType::F64 && n > 0)
    std::memcpy(out, data, n * sizeof(double));
  else
    convertTo(data, type, out, n);
}

void convertFromF32(const float *values, DataType type, void *out, size_t n) {
  if (type == DataType::F32 && n > 0)
    std::memcpy(out, values, n * sizeof(float));
  else
    convertFrom(values, type, out, n);
}

void convertFromF64(const double *values, DataType type, void *out, size_t n) {
  if (type == DataType::F64 && n > 0)
    std::memcpy(out, values, n * sizeof(double));
  else
    convertFrom(values, type, out, n);
}

std::optional<int64_t> elementCount(const std::vector<int64_t> &shape) {
  int64_t product = 1;
  bool empty = false;
  for (int64_t dimension : shape) {
    if (dimension < 0)
      return std::nullopt;
    // A zero does not excuse the others: strides are computed from them.
    if (dimension == 0)
      empty = true;
    else if (__builtin_mul_overflow(product, dimension, &product))
      return std::nullopt;
  }
  return empty ? 0 : product;
}

std::string formatShape(const std::vector<int64_t> &shape) {
  // A hostile file may claim thousands of dimensions; messages stay short.
  constexpr size_t kMaxShown = 16;
  std::string text = "[";
  for (size_t i = 0; i < shape.size() && i < kMaxShown; ++i)
    text += (i > 0 ? ", " : "") + std::to_string(shape[i]);
  return text + (shape.size() > kMaxShown ? ", ...]" : "]");
}

} // namespace linnet
