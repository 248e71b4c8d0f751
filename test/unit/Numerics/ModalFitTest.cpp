//===- ModalFitTest.cpp - filters as sums of modes ------------------------===//

#include "linnet/Numerics/ModalFit.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <numbers>
#include <random>

using namespace linnet;

namespace {

using Complex = std::complex<double>;

std::vector<double> sumOfModes(const std::vector<Complex> &poles,
                               const std::vector<Complex> &weights,
                               int64_t length) {
  std::vector<double> taps(length);
  for (int64_t l = 0; l < length; ++l)
    for (size_t n = 0; n < poles.size(); ++n)
      taps[l] += (weights[n] * std::pow(poles[n], double(l))).real();
  return taps;
}

double relativeError(const std::vector<double> &taps, const ModalFilter &fit) {
  double error = 0, energy = 0;
  for (size_t l = 0; l < taps.size(); ++l) {
    error += std::pow(taps[l] - fit.at(int64_t(l)), 2);
    energy += taps[l] * taps[l];
  }
  return std::sqrt(error / energy);
}

/// Sorted by angle.
std::vector<Complex> sorted(std::vector<Complex> poles) {
  std::sort(poles.begin(), poles.end(),
            [](Complex x, Complex y) { return std::arg(x) < std::arg(y); });
  return poles;
}

/// A filter that is a sum of modes gives its poles back: a real one, a negative
/// one, pairs.
TEST(ModalFitTest, FindsThePolesOfARecurrence) {
  std::vector<Complex> poles = {
      {0.98, 0}, {-0.7, 0}, std::polar(0.95, 0.4), std::polar(0.99, 2.0)};
  std::vector<double> taps =
      sumOfModes(poles, {{1, 0}, {0.5, 0}, {1, -2}, {-0.3, 0.2}}, 300);
  taps[0] += 3;
  auto fit = fitModes(taps.data(), int64_t(taps.size()), 6);
  ASSERT_TRUE(bool(fit)) << fit.error().str();
  EXPECT_LE(fit->error, 1e-10);
  EXPECT_LE(relativeError(taps, *fit), 1e-10);
  EXPECT_NEAR(fit->direct, 3, 1e-8);
  ASSERT_EQ(fit->poles.size(), poles.size());
  std::vector<Complex> found = sorted(fit->poles), known = sorted(poles);
  for (size_t n = 0; n < poles.size(); ++n)
    EXPECT_LE(std::abs(found[n] - known[n]), 1e-7) << n;
}

/// Half the states leave an error, and it is the one stated.
TEST(ModalFitTest, StatesItsError) {
  std::vector<Complex> poles, weights;
  for (int n = 0; n < 12; ++n) {
    poles.push_back(std::polar(0.9 + 0.005 * n, 0.2 * n + 0.1));
    weights.push_back(std::polar(1.0, 0.7 * n));
  }
  std::vector<double> taps = sumOfModes(poles, weights, 500);
  double last = 1;
  for (int64_t order : {4, 12, 24}) {
    auto fit = fitModes(taps.data(), int64_t(taps.size()), order);
    ASSERT_TRUE(bool(fit)) << fit.error().str();
    EXPECT_NEAR(fit->error, relativeError(taps, *fit), 1e-12);
    EXPECT_LT(fit->error, last) << order;
    last = fit->error;
    for (Complex pole : fit->poles)
      EXPECT_LE(std::abs(pole), 1);
  }
  EXPECT_LE(last, 1e-7);
}

/// S4D-Lin with poles so near each other that a window of a few times as many
/// taps would not tell them apart.
TEST(ModalFitTest, DistilsAStateSpaceModel) {
  std::vector<Complex> poles, weights;
  std::mt19937 engine(3);
  for (int n = 0; n < 32; ++n) {
    poles.push_back(std::exp(0.005 * Complex(-0.5, std::numbers::pi * n)));
    weights.push_back({double(engine() % 1000) / 1000 - 0.5, 0.2});
  }
  std::vector<double> taps = sumOfModes(poles, weights, 1024);
  auto fit = fitModes(taps.data(), int64_t(taps.size()), 64);
  ASSERT_TRUE(bool(fit)) << fit.error().str();
  EXPECT_LE(fit->error, 1e-10);
  EXPECT_LE(fit->poles.size(), 33u);
}

/// A delay of 40 tokens is no recurrence of few states; the error says so.
TEST(ModalFitTest, ADelayIsNotDistilled) {
  std::vector<double> taps(200);
  taps[40] = 1;
  auto fit = fitModes(taps.data(), 200, 8);
  ASSERT_TRUE(bool(fit)) << fit.error().str();
  EXPECT_GT(fit->error, 0.5);
}

TEST(ModalFitTest, SmallFilters) {
  for (int64_t length : {0, 1, 2, 3, 4, 5}) {
    std::vector<double> taps;
    for (int64_t l = 0; l < length; ++l)
      taps.push_back(std::pow(0.5, double(l)));
    auto fit = fitModes(taps.data(), length, 4);
    ASSERT_TRUE(bool(fit)) << fit.error().str();
    // Two taps behind the first are too few to see a pole in.
    EXPECT_EQ(fit->error <= 1e-9, length < 2 || length > 3) << length;
  }
  std::vector<double> zeros(100);
  auto fit = fitModes(zeros.data(), 100, 4);
  ASSERT_TRUE(bool(fit)) << fit.error().str();
  EXPECT_TRUE(fit->poles.empty());
  EXPECT_EQ(fit->error, 0);
}

TEST(ModalFitTest, RefusesWhatItCannotFit) {
  std::vector<double> taps(10, 1.0);
  auto order = fitModes(taps.data(), 10, 0);
  ASSERT_FALSE(bool(order));
  EXPECT_EQ(order.error().str(), "expected an order of at least 1, but got 0");
  taps[7] = NAN;
  auto finite = fitModes(taps.data(), 10, 2);
  ASSERT_FALSE(bool(finite));
  EXPECT_EQ(finite.error().str(),
            "expected a finite filter, but got nan at tap 7");
}

/// Rounding of an f32 filter is no mode.
TEST(ModalFitTest, RoundingIsNotFitted) {
  std::vector<double> taps =
      sumOfModes({{0.9, 0}, {0.5, 0}}, {{1, 0}, {1, 0}}, 100);
  for (double &tap : taps)
    tap = double(float(tap));
  auto fit = fitModes(taps.data(), 100, 16);
  ASSERT_TRUE(bool(fit)) << fit.error().str();
  EXPECT_EQ(fit->poles.size(), 2u);
  EXPECT_LE(fit->error, 1e-7);
}

} // namespace
