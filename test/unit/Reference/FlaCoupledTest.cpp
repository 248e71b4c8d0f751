//===- FlaCoupledTest.cpp - features, and states that drive each other ----===//
//
// Attention with polynomial scores is a recurrence over explicit features;
// Oja's rule and momentum are pairs of recurrences.
//
//===----------------------------------------------------------------------===//

#include "FlaOracle.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace linnet;
using namespace linnet::test;

namespace {

/// Features whose products are constant + linear s + square s^2 for
/// s = scale q . k.
HostTensor featuresOf(const HostTensor &x, double scale, double constant,
                      double linear, double square) {
  int64_t K = x.shape.back(), width = 1 + K + K * K;
  Shape shape = x.shape;
  shape.back() = width;
  HostTensor out = HostTensor::filled(shape);
  for (int64_t row = 0; row < x.size() / K; ++row) {
    const double *from = &x.values[row * K];
    double *to = &out.values[row * width];
    *to++ = std::sqrt(constant);
    for (int64_t i = 0; i < K; ++i)
      *to++ = std::sqrt(linear * scale) * from[i];
    for (int64_t i = 0; i < K; ++i)
      for (int64_t j = 0; j < K; ++j)
        *to++ = std::sqrt(square) * scale * from[i] * from[j];
  }
  return out;
}

void checkPolynomial(const std::string &op, double constant, double linear,
                     double square, double tolerance) {
  HostTensor v = load(op, "v"), o = v;
  double scale = loadScale(op);
  auto features = [&](const char *name) {
    return featuresOf(load(op, name), scale, constant, linear, square);
  };
  HostTensor q = features("q"), k = features("k");
  // The sum of the scores is the value of a column of ones.
  Shape one = v.shape;
  one.back() = 1;
  HostTensor ones = HostTensor::filled(one);
  std::fill(ones.values.begin(), ones.values.end(), 1);
  int64_t V = v.shape.back();
  HostTensor zero =
      HostTensor::filled({v.shape[0], v.shape[2], q.shape.back(), V + 1});
  auto got = runScaled(1, "#linnet.none", q, k, join(v, ones, 3), {}, zero);
  ASSERT_EQ(got.size(), 2u);
  for (int64_t i = 0; i < o.size(); ++i)
    o.values[i] = got[0].values[i / V * (V + 1) + i % V] /
                  (got[0].values[i / V * (V + 1) + V] + 1e-6);
  EXPECT_LE(difference(o, load(op, "o")), tolerance);
}

TEST(FlaCoupledTest, PolynomialScores) {
  checkPolynomial("based", 1, 1, 0.5, kTolerance);
  // Sums near zero: the recorded routes themselves differ by 1.5e-12.
  checkPolynomial("rebased", 0, 0, 1, 1e-11);
}

/// What is written depends on the state, as by a delta rule with keys and
/// values exchanged; what is read is the state of those writes.
TEST(FlaCoupledTest, GatedOja) {
  const std::string op = "gated_oja";
  HostTensor k = load(op, "k"), v = load(op, "v"), g = load(op, "gv"),
             beta = load(op, "beta"), initial = load(op, "initial_state");
  int64_t K = k.shape.back(), V = v.shape.back();
  HostTensor reader = v,
             turned =
                 HostTensor::filled({initial.shape[0], initial.shape[1], V, K});
  for (int64_t i = 0; i < v.size(); ++i)
    reader.values[i] *= std::exp(g.values[i]);
  for (int64_t i = 0; i < initial.size(); ++i)
    turned.values[i / (K * V) * K * V + i % V * K + i / V % K] =
        initial.values[i];
  auto writes =
      runScaled(1, "#linnet.delta<diagonal>(%3, %4)", reader, v, k, {beta, g},
                turned, ", readout = #linnet.readout<pre>");
  ASSERT_EQ(writes.size(), 2u);
  HostTensor written = k;
  for (int64_t i = 0; i < k.size(); ++i)
    written.values[i] =
        beta.values[i / K] * (k.values[i] - writes[0].values[i]);
  expectResults(op, runScan(op, "#linnet.value_diagonal(%3)", load(op, "q"),
                            written, v, {g}, initial));
}

/// Momentum M = mu M - eta k (v - S^T p)^T and S = alpha S - beta M: rows of S
/// and M in turn are blocks of two, and p reads the state before.
TEST(FlaCoupledTest, DeltaRuleWithMomentum) {
  const std::string op = "momentum_delta_rule";
  HostTensor q = load(op, "q"), k = load(op, "k"), p = load(op, "p");
  HostTensor alpha = load(op, "log_alpha"), mu = load(op, "log_mu"),
             beta = load(op, "beta"), eta = load(op, "eta");
  int64_t B = k.shape[0], T = k.shape[1], H = k.shape[2], K = k.shape[3];
  HostTensor rows = HostTensor::filled({B, T, H, 2 * K}), reader = rows,
             writer = rows, key = rows,
             blocks = HostTensor::filled({B, T, H, 2 * K, 2});
  for (int64_t i = 0; i < k.size(); ++i) {
    int64_t h = i / K;
    double a = std::exp(alpha.values[h]), m = std::exp(mu.values[h]),
           b = beta.values[h], step = eta.values[h] * k.values[i];
    rows.values[2 * i] = q.values[i];
    reader.values[2 * i] = p.values[i];
    writer.values[2 * i] = -b * step;
    writer.values[2 * i + 1] = step;
    key.values[2 * i] = b * step;
    key.values[2 * i + 1] = -step;
    // Of the rows (S, M): S' = alpha S - beta mu M, M' = mu M.
    const double block[] = {a, -b * m, 0, m};
    std::copy_n(block, 4, &blocks.values[4 * i]);
  }
  auto both = [&](const std::string &when) {
    HostTensor S = load(op, when + "_state"), M = load(op, when + "_momentum");
    int64_t V = S.shape[3];
    HostTensor out = HostTensor::filled({B, H, 2 * K, V});
    for (int64_t i = 0; i < S.size(); ++i) {
      out.values[i / V * 2 * V + i % V] = S.values[i];
      out.values[(i / V * 2 + 1) * V + i % V] = M.values[i];
    }
    return out;
  };
  auto got = runScan(op, "#linnet.rank_one<block>(%3, %4, %5)", rows, key,
                     load(op, "v"), {reader, writer, blocks}, both("initial"));
  ASSERT_EQ(got.size(), 2u);
  EXPECT_LE(difference(got[0], load(op, "o")), kTolerance);
  EXPECT_LE(difference(got[1], both("final")), kTolerance);
}

} // namespace
