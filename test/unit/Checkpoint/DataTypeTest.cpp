//===- DataTypeTest.cpp - element types and exact conversions -------------===//

#include "linnet/Checkpoint/DataType.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

using namespace linnet;

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

const DataType kAll[] = {DataType::F64,  DataType::F32,    DataType::F16,
                         DataType::BF16, DataType::F8E4M3, DataType::F8E5M2,
                         DataType::I64,  DataType::I32,    DataType::I16,
                         DataType::I8,   DataType::U8,     DataType::BOOL};

/// What the bits of a float format mean, straight from the definition.
double meaning(uint32_t bits, int exponentBits, int mantissaBits,
               bool finiteOnly) {
  int bias = (1 << (exponentBits - 1)) - 1;
  uint32_t mantissa = bits & ((1u << mantissaBits) - 1);
  uint32_t exponent = (bits >> mantissaBits) & ((1u << exponentBits) - 1);
  double sign = (bits >> (exponentBits + mantissaBits)) & 1 ? -1.0 : 1.0;
  bool top = exponent == (1u << exponentBits) - 1;
  if (finiteOnly ? top && mantissa == (1u << mantissaBits) - 1
                 : top && mantissa != 0)
    return std::nan("");
  if (top && !finiteOnly)
    return sign * kInf;
  if (exponent == 0)
    return sign * std::ldexp(mantissa, 1 - bias - mantissaBits);
  return sign * std::ldexp((1u << mantissaBits) + mantissa,
                           int(exponent) - bias - mantissaBits);
}

struct Narrow {
  DataType type;
  int exponentBits;
  int mantissaBits;
  bool finiteOnly;

  int width() const { return 1 + exponentBits + mantissaBits; }
  double value(uint32_t bits) const {
    return meaning(bits, exponentBits, mantissaBits, finiteOnly);
  }
  double load(uint32_t bits) const {
    uint8_t bytes[2] = {uint8_t(bits), uint8_t(bits >> 8)};
    return loadAsDouble(bytes, type, 0);
  }
  uint32_t store(double value) const {
    uint8_t bytes[2] = {0, 0};
    convertFromF64(&value, type, bytes, 1);
    return bytes[0] | bytes[1] << 8;
  }
};

class NarrowFloats : public ::testing::TestWithParam<Narrow> {};

template <typename T>
T stored(double value, DataType type) {
  T out;
  convertFromF64(&value, type, &out, 1);
  return out;
}

} // namespace

TEST(DataType, NamesRoundTrip) {
  for (DataType type : kAll)
    EXPECT_EQ(parseDataType(dataTypeName(type)), type);
  EXPECT_EQ(dataTypeName(DataType::F8E4M3), "F8_E4M3");
  EXPECT_EQ(dataTypeName(DataType::BF16), "BF16");
  EXPECT_FALSE(parseDataType("f32"));
  EXPECT_FALSE(parseDataType(""));
  EXPECT_FALSE(parseDataType("U64"));
  EXPECT_EQ(supportedDataTypes(), "F64, F32, F16, BF16, F8_E4M3, F8_E5M2, I64, "
                                  "I32, I16, I8, U8, BOOL");
}

TEST(DataType, SizesAndKinds) {
  EXPECT_EQ(dataTypeSize(DataType::F64), 8u);
  EXPECT_EQ(dataTypeSize(DataType::F32), 4u);
  EXPECT_EQ(dataTypeSize(DataType::BF16), 2u);
  EXPECT_EQ(dataTypeSize(DataType::F8E5M2), 1u);
  EXPECT_EQ(dataTypeSize(DataType::I64), 8u);
  EXPECT_EQ(dataTypeSize(DataType::BOOL), 1u);
  EXPECT_TRUE(isFloat(DataType::F8E4M3));
  EXPECT_FALSE(isFloat(DataType::I8));
}

TEST_P(NarrowFloats, EveryPatternMeansWhatItShould) {
  const Narrow &format = GetParam();
  for (uint32_t bits = 0; bits < 1u << format.width(); ++bits) {
    double expected = format.value(bits);
    double found = format.load(bits);
    if (std::isnan(expected))
      ASSERT_TRUE(std::isnan(found)) << bits;
    else
      ASSERT_EQ(std::bit_cast<uint64_t>(found),
                std::bit_cast<uint64_t>(expected))
          << bits;
  }
}

