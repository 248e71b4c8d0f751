//===- MomentsTest.cpp ----------------------------------------------------===//

#include "linnet/Numerics/Moments.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <random>

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
