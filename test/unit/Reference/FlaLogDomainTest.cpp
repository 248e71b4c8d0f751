//===- FlaLogDomainTest.cpp - recurrences with exponential keys -----------===//
//
// Their sums are normalised or stabilised by a running log-sum-exp or maximum:
// log_cumsum_exp beside a scan.
//
//===----------------------------------------------------------------------===//

#include "FlaOracle.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

using namespace linnet;
using namespace linnet::test;

namespace {

struct Running {
  HostTensor z, before, state;
};

/// Runs log_cumsum_exp over x [B, T, C...] from `initial` [B, C...] if it has
/// entries.
Running accumulate(const HostTensor &x, const HostTensor &initial,
                   const HostTensor &decay = {}, bool maximum = false) {
  int64_t B = x.shape[0], T = x.shape[1], C = x.size() / (B * T);
  std::vector<Operand> operands{reshape(x, {B, T, C})};
  std::string text = "linnet.log_cumsum_exp %0";
  if (decay.size() > 0) {
    operands.push_back(reshape(decay, {B, T, C}));
    text += " decay(%1)";
  }
  HostTensor state = HostTensor::filled({B, 2, C}, 1);
  if (initial.size() > 0) {
    for (int64_t b = 0; b < B; ++b)
      for (int64_t c = 0; c < C; ++c)
        state.values[(2 * b + 1) * C + c] = initial.values[b * C + c];
    text += " initial(%" + std::to_string(operands.size()) + ")";
    operands.push_back(state);
  }
  if (maximum)
    text += " {maximum}";
  Shape shape{B, T, C};
  auto got = runOp(text, operands, {shape, shape, state.shape});
  HostTensor last = HostTensor::filled({B, C});
  for (int64_t b = 0; b < B; ++b)
    for (int64_t c = 0; c < C; ++c) {
      EXPECT_EQ(got[2].values[2 * b * C + c], 1);
      last.values[b * C + c] = got[2].values[(2 * b + 1) * C + c];
    }
  return {reshape(got[0], x.shape), reshape(got[1], x.shape), last};
}

/// f(x, y, z) entrywise.
template <typename F>
HostTensor zip(HostTensor x, const HostTensor &y, const HostTensor &z, F f) {
  for (int64_t i = 0; i < x.size(); ++i)
    x.values[i] = f(x.values[i], y.values[i], z.values[i]);
  return x;
}
template <typename F>
HostTensor zip(const HostTensor &x, const HostTensor &y, F f) {
  return zip(x, y, y, [&](double a, double b, double) { return f(a, b); });
}

double expOfGap(double a, double b) { return std::exp(a - b); }
double gap(double a, double b) { return a - b; }

TEST(FlaLogDomainTest, LightNet) {
  const std::string op = "lightnet";
  HostTensor k = load(op, "k_logits"), z0 = load(op, "initial_z");
  Running r = accumulate(k, z0);
  expectResults(op,
                runScan(op, "#linnet.diagonal(%3)", load(op, "q"),
                        zip(k, r.z, expOfGap), load(op, "v"),
                        {zip(r.before, r.z, gap)}, load(op, "initial_state")));
  EXPECT_LE(difference(reshape(r.state, z0.shape), load(op, "final_z")),
            kTolerance);
}

/// Slots whose weights are normalised over time; the outside implementation
/// does not scale its initial state.
TEST(FlaLogDomainTest, Abc) {
  const std::string op = "abc";
  HostTensor s = load(op, "s"), v = load(op, "v");
  Running r = accumulate(s, {});
  int64_t B = s.shape[0], row = s.size() / (s.shape[0] * s.shape[1]);
  for (int64_t b = 0; b < B; ++b)
    for (int64_t i = 0; i < row; ++i) {
      double &first = r.before.values[b * s.shape[1] * row + i];
      EXPECT_EQ(first, -std::numeric_limits<double>::infinity());
      first = r.z.values[b * s.shape[1] * row + i];
    }
  HostTensor weights = zip(s, r.z, expOfGap), g = zip(r.before, r.z, gap);
  auto slots = runScan(op, "#linnet.value_diagonal(%3)", load(op, "q"),
                       load(op, "k"), weights, {g}, load(op, "initial_hk"));
  HostTensor p = slots[0];
  int64_t M = s.shape.back();
  for (int64_t at = 0; at < p.size(); at += M) {
    double sum = 0;
    for (int64_t m = 0; m < M; ++m)
      sum += p.values[at + m] = std::exp(p.values[at + m]);
    for (int64_t m = 0; m < M; ++m)
      p.values[at + m] /= sum;
  }
  auto got = runScaled(1, "#linnet.diagonal(%3)", p, weights, v, {g},
                       load(op, "initial_hv"));
  EXPECT_LE(difference(got[0], load(op, "o")), kTolerance);
  EXPECT_LE(difference(got[1], load(op, "final_hv")), kTolerance);
  EXPECT_LE(difference(slots[1], load(op, "final_hk")), kTolerance);
}

/// A weighted mean per channel: the state is the mean so far, z the logarithm
/// of its weight.
TEST(FlaLogDomainTest, Rwkv4) {
  const std::string op = "rwkv4";
  HostTensor k = load(op, "k"), v = load(op, "v");
  HostTensor w = load(op, "time_decay"), u = load(op, "time_first");
  HostTensor num = load(op, "initial_num"), den = load(op, "initial_den"),
             m = load(op, "initial_max");
  int64_t B = k.shape[0], T = k.shape[1], D = k.shape[2];
  HostTensor decay = k, first = k;
  for (int64_t i = 0; i < k.size(); ++i) {
    decay.values[i] = -std::exp(w.values[i % D]);
    first.values[i] = k.values[i] + u.values[i % D];
  }
  HostTensor z0 =
      zip(den, m, [](double d, double top) { return std::log(d) + top; });
  HostTensor mean0 = zip(num, den, [](double n, double d) { return n / d; });
  Running r = accumulate(k, z0, decay);
  HostTensor g = zip(r.before, decay, r.z,
                     [](double b, double d, double z) { return b + d - z; });
  HostTensor written = zip(v, k, r.z, [](double x, double key, double z) {
    return x * std::exp(key - z);
  });
  Shape row{B, T, 1, D};
  HostTensor one = HostTensor::filled({B, T, 1, 1}, 1);
  auto got = runScaled(1, "#linnet.value_diagonal(%3)", one, one,
                       reshape(written, row), {reshape(g, row)},
                       reshape(mean0, {B, 1, 1, D}),
                       ", readout = #linnet.readout<pre>");
  HostTensor mean = reshape(got[0], k.shape), o = mean;
  for (int64_t i = 0; i < o.size(); ++i) {
    double share = 1 / (1 + std::exp(r.before.values[i] - first.values[i]));
    o.values[i] = (1 - share) * mean.values[i] + share * v.values[i];
  }
  EXPECT_LE(difference(o, load(op, "o")), kTolerance);
  HostTensor last = load(op, "final_den");
  HostTensor top = load(op, "final_max");
  EXPECT_LE(difference(r.state,
                       zip(last, top,
                           [](double d, double t) { return std::log(d) + t; })),
            kTolerance);
  EXPECT_LE(difference(reshape(got[1], last.shape),
                       zip(load(op, "final_num"), last,
                           [](double n, double d) { return n / d; })),
            kTolerance);
}

/// Exponential input gates, stabilised by the running maximum.
TEST(FlaLogDomainTest, Mlstm) {
  const std::string op = "mlstm";
  HostTensor v = load(op, "v"), q = load(op, "q"), k = load(op, "k");
  HostTensor i = load(op, "i"), f = load(op, "f"), n0 = load(op, "initial_n");
  int64_t B = v.shape[0], T = v.shape[1], H = v.shape[2], V = v.shape[3];
  int64_t K = k.shape[3];
  for (double &x : f.values)
    x = -std::log1p(std::exp(-x));
  HostTensor m0 = load(op, "initial_m");
  Running r = accumulate(i, m0, f, /*maximum=*/true);
  HostTensor g = zip(r.before, f, r.z,
                     [](double b, double d, double z) { return b + d - z; });
  HostTensor weight = zip(i, r.z, expOfGap), value = v;
  for (int64_t at = 0; at < v.size(); ++at)
    value.values[at] *= weight.values[at / V];
  auto got = runScan(op, "#linnet.scalar(%3)", q, k, value, {g},
                     load(op, "initial_C"));
  auto sums =
      runScan(op, "#linnet.scalar(%3)", q, k, reshape(weight, {B, T, H, 1}),
              {g}, reshape(n0, {B, H, K, 1}));
  HostTensor o = got[0];
  for (int64_t at = 0; at < o.size(); ++at)
    o.values[at] /= std::max(std::abs(sums[0].values[at / V]),
                             std::exp(-r.z.values[at / V])) +
                    1e-6;
  EXPECT_LE(difference(o, load(op, "o")), kTolerance);
  EXPECT_LE(difference(got[1], load(op, "final_C")), kTolerance);
  EXPECT_LE(difference(reshape(sums[1], n0.shape), load(op, "final_n")),
            kTolerance);
  EXPECT_LE(difference(reshape(r.state, m0.shape), load(op, "final_m")),
            kTolerance);
}

/// -inf adds nothing, and may stay.
TEST(FlaLogDomainTest, EmptySums) {
  constexpr double kEmpty = -std::numeric_limits<double>::infinity();
  HostTensor x({1, 3, 2}, {kEmpty, kEmpty, kEmpty, 1, kEmpty, kEmpty});
  auto got =
      runOp("linnet.log_cumsum_exp %0", {x}, {x.shape, x.shape, {1, 2, 2}});
  EXPECT_EQ(got[0].values,
            std::vector<double>({kEmpty, kEmpty, kEmpty, 1, kEmpty, 1}));
  EXPECT_EQ(got[1].values,
            std::vector<double>({kEmpty, kEmpty, kEmpty, kEmpty, kEmpty, 1}));
  EXPECT_EQ(got[2].values, std::vector<double>({0, 1, 0, 1}));
}

} // namespace
