//===- LowRankTest.cpp - matrices of low rank -----------------------------===//

#include "linnet/Numerics/LowRank.h"

#include "CompressionOracle.h"
#include "linnet/Checkpoint/Safetensors.h"

#include <cmath>
#include <limits>
#include <numeric>

using namespace linnet;
using namespace linnet::test;

namespace {

Matrix momentOf(const Matrix &x) {
  return multiply(x, x, Side::AsIs, Side::Transposed);
}

double lossOn(const Matrix &difference, const Matrix &x) {
  return norm(multiply(difference, x));
}

#define EXPECT_ERROR(result, text)                                             \
  do {                                                                         \
    auto failed = result;                                                      \
    ASSERT_FALSE(bool(failed));                                                \
    EXPECT_EQ(failed.error().str(), text);                                     \
  } while (false)

//===----------------------------------------------------------------------===//
// Ranks
//===----------------------------------------------------------------------===//

TEST(LowRankTest, EffectiveRankCountsEqualValues) {
  EXPECT_NEAR(effectiveRank({4, 4, 4, 4, 4}), 5, 1e-12);
  EXPECT_NEAR(effectiveRank({7, 0, 0}), 1, 1e-12);
  EXPECT_EQ(effectiveRank({0, 0}), 0);
  EXPECT_EQ(effectiveRank({}), 0);
  // exp(-(3/4 log 3/4 + 1/4 log 1/4)) = 4 / 3^(3/4).
  EXPECT_NEAR(effectiveRank({3, 1}), 4 / std::pow(3, 0.75), 1e-12);
}

TEST(LowRankTest, UtilisedRankLosesNoMoreThanAsked) {
  std::vector<double> spectrum = {90, 8, 1.5, 0.5, 0};
  EXPECT_EQ(utilisedRank(spectrum, 0), 4);
  EXPECT_EQ(utilisedRank(spectrum, 0.005), 3);
  EXPECT_EQ(utilisedRank(spectrum, 0.02), 2);
  EXPECT_EQ(utilisedRank(spectrum, 0.0199), 3);
  EXPECT_EQ(utilisedRank(spectrum, 1), 0);
  EXPECT_EQ(utilisedRank({}, 0.5), 0);
}

//===----------------------------------------------------------------------===//
// Outside results
//===----------------------------------------------------------------------===//

TEST(LowRankTest, ReachesTheDataAwareOptimum) {
  CompressionOracle oracle("svd_data_aware");
  Matrix w = oracle.matrix("W"), x = oracle.matrix("X");
  int64_t rank = oracle.meta["rank"];
  LowRankFactors fit = taken(fitLowRank(w, momentOf(x), rank));
  EXPECT_EQ(fit.left.columns(), rank);
  EXPECT_LE(largestDifference(fit.toDense(), oracle.matrix("W1")), 1e-8);
  double optimum = oracle.meta["loss_optimal"];
  EXPECT_NEAR(lossOn(w - fit.toDense(), x) / optimum, 1, 1e-9);
  EXPECT_NEAR(std::sqrt(outputLoss(w - fit.toDense(), momentOf(x))) / optimum,
              1, 1e-9);
  std::vector<double> expected = oracle.numbers("singular_values_WX");
  std::vector<double> spectrum = taken(lossSpectrum(w, momentOf(x)));
  ASSERT_EQ(spectrum.size(), size_t(std::min(w.rows(), w.columns())));
  for (size_t i = 0; i < spectrum.size(); ++i)
    EXPECT_NEAR(std::sqrt(spectrum[i]), expected[i], 1e-9 * expected[0]);
}

TEST(LowRankTest, TakesInputsThatSpanLess) {
  CompressionOracle oracle("svd_data_aware");
  Matrix w = oracle.matrix("W"), x = oracle.matrix("Xdef");
  int64_t rank = oracle.meta["rank"];
  Matrix w1 = taken(fitLowRank(w, momentOf(x), rank)).toDense();
  EXPECT_NEAR(lossOn(w - w1, x) / double(oracle.meta["loss_deficient_optimal"]),
              1, 1e-9);
  EXPECT_LE(largestDifference(multiply(w1, x), oracle.matrix("W1Xdef")), 1e-7);
}

TEST(LowRankTest, TruncatesSingularValues) {
  CompressionOracle oracle("svd_data_aware");
  Matrix w = oracle.matrix("W");
  Matrix w1 = taken(truncateSingularValues(w, oracle.meta["rank"])).toDense();
  EXPECT_LE(largestDifference(w1, oracle.matrix("W_plain_svd")), 1e-8);
  EXPECT_NEAR(lossOn(w - w1, oracle.matrix("X")) /
                  double(oracle.meta["loss_plain_svd"]),
              1, 1e-9);
}

TEST(LowRankTest, TruncatesScaledSingularValues) {
  CompressionOracle oracle("asvd");
  Matrix w = oracle.matrix("W"), x = oracle.matrix("X");
  std::vector<double> magnitudes(x.rows());
  for (int64_t j = 0; j < x.rows(); ++j)
    for (int64_t t = 0; t < x.columns(); ++t)
      magnitudes[j] += std::abs(x.at(j, t)) / double(x.columns());
  Matrix w1 =
      taken(truncateScaledSingularValues(w, magnitudes, oracle.meta["rank"],
                                         oracle.meta["alpha"]))
          .toDense();
  EXPECT_LE(largestDifference(w1, oracle.matrix("W1")), 1e-8);
  EXPECT_NEAR(lossOn(w - w1, x) / double(oracle.meta["loss"]), 1, 1e-9);
}

TEST(LowRankTest, RefitsToOtherInputs) {
  CompressionOracle oracle("svd_refit_two_inputs");
  Matrix w = oracle.matrix("W"), x = oracle.matrix("X"),
         other = oracle.matrix("Xc");
  Matrix target = multiply(w, x);
  auto lossOf = [&](const Matrix &w1) {
    return norm(target - multiply(w1, other));
  };
  Matrix cross = multiply(target, other, Side::AsIs, Side::Transposed);
  int64_t rank = oracle.meta["rank"];
  Matrix m = taken(refitTarget(w, cross, momentOf(other), 1, 0));
  Matrix w1 = taken(fitLowRank(m, momentOf(other), rank)).toDense();
  EXPECT_LE(largestDifference(w1, oracle.matrix("W1")), 1e-8);
  EXPECT_NEAR(lossOf(w1) / double(oracle.meta["loss_optimal"]), 1, 1e-9);
  Matrix before = taken(fitLowRank(w, momentOf(x), rank)).toDense();
  EXPECT_NEAR(lossOf(before) / double(oracle.meta["loss_without_refit"]), 1,
              1e-9);
}

TEST(LowRankTest, StoresItInFewerNumbers) {
  CompressionOracle oracle("lowrank_pivoted");
  Matrix w1 = oracle.matrix("W1");
  PivotedLowRank pivoted =
      taken(pivotLowRank(taken(truncateSingularValues(w1, 5))));
  EXPECT_EQ(pivoted.numbers(), int64_t(oracle.meta["numbers"]));
  // The fixture lists its columns as QR found them.
  std::vector<int64_t> kept = oracle.integers("columns");
  std::sort(kept.begin(), kept.end());
  EXPECT_EQ(pivoted.kept, kept);
  EXPECT_LE(largestDifference(pivoted.toDense(), w1), 1e-9);
  EXPECT_LE(largestDifference(pivoted.columns, w1.takeColumns(pivoted.kept)),
            1e-9);
}

/// Weights of a trained model with the moments of its own activations.
TEST(LowRankTest, MatchesTheLossOfATrainedModel) {
  CompressionOracle oracle("linnet_llama_gram");
  auto file = SafetensorsFile::open(std::string(LINNET_SOURCE_DIR) +
                                    "/examples/linnet-llama/model.safetensors");
  ASSERT_TRUE(bool(file)) << file.error().str();
  for (auto &[name, curve] : oracle.meta["low_rank_curve"].items()) {
    const TensorInfo *tensor = file->find("model.layers." + name + ".weight");
    ASSERT_TRUE(tensor) << name;
    Matrix w(tensor->shape[0], tensor->shape[1]);
    convertToF64(file->data(*tensor), tensor->dtype, w.data(), w.size());
    Matrix g = oracle.matrix(name + ".G");
    std::vector<double> spectrum = taken(lossSpectrum(w, g));
    std::vector<double> values = oracle.numbers(name + ".singular_values");
    double whole = 0;
    for (size_t i = 0; i < spectrum.size(); ++i) {
      whole += spectrum[i];
      EXPECT_NEAR(std::sqrt(spectrum[i]), values[i], 1e-5 * values[0]);
    }
    for (auto &point : curve) {
      int64_t rank = point["rank"];
      double expected = point["relative_loss"];
      double loss = 0;
      for (size_t i = rank; i < spectrum.size(); ++i)
        loss += spectrum[i];
      EXPECT_NEAR(std::sqrt(loss / whole) / expected, 1, 1e-3)
          << name << " " << rank;
      if (rank != 32)
        continue;
      Matrix w1 = taken(fitLowRank(w, g, rank)).toDense();
      EXPECT_NEAR(std::sqrt(outputLoss(w - w1, g) / whole) / expected, 1, 1e-3);
    }
  }
}

//===----------------------------------------------------------------------===//
// Properties
//===----------------------------------------------------------------------===//

TEST(LowRankTest, LosesWhatTheSpectrumSays) {
  for (auto [m, n] : {std::pair(7, 11), {11, 7}, {1, 5}, {5, 1}, {6, 6}}) {
    Matrix w = randomMatrix(m, n, 1);
    Matrix g = momentOf(randomMatrix(n, 13, 2));
    std::vector<double> spectrum = taken(lossSpectrum(w, g));
    for (int64_t rank = 0; rank <= std::min(m, n); ++rank) {
      double expected = 0;
      for (size_t i = rank; i < spectrum.size(); ++i)
        expected += spectrum[i];
      Matrix w1 = taken(fitLowRank(w, g, rank)).toDense();
      EXPECT_NEAR(outputLoss(w - w1, g), expected, 1e-10 * spectrum[0])
          << m << " x " << n << ", rank " << rank;
    }
  }
}

/// Eckart and Young's way: singular values of R^(1/2) W S with roots of both.
struct DirectFit {
  Svd svd;
  MetricRoots roots;
  Matrix w1;
};
DirectFit fitDirectly(const Matrix &w, const Matrix &g, int64_t rank,
                      const OutputMetric &metric) {
  SymmetricEigen eigen = taken(symmetricEigen(g));
  for (double &value : eigen.values)
    value = std::sqrt(std::max(value, 0.0));
  Matrix root = scaleColumns(eigen.vectors, eigen.values);
  MetricRoots roots = taken(takeMetricRoots(metric, w.rows()));
  Matrix weighed = roots.weigh(w);
  Svd svd = taken(singularValues(multiply(weighed, root)));
  Matrix p = svd.u.columnRange(0, rank);
  return {svd, roots,
          roots.undo(multiply(p, multiply(p, weighed, Side::Transposed)))};
}

/// Wide, tall and square, with spectra that fall by nine decades, of all inputs
/// or of a few that hang together, with and without a metric.
TEST(LowRankTest, IsWhatSingularValuesGive) {
  for (auto [m, n] : {std::pair<int64_t, int64_t>{19, 41},
                      {41, 19},
                      {23, 23},
                      {2, 67},
                      {67, 2}})
    for (int64_t tokens : {3 * n, n / 3 + 1})
      for (bool isWeighed : {false, true}) {
        Matrix x = randomMatrix(n, tokens, 2);
        for (int64_t i = 0; i < n; ++i)
          for (int64_t t = 0; t < tokens; ++t)
            x.at(i, t) *= std::pow(10, -4.5 * double(i) / double(n));
        Matrix w = randomMatrix(m, n, 1), g = momentOf(x);
        OutputMetric metric{isWeighed ? momentOf(randomMatrix(m, m + 3, 5))
                                      : Matrix::identity(m)};
        int64_t rank = std::max<int64_t>(1, std::min({m, n, tokens}) / 2);
        DirectFit direct = fitDirectly(w, g, rank, metric);
        LowRankFactors fit = taken(fitLowRank(w, g, rank, &metric));
        std::vector<double> spectrum = taken(lossSpectrum(w, g, &metric));
        double most = spectrum[0], left = 0;
        ASSERT_EQ(spectrum.size(), direct.svd.values.size());
        for (size_t i = 0; i < spectrum.size(); ++i) {
          double square = direct.svd.values[i] * direct.svd.values[i];
          EXPECT_NEAR(spectrum[i], square, 1e-13 * most);
          left += i < size_t(rank) ? 0 : square;
        }
        auto lossOf = [&](const Matrix &w1) {
          return outputLoss(direct.roots.weigh(w - w1), g);
        };
        EXPECT_NEAR(lossOf(fit.toDense()), left, 1e-12 * most)
            << m << " x " << n << ", " << tokens << " tokens";
        // What they make of the inputs, where ranks are far apart.
        EXPECT_LE(norm(multiply(fit.toDense() - direct.w1, x)),
                  1e-6 * norm(multiply(w, x)));
        // The first factor keeps lengths, as the metric measures them.
        Matrix p = direct.roots.weigh(fit.left);
        EXPECT_LE(largestDifference(multiply(p, p, Side::Transposed),
                                    Matrix::identity(rank)),
                  1e-11);
      }
}

/// Of a matrix of rank 3, ranks from 3 on are the matrix, and what inputs never
/// show is none of the fit's business.
TEST(LowRankTest, TakesWhatSpansLess) {
  for (auto [m, n] : {std::pair<int64_t, int64_t>{11, 23}, {23, 11}}) {
    Matrix w = multiply(randomMatrix(m, 3, 1), randomMatrix(3, n, 2));
    Matrix g = momentOf(randomMatrix(n, 40, 3)), nothing(n, n);
    for (int64_t rank : {3, 7, 11}) {
      EXPECT_LE(largestDifference(taken(fitLowRank(w, g, rank)).toDense(), w),
                1e-11);
      EXPECT_LE(largestDifference(
                    taken(truncateSingularValues(w, rank)).toDense(), w),
                1e-11);
    }
    LowRankFactors blind = taken(fitLowRank(w, nothing, 2));
    EXPECT_TRUE(isFinite(blind.toDense()));
    EXPECT_EQ(taken(lossSpectrum(w, nothing))[0], 0);
    Matrix empty(m, n);
    EXPECT_EQ(norm(taken(fitLowRank(empty, g, 2)).toDense()), 0);
    EXPECT_EQ(taken(fitLowRank(w, g, 0)).left.columns(), 0);
  }
}

/// Sums of products in f32 leave moments with eigenvalues a little below 0.
TEST(LowRankTest, TakesMomentsThatRoundingBends) {
  for (auto [m, n] : {std::pair<int64_t, int64_t>{9, 31}, {31, 9}}) {
    Matrix x = randomMatrix(n, 4, 3), g = momentOf(x),
           w = randomMatrix(m, n, 1);
    Matrix noise = randomMatrix(n, n, 4);
    g = g + 1e-7 * (noise + noise.transposed());
    EXPECT_LT(taken(symmetricEigen(g, 0)).values.back(), 0);
    for (double value : taken(lossSpectrum(w, g)))
      EXPECT_GE(value, 0);
    Matrix w1 = taken(fitLowRank(w, g, 4)).toDense();
    EXPECT_LE(lossOn(w - w1, x), 1e-3 * lossOn(w, x));
  }
}

TEST(LowRankTest, OrdersColumnsByWeight) {
  Matrix w = randomMatrix(9, 8, 3), g = momentOf(randomMatrix(8, 20, 4));
  LowRankFactors six = taken(fitLowRank(w, g, 6));
  LowRankFactors two = taken(fitLowRank(w, g, 2));
  Matrix shorter =
      multiply(six.left.columnRange(0, 2), six.right.rowRange(0, 2));
  EXPECT_LE(largestDifference(shorter, two.toDense()), 1e-12);
}

/// No other matrix of the rank does better, tried at random near the optimum.
void expectMinimumUnderMetric(int64_t m, int64_t n) {
  Matrix w = randomMatrix(m, n, 5), g = momentOf(randomMatrix(n, 30, 6));
  Matrix r = momentOf(randomMatrix(m, m + 3, 7));
  OutputMetric metric{r, 0};
  auto lossOf = [&](const Matrix &w1) {
    return dot(multiply(r, multiply(w - w1, g)), w - w1);
  };
  LowRankFactors best = taken(fitLowRank(w, g, 3, &metric));
  double least = lossOf(best.toDense());
  std::vector<double> spectrum = taken(lossSpectrum(w, g, &metric));
  EXPECT_NEAR(least, std::accumulate(spectrum.begin() + 3, spectrum.end(), 0.0),
              1e-9 * least);
  EXPECT_LT(least, lossOf(taken(fitLowRank(w, g, 3)).toDense()));
  for (unsigned trial = 0; trial < 50; ++trial) {
    Matrix left = best.left + 1e-3 * randomMatrix(m, 3, 100 + trial);
    Matrix right = best.right + 1e-3 * randomMatrix(3, n, 200 + trial);
    EXPECT_GT(lossOf(multiply(left, right)), least);
  }
}

TEST(LowRankTest, IsAMinimumUnderAMetric) {
  expectMinimumUnderMetric(6, 7);
  expectMinimumUnderMetric(13, 7);
}

TEST(LowRankTest, TakesADiagonalMetricAsARow) {
  Matrix w = randomMatrix(6, 7, 5), g = momentOf(randomMatrix(7, 30, 6));
  Matrix row(1, 6, {4, 0, 0.5, 9, 1, 2}), full(6, 6);
  for (int64_t o = 0; o < 6; ++o)
    full.at(o, o) = row.at(0, o);
  OutputMetric asRow{row}, asMatrix{full};
  EXPECT_LE(largestDifference(taken(fitLowRank(w, g, 2, &asRow)).toDense(),
                              taken(fitLowRank(w, g, 2, &asMatrix)).toDense()),
            1e-10);
}

TEST(LowRankTest, IgnoresAMetricOfZeros) {
  Matrix w = randomMatrix(4, 5, 1), g = Matrix::identity(5);
  OutputMetric nothing{Matrix(4, 4)};
  EXPECT_EQ(largestDifference(taken(fitLowRank(w, g, 2, &nothing)).toDense(),
                              taken(fitLowRank(w, g, 2)).toDense()),
            0);
}

TEST(LowRankTest, MixesTargetsByTrust) {
  Matrix w = randomMatrix(4, 5, 1), g = momentOf(randomMatrix(5, 20, 2));
  Matrix cross = randomMatrix(4, 5, 3);
  Matrix none = taken(refitTarget(w, cross, g, 0)),
         all = taken(refitTarget(w, cross, g, 1)),
         half = taken(refitTarget(w, cross, g, 0.5));
  EXPECT_LE(largestDifference(none, w), 1e-12);
  EXPECT_GT(largestDifference(all, w), 0.01);
  EXPECT_LE(largestDifference(half, 0.5 * (none + all)), 1e-12);
}

TEST(LowRankTest, PivotsAnyShape) {
  for (auto [m, n, rank] : {std::tuple(7, 11, 3),
                            {11, 7, 7},
                            {3, 3, 1},
                            {1, 6, 1},
                            {6, 1, 1},
                            {4, 5, 0}}) {
    LowRankFactors factors{randomMatrix(m, rank, 1), randomMatrix(rank, n, 2)};
    PivotedLowRank pivoted = taken(pivotLowRank(factors));
    EXPECT_EQ(pivoted.numbers(), rank * (m + n - rank));
    EXPECT_LE(largestDifference(pivoted.toDense(), factors.toDense()), 1e-11);
    // The largest column stays, so no coefficient is wild.
    for (int64_t e = 0; e < pivoted.coefficients.size(); ++e)
      EXPECT_LT(std::abs(pivoted.coefficients.data()[e]), 100);
  }
}

TEST(LowRankTest, PivotsFactorsThatDepend) {
  Matrix right = randomMatrix(4, 9, 2);
  std::copy_n(right.row(0), 9, right.row(2));
  LowRankFactors factors{randomMatrix(6, 4, 1), right};
  PivotedLowRank pivoted = taken(pivotLowRank(factors));
  EXPECT_LE(largestDifference(pivoted.toDense(), factors.toDense()), 1e-11);
}

//===----------------------------------------------------------------------===//
// Bad input
//===----------------------------------------------------------------------===//

TEST(LowRankTest, RefusesWhatDoesNotFit) {
  Matrix w(4, 5), g = Matrix::identity(5);
  EXPECT_ERROR(fitLowRank(w, Matrix(4, 4), 1),
               "expected a second moment of 5 x 5, but got 4 x 4");
  EXPECT_ERROR(fitLowRank(w, g, 5), "expected a rank of 0 to 4, but got 5");
  EXPECT_ERROR(fitLowRank(w, g, -1), "expected a rank of 0 to 4, but got -1");
  EXPECT_ERROR(truncateScaledSingularValues(w, {1, 2}, 1),
               "expected 5 magnitudes, but got 2");
  EXPECT_ERROR(refitTarget(w, Matrix(5, 4), g),
               "expected a cross moment of 4 x 5, but got 5 x 4");
  OutputMetric metric{Matrix(5, 5)};
  EXPECT_ERROR(fitLowRank(w, g, 1, &metric),
               "expected a metric of 4 x 4 or 1 x 4, but got 5 x 5");
  EXPECT_ERROR(pivotLowRank({Matrix(3, 2), Matrix(1, 4)}),
               "expected both factors to have the same rank, but got 2 and 1");
  EXPECT_ERROR(pivotLowRank({Matrix(3, 5), Matrix(5, 4)}),
               "expected a rank of 0 to 4, but got 5");
}

TEST(LowRankTest, RefusesWhatIsNotANumber) {
  Matrix w = randomMatrix(4, 5, 1), bad = w, g = Matrix::identity(5);
  bad.at(1, 2) = std::numeric_limits<double>::quiet_NaN();
  EXPECT_FALSE(bool(fitLowRank(bad, g, 2)));
  EXPECT_FALSE(bool(truncateSingularValues(bad, 2)));
  Matrix badMoment = g;
  badMoment.at(0, 0) = std::numeric_limits<double>::infinity();
  EXPECT_FALSE(bool(fitLowRank(w, badMoment, 2)));
  EXPECT_FALSE(bool(lossSpectrum(w, badMoment)));
}

TEST(LowRankTest, RefusesASingularMomentWithoutARidge) {
  Matrix w = randomMatrix(4, 5, 1), x = randomMatrix(5, 2, 2);
  Matrix cross = randomMatrix(4, 5, 3);
  EXPECT_FALSE(bool(refitTarget(w, cross, Matrix(5, 5), 1, 0)));
  EXPECT_TRUE(bool(refitTarget(w, cross, momentOf(x), 1, 1e-3)));
}

} // namespace
