//===- BrainSurgeonTest.cpp - greedy removal with exact downdates ---------===//

#include "linnet/Numerics/SparseFit.h"

#include "SparseCases.h"

using namespace linnet;
using namespace linnet::test;

namespace {

SparseWeights removed(const Matrix &weights, const Matrix &moment,
                      const SparsityPattern &pattern, double damping = 0) {
  return taken(removeByBrainSurgeon(weights, moment, pattern, damping));
}

TEST(BrainSurgeonTest, MatchesTheKnownRemoval) {
  CompressionOracle oracle("sparsegpt_small");
  Matrix w = oracle.matrix("W"), x = oracle.matrix("X"), g = momentOf(x);
  SparseWeights sparse = removed(w, g, SparsityPattern::keepPerRow(0.5));
  EXPECT_EQ(sparse.mask, maskOf(oracle, "obs_keep", true));
  EXPECT_LE(largestDifference(sparse.weights, oracle.matrix("obs_W")), 1e-9);
  double loss = oracle.meta["loss_obs"];
  double scale = double(x.columns());
  EXPECT_NEAR(std::sqrt(scale * lossOf(sparse.weights, w, g)), loss,
              1e-9 * loss);
  // The best of all masks is 6 % better.
  EXPECT_GE(loss, double(oracle.meta["loss_best50"]));
}

/// Each step by definition: the removal whose refit loses least.
TEST(BrainSurgeonTest, RemovesWhatARefitWouldMissLeast) {
  int64_t n = 9;
  for (unsigned seed = 0; seed < 5; ++seed) {
    Matrix w = randomMatrix(1, n, seed), g = correlatedMoment(n, 30 + seed);
    Mask kept(1, n, true);
    for (int64_t left = n; left-- > 2;) {
      double least = 0;
      int64_t best = -1;
      for (int64_t j : kept.support(0)) {
        Mask without = kept;
        without.set(0, j, false);
        double loss = lossOf(*refitOnMask(w, g, without), w, g);
        if (best < 0 || loss < least) {
          best = j;
          least = loss;
        }
      }
      kept.set(0, best, false);
      SparseWeights sparse =
          removed(w, g, SparsityPattern::keepPerRow(double(left) / double(n)));
      EXPECT_EQ(sparse.mask, kept) << left << " of " << n;
      expectOptimal(sparse.weights, w, g, kept);
    }
  }
}

TEST(BrainSurgeonTest, KeepsGroups) {
  Matrix w = randomMatrix(5, 24, 1), g = correlatedMoment(24, 2);
  auto pattern = SparsityPattern::keepOfInputs(2, 4);
  SparseWeights sparse = removed(w, g, pattern);
  expectOfInputs(sparse.mask, 2, 4);
  expectOnMask(sparse.weights, sparse.mask);
  auto byColumns = sparsifyWithFeedback(w, g, pattern, {.damping = 0});
  ASSERT_TRUE(bool(byColumns));
  EXPECT_LT(lossOf(sparse.weights, w, g), lossOf(byColumns->weights, w, g));
}

/// With inputs that have nothing to do with each other it is magnitude.
TEST(BrainSurgeonTest, TakesTheSmallestOfIndependentInputs) {
  Matrix w = randomMatrix(4, 11, 1);
  auto pattern = SparsityPattern::keepPerRow(5.0 / 11);
  SparseWeights sparse = removed(w, Matrix::identity(11), pattern);
  EXPECT_EQ(sparse.mask, *selectMask(scoreMagnitude(w), pattern));
  EXPECT_LE(largestDifference(sparse.weights, applyMask(w, sparse.mask)),
            1e-14);
}

TEST(BrainSurgeonTest, DeadInputsGoFirst) {
  Matrix w = randomMatrix(3, 5, 1), x = randomMatrix(5, 30, 2);
  std::fill_n(x.row(2), 30, 0.0);
  SparseWeights sparse =
      removed(w, momentOf(x), SparsityPattern::keepPerRow(0.8), 0.01);
  for (int64_t r = 0; r < 3; ++r)
    EXPECT_FALSE(sparse.mask.keeps(r, 2));
  EXPECT_LE(lossOf(sparse.weights, w, momentOf(x)), 1e-20);
}

TEST(BrainSurgeonTest, SizesOfNothing) {
  auto pattern = SparsityPattern::keepPerRow(0.5);
  EXPECT_EQ(removed(Matrix(0, 4), Matrix::identity(4), pattern).mask.rows(), 0);
  EXPECT_EQ(removed(Matrix(3, 0), Matrix(0, 0), pattern).mask.rows(), 3);
}

TEST(BrainSurgeonTest, Refuses) {
  auto pattern = SparsityPattern::keepPerRow(0.5);
  expectRefusesOperands([&](const Matrix &w, const Matrix &g) {
    return removeByBrainSurgeon(w, g, pattern);
  });
  Matrix w = randomMatrix(3, 4, 1), g = Matrix::identity(4);
  for (auto other : {SparsityPattern::keepOverMatrix(0.5),
                     SparsityPattern::keepBlocks(1, 2, 0.5)})
    EXPECT_EQ(removeByBrainSurgeon(w, g, other).error().str(),
              "expected a pattern of single rows, but got one over the matrix");
  EXPECT_EQ(removeByBrainSurgeon(w, g, pattern, kNaN).error().str(),
            "expected a damping of at least 0, but got nan");
  EXPECT_FALSE(bool(
      removeByBrainSurgeon(w, momentOf(randomMatrix(4, 2, 2)), pattern, 0)));
}

} // namespace
