//===- BlastFitTest.cpp - blocks that share their factors -----------------===//

#include "linnet/Numerics/BlastFit.h"

#include "CompressionOracle.h"

#include <algorithm>
#include <limits>

using namespace linnet;
using namespace linnet::test;

namespace {

BlastFit fitted(const Matrix &matrix, int64_t blocks, int64_t rank,
                const BlastOptions &options = {}) {
  return taken(fitBlast(matrix, blocks, rank, options));
}

/// The oracle's B[b, p, r], C[b, r, q] and D[r, b, b].
BlastFactors factorsOf(const CompressionOracle &oracle) {
  auto b = oracle.array("B"), c = oracle.array("C"), d = oracle.array("D");
  std::vector<double> left = b.toF64(), right = c.toF64(), scales = d.toF64();
  BlastFactors factors;
  int64_t blocks = b.shape[0], height = b.shape[1], rank = b.shape[2],
          width = c.shape[2];
  for (int64_t i = 0; i < blocks; ++i) {
    auto at = left.begin() + i * height * rank;
    factors.left.emplace_back(height, rank,
                              std::vector<double>(at, at + height * rank));
    at = right.begin() + i * rank * width;
    factors.right.emplace_back(rank, width,
                               std::vector<double>(at, at + rank * width));
  }
  factors.diagonals = Matrix(rank, blocks * blocks, scales).transposed();
  return factors;
}

TEST(BlastFitTest, HasThePublishedLayout) {
  CompressionOracle oracle("blast_recover");
  BlastFactors factors = factorsOf(oracle);
  Matrix a = factors.toDense();
  EXPECT_LE(largestDifference(a, oracle.matrix("A")), 1e-12);
  EXPECT_EQ(factors.numbers(), int64_t(oracle.meta["params"]));
  EXPECT_LE(largestDifference(multiply(a, oracle.matrix("x").transposed()),
                              oracle.matrix("y").transposed()),
            1e-12);
}

TEST(BlastFitTest, RecoversAPlantedMatrix) {
  CompressionOracle oracle("blast_recover");
  Matrix a = oracle.matrix("A");
  double best = 1;
  for (uint64_t seed = 0; seed < 5; ++seed) {
    BlastFit fit = fitted(a, 4, 6, {.iterations = 300, .seed = seed});
    best = std::min(best, fit.history.back());
    EXPECT_NEAR(norm(a - fit.factors.toDense()) / norm(a), fit.history.back(),
                1e-12);
    EXPECT_LE(
        fitted(a, 4, 12, {.iterations = 300, .seed = seed}).history.back(),
        0.025)
        << seed;
  }
  EXPECT_LE(best, 1e-3);
  EXPECT_LE(fitted(a, 4, 6, {.iterations = 1000, .starts = 5}).history.back(),
            1e-5);
}

TEST(BlastFitTest, FitsAsWellAsThePublishedSolver) {
  CompressionOracle oracle("blast_dense");
  for (auto [name, published] :
       {std::pair("gauss", "rel_error_gauss"),
        {"blockdiag_rank4", "rel_error_blockdiag_plus_rank4"}}) {
    std::vector<double> errors = oracle.meta[published];
    std::sort(errors.begin(), errors.end());
    BlastFit fit = fitted(oracle.matrix(name), 4, 14, {.iterations = 300});
    EXPECT_LE(fit.history.back(), 1.03 * errors[2]) << name;
  }
}

TEST(BlastFitTest, NeverRises) {
  for (auto [b, m, n] :
       {std::tuple(1, 7, 5), {3, 9, 15}, {5, 5, 10}, {2, 14, 6}}) {
    BlastFit fit =
        fitted(randomMatrix(m, n, unsigned(m)), b, 3, {.iterations = 60});
    ASSERT_EQ(fit.history.size(), 60u);
    for (size_t i = 1; i < fit.history.size(); ++i)
      EXPECT_LE(fit.history[i], fit.history[i - 1] * (1 + 1e-12) + 1e-13);
  }
}

/// One block is a matrix of low rank, whose optimum is known.
TEST(BlastFitTest, IsLowRankInOneBlock) {
  Matrix a = randomMatrix(9, 13, 1);
  auto svd = singularValues(a);
  ASSERT_TRUE(bool(svd));
  double rest = 0;
  for (size_t i = 3; i < svd->values.size(); ++i)
    rest += svd->values[i] * svd->values[i];
  EXPECT_NEAR(fitted(a, 1, 3, {.iterations = 2000}).history.back() /
                  (std::sqrt(rest) / norm(a)),
              1, 1e-6);
}

TEST(BlastFitTest, TakesTheBestStart) {
  Matrix a = randomMatrix(12, 12, 2);
  double best = 1;
  for (uint64_t seed = 7; seed < 10; ++seed)
    best = std::min(
        best, fitted(a, 3, 4, {.iterations = 20, .seed = seed}).history.back());
  EXPECT_EQ(fitted(a, 3, 4, {.iterations = 20, .starts = 3, .seed = 7})
                .history.back(),
            best);
}

TEST(BlastFitTest, FitsZeros) {
  BlastFit fit = fitted(Matrix(4, 6), 2, 2);
  EXPECT_EQ(fit.history.back(), 0);
  EXPECT_LE(norm(fit.factors.toDense()), 1e-12);
}

TEST(BlastFitTest, Refuses) {
  auto refusal = [](const Matrix &matrix, int64_t blocks, int64_t rank,
                    const BlastOptions &options = {}) {
    auto fit = fitBlast(matrix, blocks, rank, options);
    return fit ? std::string() : fit.error().str();
  };
  Matrix a(6, 8);
  for (int64_t blocks : {0, 3, 4})
    EXPECT_EQ(refusal(a, blocks, 1),
              "expected a number of blocks that divides 6 and 8, but got " +
                  std::to_string(blocks));
  EXPECT_EQ(refusal(a, 2, 0), "expected a rank of at least 1, but got 0");
  EXPECT_EQ(refusal(a, 2, 1, {.iterations = 0}),
            "expected at least 1 iteration, but got 0");
  EXPECT_EQ(refusal(a, 2, 1, {.starts = 0}),
            "expected at least 1 start, but got 0");
  a.at(0, 0) = std::numeric_limits<double>::infinity();
  EXPECT_EQ(refusal(a, 2, 1),
            "expected finite entries, but got NaN or infinity");
}

} // namespace
