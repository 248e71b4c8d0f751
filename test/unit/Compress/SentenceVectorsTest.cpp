//===- SentenceVectorsTest.cpp - fewer entries of sentence vectors --------===//

#include "lib/Compress/SentenceVectors.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace linnet;
using namespace linnet::compress;

namespace {

/// Vectors in the plane, at these angles in degrees.
Matrix atAngles(std::vector<double> angles) {
  Matrix vectors(int64_t(angles.size()), 2);
  for (size_t i = 0; i < angles.size(); ++i) {
    vectors.at(int64_t(i), 0) = std::cos(angles[i] * M_PI / 180);
    vectors.at(int64_t(i), 1) = std::sin(angles[i] * M_PI / 180);
  }
  return vectors;
}

TEST(PrincipalDirections, AreThoseOfAPlane) {
  // Two lines at 30 degrees to either side of one at 20: cos^2 30 = 3/4.
  Matrix vectors = atAngles({50, 50, -10, -10, 230});
  Result<PrincipalDirections> found =
      findPrincipalDirections(atAngles({50, -10, 230, 170}), 1);
  ASSERT_TRUE(found);
  EXPECT_NEAR(found->share, .75, 1e-12);
  EXPECT_NEAR(found->directions.at(0, 0), std::cos(M_PI / 9), 1e-12);
  EXPECT_NEAR(found->directions.at(0, 1), std::sin(M_PI / 9), 1e-12);
  // All of both keeps everything.
  found = findPrincipalDirections(vectors, 2);
  ASSERT_TRUE(found);
  EXPECT_NEAR(found->share, 1, 1e-12);
  CosineChange change = compareCosines(vectors, found->directions);
  EXPECT_NEAR(change.error, 0, 1e-12);
  EXPECT_NEAR(change.correlation, 1, 1e-12);
}

TEST(CosineChange, IsThatOfAllPairs) {
  // Cut to the first entry, all have cosine 1; before, 1/2, 1/2 and -1/2.
  CosineChange change =
      compareCosines(atAngles({0, 60, -60}), firstEntries(1, 2));
  EXPECT_NEAR(change.error, (.5 + .5 + 1.5) / 3, 1e-12);
  // Of constants there is no order.
  EXPECT_EQ(change.correlation, 0);
}

TEST(CosineChange, OfVectorsOfWhichNothingIsLeft) {
  Matrix vectors(2, 2, {0, 1, .6, .8});
  EXPECT_NEAR(compareCosines(vectors, firstEntries(1, 2)).error, .8, 1e-12);
  EXPECT_EQ(compareCosines(atAngles({90}), firstEntries(1, 2)).error, 0);
}

TEST(CosineChange, CorrelatesWithTheOrderBefore) {
  Matrix vectors(4, 3);
  const double rows[4][3] = {{1, 0, 0}, {0, 1, 0}, {.6, .8, 0}, {.48, .64, .6}};
  for (int64_t r = 0; r < 4; ++r)
    for (int64_t c = 0; c < 3; ++c)
      vectors.at(r, c) = rows[r][c];
  // Without the last entry the fourth becomes the third.
  CosineChange change = compareCosines(vectors, firstEntries(2, 3));
  std::vector<double> before = {0, .6, .8, .48, .64, .8},
                      after = {0, .6, .8, .6, .8, 1};
  double error = 0, a = 0, b = 0, aa = 0, bb = 0, ab = 0;
  for (size_t i = 0; i < 6; ++i) {
    error += std::abs(after[i] - before[i]) / 6;
    a += before[i] / 6, b += after[i] / 6;
  }
  for (size_t i = 0; i < 6; ++i) {
    aa += (before[i] - a) * (before[i] - a);
    bb += (after[i] - b) * (after[i] - b);
    ab += (before[i] - a) * (after[i] - b);
  }
  EXPECT_NEAR(change.error, error, 1e-12);
  EXPECT_NEAR(change.correlation, ab / std::sqrt(aa * bb), 1e-12);
}

} // namespace
