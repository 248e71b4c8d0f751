//===- ThresholdsTest.cpp - inputs that add little to a map ---------------===//

#include "linnet/Numerics/Thresholds.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <random>

namespace linnet {
namespace {

Matrix randomMatrix(int64_t rows, int64_t columns, unsigned seed) {
  std::mt19937 engine(seed);
  Matrix result(rows, columns);
  // As activations are: floats.
  for (int64_t i = 0; i < result.size(); ++i)
    result.data()[i] = double(float(double(engine()) / 2147483648.0 - 1));
  return result;
}

TEST(Thresholds, ColumnNorms) {
  EXPECT_EQ(columnNorms(Matrix(2, 3, {3, 0, 1, 4, 0, -1})),
            (std::vector<double>{5, 0, std::sqrt(2.0)}));
  EXPECT_EQ(columnNorms(Matrix(0, 2)), (std::vector<double>{0, 0}));
}

TEST(Thresholds, AreDividedByNorms) {
  const float largest = std::numeric_limits<float>::max();
  EXPECT_EQ(makeThresholds(2, {4, 0, 1e-300}),
            (std::vector<float>{0.5f, largest, largest}));
}

/// Four inputs of amounts 1, 2, 3 and 6, of which the first is large.
TEST(Thresholds, SmallContributionsGoFirst) {
  Matrix w(1, 4, {0.1, 2, 3, 6}), inputs(1, 4, {10, 1, -1, 1});
  auto after = [&](double share) {
    Result<double> t =
        chooseThreshold(w, inputs, {ThresholdGoal::Share, share});
    EXPECT_TRUE(bool(t));
    return measureThresholds(w, inputs, makeThresholds(*t, columnNorms(w)));
  };
  // y = 1 + 2 - 3 + 6.
  ThresholdEffect one = after(0.25), three = after(0.75), none = after(0);
  EXPECT_EQ(one.zeros, 0.25);
  EXPECT_NEAR(one.error, 1.0 / 6, 1e-12);
  EXPECT_EQ(three.zeros, 0.75);
  EXPECT_NEAR(three.error, 0, 1e-12);
  EXPECT_EQ(none.zeros, 0);
  EXPECT_EQ(none.error, 0);
  EXPECT_EQ(none.zerosBefore, 0);
}

/// No entry is so near to a threshold that a rounding would move it across.
TEST(Thresholds, LieBetweenEntries) {
  Matrix w(1, 3, {1, 1, 1}), inputs(1, 3, {1, -4, 2});
  for (auto [share, t] : {std::pair(0.3, 1.5), {0.6, 3.0}, {0.9, 4.0}}) {
    Result<double> chosen =
        chooseThreshold(w, inputs, {ThresholdGoal::Share, share});
    ASSERT_TRUE(bool(chosen));
    EXPECT_EQ(*chosen, t);
  }
}

/// Entries that are equal but for roundings are all kept or all left out.
TEST(Thresholds, DoNotPartEqualEntries) {
  Matrix w(1, 1, {1}), inputs(1024, 1);
  for (int64_t r = 0; r < 1024; ++r)
    inputs.at(r, 0) = (1 + double(r / 4)) * (1 + 1e-7 * double(r % 4));
  for (double share : {0.3, 0.3005, 0.301, 0.5, 1.0}) {
    Result<double> t =
        chooseThreshold(w, inputs, {ThresholdGoal::Share, share});
    ASSERT_TRUE(bool(t));
    ThresholdEffect effect =
        measureThresholds(w, inputs, makeThresholds(*t, {1}));
    EXPECT_EQ(std::fmod(effect.zeros * 1024, 4), 0) << share;
    EXPECT_GE(effect.zeros, share);
    EXPECT_LE(effect.zeros, share + 4.0 / 1024);
  }
}

/// What is left out is what the shares say, and the error what a product with
/// what is left says.
TEST(Thresholds, EffectIsThatOfTheProduct) {
  Matrix w = randomMatrix(5, 17, 1), inputs = randomMatrix(31, 17, 2);
  for (double share : {0.1, 0.5, 0.9, 1.0}) {
    Result<double> t =
        chooseThreshold(w, inputs, {ThresholdGoal::Share, share});
    ASSERT_TRUE(bool(t));
    std::vector<float> thresholds = makeThresholds(*t, columnNorms(w));
    Matrix left = inputs;
    int64_t zeros = 0;
    for (int64_t r = 0; r < left.rows(); ++r)
      for (int64_t c = 0; c < left.columns(); ++c)
        if (std::abs(left.at(r, c)) <= double(thresholds[size_t(c)])) {
          left.at(r, c) = 0;
          ++zeros;
        }
    ThresholdEffect effect = measureThresholds(w, inputs, thresholds);
    EXPECT_EQ(effect.zeros, double(zeros) / double(left.size()));
    EXPECT_GE(double(zeros), share * double(left.size()));
    EXPECT_LE(double(zeros), share * double(left.size()) + 1 + 527 / 256);
    Matrix y = multiply(inputs, w, Side::AsIs, Side::Transposed),
           z = multiply(left, w, Side::AsIs, Side::Transposed);
    EXPECT_NEAR(effect.error, norm(y - z) / norm(y), 1e-12);
  }
}

TEST(Thresholds, ErrorIsKeptAndUsed) {
  Matrix w = randomMatrix(20, 64, 3), inputs = randomMatrix(100, 64, 4);
  for (double bound : {0.01, 0.1, 0.5}) {
    Result<double> t =
        chooseThreshold(w, inputs, {ThresholdGoal::Error, bound});
    ASSERT_TRUE(bool(t));
    std::vector<double> norms = columnNorms(w);
    ThresholdEffect effect =
        measureThresholds(w, inputs, makeThresholds(*t, norms));
    EXPECT_LE(effect.error, bound);
    // A 64th more is too much.
    Result<double> more = chooseThreshold(
        w, inputs, {ThresholdGoal::Share, effect.zeros + 1.0 / 64});
    EXPECT_GT(measureThresholds(w, inputs, makeThresholds(*more, norms)).error,
              bound);
  }
}

/// Zeros count, and where they are enough nothing is left out.
TEST(Thresholds, ZerosReachTheGoal) {
  Matrix w = randomMatrix(3, 8, 5), inputs = randomMatrix(10, 8, 6);
  for (int64_t r = 0; r < inputs.rows(); ++r)
    for (int64_t c = 0; c < 6; ++c)
      inputs.at(r, c) = 0;
  Result<double> t = chooseThreshold(w, inputs, {ThresholdGoal::Share, 0.75});
  ASSERT_TRUE(bool(t));
  EXPECT_EQ(*t, 0);
  Result<double> more = chooseThreshold(w, inputs, {ThresholdGoal::Share, 0.8});
  ASSERT_TRUE(bool(more));
  ThresholdEffect effect =
      measureThresholds(w, inputs, makeThresholds(*more, columnNorms(w)));
  EXPECT_EQ(effect.zerosBefore, 0.75);
  EXPECT_EQ(effect.zeros, 0.8);
}

TEST(Thresholds, MapsThatAreZero) {
  Matrix w(3, 4), inputs = randomMatrix(5, 4, 7);
  Result<double> t = chooseThreshold(w, inputs, {ThresholdGoal::Error, 0});
  ASSERT_TRUE(bool(t));
  ThresholdEffect effect =
      measureThresholds(w, inputs, makeThresholds(*t, columnNorms(w)));
  EXPECT_EQ(effect.error, 0);
}

TEST(Thresholds, Errors) {
  Matrix w = randomMatrix(3, 4, 8);
  EXPECT_FALSE(bool(chooseThreshold(w, Matrix(0, 4), {})));
  for (double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    Matrix inputs = randomMatrix(2, 4, 9);
    inputs.at(1, 2) = bad;
    EXPECT_FALSE(bool(chooseThreshold(w, inputs, {})));
  }
}

} // namespace
} // namespace linnet
