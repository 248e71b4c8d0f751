//===- LongConvTest.cpp - the convolution with a long filter --------------===//

#include "RunModule.h"

#include <gtest/gtest.h>

using namespace linnet;
using namespace linnet::test;

namespace {

/// An impulse gives the filter, delayed, in every channel of its group.
TEST(LongConvTest, AnImpulseGivesTheFilter) {
  constexpr int64_t tokens = 6, channels = 4;
  HostTensor x = HostTensor::filled({1, tokens, channels});
  for (int64_t c = 0; c < channels; ++c)
    x.values[1 * channels + c] = 1;
  for (int64_t filters : {1, 2, 4}) {
    HostTensor h = HostTensor::filled({filters, 3});
    for (size_t i = 0; i < h.values.size(); ++i)
      h.values[i] = double(i + 1);
    auto got =
        runOp("linnet.long_conv %0, %1", {x, h}, {x.shape, {1, 2, channels}});
    for (int64_t t = 0; t < tokens; ++t)
      for (int64_t c = 0; c < channels; ++c) {
        int64_t tap = t - 1, row = c / (channels / filters);
        EXPECT_EQ(got[0].values[t * channels + c],
                  tap >= 0 && tap < 3 ? h.values[row * 3 + tap] : 0)
            << filters << " " << t << " " << c;
      }
  }
}

TEST(LongConvTest, SkipIsTheFirstTap) {
  Random random(3);
  HostTensor x = random.tensor({2, 9, 3}), h = random.tensor({3, 20}),
             d = random.tensor({3});
  std::vector<std::vector<int64_t>> shapes{x.shape, {2, 19, 3}};
  auto skipped = runOp("linnet.long_conv %0, %1 skip(%2)", {x, h, d}, shapes);
  for (int64_t c = 0; c < 3; ++c)
    h.values[c * 20] += d.values[c];
  auto folded = runOp("linnet.long_conv %0, %1", {x, h}, shapes);
  EXPECT_LE(difference(skipped[0], folded[0]), 1e-14);
}

/// The convolution with one tap per offset is short_conv with its taps
/// reversed, whatever the tail.
TEST(LongConvTest, AgreesWithShortConv) {
  Random random(4);
  for (int64_t taps : {1, 2, 5, 12}) {
    HostTensor x = random.tensor({2, 7, 3}), h = random.tensor({3, taps}),
               tail = random.tensor({2, taps - 1, 3});
    HostTensor w = HostTensor::filled({3, 1, taps});
    for (int64_t c = 0; c < 3; ++c)
      for (int64_t j = 0; j < taps; ++j)
        w.values[c * taps + j] = h.values[c * taps + taps - 1 - j];
    std::vector<std::vector<int64_t>> shapes{x.shape, tail.shape};
    auto got = runOp("linnet.long_conv %0, %1 tail(%2)", {x, h, tail}, shapes);
    auto want =
        runOp("linnet.short_conv %0, %1 tail(%2)", {x, w, tail}, shapes);
    EXPECT_LE(difference(got[0], want[0]), 1e-14) << taps;
    EXPECT_EQ(got[1].values, want[1].values) << taps;
  }
}

} // namespace
