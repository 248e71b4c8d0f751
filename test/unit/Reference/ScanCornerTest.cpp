//===- ScanCornerTest.cpp - recurrences at the edge of their domain -------===//
//
// What linnet.scan's corner cases say, by answers known beforehand.
//
//===----------------------------------------------------------------------===//

#include "RunModule.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

using namespace linnet;
using namespace linnet::test;

namespace {
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr int64_t kBatch = 2, kTokens = 5, kHeads = 2, kKeys = 2, kColumns = 3;

/// Ones everywhere, two rows of the batch and two heads.
struct Ones {
  Ones()
      : q(HostTensor::filled({kBatch, kTokens, kHeads, kKeys}, 1)), k(q),
        v(HostTensor::filled({kBatch, kTokens, kHeads, kColumns}, 1)),
        initial(HostTensor::filled({kBatch, kHeads, kKeys, kColumns}, 1)) {}

  std::vector<HostTensor> run(const std::string &transition,
                              std::vector<Operand> parameters = {},
                              const HostTensor *resets = nullptr) const {
    std::vector<Operand> operands{q, k, v};
    std::string list;
    for (const Operand &parameter : parameters) {
      list += (list.empty() ? "%" : ", %") + std::to_string(operands.size());
      operands.push_back(parameter);
    }
    std::string text = "linnet.scan #linnet." + transition +
                       (list.empty() ? "" : "(" + list + ")") +
                       " %0, %1, %2 initial(%" +
                       std::to_string(operands.size()) + ")";
    operands.push_back(initial);
    if (resets) {
      text += " resets(%" + std::to_string(operands.size()) + ")";
      operands.push_back({*resets, "i32"});
    }
    return runOp(text, operands, {v.shape, initial.shape});
  }

