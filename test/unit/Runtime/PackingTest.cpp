//===- PackingTest.cpp ----------------------------------------------------===//

#include "lib/Runtime/Packing.h"
#include "linnet/Support/SeededBasis.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

using namespace linnet;

namespace {

constexpr DataType kAllTypes[] = {
    DataType::F64,    DataType::F32,    DataType::F16, DataType::BF16,
    DataType::F8E4M3, DataType::F8E5M2, DataType::I64, DataType::I32,
    DataType::I16,    DataType::I8,     DataType::U8,  DataType::BOOL};

/// Elements of `type` at an odd address, so that aligned access would fault.
std::vector<std::byte> randomElements(DataType type, int64_t count) {
  std::mt19937 random(17);
  std::vector<float> values(count);
  for (float &value : values)
    value = float(int(random() % 200) - 100);
  std::vector<std::byte> bytes(count * dataTypeSize(type) + 1);
  convertFromF32(values.data(), type, bytes.data() + 1, count);
  return bytes;
}

/// Packs in ranges of `grain` pieces and compares with the definition.
void checkPanels(DataType type, DataType packed, bool transposed, int64_t n,
                 int64_t k, int64_t width, int64_t grain) {
  SCOPED_TRACE(testing::Message()
               << dataTypeName(type) << " as " << dataTypeName(packed) << " n "
               << n << " k " << k << " width " << width << " transposed "
               << transposed << " grain " << grain);
  std::vector<std::byte> source = randomElements(type, n * k);
  int64_t panels = (n + width - 1) / width;
  int64_t size = int64_t(dataTypeSize(packed));
  // A guard behind the panels shows writes beyond them.
  std::vector<std::byte> out(panels * k * width * size + 64);
  std::memset(out.data() + panels * k * width * size, 0x5a, 64);

  PanelPacking packing;
  packing.source = source.data() + 1;
  packing.sourceType = type;
  packing.transposed = transposed;
  packing.n = n;
  packing.k = k;
  packing.width = width;
  packing.packedType = packed;
  packing.panels = out.data();
  int64_t lastRow = 0;
  for (int64_t begin = 0; begin < packing.pieces(); begin += grain) {
    int64_t end = std::min(begin + grain, packing.pieces());
    // The pieces' source rows follow one another without gap.
    EXPECT_EQ(packing.firstRow(begin), lastRow);
    lastRow = packing.lastRow(end);
    packing.pack(begin, end);
  }
  EXPECT_EQ(lastRow * packing.rowLength(), n * k);

  int64_t wrong = 0;
  for (int64_t p = 0; p < panels; ++p)
    for (int64_t i = 0; i < k; ++i)
      for (int64_t j = 0; j < width; ++j) {
        int64_t row = p * width + j;
        double expected =
            row < n ? loadAsDouble(source.data() + 1, type,
                                   transposed ? i * n + row : row * k + i)
                    : 0.0;
        wrong += loadAsDouble(out.data(), packed, (p * k + i) * width + j) !=
                 expected;
      }
  EXPECT_EQ(wrong, 0);
  for (int64_t i = 0; i < 64; ++i)
    ASSERT_EQ(out[panels * k * width * size + i], std::byte(0x5a));
}

/// Elements that stay together are packed like one of their size.
TEST(PackingTest, Together) {
  for (auto [type, together, like] :
       {std::tuple{DataType::I8, 4, DataType::I32},
        {DataType::I8, 2, DataType::I16},
        {DataType::BF16, 2, DataType::I32}})
    for (auto [n, k] :
         {std::pair<int64_t, int64_t>{1, 1}, {33, 70}, {16, 64}}) {
      SCOPED_TRACE(testing::Message() << together << " " << dataTypeName(type)
                                      << " n " << n << " k " << k);
      std::vector<std::byte> source = randomElements(like, n * k);
      PanelPacking packing;
      packing.source = source.data() + 1;
      packing.sourceType = packing.packedType = type;
      packing.n = n;
      packing.k = k;
      packing.together = together;
      packing.width = 16;
      std::vector<std::byte> parts((n + 15) / 16 * 16 * k * dataTypeSize(like)),
          whole = parts;
      packing.panels = parts.data();
      packing.pack(0, packing.pieces());
      packing.together = 1;
      packing.sourceType = packing.packedType = like;
      packing.panels = whole.data();
      packing.pack(0, packing.pieces());
      EXPECT_EQ(parts, whole);
      EXPECT_EQ(packing.sourceSize(), int64_t(dataTypeSize(like)));
    }
}

TEST(PackingTest, PanelsOfEveryTypeAndShape) {
  for (DataType type : kAllTypes)
    for (bool transposed : {false, true})
      for (auto [n, k] : {std::pair<int64_t, int64_t>{1, 1},
                          {3, 5},
                          {16, 64},
                          {33, 130},
                          {40, 67}})
        for (int64_t width : {1, 4, 6, 8, 16, 24, 32}) {
          checkPanels(type, DataType::F32, transposed, n, k, width, 2);
          if (type == DataType::BF16 || type == DataType::F16 ||
              type == DataType::I8)
            checkPanels(type, type, transposed, n, k, width, 3);
        }
}

// A width beyond the matrix, and every tail of the register tiles.
TEST(PackingTest, PanelsOfEveryTail) {
  for (int64_t n = 1; n <= 18; ++n)
    for (int64_t k = 1; k <= 18; ++k)
      for (int64_t width : {7, 12, 64}) {
        checkPanels(DataType::F32, DataType::F32, false, n, k, width, 1);
        checkPanels(DataType::BF16, DataType::BF16, false, n, k, width, 1);
        checkPanels(DataType::BF16, DataType::F32, true, n, k, width, 5);
      }
}

TEST(PackingTest, RotaryRowsAreCosinesThenSines) {
  std::vector<float> frequencies = {1.0f, 0.1f, 1e-4f};
  constexpr int64_t kRows = 5000;
  std::vector<float> table(kRows * 6, -7.0f);
  fillRotaryRows(frequencies, 1.25f, 0, 3, table.data());
  EXPECT_EQ(table[3 * 6], -7.0f) << "rows beyond the range were written";
  fillRotaryRows(frequencies, 1.25f, 3, kRows, table.data());
  for (int64_t row = 0; row < kRows; ++row)
    for (int64_t i = 0; i < 3; ++i) {
      long double angle = float(row) * frequencies[i];
      EXPECT_NEAR(table[row * 6 + i], 1.25L * std::cos(angle), 2e-7);
      EXPECT_NEAR(table[row * 6 + 3 + i], 1.25L * std::sin(angle), 2e-7);
    }
  // 4999 * 0.1f differs from the exact product by more than the tolerance:
  // the angle itself is rounded to f32.
  float rounded = 4999.0f * 0.1f;
  EXPECT_NE(double(rounded), 4999.0 * double(0.1f));
  EXPECT_EQ(table[4999 * 6 + 1], float(std::cos(double(rounded))) * 1.25f);
}

/// Panels of rows are the rows, however the work is cut.
TEST(PackingTest, BasisRowsInPanels) {
  constexpr int64_t kRows = 13, kColumns = 7, kSeed = 12345;
  for (int64_t width : {1, 4, 16}) {
    int64_t panels = (kRows + width - 1) / width;
    std::vector<float> packed(size_t(panels * kColumns * width), -7.0f);
    fillBasisRows(kSeed, 0, 5, kColumns, width, packed.data());
    fillBasisRows(kSeed, 5, kRows, kColumns, width, packed.data());
    for (int64_t row = 0; row < panels * width; ++row) {
      double expected[kColumns] = {-7, -7, -7, -7, -7, -7, -7};
      if (row < kRows)
        fillBasisRow(kSeed, row, kColumns, expected);
      for (int64_t i = 0; i < kColumns; ++i)
        EXPECT_EQ(
            packed[size_t((row / width * kColumns + i) * width + row % width)],
            float(expected[i]))
            << row << " " << i << " " << width;
    }
  }
}

} // namespace
