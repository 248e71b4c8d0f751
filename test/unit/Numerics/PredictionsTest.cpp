//===- PredictionsTest.cpp - how well logits say what comes next ----------===//

#include "linnet/Numerics/Predictions.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace {

using namespace linnet;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

TEST(Predictions, LogSumExpOfEqualLogits) {
  std::vector<double> row(7, 1000.0);
  EXPECT_NEAR(logSumExp(row.data(), 7), 1000 + std::log(7), 1e-12);
  std::vector<float> narrow(7, -1000.0f);
  EXPECT_NEAR(logSumExp(narrow.data(), 7), -1000 + std::log(7), 1e-6);
  EXPECT_NEAR(natsOf(row.data(), 7, 3), std::log(7), 1e-12);
}

TEST(Predictions, DivergenceOfTwoCoins) {
  // Logits of probabilities (3/4, 1/4) and (1/2, 1/2), shifted alike.
  std::vector<double> p = {std::log(3) + 5, 5}, q = {2, 2};
  PredictionComparison comparison;
  comparison.add(p.data(), q.data(), 2, 1);
  comparison.add(p.data(), q.data(), 2, 0);
  EXPECT_EQ(comparison.tokens(), 2);
  EXPECT_NEAR(comparison.natsBefore(), (std::log(4) + std::log(4.0 / 3)) / 2,
              1e-12);
  EXPECT_NEAR(comparison.natsAfter(), std::log(2), 1e-12);
  EXPECT_NEAR(comparison.divergence(),
              0.75 * std::log(1.5) + 0.25 * std::log(0.5), 1e-12);
  EXPECT_EQ(comparison.agreement(), 1);
  EXPECT_NEAR(comparison.worstToken(), std::log(2), 1e-12);
}

TEST(Predictions, EqualLogitsDivergeByNothing) {
  std::vector<float> p = {0.5f, -2, 3, 0.25f};
  PredictionComparison comparison;
  comparison.add(p.data(), p.data(), 4, 2);
  EXPECT_EQ(comparison.divergence(), 0);
  EXPECT_EQ(comparison.natsBefore(), comparison.natsAfter());
}

TEST(Predictions, AgreementIsOnTheLikeliest) {
  std::vector<double> p = {0, 1, 2}, q = {0, 3, 2};
  PredictionComparison comparison;
  comparison.add(p.data(), q.data(), 3, 0);
  comparison.add(p.data(), p.data(), 3, 0);
  EXPECT_EQ(comparison.agreement(), 0.5);
}

TEST(Predictions, NaNNeverPasses) {
  std::vector<double> p = {0, 1}, q = {kNaN, kNaN};
  PredictionComparison comparison;
  comparison.add(p.data(), q.data(), 2, 0);
  comparison.add(p.data(), p.data(), 2, 0);
  EXPECT_TRUE(std::isnan(comparison.natsAfter()));
  EXPECT_TRUE(std::isnan(comparison.divergence()));
  EXPECT_TRUE(std::isnan(comparison.worstToken()));
  EXPECT_EQ(comparison.agreement(), 0.5);
}

TEST(Predictions, OfNothing) {
  PredictionComparison comparison;
  EXPECT_EQ(comparison.tokens(), 0);
  EXPECT_EQ(comparison.natsAfter(), 0);
}

} // namespace