  HostTensor q, k, v, initial;
};

HostTensor perHead(double value) {
  return HostTensor::filled({kBatch, kTokens, kHeads}, value);
}
/// Entry `column` of the row of one token and head.
double &entry(HostTensor &tensor, int64_t b, int64_t t, int64_t h,
              int64_t column = 0) {
  int64_t width = tensor.shape.size() > 3 ? tensor.shape[3] : 1;
  return tensor
      .values[size_t(((b * kTokens + t) * kHeads + h) * width + column)];
}

/// exp(g) > 1 multiplies like any other.
TEST(ScanCornerTest, PositiveLogDecaysGrow) {
  Ones in;
  std::fill(in.v.values.begin(), in.v.values.end(), 0);
  std::vector<HostTensor> got = in.run("scalar", {perHead(std::log(2.0))});
  ASSERT_EQ(got.size(), 2u);
  for (double value : got[1].values)
    EXPECT_NEAR(value, 32, 1e-12);
}

/// (1 - beta k k^T) with |k|^2 = 2: factors 1 - 2 beta along k.
TEST(ScanCornerTest, RatesOutsideTheirRangeAreUnstable) {
  Ones in;
  std::fill(in.v.values.begin(), in.v.values.end(), 0);
  for (double beta : {-1.0, 3.0}) {
    std::vector<HostTensor> got = in.run("delta<none>", {perHead(beta)});
    ASSERT_EQ(got.size(), 2u);
    for (double value : got[1].values)
      EXPECT_EQ(value, std::pow(1 - 2 * beta, kTokens));
  }
}

/// Whether what head (1, 0) gives is NaN from token `first` on, and nothing
/// else is.
void expectNaNFrom(std::vector<HostTensor> got, int64_t first,
                   const std::string &what) {
  ASSERT_EQ(got.size(), 2u);
  for (int64_t b = 0; b < kBatch; ++b)
    for (int64_t h = 0; h < kHeads; ++h) {
      bool spoilt = b == 1 && h == 0;
      for (int64_t t = 0; t < kTokens; ++t)
        EXPECT_EQ(std::isnan(entry(got[0], b, t, h)), spoilt && t >= first)
            << what << " at " << b << ", " << t << ", " << h;
      int64_t state = (b * kHeads + h) * kKeys * kColumns;
      EXPECT_EQ(std::isnan(got[1].values[size_t(state)]), spoilt)
          << what << " in the state of " << b << ", " << h;
    }
}

TEST(ScanCornerTest, NaNStaysInItsHead) {
  Ones clean;
  HostTensor beta = perHead(0.5), g = perHead(-0.5);
  auto run = [&](const Ones &in) { return in.run("delta<scalar>", {beta, g}); };
  Ones key = clean, value = clean, query = clean;
  entry(key.k, 1, 2, 0) = kNaN;
  expectNaNFrom(run(key), 2, "the key");
  entry(value.v, 1, 2, 0) = kNaN;
  expectNaNFrom(run(value), 2, "the value");
  entry(beta, 1, 3, 0) = kNaN;
  expectNaNFrom(run(clean), 3, "the rate");
  beta = perHead(0.5);
  entry(g, 1, 1, 0) = kNaN;
  expectNaNFrom(run(clean), 1, "the decay");
  g = perHead(-0.5);
  // A query leaves no trace behind its token.
  entry(query.q, 1, 2, 0) = kNaN;
  std::vector<HostTensor> got = run(query);
  ASSERT_EQ(got.size(), 2u);
  for (int64_t t = 0; t < kTokens; ++t)
    EXPECT_EQ(std::isnan(entry(got[0], 1, t, 0)), t == 2);
  for (double left : got[1].values)
    EXPECT_FALSE(std::isnan(left));
}

/// From token 3 on, as if the stream had begun there.
void expectFreshFrom3(std::vector<HostTensor> got, double perToken) {
  ASSERT_EQ(got.size(), 2u);
  for (int64_t t = 3; t < kTokens; ++t)
    for (int64_t b = 0; b < kBatch; ++b)
      for (int64_t h = 0; h < kHeads; ++h)
        for (int64_t column = 0; column < kColumns; ++column)
          EXPECT_EQ(entry(got[0], b, t, h, column),
                    perToken * double(t - 2) * kKeys);
}

TEST(ScanCornerTest, ResetsClearNaNExactly) {
  HostTensor resets = HostTensor::filled({kBatch, kTokens});
  resets.values[3] = resets.values[kTokens + 3] = 1;
  for (double special : {kNaN, kInfinity}) {
    Ones in;
    in.initial.values[0] = special;
    entry(in.v, 1, 1, 1) = special;
    entry(in.k, 0, 2, 1) = special;
    expectFreshFrom3(in.run("none", {}, &resets), 1);
  }
}

TEST(ScanCornerTest, NegativeInfinityClearsNaNAndInfinity) {
  HostTensor g = perHead(0);
  for (int64_t b = 0; b < kBatch; ++b)
    for (int64_t h = 0; h < kHeads; ++h)
      entry(g, b, 3, h) = -kInfinity;
  for (double special : {kNaN, kInfinity}) {
    Ones in;
    in.initial.values[0] = special;
    entry(in.v, 1, 1, 1) = special;
    entry(in.k, 0, 2, 1) = special;
    expectFreshFrom3(in.run("scalar", {g}), 1);
    HostTensor rows = HostTensor::filled({kBatch, kTokens, kHeads, kKeys});
    for (size_t i = 0; i < rows.values.size(); ++i)
      rows.values[i] = g.values[i / kKeys];
    expectFreshFrom3(in.run("diagonal", {rows}), 1);
  }
}

TEST(ScanCornerTest, ZeroTimesInfinityIsNaN) {
  Ones in;
  HostTensor step = HostTensor::filled({1, 1, 1, 1}),
             rate = HostTensor::filled({1, 1, 1, 1, 1}, -kInfinity);
  std::vector<HostTensor> got = in.run("full", {step, rate});
  ASSERT_EQ(got.size(), 2u);
  EXPECT_TRUE(std::isnan(got[0].values[0]));
}

/// Results of a recurrence of these extents.
std::vector<HostTensor> runEmpty(int64_t b, int64_t t, int64_t k, int64_t v,
                                 const std::string &transition,
                                 std::vector<HostTensor> parameters) {
  std::vector<Operand> operands{HostTensor::filled({b, t, 2, k}, 1),
                                HostTensor::filled({b, t, 2, k}, 1),
                                HostTensor::filled({b, t, 2, v}, 1)};
  std::string list;
  for (HostTensor &parameter : parameters) {
    list += (list.empty() ? "%" : ", %") + std::to_string(operands.size());
    operands.push_back(parameter);
  }
  std::string initial = std::to_string(operands.size());
  operands.push_back(HostTensor::filled({b, 2, k, v}, 7));
  return runOp("linnet.scan #linnet." + transition + "(" + list +
                   ") %0, %1, %2 initial(%" + initial + ")",
               operands, {{b, t, 2, v}, {b, 2, k, v}});
}

TEST(ScanCornerTest, EmptyDimensions) {
  HostTensor rate = HostTensor::filled({1, 1, 1}, 0.5);
  for (bool tied : {false, true}) {
    std::string transition = tied ? "delta<none>" : "scalar";
    // Sums over no rows are zero.
    std::vector<HostTensor> got = runEmpty(2, 3, 0, 4, transition, {rate});
    ASSERT_EQ(got.size(), 2u);
    EXPECT_EQ(got[0].values, std::vector<double>(2 * 3 * 2 * 4, 0.0));
    EXPECT_EQ(got[1].shape, Shape({2, 2, 0, 4}));
    got = runEmpty(2, 3, 4, 0, transition, {rate});
    ASSERT_EQ(got.size(), 2u);
    EXPECT_EQ(got[0].shape, Shape({2, 3, 2, 0}));
    got = runEmpty(0, 3, 4, 4, transition, {rate});
    ASSERT_EQ(got.size(), 2u);
    EXPECT_EQ(got[1].shape, Shape({0, 2, 4, 4}));
    got = runEmpty(2, 0, 4, 4, transition, {rate});
    ASSERT_EQ(got.size(), 2u);
    EXPECT_EQ(got[1].values, std::vector<double>(2 * 2 * 4 * 4, 7.0));
  }
  HostTensor pairs = HostTensor::filled({2, 3, 2, 0});
  ASSERT_EQ(runEmpty(2, 3, 0, 4, "complex", {pairs, pairs}).size(), 2u);
  HostTensor row = HostTensor::filled({1, 1, 1, 0, 1});
  ASSERT_EQ(runEmpty(2, 3, 0, 4, "block", {row}).size(), 2u);
}

/// Sizes that only the tensors tell.
TEST(ScanCornerTest, OpenSizesAreChecked) {
  const char *complex = R"(
    func.func @f(%q: tensor<?x?x?x?xf32>, %g: tensor<?x?x?x?xf32>)
        -> tensor<?x?x?x?xf32> {
      %o, %s = linnet.scan #linnet.complex(%g, %g) %q, %q, %q
             : (tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>,
                tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>)
               -> (tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>)
      return %o : tensor<?x?x?x?xf32>
    })";
  EXPECT_NE(runError(complex, {HostTensor::filled({1, 2, 1, 3}),
                               HostTensor::filled({1, 2, 1, 1})})
                .find("expected an even key width for a complex state, but "
                      "got 3"),
            std::string::npos);
  const char *block = R"(
    func.func @f(%q: tensor<?x?x?x?xf32>, %a: tensor<?x?x?x?x?xf32>)
        -> tensor<?x?x?x?xf32> {
      %o, %s = linnet.scan #linnet.block(%a) %q, %q, %q
             : (tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>,
                tensor<?x?x?x?x?xf32>)
               -> (tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>)
      return %o : tensor<?x?x?x?xf32>
    })";
  EXPECT_NE(runError(block, {HostTensor::filled({1, 2, 1, 3}),
                             HostTensor::filled({1, 2, 1, 3, 0})})
                .find("but got [1, 2, 1, 3, 0]"),
            std::string::npos);
}

} // namespace