TEST_P(NarrowFloats, EveryPatternRoundTrips) {
  const Narrow &format = GetParam();
  for (uint32_t bits = 0; bits < 1u << format.width(); ++bits) {
    double value = format.value(bits);
    if (std::isnan(value))
      ASSERT_TRUE(std::isnan(format.value(format.store(value)))) << bits;
    else if (!(format.finiteOnly && std::isinf(value)))
      ASSERT_EQ(format.store(value), bits);
  }
}

TEST_P(NarrowFloats, RoundsToNearestEvenBetweenNeighbours) {
  const Narrow &format = GetParam();
  uint32_t top = 1u << (format.width() - 1);
  for (uint32_t bits = 0; bits + 1 < top; ++bits) {
    double low = format.value(bits), high = format.value(bits + 1);
    if (std::isnan(low) || std::isnan(high) || std::isinf(low) ||
        std::isinf(high))
      continue;
    double middle = low + (high - low) / 2;
    uint32_t even = bits & 1 ? bits + 1 : bits;
    ASSERT_EQ(format.store(middle), even) << bits;
    ASSERT_EQ(format.store(-middle), even | top) << bits;
    ASSERT_EQ(format.store(std::nextafter(middle, kInf)), bits + 1);
    ASSERT_EQ(format.store(std::nextafter(middle, -kInf)), bits);
  }
}

TEST_P(NarrowFloats, OverflowsAtHalfAnUlpBeyondTheLargest) {
  const Narrow &format = GetParam();
  uint32_t top = 1u << (format.width() - 1);
  uint32_t largest = 0;
  for (uint32_t bits = 0; bits < top; ++bits)
    if (std::isfinite(format.value(bits)))
      largest = bits;
  double ulp = format.value(largest) - format.value(largest - 1);
  double limit = format.value(largest) + ulp / 2;
  EXPECT_EQ(format.store(std::nextafter(limit, 0.0)), largest);
  // The tie goes to the even neighbour: for the finite-only format that is the
  // largest value itself.
  double atLimit = format.value(format.store(limit));
  double beyond = format.value(format.store(std::nextafter(limit, kInf)));
  if (format.finiteOnly) {
    EXPECT_EQ(atLimit, format.value(largest));
    EXPECT_TRUE(std::isnan(beyond));
    EXPECT_TRUE(std::isnan(format.value(format.store(kInf))));
    EXPECT_TRUE(std::isnan(format.value(format.store(1e300))));
  } else {
    EXPECT_EQ(atLimit, kInf);
    EXPECT_EQ(beyond, kInf);
    EXPECT_EQ(format.value(format.store(-1e300)), -kInf);
    EXPECT_EQ(format.value(format.store(-kInf)), -kInf);
  }
}

TEST_P(NarrowFloats, UnderflowsToSignedZero) {
  const Narrow &format = GetParam();
  double smallest = format.value(1);
  EXPECT_EQ(format.store(smallest / 2), 0u) << "a tie goes to the even zero";
  EXPECT_EQ(format.store(std::nextafter(smallest / 2, 1.0)), 1u);
  EXPECT_EQ(format.store(-1e-300), 1u << (format.width() - 1));
  EXPECT_EQ(format.store(5e-324), 0u);
  EXPECT_EQ(format.store(-0.0), 1u << (format.width() - 1));
}

