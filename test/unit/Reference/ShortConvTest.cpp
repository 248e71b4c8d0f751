//===- ShortConvTest.cpp - the causal depthwise convolution ---------------===//

#include "RunModule.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace linnet;
using namespace linnet::test;

namespace {

constexpr int64_t B = 2, T = 7, C = 3;

/// The convolution of the inputs with the tail before them.
HostTensor convolve(const HostTensor &x, const HostTensor &tail,
                    const HostTensor &w, const HostTensor &bias) {
  HostTensor y = HostTensor::filled(x.shape);
  HostTensor all = join(tail, x, 1);
  int64_t taps = w.shape[2], length = all.shape[1];
  for (int64_t b = 0; b < B; ++b)
    for (int64_t t = 0; t < x.shape[1]; ++t)
      for (int64_t c = 0; c < C; ++c) {
        double sum = bias.values[c];
        for (int64_t j = 0; j < taps; ++j)
          sum +=
              w.values[c * taps + j] * all.values[(b * length + t + j) * C + c];
        y.values[(b * x.shape[1] + t) * C + c] = sum / (1 + std::exp(-sum));
      }
  return y;
}

constexpr const char *kActivation = "{activation = #linnet.activation<silu>}";

TEST(ShortConvTest, MatchesTheSumForEveryWidth) {
  Random random(1);
  // Wider than the input, too: then the tail keeps old entries.
  for (int64_t taps : {1, 2, 4, 11}) {
    HostTensor x = random.tensor({B, T, C}), w = random.tensor({C, 1, taps});
    HostTensor bias = random.tensor({C}),
               tail = random.tensor({B, taps - 1, C});
    auto got =
        runOp(std::string("linnet.short_conv %0, %1 bias(%2) tail(%3) ") +
                  kActivation,
              {x, w, bias, tail}, {x.shape, tail.shape});
    EXPECT_LE(difference(got[0], convolve(x, tail, w, bias)), 1e-14) << taps;
    EXPECT_EQ(got[1].values, slice(join(tail, x, 1), 1, T, T + taps - 1).values)
        << taps;
    auto fresh =
        runOp(std::string("linnet.short_conv %0, %1 bias(%2) ") + kActivation,
              {x, w, bias}, {x.shape, tail.shape});
    EXPECT_LE(difference(fresh[0],
                         convolve(x, HostTensor::filled(tail.shape), w, bias)),
              1e-14)
        << taps;
  }
}

TEST(ShortConvTest, TheLastTapMeetsTheCurrentToken) {
  HostTensor x({1, 3, 1}, {1, 10, 100}), w({1, 1, 2}, {2, 3});
  auto got = runOp("linnet.short_conv %0, %1", {x, w}, {{1, 3, 1}, {1, 1, 1}});
  EXPECT_EQ(got[0].values, std::vector<double>({3, 32, 320}));
  EXPECT_EQ(got[1].values, std::vector<double>({100}));
}

TEST(ShortConvTest, SplitsAlongTime) {
  Random random(2);
  HostTensor x = random.tensor({B, T, C}), w = random.tensor({C, 1, 4});
  HostTensor tail = random.tensor({B, 3, C});
  std::string op =
      std::string("linnet.short_conv %0, %1 tail(%2) ") + kActivation;
  auto whole = runOp(op, {x, w, tail}, {x.shape, tail.shape});
  for (int trial = 0; trial < 4; ++trial) {
    HostTensor streamed = HostTensor::filled({B, 0, C}), state = tail;
    for (int64_t begin = 0; begin < T;) {
      int64_t end = random.integer(begin, T);
      HostTensor part = slice(x, 1, begin, end);
      auto got = runOp(op, {part, w, state}, {part.shape, tail.shape});
      streamed = join(streamed, got[0], 1);
      state = got[1];
      begin = end;
    }
    EXPECT_EQ(streamed.values, whole[0].values);
    EXPECT_EQ(state.values, whole[1].values);
  }
}

} // namespace
