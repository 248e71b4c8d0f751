//===- SparseFitTest.cpp - masks by alternating directions ----------------===//

#include "linnet/Numerics/SparseFit.h"

#include "SparseCases.h"

using namespace linnet;
using namespace linnet::test;

namespace {

SparseWeights fitted(const Matrix &weights, const Matrix &moment,
                     const SparsityPattern &pattern,
                     const SparseFitOptions &options = {}) {
  return taken(fitSparse(weights, moment, pattern, options));
}

const SparseFitOptions kUndamped = {.damping = 0, .refit = {}};

/// Between the best of all masks and the published greedy choices.
TEST(SparseFitTest, ComesCloseToTheBestMask) {
  CompressionOracle oracle("sparsegpt_small");
  Matrix w = oracle.matrix("W"), x = oracle.matrix("X"), g = momentOf(x);
  auto lossWith = [&](const SparsityPattern &pattern) {
    SparseWeights sparse = fitted(w, g, pattern, kUndamped);
    expectOptimal(sparse.weights, w, g, sparse.mask);
    return std::sqrt(double(x.columns()) * lossOf(sparse.weights, w, g));
  };
  double perRow = lossWith(SparsityPattern::keepPerRow(0.5));
  EXPECT_GE(perRow, double(oracle.meta["loss_best50"]) * (1 - 1e-9));
  EXPECT_LE(perRow,
            double(oracle.meta["cases"]["50"]["loss_exact_refit_same_mask"]));
  double groups = lossWith(SparsityPattern::keepOfInputs(2, 4));
  EXPECT_GE(groups, double(oracle.meta["loss_best24"]) * (1 - 1e-9));
  EXPECT_LE(groups,
            double(oracle.meta["cases"]["24"]["loss_exact_refit_same_mask"]));
}

TEST(SparseFitTest, BeatsMagnitudeAndActivations) {
  for (unsigned seed = 0; seed < 5; ++seed) {
    Matrix w = randomMatrix(13, 29, seed), g = correlatedMoment(29, 70 + seed);
    auto pattern = SparsityPattern::keepPerRow(0.4);
    double loss = lossOf(fitted(w, g, pattern, kUndamped).weights, w, g);
    for (const Matrix &scores : {scoreMagnitude(w), *scoreActivations(w, g)}) {
      Mask mask = *selectMask(scores, pattern);
      EXPECT_LT(loss, lossOf(*refitOnMask(w, g, mask), w, g)) << seed;
    }
  }
}

TEST(SparseFitTest, KeepsWhatThePatternSays) {
  Matrix w = randomMatrix(6, 20, 3), g = correlatedMoment(20, 4);
  for (auto pattern :
       {SparsityPattern::keepOverMatrix(0.37),
        SparsityPattern::keepPerRow(0.37), SparsityPattern::keepOfInputs(2, 5),
        SparsityPattern::keepBlocks(2, 4, 0.5),
        SparsityPattern::keepBlocksPerRow(4, 2, 0.3)})
    for (int64_t iterations : {1, 2, 20})
      for (bool refit : {false, true}) {
        SparseWeights sparse = fitted(
            w, g, pattern, {.iterations = iterations, .refitRows = refit});
        EXPECT_EQ(sparse.mask.count(), countKept(pattern, 6, 20));
        expectOnMask(sparse.weights, sparse.mask);
      }
}

TEST(SparseFitTest, RefitsByLeastSquares) {
  Matrix w = randomMatrix(7, 15, 1), g = correlatedMoment(15, 2);
  auto pattern = SparsityPattern::keepPerRow(0.5);
  SparseFitOptions rough = kUndamped;
  rough.refitRows = false;
  SparseWeights iterate = fitted(w, g, pattern, rough),
                refit = fitted(w, g, pattern, kUndamped);
  EXPECT_EQ(iterate.mask, refit.mask);
  EXPECT_LE(lossOf(refit.weights, w, g), lossOf(iterate.weights, w, g));
  expectOptimal(refit.weights, w, g, refit.mask);
}

/// A pattern over the matrix gives rows that count more more weights.
TEST(SparseFitTest, RowWeightsMoveWeights) {
  Matrix w = randomMatrix(2, 40, 1), g = correlatedMoment(40, 2);
  auto pattern = SparsityPattern::keepOverMatrix(0.5);
  SparseFitOptions favour = kUndamped;
  favour.rowWeights = {100, 1};
  EXPECT_GT(fitted(w, g, pattern, favour).mask.support(0).size(),
            fitted(w, g, pattern, kUndamped).mask.support(0).size());
  // Where rows do not compete, or all count alike, they change nothing.
  favour.rowWeights = {7, 7};
  EXPECT_EQ(fitted(w, g, pattern, favour).mask,
            fitted(w, g, pattern, kUndamped).mask);
}

TEST(SparseFitTest, FindsWeightsThatAreSparseAlready) {
  Matrix g = correlatedMoment(17, 2);
  Mask mask(5, 17);
  for (int64_t r = 0; r < 5; ++r)
    for (int64_t c = r; c < 17; c += 4)
      mask.set(r, c, true);
  Matrix w = applyMask(randomMatrix(5, 17, 1), mask);
  SparseWeights sparse =
      fitted(w, g, SparsityPattern::keepPerRow(5.0 / 17), kUndamped);
  EXPECT_LE(lossOf(sparse.weights, w, g), 1e-20);
}

TEST(SparseFitTest, DeadInputsGoFirst) {
  Matrix w = randomMatrix(3, 5, 1), x = randomMatrix(5, 30, 2);
  std::fill_n(x.row(2), 30, 0.0);
  SparseWeights sparse =
      fitted(w, momentOf(x), SparsityPattern::keepPerRow(0.8));
  for (int64_t r = 0; r < 3; ++r)
    EXPECT_FALSE(sparse.mask.keeps(r, 2));
}

TEST(SparseFitTest, SizesOfNothing) {
  auto pattern = SparsityPattern::keepPerRow(0.5);
  EXPECT_EQ(fitted(Matrix(0, 4), Matrix::identity(4), pattern).mask.rows(), 0);
  EXPECT_EQ(fitted(Matrix(3, 0), Matrix(0, 0), pattern).mask.rows(), 3);
}

TEST(SparseFitTest, Refuses) {
  auto pattern = SparsityPattern::keepPerRow(0.5);
  expectRefusesOperands([&](const Matrix &w, const Matrix &g) {
    return fitSparse(w, g, pattern);
  });
  Matrix w = randomMatrix(3, 4, 1), g = Matrix::identity(4);
  auto refusal = [&](const SparseFitOptions &options) {
    auto sparse = fitSparse(w, g, pattern, options);
    return sparse ? std::string() : sparse.error().str();
  };
  EXPECT_EQ(refusal({.iterations = 0}),
            "expected at least 1 iteration, but got 0");
  EXPECT_EQ(refusal({.penalty = 0}), "expected a penalty above 0, but got 0");
  EXPECT_EQ(refusal({.damping = -0.5}),
            "expected a damping of at least 0, but got -0.5");
  EXPECT_EQ(refusal({.rowWeights = {1, 2}}),
            "expected 3 row weights, but got 2");
  EXPECT_EQ(refusal({.rowWeights = {1, 0, 1}}),
            "expected row weights above 0, but got 0");
  EXPECT_EQ(fitSparse(w, g, SparsityPattern::keepPerRow(2)).error().str(),
            "expected a fraction from 0 to 1, but got 2");
  // No second moment: one eigenvalue is -1.
  Matrix indefinite(2, 2, {1, 2, 2, 1});
  EXPECT_FALSE(bool(fitSparse(Matrix(1, 2, {1, 1}), indefinite, pattern)));
}

} // namespace
