//===- AttentionTest.cpp - masks, heads, caches ---------------------------===//

#include "RunModule.h"

#include <cmath>
#include <functional>
#include <gtest/gtest.h>
#include <limits>

using namespace linnet;
using namespace linnet::test;

namespace {

constexpr int64_t B = 2, T = 7, H = 6, Hk = 2, D = 3, Dv = 5;
constexpr double kScale = 0.6;

struct Inputs {
  explicit Inputs(uint64_t seed, int64_t length = T) {
    Random random(seed);
    q = random.tensor({B, T, H, D}, -2, 2);
    k = random.tensor({B, length, Hk, D}, -2, 2);
    v = random.tensor({B, length, Hk, Dv});
  }
  HostTensor q, k, v;
};

/// Attention with the score changed by `adjust(score, b, h, i, j)`, which
/// returns -inf where masked. Heads 0..2 read key head 0, 3..5 key head 1.
HostTensor attend(const Inputs &in,
                  std::function<double(double, int, int, int, int)> adjust) {
  HostTensor o = HostTensor::filled({B, T, H, Dv});
  int64_t length = in.k.shape[1];
  for (int b = 0; b < B; ++b)
    for (int i = 0; i < T; ++i)
      for (int h = 0; h < H; ++h) {
        int g = h < 3 ? 0 : 1;
        std::vector<double> weight(length);
        double sum = 0;
        for (int j = 0; j < length; ++j) {
          double score = 0;
          for (int d = 0; d < D; ++d)
            score += in.q.values[((b * T + i) * H + h) * D + d] *
                     in.k.values[((b * length + j) * Hk + g) * D + d];
          weight[j] = std::exp(adjust(kScale * score, b, h, i, j));
          sum += weight[j];
        }
        for (int j = 0; j < length && sum > 0; ++j)
          for (int d = 0; d < Dv; ++d)
            o.values[((b * T + i) * H + h) * Dv + d] +=
                weight[j] / sum *
                in.v.values[((b * length + j) * Hk + g) * Dv + d];
      }
  return o;
}

constexpr double kMasked = -std::numeric_limits<double>::infinity();
const Shape kOut{B, T, H, Dv};

TEST(AttentionTest, CausalGroupedQueries) {
  Inputs in(1);
  auto o = runOp("linnet.attention %0, %1, %2 {causal, scale = 0.6 : f64}",
                 {in.q, in.k, in.v}, {kOut});
  EXPECT_LE(
      difference(o[0], attend(in, [](double s, int, int, int i,
                                     int j) { return j > i ? kMasked : s; })),
      1e-14);
}

TEST(AttentionTest, FullOverAnotherLength) {
  Inputs in(2, /*length=*/4);
  auto o = runOp("linnet.attention %0, %1, %2 {scale = 0.6 : f64}",
                 {in.q, in.k, in.v}, {kOut});
  EXPECT_LE(difference(o[0], attend(in, [](double s, int, int, int,
                                           int) { return s; })),
            1e-14);
}

TEST(AttentionTest, WindowsCountTheTokenItself) {
  Inputs in(3);
  auto causal = runOp("linnet.attention %0, %1, %2 {causal, window = 3 : i64, "
                      "scale = 0.6 : f64}",
                      {in.q, in.k, in.v}, {kOut});
  EXPECT_LE(difference(causal[0], attend(in,
                                         [](double s, int, int, int i, int j) {
                                           return j > i || j <= i - 3 ? kMasked
                                                                      : s;
                                         })),
            1e-14);
  auto both =
      runOp("linnet.attention %0, %1, %2 {window = 3 : i64, scale = 0.6 : f64}",
            {in.q, in.k, in.v}, {kOut});
  EXPECT_LE(difference(both[0], attend(in,
                                       [](double s, int, int, int i, int j) {
                                         return std::abs(i - j) >= 3 ? kMasked
                                                                     : s;
                                       })),
            1e-14);
}

TEST(AttentionTest, SoftCapComesBeforeTheBias) {
  Inputs in(4);
  Random random(5);
  for (Shape shape :
       {Shape{B, H, T, T}, Shape{1, H, T, T}, Shape{B, 1, T, T}}) {
    HostTensor bias = random.tensor(shape, -3, 3);
    auto o = runOp("linnet.attention %0, %1, %2 bias(%3) {soft_cap = 0.75 : "
                   "f64, scale = 0.6 : f64}",
                   {in.q, in.k, in.v, bias}, {kOut});
    EXPECT_LE(
        difference(o[0], attend(in,
                                [&](double s, int b, int h, int i, int j) {
                                  int64_t row =
                                      (shape[0] == 1 ? 0 : b) * shape[1] +
                                      (shape[1] == 1 ? 0 : h);
                                  return 0.75 * std::tanh(s / 0.75) +
                                         bias.values[(row * T + i) * T + j];
                                })),
        1e-14);
  }
}

TEST(AttentionTest, KeyMaskHidesKeysAndAFullyMaskedRowIsZero) {
  Inputs in(6);
  HostTensor mask = HostTensor::filled({B, T}, 1);
  mask.values[2] = mask.values[5] = 0;
  for (int j = 0; j < T; ++j)
    mask.values[T + j] = 0; // All of row 1.
  // Whatever stands in a masked value must not leak.
  in.v.values[2 * Hk * Dv] = std::nan("");
  auto o = runOp("linnet.attention %0, %1, %2 key_mask(%3) {scale = 0.6 : f64}",
                 {in.q, in.k, in.v, Operand(mask, "i32")}, {kOut});
  in.v.values[2 * Hk * Dv] = 0;
  EXPECT_LE(difference(o[0], attend(in,
                                    [&](double s, int b, int, int, int j) {
                                      return mask.values[b * T + j] == 0
                                                 ? kMasked
                                                 : s;
                                    })),
            1e-14);
  EXPECT_EQ(slice(o[0], 0, 1, 2).values, std::vector<double>(T * H * Dv, 0.0));
}

TEST(AttentionTest, NaNInAVisibleKeyShows) {
  Inputs in(7);
  in.k.values[(3 * Hk) * D] = std::nan(""); // Batch 0, token 3, key head 0.
  auto o = runOp("linnet.attention %0, %1, %2 {causal, scale = 0.6 : f64}",
                 {in.q, in.k, in.v}, {kOut});
  for (int i = 0; i < T; ++i)
    for (int h = 0; h < H; ++h)
      EXPECT_EQ(std::isnan(o[0].values[(i * H + h) * Dv]), i >= 3 && h < 3)
          << i << " " << h;
}

TEST(AttentionTest, LargeScoresDoNotOverflow) {
  HostTensor q({1, 1, 1, 1}, {1000}), k({1, 2, 1, 1}, {1, 2}),
      v({1, 2, 1, 1}, {5, 7});
  auto o = runOp("linnet.attention %0, %1, %2 {scale = 1.0 : f64}", {q, k, v},
                 {{1, 1, 1, 1}});
  EXPECT_EQ(o[0].values, std::vector<double>({7}));
}

/// One part of a stream: outputs and the new caches.
std::vector<HostTensor> runCached(const Inputs &in, int64_t begin, int64_t end,
                                  const std::vector<HostTensor> &caches,
                                  const std::string &attributes) {
  return runOp(
      "linnet.attention %0, %1, %2 cache(%3, %4) at %5 {" + attributes + "}",
      {slice(in.q, 1, begin, end), slice(in.k, 1, begin, end),
       slice(in.v, 1, begin, end), caches[0], caches[1], Operand::index(begin)},
      {{B, end - begin, H, Dv}, caches[0].shape, caches[1].shape});
}

TEST(AttentionTest, CacheInPartsEqualsOnePass) {
  Inputs in(8);
  Random random(9);
  for (std::string attributes :
       {"causal, scale = 0.6 : f64",
        "causal, window = 3 : i64, scale = 0.6 : f64",
        "causal, soft_cap = 2.0 : f64, scale = 0.6 : f64"}) {
    HostTensor whole = runOp("linnet.attention %0, %1, %2 {" + attributes + "}",
                             {in.q, in.k, in.v}, {kOut})[0];
    for (int trial = 0; trial < 4; ++trial) {
      // The caches hold rubbish: only what was written counts.
      std::vector<HostTensor> caches{random.tensor({B, 9, Hk, D}),
                                     random.tensor({B, 9, Hk, Dv})};
      HostTensor streamed = HostTensor::filled({B, 0, H, Dv});
      for (int64_t begin = 0; begin < T;) {
        int64_t end = random.integer(begin, T);
        auto part = runCached(in, begin, end, caches, attributes);
        streamed = join(streamed, part[0], 1);
        caches = {part[1], part[2]};
        begin = end;
      }
      EXPECT_LE(difference(streamed, whole), 1e-15);
      EXPECT_EQ(slice(caches[0], 1, 0, T).values, in.k.values);
      EXPECT_EQ(slice(caches[1], 1, 0, T).values, in.v.values);
    }
  }
}

/// Values that are a part of the keys, against the same values by themselves.
TEST(AttentionTest, ValuesInKeys) {
  Inputs in(12);
  for (int64_t width : {int64_t(1), int64_t(2), D}) {
    in.v = slice(in.k, 3, 0, width);
    Shape out{B, T, H, width};
    for (std::string mask : {"causal, ", "", "causal, window = 3 : i64, "}) {
      std::string shared = " {" + mask + "scale = 0.6 : f64, value_width = " +
                           std::to_string(width) + " : i64}";
      auto apart =
          runOp("linnet.attention %0, %1, %2 {" + mask + "scale = 0.6 : f64}",
                {in.q, in.k, in.v}, {out})[0];
      auto one =
          runOp("linnet.attention %0, %1" + shared, {in.q, in.k}, {out})[0];
      EXPECT_EQ(one.values, apart.values) << mask << width;
      if (mask.empty())
        continue;
      // In parts, with one cache.
      HostTensor cache = HostTensor::filled({B, 9, Hk, D}, NAN);
      HostTensor parts = HostTensor::filled({B, 0, H, width});
      for (auto [begin, end] : {std::pair(0, 4), {4, 5}, {5, 7}}) {
        auto results =
            runOp("linnet.attention %0, %1 cache(%2) at %3" + shared,
                  {slice(in.q, 1, begin, end), slice(in.k, 1, begin, end),
                   cache, Operand::index(begin)},
                  {{B, end - begin, H, width}, cache.shape});
        cache = results[1];
        parts = join(parts, results[0], 1);
      }
      EXPECT_LE(difference(parts, apart), 1e-14) << mask << width;
    }
  }
}

TEST(AttentionTest, RefusesMoreTokensThanTheCacheHolds) {
  Inputs in(10);
  HostTensor keys = HostTensor::filled({B, 9, Hk, D});
  HostTensor values = HostTensor::filled({B, 9, Hk, Dv});
  for (int64_t position : {int64_t(3), int64_t(-1), int64_t(1) << 52}) {
    std::vector<Operand> operands{in.q, in.k,   in.v,
                                  keys, values, Operand::index(position)};
    std::string source = wrapOp("linnet.attention %0, %1, %2 cache(%3, %4) at "
                                "%5 {causal, scale = 1.0 : f64}",
                                operands, {kOut, keys.shape, values.shape});
    std::string error =
        runError(source, {in.q, in.k, in.v, keys, values,
                          HostTensor::scalar(double(position))});
    EXPECT_NE(error.find("expected a context of at most 9 tokens, but got 7 "
                         "tokens at position " +
                         std::to_string(position)),
              std::string::npos)
        << error;
  }
}

TEST(AttentionTest, ChecksWhatDynamicShapesLeaveOpen) {
  std::string source = R"(
    func.func @f(%q: tensor<?x?x4x3xf32>, %k: tensor<?x?x2x3xf32>, %v: tensor<?x?x2x3xf32>) -> tensor<?x?x4x3xf32> {
      %o = linnet.attention %q, %k, %v {causal, scale = 1.0 : f64}
        : (tensor<?x?x4x3xf32>, tensor<?x?x2x3xf32>, tensor<?x?x2x3xf32>) -> tensor<?x?x4x3xf32>
      return %o : tensor<?x?x4x3xf32>
    })";
  HostTensor q = HostTensor::filled({2, 5, 4, 3}),
             k = HostTensor::filled({2, 5, 2, 3});
  EXPECT_NE(
      runError(source, {q, k, HostTensor::filled({2, 4, 2, 3})})
          .find("expected values of shape [2, 5, 2, 3], but got [2, 4, 2, 3]"),
      std::string::npos);
  EXPECT_NE(
      runError(source, {q, HostTensor::filled({1, 5, 2, 3}), k})
          .find("expected keys of shape [2, 5, 2, 3], but got [1, 5, 2, 3]"),
      std::string::npos);
}

} // namespace
