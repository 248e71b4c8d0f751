//===- SparsityPatternTest.cpp - which weights are kept -------------------===//

#include "linnet/Numerics/SparsityPattern.h"

#include "SparseCases.h"

#include <algorithm>

using namespace linnet;
using namespace linnet::test;

namespace {

Mask selected(const Matrix &scores, const SparsityPattern &pattern) {
  auto mask = selectMask(scores, pattern);
  EXPECT_TRUE(bool(mask)) << mask.error().str();
  return mask ? mask.take() : Mask();
}

double scoreOf(const Matrix &scores, const Mask &mask) {
  double sum = 0;
  for (int64_t r = 0; r < mask.rows(); ++r)
    for (int64_t c : mask.support(r))
      sum += scores.at(r, c);
  return sum;
}

TEST(SparsityPatternTest, PublishedScores) {
  CompressionOracle oracle("wanda_nm_masks");
  Matrix x = oracle.matrix("X");
  auto scores = scoreActivations(oracle.matrix("W"), momentOf(x));
  ASSERT_TRUE(bool(scores)) << scores.error().str();
  // The published score has the norm of an input where ours has its root mean
  // square.
  Matrix published = oracle.matrix("score");
  double factor = published.at(0, 0) / scores->at(0, 0);
  EXPECT_LE(largestDifference(factor * *scores, published),
            1e-12 * norm(published));
}

TEST(SparsityPatternTest, PublishedMasks) {
  CompressionOracle oracle("wanda_nm_masks");
  Matrix w = oracle.matrix("W");
  auto wanda = scoreActivations(w, momentOf(oracle.matrix("X")));
  ASSERT_TRUE(bool(wanda));
  Matrix magnitude = scoreMagnitude(w);
  EXPECT_EQ(selected(*wanda, SparsityPattern::keepPerRow(0.5)),
            maskOf(oracle, "wanda_50", false));
  EXPECT_EQ(selected(*wanda, SparsityPattern::keepOfInputs(2, 4)),
            maskOf(oracle, "wanda_24", false));
  EXPECT_EQ(selected(*wanda, SparsityPattern::keepOfInputs(4, 8)),
            maskOf(oracle, "wanda_48", false));
  EXPECT_EQ(selected(magnitude, SparsityPattern::keepOfInputs(2, 4)),
            maskOf(oracle, "mag_24", false));
  EXPECT_EQ(selected(magnitude, SparsityPattern::keepOfInputs(1, 4)),
            maskOf(oracle, "mag_14", false));
  // The published threshold is itself pruned: one weight more than half.
  Mask half = maskOf(oracle, "mag_50_matrix", false);
  EXPECT_EQ(half.count(), 191);
  EXPECT_EQ(selected(magnitude, SparsityPattern::keepOverMatrix(191. / 384)),
            half);
}

/// No choice of N of M has a larger sum.
TEST(SparsityPatternTest, BestOfAllChoices) {
  for (auto [count, group] :
       {std::pair<int, int>{0, 3}, {1, 4}, {2, 4}, {3, 5}, {4, 8}, {6, 6}}) {
    Matrix scores =
        scoreMagnitude(randomMatrix(5, 3 * group, unsigned(count + group)));
    Mask mask = selected(scores, SparsityPattern::keepOfInputs(count, group));
    expectOfInputs(mask, count, group);
    double best = 0;
    for (int64_t r = 0; r < 5; ++r)
      for (int64_t g = 0; g < 3; ++g) {
        double most = 0;
        for (unsigned bits : choicesOf(count, group)) {
          double sum = 0;
          for (int i = 0; i < group; ++i)
            if (bits >> i & 1)
              sum += scores.at(r, g * group + i);
          most = std::max(most, sum);
        }
        best += most;
      }
    EXPECT_NEAR(scoreOf(scores, mask), best, 1e-12);
  }
}

TEST(SparsityPatternTest, BlocksOfLargestNorm) {
  Matrix scores = scoreMagnitude(randomMatrix(6, 8, 3));
  auto pattern = SparsityPattern::keepBlocks(2, 4, 0.5);
  Mask mask = selected(scores, pattern);
  EXPECT_EQ(mask.count(), 24);
  EXPECT_EQ(countKept(pattern, 6, 8), 24);
  double best = 0, chosen = 0;
  auto squaresOf = [&](int block) {
    double sum = 0;
    for (int64_t r = 0; r < 2; ++r)
      for (int64_t c = 0; c < 4; ++c)
        sum += std::pow(scores.at(block / 2 * 2 + r, block % 2 * 4 + c), 2);
    return sum;
  };
  for (unsigned bits : choicesOf(3, 6)) {
    double sum = 0;
    for (int block = 0; block < 6; ++block)
      if (bits >> block & 1)
        sum += squaresOf(block);
    best = std::max(best, sum);
  }
  for (int block = 0; block < 6; ++block) {
    bool isKept = mask.keeps(block / 2 * 2, block % 2 * 4);
    for (int64_t r = 0; r < 2; ++r)
      for (int64_t c = 0; c < 4; ++c)
        EXPECT_EQ(mask.keeps(block / 2 * 2 + r, block % 2 * 4 + c), isKept);
    chosen += isKept ? squaresOf(block) : 0;
  }
  EXPECT_NEAR(chosen, best, 1e-12);
}

/// In each row of blocks, the last of which has 2 rows of 3.
TEST(SparsityPatternTest, BlocksOfLargestNormInTheirRow) {
  Matrix scores = scoreMagnitude(randomMatrix(8, 10, 5));
  // Rows differ in size: over the matrix the first would have it all.
  for (int64_t r = 3; r < 8; ++r)
    for (int64_t c = 0; c < 10; ++c)
      scores.at(r, c) *= 1e-3;
  auto pattern = SparsityPattern::keepBlocksPerRow(3, 2, 0.4);
  Mask mask = selected(scores, pattern);
  EXPECT_EQ(mask.count(), 8 * 4);
  EXPECT_EQ(countKept(pattern, 8, 10), 8 * 4);
  for (int64_t row = 0; row < 8; row += 3) {
    std::vector<double> kept, removed;
    for (int64_t c = 0; c < 10; c += 2) {
      double sum = 0;
      for (int64_t r = row; r < std::min<int64_t>(row + 3, 8); ++r)
        for (int64_t i = c; i < c + 2; ++i) {
          sum += std::pow(scores.at(r, i), 2);
          EXPECT_EQ(mask.keeps(r, i), mask.keeps(row, c));
        }
      (mask.keeps(row, c) ? kept : removed).push_back(sum);
    }
    EXPECT_EQ(kept.size(), 2u);
    EXPECT_GE(*std::min_element(kept.begin(), kept.end()),
              *std::max_element(removed.begin(), removed.end()));
  }
}

/// A block of one weight is the pattern over the matrix, a group of all inputs
/// that of rows.
TEST(SparsityPatternTest, PatternsAgreeWhereTheyMeet) {
  Matrix scores = scoreMagnitude(randomMatrix(7, 10, 4));
  for (double kept : {0., 0.1, 0.33, 0.5, 1.}) {
    EXPECT_EQ(selected(scores, SparsityPattern::keepBlocks(1, 1, kept)),
              selected(scores, SparsityPattern::keepOverMatrix(kept)));
    EXPECT_EQ(selected(scores, SparsityPattern::keepBlocksPerRow(1, 1, kept)),
              selected(scores, SparsityPattern::keepPerRow(kept)));
  }
  EXPECT_EQ(selected(scores, SparsityPattern::keepOfInputs(3, 10)),
            selected(scores, SparsityPattern::keepPerRow(0.3)));
}

TEST(SparsityPatternTest, CountsWhatItKeeps) {
  for (auto [rows, columns] :
       {std::pair<int64_t, int64_t>{1, 4}, {6, 12}, {9, 24}, {0, 4}, {3, 0}}) {
    Matrix scores =
        scoreMagnitude(randomMatrix(rows, columns, unsigned(rows + columns)));
    for (const SparsityPattern &pattern :
         {SparsityPattern::keepOverMatrix(0.37),
          SparsityPattern::keepPerRow(0.37),
          SparsityPattern::keepOfInputs(1, 4),
          SparsityPattern::keepOfInputs(0, 2),
          SparsityPattern::keepBlocks(1, 4, 0.37),
          SparsityPattern::keepBlocksPerRow(4, 2, 0.37)})
      EXPECT_EQ(selected(scores, pattern).count(),
                countKept(pattern, rows, columns));
  }
  EXPECT_EQ(countKept(SparsityPattern::keepOverMatrix(0.37), 6, 12), 27);
  EXPECT_EQ(countKept(SparsityPattern::keepPerRow(0.37), 6, 12), 24);
}

TEST(SparsityPatternTest, EqualScoresKeepTheLowerIndex) {
  Matrix ones(2, 4, std::vector<double>(8, 1.0));
  Mask first = selected(ones, SparsityPattern::keepOverMatrix(0.625));
  for (int64_t e = 0; e < 8; ++e)
    EXPECT_EQ(first.keeps(e / 4, e % 4), e < 5) << e;
  for (const SparsityPattern &pattern :
       {SparsityPattern::keepPerRow(0.5), SparsityPattern::keepOfInputs(2, 4),
        SparsityPattern::keepBlocks(2, 2, 0.5),
        SparsityPattern::keepBlocksPerRow(2, 2, 0.5)}) {
    Mask mask = selected(ones, pattern);
    for (int64_t e = 0; e < 8; ++e)
      EXPECT_EQ(mask.keeps(e / 4, e % 4), e % 4 < 2) << e;
  }
}

TEST(SparsityPatternTest, MasksAreExact) {
  Matrix weights(2, 3, {-0.0, -1, 2, 3, -0.0, 0});
  Mask mask = findNonZeros(weights);
  EXPECT_EQ(mask.count(), 3);
  EXPECT_EQ(mask.support(0), (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(mask.support(1), (std::vector<int64_t>{0}));
  mask.set(0, 1, false);
  mask.set(0, 0, true);
  Matrix masked = applyMask(weights, mask);
  expectOnMask(masked, mask);
  EXPECT_EQ(masked.at(0, 2), 2);
  EXPECT_EQ(masked.at(1, 0), 3);
  EXPECT_EQ(Mask(2, 2, true).count(), 4);
}

TEST(SparsityPatternTest, RefusesPatterns) {
  Matrix scores(6, 10);
  auto errorOf = [&](const SparsityPattern &pattern) {
    auto mask = selectMask(scores, pattern);
    return mask ? "" : mask.error().str();
  };
  EXPECT_EQ(errorOf(SparsityPattern::keepOverMatrix(1.5)),
            "expected a fraction from 0 to 1, but got 1.5");
  EXPECT_EQ(errorOf(SparsityPattern::keepPerRow(-0.1)),
            "expected a fraction from 0 to 1, but got -0.1");
  EXPECT_EQ(errorOf(SparsityPattern::keepBlocks(1, 1, kNaN)),
            "expected a fraction from 0 to 1, but got nan");
  EXPECT_EQ(errorOf(SparsityPattern::keepOfInputs(2, 4)),
            "expected a multiple of 4 columns, but got 10");
  EXPECT_EQ(errorOf(SparsityPattern::keepOfInputs(6, 5)),
            "expected 0 to 5 inputs of every 5, but got 6");
  EXPECT_EQ(errorOf(SparsityPattern::keepOfInputs(-1, 5)),
            "expected 0 to 5 inputs of every 5, but got -1");
  EXPECT_EQ(errorOf(SparsityPattern::keepOfInputs(0, 0)),
            "expected groups of at least 1 input, but got 0");
  EXPECT_EQ(errorOf(SparsityPattern::keepBlocks(0, 2, 0.5)),
            "expected blocks of at least 1 x 1 weights, but got 0 x 2");
  EXPECT_EQ(errorOf(SparsityPattern::keepBlocks(4, 2, 0.5)),
            "expected a multiple of 4 rows, but got 6");
  EXPECT_EQ(errorOf(SparsityPattern::keepBlocks(2, 4, 0.5)),
            "expected a multiple of 4 columns, but got 10");
  EXPECT_EQ(errorOf(SparsityPattern::keepBlocksPerRow(4, 4, 0.5)),
            "expected a multiple of 4 columns, but got 10");
  EXPECT_EQ(errorOf(SparsityPattern::keepBlocksPerRow(4, 2, 1.5)),
            "expected a fraction from 0 to 1, but got 1.5");
}

TEST(SparsityPatternTest, RefusesScores) {
  auto pattern = SparsityPattern::keepPerRow(0.5);
  EXPECT_EQ(selectMask(Matrix(1, 2, {1, kNaN}), pattern).error().str(),
            "expected finite scores of at least 0, but got nan");
  EXPECT_EQ(selectMask(Matrix(1, 2, {1, -2}), pattern).error().str(),
            "expected finite scores of at least 0, but got -2");
  expectRefusesOperands([](const Matrix &weights, const Matrix &moment) {
    return scoreActivations(weights, moment);
  });
}

} // namespace
