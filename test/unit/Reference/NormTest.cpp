//===- NormTest.cpp - norms, activations, rotary --------------------------===//

#include "RunModule.h"

#include <cmath>
#include <complex>
#include <gtest/gtest.h>
#include <limits>

using namespace linnet;
using namespace linnet::test;

namespace {

double silu(double x) { return x / (1 + std::exp(-x)); }

TEST(NormTest, RmsOfAKnownRow) {
  HostTensor x({1, 1, 2}, {3, 4}), w({2}, {2, 10});
  auto y = runOp("linnet.norm rms %0 weight(%1) {eps = 0.5 : f64}", {x, w},
                 {{1, 1, 2}});
  double root = std::sqrt(12.5 + 0.5);
  EXPECT_LE(difference(y[0], HostTensor({1, 1, 2}, {6 / root, 40 / root})),
            1e-15);
}

TEST(NormTest, UnitOffsetAddsOneToTheWeight) {
  Random random(1);
  HostTensor x = random.tensor({2, 3, 5}), w = random.tensor({5}), shifted = w;
  for (double &value : shifted.values)
    value += 1;
  auto a =
      runOp("linnet.norm rms %0 weight(%1) {eps = 1.0e-3 : f64, unit_offset}",
            {x, w}, {x.shape});
  auto b = runOp("linnet.norm rms %0 weight(%1) {eps = 1.0e-3 : f64}",
                 {x, shifted}, {x.shape});
  EXPECT_LE(difference(a[0], b[0]), 1e-15);
}

TEST(NormTest, LayerSubtractsTheMeanAndAddsTheBias) {
  HostTensor x({1, 1, 4}, {1, 2, 3, 6}), w({4}, {1, 2, 3, 4}),
      b({4}, {5, 6, 7, 8});
  auto y = runOp("linnet.norm layer %0 weight(%1) bias(%2) {eps = 0.25 : f64}",
                 {x, w, b}, {x.shape});
  // Mean 3, variance (4 + 1 + 0 + 9) / 4.
  double root = std::sqrt(3.5 + 0.25);
  EXPECT_LE(difference(y[0], HostTensor(x.shape, {5 - 2 / root, 6 - 2 / root, 7,
                                                  8 + 12 / root})),
            1e-15);
}

TEST(NormTest, L2SumsInsteadOfAveraging) {
  HostTensor x({2}, {3, 4});
  auto y = runOp("linnet.norm l2 %0 {eps = 11.0 : f64}", {x}, {{2}});
  EXPECT_LE(difference(y[0], HostTensor({2}, {0.5, 4 / 6.0})), 1e-15);
}

TEST(NormTest, ThresholdsAreOfColumnsAndInclusive) {
  double infinity = std::numeric_limits<double>::infinity();
  HostTensor x({2, 4}, {0.5, -0.5, 2, -3, 0.25, -0.75, -infinity, 0}),
      t({4}, {0.25, 0.5, 2, 0});
  auto y = runOp("linnet.threshold %0, %1", {x, t}, {x.shape});
  const std::vector<double> expected = {0.5, 0, 0, -3, 0, -0.75, -infinity, 0};
  EXPECT_EQ(y[0].values, expected);
}

TEST(NormTest, ThresholdsLeaveNaN) {
  double nan = std::nan("");
  HostTensor x({3}, {nan, 1, 0.5}), t({3}, {10, nan, 0.5});
  auto y = runOp("linnet.threshold %0, %1", {x, t}, {x.shape});
  EXPECT_TRUE(std::isnan(y[0].values[0]));
  EXPECT_EQ(y[0].values[1], 1);
  EXPECT_EQ(y[0].values[2], 0);
}

TEST(NormTest, GroupsAreNormalisedApart) {
  Random random(2);
  HostTensor x = random.tensor({2, 3, 6});
  auto whole =
      runOp("linnet.norm layer %0 {eps = 1.0e-3 : f64, groups = 2 : i64}", {x},
            {x.shape});
  HostTensor parts(Shape{2, 3, 2, 3}, x.values);
  auto split = runOp("linnet.norm layer %0 {eps = 1.0e-3 : f64}", {parts},
                     {parts.shape});
  EXPECT_EQ(whole[0].values, split[0].values);
}

TEST(NormTest, GateBeforeEntersTheStatisticsGateAfterDoesNot) {
  Random random(3);
  HostTensor x = random.tensor({2, 3, 5}), w = random.tensor({5});
  HostTensor g = random.tensor({2, 3, 5}, -3, 3), gated = x;
  for (int64_t i = 0; i < x.size(); ++i)
    gated.values[i] *= silu(g.values[i]);
  std::string plain = "linnet.norm rms %0 weight(%1) {eps = 1.0e-3 : f64}";
  auto before =
      runOp("linnet.norm rms %0 weight(%1) gate(%2) {eps = 1.0e-3 : f64, "
            "gate_order = #linnet.gate_order<before>}",
            {x, w, g}, {x.shape});
  EXPECT_LE(difference(before[0], runOp(plain, {gated, w}, {x.shape})[0]),
            1e-15);
  auto after =
      runOp("linnet.norm rms %0 weight(%1) gate(%2) {eps = 1.0e-3 : f64, "
            "gate_activation = #linnet.activation<sigmoid>}",
            {x, w, g}, {x.shape});
  HostTensor expected = runOp(plain, {x, w}, {x.shape})[0];
  for (int64_t i = 0; i < x.size(); ++i)
    expected.values[i] /= 1 + std::exp(-g.values[i]);
  EXPECT_LE(difference(after[0], expected), 1e-15);
}

TEST(NormTest, ZeroRowGivesZeros) {
  for (std::string kind : {"rms", "layer", "l2"}) {
    auto y = runOp("linnet.norm " + kind + " %0 {eps = 1.0e-5 : f64}",
                   {HostTensor::filled({2, 5})}, {{2, 5}});
    EXPECT_EQ(y[0].values, std::vector<double>(10, 0.0)) << kind;
  }
}

TEST(ActivationTest, ClosedForms) {
  HostTensor x({7}, {-700, -3, -0.5, 0, 0.5, 3, 700});
  auto check = [&](std::string kind, auto function) {
    HostTensor expected = x;
    for (double &value : expected.values)
      value = function(value);
    auto module = "func.func @f(%x: tensor<7xf32>) -> tensor<7xf32> {\n"
                  "  %y = linnet.activation " +
                  kind +
                  " %x : tensor<7xf32>\n"
                  "  return %y : tensor<7xf32>\n}";
    auto y = runModule(module, {x});
    ASSERT_EQ(y.size(), 1u);
    for (int i = 0; i < 7; ++i)
      EXPECT_NEAR(y[0].values[i], expected.values[i],
                  1e-15 * std::max(1.0, std::abs(expected.values[i])))
          << kind << " of " << x.values[i];
  };
  check("identity", [](double v) { return v; });
  check("silu", [](double v) { return v * 0.5 * (1 + std::tanh(v / 2)); });
  check("gelu",
        [](double v) { return v * 0.5 * std::erfc(-v / std::sqrt(2.0)); });
  check("gelu_tanh", [](double v) {
    // (1 + tanh u) / 2 is the logistic function of 2u.
    double u = std::sqrt(2 / M_PI) * (v + 0.044715 * std::pow(v, 3));
    return v / (1 + std::exp(-2 * u));
  });
  check("relu", [](double v) { return std::max(v, 0.0); });
  check("relu2", [](double v) { return std::max(v, 0.0) * std::max(v, 0.0); });
  check("sigmoid", [](double v) { return 0.5 * (1 + std::tanh(v / 2)); });
  check("tanh", [](double v) { return 1 - 2 / (std::exp(2 * v) + 1); });
  check("softplus",
        [](double v) { return v > 600 ? v : std::log(1 + std::exp(v)); });
}

TEST(ActivationTest, NaNStaysNaN) {
  for (std::string kind : {"silu", "gelu", "gelu_tanh", "relu", "relu2",
                           "sigmoid", "tanh", "softplus"}) {
    auto y = runModule("func.func @f(%x: tensor<1xf32>) -> tensor<1xf32> {\n"
                       "  %y = linnet.activation " +
                           kind +
                           " %x : tensor<1xf32>\n"
                           "  return %y : tensor<1xf32>\n}",
                       {HostTensor({1}, {std::nan("")})});
    ASSERT_EQ(y.size(), 1u);
    EXPECT_TRUE(std::isnan(y[0].values[0])) << kind;
  }
}

TEST(GluTest, ActivatesTheGateOnly) {
  Random random(4);
  HostTensor gate = random.tensor({2, 3}, -4, 4), up = random.tensor({2, 3});
  auto y = runModule("func.func @f(%g: tensor<2x3xf32>, %u: tensor<2x3xf32>) "
                     "-> tensor<2x3xf32> {\n"
                     "  %y = linnet.glu silu %g, %u : tensor<2x3xf32>\n"
                     "  return %y : tensor<2x3xf32>\n}",
                     {gate, up});
  ASSERT_EQ(y.size(), 1u);
  HostTensor expected = up;
  for (int i = 0; i < 6; ++i)
    expected.values[i] *= silu(gate.values[i]);
  EXPECT_LE(difference(y[0], expected), 1e-15);
}

/// Rotation as multiplication with e^(i angle).
HostTensor rotate(HostTensor x, int64_t position,
                  const std::vector<float> &frequencies, double scaling,
                  bool interleaved) {
  int64_t tokens = x.shape[1], heads = x.shape[2], width = x.shape[3];
  int64_t pairs = frequencies.size();
  for (int64_t i = 0; i < x.shape[0] * tokens * heads; ++i)
    for (int64_t m = 0; m < pairs; ++m) {
      double *row = x.values.data() + i * width;
      double &a = row[interleaved ? 2 * m : m];
      double &b = row[interleaved ? 2 * m + 1 : m + pairs];
      float angle = float(position + i / heads % tokens) * frequencies[m];
      auto turned = std::complex(a, b) * std::polar(scaling, double(angle));
      a = turned.real();
      b = turned.imag();
    }
  return x;
}

TEST(RotaryTest, IsComplexMultiplication) {
  Random random(5);
  HostTensor x = random.tensor({2, 5, 3, 7});
  std::vector<float> frequencies{1.0f, 0.1f, 0.003f};
  for (int64_t position : {0, 11, 100003})
    for (bool interleaved : {false, true}) {
      auto y = runOp(
          std::string("linnet.rotary %0, %1 {inverse_frequencies = "
                      "array<f32: 1.0, 0.1, 0.003>, scaling = 1.5 : f32") +
              (interleaved ? ", interleaved}" : "}"),
          {x, Operand::index(position)}, {x.shape});
      EXPECT_LE(
          difference(y[0], rotate(x, position, frequencies, 1.5, interleaved)),
          1e-14);
      // The entries behind the pairs pass.
      EXPECT_EQ(slice(y[0], 3, 6, 7).values, slice(x, 3, 6, 7).values);
    }
}

TEST(RotaryTest, AnglesAreProductsInSinglePrecision) {
  // 0.1f * 100003 differs from the f64 product by far more than the tolerance.
  HostTensor x({1, 1, 1, 2}, {1, 0});
  auto y = runOp("linnet.rotary %0, %1 {inverse_frequencies = array<f32: 0.1>}",
                 {x, Operand::index(100003)}, {x.shape});
  double single = double(100003.0f * 0.1f), exact = 100003.0 * double(0.1f);
  EXPECT_NEAR(y[0].values[0], std::cos(single), 1e-15);
  EXPECT_GT(std::abs(std::cos(exact) - std::cos(single)), 1e-6);
}

TEST(RotaryTest, PartsContinueAtTheirPosition) {
  Random random(6);
  HostTensor x = random.tensor({2, 9, 3, 4});
  std::string op =
      "linnet.rotary %0, %1 {inverse_frequencies = array<f32: 1.0, 0.02>}";
  HostTensor whole = runOp(op, {x, Operand::index(3)}, {x.shape})[0];
  for (int64_t at : {0, 1, 4, 9}) {
    HostTensor a = slice(x, 1, 0, at), b = slice(x, 1, at, 9);
    HostTensor first = runOp(op, {a, Operand::index(3)}, {a.shape})[0];
    HostTensor second = runOp(op, {b, Operand::index(3 + at)}, {b.shape})[0];
    EXPECT_EQ(join(first, second, 1).values, whole.values) << at;
  }
}

} // namespace
