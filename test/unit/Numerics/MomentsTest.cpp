//===- MomentsTest.cpp ----------------------------------------------------===//

#include "linnet/Numerics/Moments.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <random>
#include <tuple>

using namespace linnet;

namespace {

std::vector<float> randomRows(int64_t count, int64_t width, unsigned seed) {
  std::mt19937 engine(seed);
  std::vector<float> rows(size_t(count * width));
  for (float &entry : rows)
    entry = float(double(engine()) * 0x1p-31 - 1);
  return rows;
}

Matrix meanProduct(const std::vector<float> &y, const std::vector<float> &x,
                   int64_t rows, int64_t columns, int64_t count) {
  Matrix mean(rows, columns);
  for (int64_t t = 0; t < count; ++t)
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < columns; ++c)
        mean.at(r, c) += double(y[size_t(t * rows + r)]) *
                         double(x[size_t(t * columns + c)]) / double(count);
  return mean;
}

/// More tokens than a block, and no multiple of one.
constexpr int64_t kTokens = 2500;

TEST(Moments, CrossAgreesWithSums) {
  std::vector<float> y = randomRows(kTokens, 5, 1),
                     x = randomRows(kTokens, 7, 2);
  MomentSum sum(5, 7);
  sum.add(y.data(), x.data(), 1300);
  sum.add(y.data() + 1300 * 5, x.data() + 1300 * 7, kTokens - 1300);
  EXPECT_EQ(sum.count(), kTokens);
  EXPECT_LT(norm(sum.mean() - meanProduct(y, x, 5, 7, kTokens)), 1e-6);
}

TEST(Moments, SquareAgreesWithSums) {
  std::vector<float> x = randomRows(kTokens, 6, 3);
  MomentSum sum(6, 6);
  sum.add(x.data(), x.data(), 1);
  sum.add(x.data() + 6, x.data() + 6, kTokens - 1);
  Matrix mean = sum.mean();
  EXPECT_LT(norm(mean - meanProduct(x, x, 6, 6, kTokens)), 1e-6);
  EXPECT_EQ(norm(mean - mean.transposed()), 0);
}

/// More products than are summed in f32 at a time: some rows, then others.
TEST(Moments, WideOnesAgreeWithSums) {
  constexpr int64_t kWidth = 4200, kRows = 4100, kCount = 3;
  std::vector<float> x = randomRows(kCount, kWidth, 3),
                     y = randomRows(kCount, kRows, 4);
  MomentSum square(kWidth, kWidth), cross(kRows, kWidth);
  square.add(x.data(), x.data(), kCount);
  cross.add(y.data(), x.data(), kCount);
  Matrix own = square.takeMean(), other = cross.takeMean();
  for (auto [mean, left, rows] :
       {std::tuple(&own, &x, kWidth), std::tuple(&other, &y, kRows)})
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < kWidth; c += r % 7 == 0 ? 1 : 97) {
        double expected = 0;
        for (int64_t t = 0; t < kCount; ++t)
          expected += double((*left)[size_t(t * rows + r)]) *
                      double(x[size_t(t * kWidth + c)]) / double(kCount);
        ASSERT_NEAR(mean->at(r, c), expected, 1e-6) << r << " " << c;
      }
  EXPECT_EQ(norm(own - own.transposed()), 0);
}

TEST(Moments, TakesTheMean) {
  std::vector<float> x = randomRows(10, 6, 3);
  MomentSum sum(6, 6), none(3, 2);
  sum.add(x.data(), x.data(), 10);
  Matrix mean = sum.mean();
  EXPECT_EQ(norm(sum.takeMean() - mean), 0);
  EXPECT_EQ(norm(none.takeMean()), 0);
}

TEST(Moments, MapsTokens) {
  std::vector<float> x = randomRows(9, 5, 1), w = randomRows(3, 5, 2),
                     y(9 * 3 + 1, 7.0f);
  mapTokens(w.data(), 3, 5, x.data(), 9, y.data());
  for (int64_t t = 0; t < 9; ++t)
    for (int64_t r = 0; r < 3; ++r) {
      double expected = 0;
      for (int64_t c = 0; c < 5; ++c)
        expected += double(w[size_t(r * 5 + c)]) * double(x[size_t(t * 5 + c)]);
      EXPECT_NEAR(y[size_t(t * 3 + r)], expected, 1e-6);
    }
  EXPECT_EQ(y.back(), 7.0f);
  mapTokens(w.data(), 3, 0, x.data(), 9, y.data());
  EXPECT_EQ(y[0], 0);
}

TEST(Moments, NothingIsZero) {
  MomentSum none(3, 2), empty(0, 4);
  EXPECT_EQ(norm(none.mean()), 0);
  float value = 1;
  empty.add(&value, &value, 1);
  EXPECT_EQ(empty.mean().size(), 0);
}

TEST(Moments, NaNStays) {
  std::vector<float> x = {1, std::numeric_limits<float>::quiet_NaN()};
  MomentSum sum(2, 2);
  sum.add(x.data(), x.data(), 1);
  EXPECT_FALSE(isFinite(sum.mean()));
}

} // namespace
