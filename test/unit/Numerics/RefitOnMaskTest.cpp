//===- RefitOnMaskTest.cpp - least squares on a given mask ----------------===//

#include "linnet/Numerics/SparseFit.h"

#include "SparseCases.h"

using namespace linnet;
using namespace linnet::test;

namespace {

Matrix refitted(const Matrix &weights, const Matrix &moment, const Mask &mask,
                const RefitOptions &options = {}) {
  auto refit = refitOnMask(weights, moment, mask, options);
  EXPECT_TRUE(bool(refit)) << refit.error().str();
  return refit ? refit.take() : Matrix(weights.rows(), weights.columns());
}

TEST(RefitOnMaskTest, KnownRefits) {
  CompressionOracle oracle("sparsegpt_small");
  Matrix w = oracle.matrix("W"), x = oracle.matrix("X"), g = momentOf(x);
  for (std::string name : {"50", "24", "50_block4"}) {
    Mask mask = findNonZeros(oracle.matrix("f64_" + name));
    EXPECT_EQ(mask, maskOf(oracle, "mask_" + name, false)) << name;
    Matrix refit = refitted(w, g, mask);
    EXPECT_LE(largestDifference(refit, oracle.matrix("refit_" + name)), 1e-9);
    double loss = oracle.meta["cases"][name]["loss_exact_refit_same_mask"];
    EXPECT_NEAR(std::sqrt(lossOf(refit, w, g) * double(x.columns())), loss,
                1e-9 * loss);
  }
}

TEST(RefitOnMaskTest, IsOptimal) {
  for (auto [rows, columns] :
       {std::pair<int64_t, int64_t>{1, 1}, {3, 7}, {13, 29}, {40, 17}})
    for (double damping : {0., 0.03}) {
      unsigned seed = unsigned(rows * columns);
      Matrix w = randomMatrix(rows, columns, seed),
             g = correlatedMoment(columns, seed + 1);
      Mask mask = randomMask(rows, columns, 0.5, seed + 2);
      Matrix refit = refitted(w, g, mask, {.damping = damping});
      expectOnMask(refit, mask);
      double added = damping * trace(g) / double(columns);
      expectOptimal(refit, w, g + added * Matrix::identity(columns), mask);
    }
}

TEST(RefitOnMaskTest, NoPerturbationIsBetter) {
  Matrix w = randomMatrix(9, 21, 1), g = correlatedMoment(21, 2);
  Mask mask = randomMask(9, 21, 0.4, 3);
  Matrix refit = refitted(w, g, mask);
  double least = lossOf(refit, w, g);
  EXPECT_LT(least, lossOf(applyMask(w, mask), w, g));
  for (unsigned seed = 0; seed < 1000; ++seed) {
    Matrix change = applyMask(randomMatrix(9, 21, 100 + seed), mask);
    double size = std::pow(10.0, -double(seed % 8));
    EXPECT_GE(lossOf(refit + size * change, w, g), least * (1 - 1e-13));
  }
}

/// Rows that share a support are solved at once, and in any order.
TEST(RefitOnMaskTest, RowsAreIndependent) {
  Matrix w = randomMatrix(12, 16, 4), g = correlatedMoment(16, 5);
  Mask mask = randomMask(12, 16, 0.5, 6);
  for (int64_t c = 0; c < 16; ++c) {
    mask.set(7, c, mask.keeps(2, c));
    mask.set(11, c, mask.keeps(2, c));
    mask.set(4, c, false);
    mask.set(5, c, true);
  }
  Matrix refit = refitted(w, g, mask);
  EXPECT_EQ(norm(refit.rowRange(4, 1)), 0);
  EXPECT_EQ(largestDifference(refit.rowRange(5, 1), w.rowRange(5, 1)), 0);
  for (int64_t r = 0; r < 12; ++r) {
    Mask one(1, 16);
    for (int64_t c : mask.support(r))
      one.set(0, c, true);
    EXPECT_LE(largestDifference(refitted(w.rowRange(r, 1), g, one),
                                refit.rowRange(r, 1)),
              1e-12)
        << r;
  }
}

/// 9 samples of 14 inputs, and two inputs that are the same.
TEST(RefitOnMaskTest, SingularMomentsHaveTheNearestSolution) {
  Matrix x = randomMatrix(14, 9, 7);
  for (int64_t t = 0; t < 9; ++t)
    x.at(3, t) = 2 * x.at(2, t);
  Matrix g = momentOf(x), w = randomMatrix(5, 14, 8);
  Mask mask = randomMask(5, 14, 0.8, 9);
  for (int64_t r = 0; r < 5; ++r) {
    mask.set(r, 2, true);
    mask.set(r, 3, true);
    mask.set(r, 6, false);
  }
  Matrix refit = refitted(w, g, mask);
  expectOnMask(refit, mask);
  expectOptimal(refit, w, g, mask);
  // Nearest in inputs' own units: changes scaled by sqrt(G_jj) have no share in
  // the null space of the scaled moment, for which (1, -1) on 2 and 3 will do.
  for (int64_t r = 0; r < 5; ++r)
    EXPECT_NEAR(2 * (refit.at(r, 3) - w.at(r, 3)), refit.at(r, 2) - w.at(r, 2),
                1e-9);
  // And shorter by sum of G_jj c_j^2 than others that are as good.
  auto eigen = symmetricEigen(g);
  ASSERT_TRUE(bool(eigen));
  auto sizeOf = [&](const Matrix &a) {
    double sum = 0;
    for (int64_t j = 0; j < 14; ++j)
      if (mask.keeps(0, j))
        sum += g.at(j, j) * std::pow(a.at(0, j) - w.at(0, j), 2);
    return sum;
  };
  std::vector<int64_t> support = mask.support(0);
  auto part = symmetricEigen(g.takeRows(support).takeColumns(support));
  ASSERT_TRUE(bool(part));
  ASSERT_LT(part->values.back(), 1e-12);
  for (double step : {-1e-2, 1e-2}) {
    Matrix other = refit;
    for (size_t i = 0; i < support.size(); ++i)
      other.at(0, support[i]) +=
          step * part->vectors.at(int64_t(i), int64_t(support.size()) - 1);
    EXPECT_GT(sizeOf(other), sizeOf(refit));
  }
}

/// A damping that dwindles tends to what none has.
TEST(RefitOnMaskTest, DampingTendsToTheNearestSolution) {
  // Of equal sizes, so that nearest means the same in either.
  Matrix x = randomMatrix(10, 6, 10);
  for (int64_t j = 0; j < 10; ++j) {
    double size = norm(x.rowRange(j, 1));
    for (int64_t t = 0; t < 6; ++t)
      x.at(j, t) /= size;
  }
  Matrix g = momentOf(x), w = randomMatrix(4, 10, 11);
  Mask mask = randomMask(4, 10, 0.8, 12);
  EXPECT_LE(largestDifference(refitted(w, g, mask),
                              refitted(w, g, mask, {.damping = 1e-8})),
            1e-5);
  EXPECT_LE(largestDifference(refitted(w, g, mask, {.damping = 1e9}),
                              applyMask(w, mask)),
            1e-6);
}

TEST(RefitOnMaskTest, DeadInputsKeepTheirWeights) {
  Matrix x = randomMatrix(8, 30, 13);
  for (int64_t t = 0; t < 30; ++t)
    x.at(5, t) = 0;
  Matrix g = momentOf(x), w = randomMatrix(3, 8, 14);
  Mask mask(3, 8, true);
  mask.set(0, 1, false);
  for (const RefitOptions &options :
       {RefitOptions{}, RefitOptions{.damping = 0.1},
        RefitOptions{.steps = 20}}) {
    Matrix refit = refitted(w, g, mask, options);
    EXPECT_EQ(refit.at(0, 5), w.at(0, 5));
    EXPECT_EQ(refit.at(0, 1), 0);
  }
  expectOptimal(refitted(w, g, mask), w, g, mask);
  EXPECT_EQ(
      largestDifference(refitted(w, Matrix(8, 8), mask), applyMask(w, mask)),
      0);
}

/// Units of inputs and of outputs are no matter.
TEST(RefitOnMaskTest, ScalesWithItsOperands) {
  Matrix w = randomMatrix(6, 11, 15), g = correlatedMoment(11, 16);
  Mask mask = randomMask(6, 11, 0.5, 17);
  std::vector<double> units(11), inverses(11);
  for (int64_t j = 0; j < 11; ++j) {
    units[j] = std::pow(10.0, double(j - 5));
    inverses[j] = 1 / units[j];
  }
  Matrix refit = refitted(w, g, mask);
  Matrix scaled = refitted(scaleColumns(w, inverses),
                           scaleRows(scaleColumns(g, units), units), mask);
  EXPECT_LE(largestDifference(scaleColumns(scaled, units), refit), 1e-9);
  EXPECT_LE(largestDifference(1e-3 * refitted(1e3 * w, 1e-20 * g, mask), refit),
            1e-9);
}

TEST(RefitOnMaskTest, ConjugateGradientsConverge) {
  for (auto [rows, columns] :
       {std::pair<int64_t, int64_t>{1, 5}, {17, 40}, {50, 23}}) {
    unsigned seed = unsigned(rows);
    Matrix w = randomMatrix(rows, columns, seed),
           g = correlatedMoment(columns, seed + 1);
    Mask mask = randomMask(rows, columns, 0.5, seed + 2);
    Matrix exact = refitted(w, g, mask, {.damping = 0.01});
    Matrix steps = refitted(
        w, g, mask, {.damping = 0.01, .steps = 500, .tolerance = 1e-13});
    expectOnMask(steps, mask);
    EXPECT_LE(largestDifference(steps, exact), 1e-9);
  }
}

TEST(RefitOnMaskTest, ConjugateGradientsFindTheNearestSolution) {
  Matrix g = momentOf(randomMatrix(14, 9, 18)), w = randomMatrix(5, 14, 19);
  Mask mask = randomMask(5, 14, 0.8, 20);
  EXPECT_LE(largestDifference(
                refitted(w, g, mask, {.steps = 100, .tolerance = 1e-14}),
                refitted(w, g, mask)),
            1e-8);
}

TEST(RefitOnMaskTest, StepsNeverRaiseTheLoss) {
  Matrix w = randomMatrix(10, 60, 21), g = correlatedMoment(60, 22);
  Mask mask = randomMask(10, 60, 0.5, 23);
  double last = lossOf(applyMask(w, mask), w, g);
  for (int64_t steps : {1, 2, 4, 8, 16, 32}) {
    double loss = lossOf(refitted(w, g, mask, {.steps = steps}), w, g);
    EXPECT_LT(loss, last) << steps;
    last = loss;
  }
  // A loose tolerance ends early.
  EXPECT_GT(
      lossOf(refitted(w, g, mask, {.steps = 500, .tolerance = 0.3}), w, g),
      last);
}

TEST(RefitOnMaskTest, SizesOfNothing) {
  EXPECT_EQ(refitted(Matrix(0, 3), Matrix::identity(3), Mask(0, 3)).columns(),
            3);
  EXPECT_EQ(refitted(Matrix(3, 0), Matrix(), Mask(3, 0)).rows(), 3);
  EXPECT_EQ(refitted(Matrix(3, 0), Matrix(), Mask(3, 0), {.steps = 3}).rows(),
            3);
}

TEST(RefitOnMaskTest, Refuses) {
  Matrix w = randomMatrix(3, 4, 1), g = Matrix::identity(4);
  Mask mask(3, 4, true);
  expectRefusesOperands([&](const Matrix &weights, const Matrix &moment) {
    return refitOnMask(weights, moment, mask);
  });
  EXPECT_EQ(refitOnMask(w, g, Mask(4, 4)).error().str(),
            "expected a mask of 3 x 4, but got 4 x 4");
  EXPECT_EQ(refitOnMask(w, g, mask, {.damping = -1}).error().str(),
            "expected a damping of at least 0, but got -1");
  EXPECT_EQ(refitOnMask(w, g, mask, {.damping = kNaN}).error().str(),
            "expected a damping of at least 0, but got nan");
  EXPECT_EQ(refitOnMask(w, g, mask, {.steps = -2}).error().str(),
            "expected at least 0 steps, but got -2");
  EXPECT_EQ(
      refitOnMask(w, g, mask, {.steps = 1, .tolerance = kNaN}).error().str(),
      "expected a tolerance of at least 0, but got nan");
}

} // namespace
