//===- LayerStatisticsTest.cpp - what a layer does to its input -----------===//

#include "lib/Compress/LayerStatistics.h"

#include <cmath>
#include <gtest/gtest.h>
#include <random>

namespace linnet::compress {
namespace {

constexpr int64_t kWidth = 7, kTokens = 4096;

Activations normal(uint64_t seed, int64_t count = kTokens * kWidth) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> draw;
  Activations values(static_cast<size_t>(count));
  for (float &value : values)
    value = draw(random);
  return values;
}

LayerAnalysis analyse(const Activations &before, const Activations &behind) {
  LayerStatistics statistics(kWidth);
  // In parts, with some tokens left out.
  statistics.add(before.data(), behind.data(), {{0, 1000}, {1100, 2000}});
  statistics.add(before.data(), behind.data(), {{2000, kTokens}});
  Result<LayerAnalysis> found = statistics.finish();
  EXPECT_TRUE(bool(found)) << found.error().str();
  return *found;
}

/// y = x + A x + b, and noise of a known share.
TEST(LayerStatistics, LinearityOfAnAffineMap) {
  Activations x = normal(1), a = normal(2, kWidth * kWidth), noise = normal(3);
  for (float share : {0.0f, 0.5f, 2.0f}) {
    Activations y = x;
    double explained = 0;
    for (int64_t i = 0; i < kWidth * kWidth; ++i)
      explained += double(a[size_t(i)]) * double(a[size_t(i)]);
    for (int64_t t = 0; t < kTokens; ++t)
      for (int64_t r = 0; r < kWidth; ++r) {
        float &value = y[size_t(t * kWidth + r)];
        value += 3 + share * noise[size_t(t * kWidth + r)];
        for (int64_t c = 0; c < kWidth; ++c)
          value += a[size_t(r * kWidth + c)] * x[size_t(t * kWidth + c)];
      }
    double unexplained = double(share) * double(share) * kWidth;
    EXPECT_NEAR(analyse(x, y).linearity, explained / (explained + unexplained),
                share == 0 ? 1e-5 : 0.03);
  }
}

/// What is even in x has no linear part; what does not depend on it has none.
TEST(LayerStatistics, LinearityOfOthers) {
  Activations x = normal(1), even = x, other = x, noise = normal(4);
  for (size_t i = 0; i < x.size(); ++i) {
    even[i] += x[i] * x[i];
    other[i] += noise[i];
  }
  EXPECT_NEAR(analyse(x, even).linearity, 0, 0.02);
  EXPECT_NEAR(analyse(x, other).linearity, 0, 0.02);
  EXPECT_LE(analyse(x, other).linearity, 0);
}

/// 0 for multiples, 1 on average for what has nothing to do with it, 2 for the
/// opposite.
TEST(LayerStatistics, Influence) {
  Activations x = normal(1), twice = x, opposite = x;
  for (size_t i = 0; i < x.size(); ++i) {
    twice[i] = 2 * x[i];
    opposite[i] = -x[i];
  }
  EXPECT_NEAR(analyse(x, twice).influence, 0, 1e-12);
  EXPECT_NEAR(analyse(x, opposite).influence, 2, 1e-12);
  EXPECT_NEAR(analyse(x, normal(5)).influence, 1, 0.02);
}

/// Inputs that depend on each other, large ones too.
TEST(LayerStatistics, DependentInputs) {
  Activations x = normal(1), y = x;
  for (int64_t t = 0; t < kTokens; ++t) {
    float *row = x.data() + t * kWidth;
    row[0] = 1e4f * row[1];
    row[2] = row[3] - row[1];
    for (int64_t c = 0; c < kWidth; ++c)
      y[size_t(t * kWidth + c)] = row[c] + row[1];
  }
  EXPECT_NEAR(analyse(x, y).linearity, 1, 1e-2);
}

/// No tokens, and zeros.
TEST(LayerStatistics, NothingToSay) {
  LayerStatistics statistics(kWidth);
  Result<LayerAnalysis> none = statistics.finish();
  ASSERT_TRUE(bool(none));
  EXPECT_EQ(none->influence, 0);
  EXPECT_EQ(none->linearity, 0);
  Activations zeros(kTokens * kWidth);
  LayerAnalysis of = analyse(zeros, zeros);
  EXPECT_EQ(of.influence, 0);
  EXPECT_EQ(of.linearity, 0);
}

} // namespace
} // namespace linnet::compress
