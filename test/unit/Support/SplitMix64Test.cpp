//===- SplitMix64Test.cpp - against the published generator ---------------===//

#include "linnet/Support/SplitMix64.h"

#include <gtest/gtest.h>

using namespace linnet;

/// The first outputs of the authors' C code for the state 1234567.
TEST(SplitMix64, MatchesPublishedNumbers) {
  uint64_t state = 1234567;
  for (uint64_t expected :
       {6457827717110365317u, 3203168211198807973u, 9817491932198370423u,
        4593380528125082431u, 16408922859458223821u})
    EXPECT_EQ(nextSplitMix64(state), expected);
}

TEST(SplitMix64, UniformNumbersAreItsUpperBits) {
  uint64_t state = 1234567, again = state;
  double sum = 0;
  for (int i = 0; i < 1000; ++i) {
    double number = nextUniform(state);
    EXPECT_EQ(number, double(nextSplitMix64(again) >> 11) / 9007199254740992.0);
    EXPECT_GE(number, 0);
    EXPECT_LT(number, 1);
    sum += number;
  }
  EXPECT_NEAR(sum / 1000, 0.5, 0.03);
}
