//===- LowRankPlusSparseTest.cpp - W = L + S ------------------------------===//

#include "linnet/Numerics/LowRankPlusSparse.h"

#include "SparseCases.h"

using namespace linnet;
using namespace linnet::test;

namespace {

void expectFalls(const std::vector<double> &history) {
  for (size_t i = 1; i < history.size(); ++i)
    EXPECT_LE(history[i], history[i - 1] * (1 + 1e-12) + 1e-14) << i;
}

void expectKnown(const CompressionOracle &oracle,
                 const LowRankPlusSparse &result,
                 const std::vector<double> &scales, const std::string &suffix) {
  std::vector<double> history = oracle.numbers("history" + suffix);
  ASSERT_EQ(result.history.size(), history.size());
  for (size_t i = 0; i < history.size(); ++i)
    EXPECT_NEAR(result.history[i] / history[i], 1, 1e-8) << i;
  expectFalls(result.history);
  EXPECT_EQ(result.mask.count(), int64_t(oracle.meta["nnz"]));
  // The fixture's parts are of W D.
  EXPECT_LE(largestDifference(scaleColumns(result.low.toDense(), scales),
                              oracle.matrix("L" + suffix)),
            1e-7);
  EXPECT_LE(largestDifference(scaleColumns(result.sparse, scales),
                              oracle.matrix("S" + suffix)),
            1e-7);
}

TEST(LowRankPlusSparseTest, MatchesTheKnownTurns) {
  CompressionOracle oracle("lowrank_plus_sparse");
  Matrix w = oracle.matrix("W"), g = momentOf(oracle.matrix("X"));
  int64_t rank = oracle.meta["rank"];
  auto pattern = SparsityPattern::keepOverMatrix(double(oracle.meta["nnz"]) /
                                                 double(w.size()));
  std::vector<double> scales = measureInputScales(g);
  std::vector<double> known = oracle.numbers("scale");
  for (size_t j = 0; j < scales.size(); ++j)
    EXPECT_NEAR(scales[j] / known[j], 1, 1e-12);
  expectKnown(oracle, taken(decomposeByThresholding(w, rank, pattern, scales)),
              scales, "");
  expectKnown(oracle, taken(decomposeByThresholding(w, rank, pattern)),
              std::vector<double>(w.columns(), 1), "_plain");
}

/// The fit for the loss of outputs is better there than the turns that only
/// scale inputs, and its history is the loss that it says.
TEST(LowRankPlusSparseTest, FitsOutputs) {
  CompressionOracle oracle("lowrank_plus_sparse");
  Matrix w = oracle.matrix("W"), g = momentOf(oracle.matrix("X"));
  int64_t rank = oracle.meta["rank"];
  auto pattern = SparsityPattern::keepOverMatrix(double(oracle.meta["nnz"]) /
                                                 double(w.size()));
  LowRankPlusSparseOptions options{.alternations = 12};
  LowRankPlusSparse fit =
      taken(fitLowRankPlusSparse(w, g, rank, pattern, options));
  double loss = std::sqrt(lossOf(fit.toDense(), w, g) /
                          lossOf(Matrix(w.rows(), w.columns()), w, g));
  EXPECT_NEAR(fit.history.back() / loss, 1, 1e-8);
  EXPECT_EQ(fit.history.size(), 13u);
  EXPECT_LT(loss, double(oracle.meta["plain_output_loss"]));
  EXPECT_EQ(fit.mask.count(), int64_t(oracle.meta["nnz"]));
  EXPECT_EQ(fit.low.left.columns(), rank);
  expectOnMask(fit.sparse, fit.mask);
}

TEST(LowRankPlusSparseTest, FindsBothPartsOfASum) {
  Matrix low = multiply(randomMatrix(24, 2, 1), randomMatrix(2, 30, 2));
  Mask mask = randomMask(24, 30, 0.05, 3);
  Matrix w = low + applyMask(10 * randomMatrix(24, 30, 4), mask);
  auto pattern =
      SparsityPattern::keepOverMatrix(double(mask.count()) / (24.0 * 30));
  LowRankPlusSparse result =
      taken(decomposeByThresholding(w, 2, pattern, {}, 200));
  EXPECT_LE(result.history.back(), 1e-3);
}

/// One part alone is the other part's own problem.
TEST(LowRankPlusSparseTest, HasEitherPartAlone) {
  Matrix w = randomMatrix(9, 14, 1), g = correlatedMoment(14, 2);
  auto none = SparsityPattern::keepPerRow(0),
       half = SparsityPattern::keepPerRow(0.5);
  LowRankPlusSparse low = taken(fitLowRankPlusSparse(w, g, 3, none));
  EXPECT_LE(largestDifference(low.toDense(), fitLowRank(w, g, 3)->toDense()),
            1e-9);
  EXPECT_EQ(norm(low.sparse), 0);
  LowRankPlusSparseOptions options;
  LowRankPlusSparse sparse =
      taken(fitLowRankPlusSparse(w, g, 0, half, options));
  EXPECT_LE(largestDifference(sparse.toDense(),
                              fitSparse(w, g, half, options.fit)->weights),
            1e-12);
  EXPECT_EQ(sparse.low.left.columns(), 0);
  LowRankPlusSparse all = taken(decomposeByThresholding(w, 9, none));
  EXPECT_LE(largestDifference(all.toDense(), w), 1e-10);
}

TEST(LowRankPlusSparseTest, ImprovesOnEitherPartAlone) {
  for (unsigned seed = 0; seed < 3; ++seed) {
    Matrix w = multiply(randomMatrix(20, 3, seed), randomMatrix(3, 26, 9)) +
               applyMask(4 * randomMatrix(20, 26, 10 + seed),
                         randomMask(20, 26, 0.1, 20 + seed));
    Matrix g = correlatedMoment(26, 30 + seed);
    // A rank of 3 takes as many numbers as a quarter of the weights.
    double both =
        taken(fitLowRankPlusSparse(w, g, 3, SparsityPattern::keepPerRow(0.125)))
            .history.back();
    Matrix low = fitLowRank(w, g, 5)->toDense();
    double whole = lossOf(Matrix(20, 26), w, g);
    EXPECT_LT(both, std::sqrt(lossOf(low, w, g) / whole));
  }
}

TEST(LowRankPlusSparseTest, TakesDeadInputs) {
  Matrix w = randomMatrix(6, 7, 1);
  std::vector<double> scales(7, 1);
  scales[3] = 0;
  LowRankPlusSparse result = taken(decomposeByThresholding(
      w, 2, SparsityPattern::keepOverMatrix(0.3), scales));
  Matrix dense = result.toDense();
  EXPECT_TRUE(isFinite(dense));
  for (int64_t r = 0; r < 6; ++r)
    EXPECT_EQ(dense.at(r, 3), 0);
}

TEST(LowRankPlusSparseTest, SharesNumbers) {
  NumbersShare share = *shareNumbers(100, 50, 0.5, 0.5);
  // 9 (150 - 9) = 1269 of 1250 are too many, 8 (150 - 8) = 1136 are not.
  EXPECT_EQ(share.rank, 8);
  EXPECT_NEAR(share.keptSparse * 5000, 2500 - 1136, 1e-9);
  EXPECT_EQ(shareNumbers(100, 50, 0.5, 0)->rank, 0);
  EXPECT_EQ(shareNumbers(100, 50, 1, 1)->rank, 50);
  EXPECT_EQ(shareNumbers(0, 50, 0.5, 0.5)->rank, 0);
  EXPECT_EQ(shareNumbers(9, 5, 1.5, 0).error().str(),
            "expected a fraction from 0 to 1, but got 1.5");
  EXPECT_FALSE(bool(shareNumbers(9, 5, 0.5, kNaN)));
}

TEST(LowRankPlusSparseTest, RefusesThresholding) {
  Matrix w = randomMatrix(3, 4, 1);
  auto pattern = SparsityPattern::keepPerRow(0.5);
  auto refusal = [&](const Matrix &w, int64_t rank,
                     const std::vector<double> &scales, int64_t iterations) {
    auto result = decomposeByThresholding(w, rank, pattern, scales, iterations);
    return result ? std::string() : result.error().str();
  };
  EXPECT_EQ(refusal(w, 4, {}, 80), "expected a rank from 0 to 3, but got 4");
  EXPECT_EQ(refusal(w, -1, {}, 80), "expected a rank from 0 to 3, but got -1");
  EXPECT_EQ(refusal(w, 1, {}, 0), "expected at least 1 iteration, but got 0");
  EXPECT_EQ(refusal(w, 1, {1, 1}, 80), "expected 4 input scales, but got 2");
  EXPECT_EQ(refusal(w, 1, {1, 1, -2, 1}, 80),
            "expected input scales of at least 0, but got -2");
  Matrix bad = w;
  bad.at(0, 0) = kNaN;
  EXPECT_EQ(refusal(bad, 1, {}, 80),
            "expected finite weights, but got NaN or infinity");
  EXPECT_EQ(decomposeByThresholding(w, 1, SparsityPattern::keepPerRow(-1))
                .error()
                .str(),
            "expected a fraction from 0 to 1, but got -1");
}

TEST(LowRankPlusSparseTest, RefusesFits) {
  auto pattern = SparsityPattern::keepPerRow(0.5);
  expectRefusesOperands([&](const Matrix &w, const Matrix &g) {
    return fitLowRankPlusSparse(w, g, 1, pattern);
  });
  Matrix w = randomMatrix(3, 4, 1), g = Matrix::identity(4);
  EXPECT_EQ(fitLowRankPlusSparse(w, g, 4, pattern).error().str(),
            "expected a rank from 0 to 3, but got 4");
  LowRankPlusSparseOptions options{.alternations = 0};
  EXPECT_EQ(fitLowRankPlusSparse(w, g, 1, pattern, options).error().str(),
            "expected at least 1 alternation, but got 0");
}

} // namespace
