//===- SparseFeedbackTest.cpp - removal by columns with feedback ----------===//

#include "linnet/Numerics/SparseFit.h"

#include "SparseCases.h"

using namespace linnet;
using namespace linnet::test;

namespace {

SparseWeights sparsified(const Matrix &weights, const Matrix &moment,
                         const SparsityPattern &pattern,
                         const FeedbackOptions &options = {}) {
  return taken(sparsifyWithFeedback(weights, moment, pattern, options));
}

TEST(SparseFeedbackTest, MatchesThePublishedCode) {
  CompressionOracle oracle("sparsegpt_small");
  Matrix w = oracle.matrix("W"), g = momentOf(oracle.matrix("X"));
  auto m = double(w.rows()), n = double(w.columns());
  // The published code removes one weight more per block.
  struct {
    std::string name;
    SparsityPattern pattern;
    int64_t block;
  } cases[] = {
      {"50", SparsityPattern::keepOverMatrix(0.5 - 1 / (m * n)), 128},
      {"24", SparsityPattern::keepOfInputs(2, 4), 128},
      {"50_block4", SparsityPattern::keepOverMatrix(0.5 - 1 / (m * 4)), 4},
  };
  for (auto &[name, pattern, block] : cases) {
    SparseWeights sparse = sparsified(w, g, pattern, {.block = block});
    EXPECT_EQ(sparse.mask, maskOf(oracle, "mask_" + name, false)) << name;
    EXPECT_LE(largestDifference(sparse.weights, oracle.matrix("f64_" + name)),
              1e-9)
        << name;
    EXPECT_LE(
        largestDifference(sparse.weights, oracle.matrix("published_" + name)),
        1e-3)
        << name;
    expectOnMask(sparse.weights, sparse.mask);
  }
}

/// Blocks only put off work: the masks of groups do not depend on them.
TEST(SparseFeedbackTest, GroupsDoNotDependOnTheBlock) {
  Matrix w = randomMatrix(7, 24, 1), g = correlatedMoment(24, 2);
  auto pattern = SparsityPattern::keepOfInputs(1, 3);
  SparseWeights whole = sparsified(w, g, pattern);
  for (int64_t block : {1, 3, 4, 7, 23, 24, 1000}) {
    SparseWeights sparse = sparsified(w, g, pattern, {.block = block});
    EXPECT_EQ(sparse.mask, whole.mask) << block;
    EXPECT_LE(largestDifference(sparse.weights, whole.weights), 1e-12);
  }
}

TEST(SparseFeedbackTest, KeepsWhatThePatternSays) {
  Matrix w = randomMatrix(6, 20, 3), g = correlatedMoment(20, 4);
  for (auto pattern :
       {SparsityPattern::keepOverMatrix(0.37),
        SparsityPattern::keepPerRow(0.37), SparsityPattern::keepOfInputs(2, 5),
        SparsityPattern::keepBlocks(2, 4, 0.5),
        SparsityPattern::keepBlocksPerRow(4, 2, 0.3)})
    for (int64_t block : {1, 7, 128}) {
      SparseWeights sparse = sparsified(w, g, pattern, {.block = block});
      EXPECT_EQ(sparse.mask.count(), countKept(pattern, 6, 20));
      expectOnMask(sparse.weights, sparse.mask);
    }
  expectOfInputs(sparsified(w, g, SparsityPattern::keepOfInputs(2, 5)).mask, 2,
                 5);
}

/// With the later columns' help it loses less than without, and no less than
/// least squares on the same mask.
TEST(SparseFeedbackTest, LiesBetweenNoRefitAndTheBestOne) {
  for (unsigned seed = 0; seed < 10; ++seed) {
    Matrix w = randomMatrix(9, 21, seed), g = correlatedMoment(21, 50 + seed);
    SparseWeights sparse =
        sparsified(w, g, SparsityPattern::keepPerRow(0.5), {.damping = 1e-9});
    auto refit = refitOnMask(w, g, sparse.mask);
    ASSERT_TRUE(bool(refit));
    double loss = lossOf(sparse.weights, w, g);
    EXPECT_LT(loss, lossOf(applyMask(w, sparse.mask), w, g));
    EXPECT_GE(loss, lossOf(*refit, w, g) * (1 - 1e-9));
  }
}

TEST(SparseFeedbackTest, KeepsAllOrNothing) {
  Matrix w = randomMatrix(3, 8, 1), g = correlatedMoment(8, 2);
  EXPECT_LE(largestDifference(
                sparsified(w, g, SparsityPattern::keepPerRow(1)).weights, w),
            1e-12);
  EXPECT_EQ(norm(sparsified(w, g, SparsityPattern::keepPerRow(0)).weights), 0);
}

TEST(SparseFeedbackTest, DeadInputsGoFirst) {
  Matrix w = randomMatrix(5, 6, 1), x = randomMatrix(6, 40, 2);
  for (int64_t dead : {1, 4})
    std::fill_n(x.row(dead), 40, 0.0);
  Matrix g = momentOf(x);
  SparseWeights sparse = sparsified(w, g, SparsityPattern::keepPerRow(4 / 6.0));
  for (int64_t r = 0; r < 5; ++r)
    EXPECT_EQ(sparse.mask.support(r), (std::vector<int64_t>{0, 2, 3, 5}));
  // Nothing that counts was removed.
  EXPECT_LE(lossOf(sparse.weights, w, g), 1e-20);
}

TEST(SparseFeedbackTest, SizesOfNothing) {
  auto pattern = SparsityPattern::keepPerRow(0.5);
  EXPECT_EQ(
      sparsified(Matrix(0, 4), Matrix::identity(4), pattern).weights.columns(),
      4);
  EXPECT_EQ(sparsified(Matrix(3, 0), Matrix(0, 0), pattern).weights.rows(), 3);
}

TEST(SparseFeedbackTest, Refuses) {
  auto pattern = SparsityPattern::keepPerRow(0.5);
  expectRefusesOperands([&](const Matrix &w, const Matrix &g) {
    return sparsifyWithFeedback(w, g, pattern);
  });
  Matrix w = randomMatrix(3, 4, 1), g = Matrix::identity(4);
  EXPECT_EQ(sparsifyWithFeedback(w, g, pattern, {.damping = -1}).error().str(),
            "expected a damping of at least 0, but got -1");
  EXPECT_EQ(sparsifyWithFeedback(w, g, pattern, {.block = 0}).error().str(),
            "expected a block of at least 1 column, but got 0");
  EXPECT_EQ(sparsifyWithFeedback(w, g, SparsityPattern::keepOfInputs(1, 3))
                .error()
                .str(),
            "expected a multiple of 3 columns, but got 4");
  Matrix x = randomMatrix(4, 2, 2);
  EXPECT_FALSE(
      bool(sparsifyWithFeedback(w, momentOf(x), pattern, {.damping = 0})));
  EXPECT_TRUE(bool(sparsifyWithFeedback(w, momentOf(x), pattern)));
}

} // namespace