TEST_P(NarrowFloats, F32AndF64AgreeInBulk) {
  const Narrow &format = GetParam();
  size_t n = size_t(1) << format.width(), size = dataTypeSize(format.type);
  std::vector<std::byte> data(n * size);
  for (size_t i = 0; i < n; ++i)
    std::memcpy(data.data() + i * size, &i, size);
  std::vector<float> narrow(n);
  std::vector<double> wide(n);
  convertToF32(data.data(), format.type, narrow.data(), n);
  convertToF64(data.data(), format.type, wide.data(), n);
  std::vector<std::byte> back(n * size);
  convertFromF32(narrow.data(), format.type, back.data(), n);
  for (size_t i = 0; i < n; ++i) {
    ASSERT_EQ(std::isnan(narrow[i]), std::isnan(wide[i]));
    if (std::isnan(wide[i]))
      continue;
    ASSERT_EQ(double(narrow[i]), wide[i]);
    ASSERT_EQ(std::memcmp(&back[i * size], &data[i * size], size), 0) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(All, NarrowFloats,
                         ::testing::Values(Narrow{DataType::F16, 5, 10, false},
                                           Narrow{DataType::BF16, 8, 7, false},
                                           Narrow{DataType::F8E4M3, 4, 3, true},
                                           Narrow{DataType::F8E5M2, 5, 2,
                                                  false}),
                         [](const auto &info) {
                           return std::string(dataTypeName(info.param.type));
                         });

TEST(DataType, KnownPatterns) {
  // From the published tables of the formats.
  EXPECT_EQ(stored<uint16_t>(1.0, DataType::F16), 0x3C00);
  EXPECT_EQ(stored<uint16_t>(65504.0, DataType::F16), 0x7BFF);
  EXPECT_EQ(stored<uint16_t>(65520.0, DataType::F16), 0x7C00);
  EXPECT_EQ(stored<uint16_t>(0x1p-24, DataType::F16), 0x0001);
  EXPECT_EQ(stored<uint16_t>(3.140625, DataType::BF16), 0x4049);
  EXPECT_EQ(stored<uint8_t>(448.0, DataType::F8E4M3), 0x7E);
  EXPECT_EQ(stored<uint8_t>(464.0, DataType::F8E4M3), 0x7E);
  EXPECT_EQ(stored<uint8_t>(0x1p-9, DataType::F8E4M3), 0x01);
  EXPECT_EQ(stored<uint8_t>(57344.0, DataType::F8E5M2), 0x7B);
  EXPECT_EQ(stored<uint8_t>(61440.0, DataType::F8E5M2), 0x7C);
}

TEST(DataType, NoDoubleRoundingFromF64) {
  // Just above a bf16 tie; rounding to f32 first would hit the tie exactly.
  double value = 1.0 + 0x1p-8 + 0x1p-40;
  EXPECT_EQ(stored<uint16_t>(value, DataType::BF16), 0x3F81);
  EXPECT_EQ(stored<uint16_t>(1.0 + 0x1p-8, DataType::BF16), 0x3F80);
}

TEST(DataType, IntegersAreExact) {
  int64_t i64[] = {INT64_MIN, -1, 0, int64_t(1) << 53};
  EXPECT_EQ(loadAsDouble(i64, DataType::I64, 0), -0x1p63);
  EXPECT_EQ(loadAsDouble(i64, DataType::I64, 3), 0x1p53);
  int32_t i32[] = {INT32_MIN, INT32_MAX};
  EXPECT_EQ(loadAsDouble(i32, DataType::I32, 0), -2147483648.0);
  EXPECT_EQ(loadAsDouble(i32, DataType::I32, 1), 2147483647.0);
  int16_t i16[] = {-32768};
  EXPECT_EQ(loadAsDouble(i16, DataType::I16, 0), -32768.0);
  int8_t i8[] = {-128, 127};
  EXPECT_EQ(loadAsDouble(i8, DataType::I8, 0), -128.0);
  uint8_t u8[] = {255, 2};
  EXPECT_EQ(loadAsDouble(u8, DataType::U8, 0), 255.0);
  EXPECT_EQ(loadAsDouble(u8, DataType::BOOL, 1), 1.0) << "any non-zero byte";
}

TEST(DataType, IntegersRoundOnceToF32) {
  // 2^24 + 1 is a tie between two floats, 2^24 + 3 another.
  int32_t values[] = {(1 << 24) + 1, (1 << 24) + 3};
  float out[2];
  convertToF32(values, DataType::I32, out, 2);
  EXPECT_EQ(out[0], 0x1p24f);
  EXPECT_EQ(out[1], 0x1p24f + 4);
}

TEST(DataType, IntegerStoresRoundAndSaturate) {
  EXPECT_EQ(stored<int8_t>(2.5, DataType::I8), 2);
  EXPECT_EQ(stored<int8_t>(3.5, DataType::I8), 4);
  EXPECT_EQ(stored<int8_t>(-2.5, DataType::I8), -2);
  EXPECT_EQ(stored<int8_t>(127.4, DataType::I8), 127);
  EXPECT_EQ(stored<int8_t>(1e9, DataType::I8), 127);
  EXPECT_EQ(stored<int8_t>(-kInf, DataType::I8), -128);
  EXPECT_EQ(stored<uint8_t>(-1.0, DataType::U8), 0);
  EXPECT_EQ(stored<uint8_t>(256.0, DataType::U8), 255);
  EXPECT_EQ(stored<int64_t>(0x1p63, DataType::I64), INT64_MAX);
  EXPECT_EQ(stored<int64_t>(-0x1p63, DataType::I64), INT64_MIN);
  EXPECT_EQ(stored<int64_t>(kInf, DataType::I64), INT64_MAX);
  EXPECT_EQ(stored<int32_t>(std::nan(""), DataType::I32), 0);
  EXPECT_EQ(stored<int16_t>(-40000.0, DataType::I16), -32768);
  EXPECT_EQ(stored<uint8_t>(0.25, DataType::BOOL), 1);
  EXPECT_EQ(stored<uint8_t>(0.0, DataType::BOOL), 0);
}

TEST(DataType, F32AndF64PassThroughBitExactly) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 1000; ++i) {
    uint64_t bits = random();
    double copy;
    convertToF64(&bits, DataType::F64, &copy, 1);
    EXPECT_EQ(std::bit_cast<uint64_t>(copy), bits);
    uint32_t low = uint32_t(bits);
    float narrow;
    convertToF32(&low, DataType::F32, &narrow, 1);
    EXPECT_EQ(std::bit_cast<uint32_t>(narrow), low);
  }
}

TEST(DataType, F64RoundsToF32) {
  double values[] = {1.0 + 0x1p-24, 1.0 + 0x1p-24 + 0x1p-50, 1e300, 1e-46};
  float out[4];
  convertToF32(values, DataType::F64, out, 4);
  EXPECT_EQ(out[0], 1.0f);
  EXPECT_EQ(out[1], 1.0f + 0x1p-23f);
  EXPECT_EQ(out[2], std::numeric_limits<float>::infinity());
  EXPECT_EQ(out[3], 0.0f);
}

TEST(DataType, ReadsUnalignedData) {
  for (DataType type : kAll) {
    double one = 1.0;
    std::byte buffer[3 * 8 + 1] = {};
    for (size_t i = 0; i < 3; ++i)
      convertFromF64(&one, type, buffer + 1 + i * dataTypeSize(type), 1);
    EXPECT_EQ(loadAsDouble(buffer + 1, type, 2), 1.0) << dataTypeName(type);
  }
}

TEST(DataType, EmptyConversionsTouchNothing) {
  for (DataType type : kAll) {
    convertToF32(nullptr, type, nullptr, 0);
    convertToF64(nullptr, type, nullptr, 0);
    convertFromF32(nullptr, type, nullptr, 0);
    convertFromF64(nullptr, type, nullptr, 0);
  }
}

TEST(ElementCount, Counts) {
  EXPECT_EQ(elementCount({}), 1);
  EXPECT_EQ(elementCount({2, 3}), 6);
  EXPECT_EQ(elementCount({2, 0, 3}), 0);
  EXPECT_EQ(elementCount({INT64_MAX}), INT64_MAX);
  EXPECT_EQ(elementCount({-1}), std::nullopt);
  EXPECT_EQ(elementCount({0, -1}), std::nullopt);
  EXPECT_EQ(elementCount({int64_t(1) << 32, int64_t(1) << 31}), std::nullopt);
  EXPECT_EQ(elementCount({int64_t(1) << 62, 4, 0}), std::nullopt);
}

TEST(FormatShape, Formats) {
  EXPECT_EQ(formatShape({}), "[]");
  EXPECT_EQ(formatShape({2, 3}), "[2, 3]");
  EXPECT_EQ(formatShape(std::vector<int64_t>(1000, 1)).size(), 53u);
}
