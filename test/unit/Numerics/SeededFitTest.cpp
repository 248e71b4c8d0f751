//===- SeededFitTest.cpp - matrices of seeded rows ------------------------===//

#include "linnet/Numerics/SeededFit.h"
#include "linnet/Numerics/LowRank.h"

#include "CompressionOracle.h"

#include <limits>

using namespace linnet;
using namespace linnet::test;

namespace {

/// The fixture's matrix as one row of one block.
Matrix rowOf(const Matrix &a) {
  return Matrix(1, a.size(), {a.data(), a.data() + a.size()});
}

/// E[x x^T] of inputs that hang together.
Matrix momentOf(int64_t inputs, int64_t samples, unsigned seed) {
  Matrix x = multiply(randomMatrix(inputs, inputs, seed),
                      randomMatrix(inputs, samples, seed + 1));
  return gram(x);
}

/// P = I (x) B, written out.
Matrix projectionOf(const SeededBasis &basis, int64_t inputs) {
  Matrix b = basis.toMatrix();
  int64_t blocks = inputs / basis.block;
  Matrix p(blocks * basis.terms, inputs);
  for (int64_t c = 0; c < blocks; ++c)
    for (int64_t j = 0; j < basis.terms; ++j)
      std::copy_n(b.row(j), basis.block,
                  p.row(c * basis.terms + j) + c * basis.block);
  return p;
}

constexpr SeededBasis kBases[] = {
    {3, 8, 7}, {8, 8, 0}, {1, 4, 12345}, {5, 24, 1}, {1, 1, 3}};
constexpr int64_t kInputs = 24;
/// Of solutions that are held against exact ones.
constexpr double kLeast = 1e-11;

//===----------------------------------------------------------------------===//
// Outside results
//===----------------------------------------------------------------------===//

TEST(SeededFitTest, BasisIsTheOraclesToTheBit) {
  CompressionOracle oracle("pranc");
  Matrix expected = oracle.matrix("basis_first2");
  Matrix basis =
      SeededBasis{2, expected.columns(), oracle.meta["seed"]}.toMatrix();
  EXPECT_EQ(largestDifference(basis, expected), 0);
  // More rows and longer ones start the same.
  Matrix more = SeededBasis{5, 300, oracle.meta["seed"]}.toMatrix();
  EXPECT_EQ(largestDifference(more.rowRange(0, 2).columnRange(0, 240), basis),
            0);
}

TEST(SeededFitTest, CoefficientsAreTheOracles) {
  CompressionOracle oracle("pranc");
  Matrix w = rowOf(oracle.matrix("W"));
  SeededBasis basis{oracle.meta["k"], w.columns(), oracle.meta["seed"]};
  double tolerance = oracle.meta["tolerance"]["a_abs"];
  Matrix a = taken(fitSeeded(w, nullptr, basis));
  EXPECT_LE(largestDifference(a, oracle.matrix("a")), tolerance);
  Matrix w1 = seededMatrix(a, basis);
  EXPECT_LE(largestDifference(w1, rowOf(oracle.matrix("W1"))), tolerance);
  EXPECT_NEAR(norm(w - w1) / norm(w), oracle.meta["rel_error"].get<double>(),
              1e-12);
  EXPECT_NEAR(norm(w - w1) / norm(w), 0.8936, 1e-4);
}

TEST(SeededFitTest, RecoversThePlantedMatrix) {
  CompressionOracle oracle("pranc");
  Matrix w = rowOf(oracle.matrix("planted"));
  SeededBasis basis{oracle.meta["k"], w.columns(), oracle.meta["seed"]};
  Matrix a = taken(fitSeeded(w, nullptr, basis));
  EXPECT_LE(largestDifference(a, oracle.matrix("a_planted")),
            oracle.meta["tolerance"]["a_abs"].get<double>());
  EXPECT_LE(norm(w - seededMatrix(a, basis)) / norm(w), 1e-14);
  Matrix moment = momentOf(w.columns(), 2 * w.columns(), 3);
  EXPECT_LE(largestDifference(taken(fitSeeded(w, &moment, basis)),
                              oracle.matrix("a_planted")),
            1e-6);
}

//===----------------------------------------------------------------------===//
// Closed forms
//===----------------------------------------------------------------------===//

/// |W - W1| / |W| = sqrt(1 - k / C) for a Gaussian W: a basis that knows
/// nothing of W has its share of it.
TEST(SeededFitTest, GaussianMatricesKeepTheShareOfTheirTerms) {
  Matrix w = randomMatrix(200, 256, 11);
  for (SeededBasis basis : {SeededBasis{16, 64, 1}, {40, 64, 2}, {128, 256, 3}})
    EXPECT_NEAR(
        norm(w - seededMatrix(taken(fitSeeded(w, nullptr, basis)), basis)) /
            norm(w),
        std::sqrt(1 - double(basis.terms) / double(basis.block)), 0.01);
}

/// As many terms as inputs are a basis of all.
TEST(SeededFitTest, AllTermsAreTheMatrixItself) {
  Matrix w = randomMatrix(5, kInputs, 12);
  SeededBasis basis{8, 8, 5};
  EXPECT_LE(largestDifference(
                seededMatrix(taken(fitSeeded(w, nullptr, basis)), basis), w),
            1e-10);
}

TEST(SeededFitTest, MatrixIsCoefficientsTimesTheBasis) {
  for (const SeededBasis &basis : kBases) {
    Matrix a = randomMatrix(3, kInputs / basis.block * basis.terms, 13);
    EXPECT_LE(largestDifference(seededMatrix(a, basis),
                                multiply(a, projectionOf(basis, kInputs))),
              1e-12);
  }
}

/// The solution of the least-squares problem written out: (W - A P) times a
/// root of the moment.
TEST(SeededFitTest, SolvesLeastSquares) {
  for (const SeededBasis &basis : kBases) {
    Matrix w = randomMatrix(6, kInputs, 14),
           moment = momentOf(kInputs, 3 * kInputs, 15),
           root = taken(choleskyFactor(moment)),
           design = multiply(root, projectionOf(basis, kInputs), Side::AsIs,
                             Side::Transposed),
           expected = taken(leastSquares(
               design, multiply(root, w, Side::AsIs, Side::Transposed)));
    Matrix a = taken(fitSeeded(w, &moment, basis, kLeast));
    EXPECT_LE(largestDifference(a, expected.transposed()), 1e-5)
        << basis.terms << " of " << basis.block;
  }
}

/// The metric of outputs has no say: each row is free.
TEST(SeededFitTest, NoOtherIsBetterForAnyMetric) {
  Matrix moment = momentOf(kInputs, 3 * kInputs, 17),
         w = randomMatrix(6, kInputs, 16);
  MetricRoots roots =
      taken(takeMetricRoots({momentOf(6, 12, 18), 1e-3}, w.rows()));
  SeededBasis basis{3, 8, 9};
  Matrix a = taken(fitSeeded(w, &moment, basis, kLeast));
  auto lossOf = [&](const Matrix &coefficients) {
    return outputLoss(roots.weigh(w - seededMatrix(coefficients, basis)),
                      moment);
  };
  for (unsigned trial = 0; trial < 50; ++trial)
    EXPECT_GE(
        lossOf(a + 1e-2 * randomMatrix(a.rows(), a.columns(), 100 + trial)),
        lossOf(a));
}

//===----------------------------------------------------------------------===//
// Data
//===----------------------------------------------------------------------===//

/// Inputs of few directions, copies of others, zeros and none at all.
TEST(SeededFitTest, NeverWorseThanWithoutData) {
  Matrix w = randomMatrix(6, kInputs, 19), zeros(kInputs, kInputs);
  Matrix few = momentOf(kInputs, 3, 20), x = randomMatrix(kInputs, 40, 21);
  for (int64_t t = 0; t < x.columns(); ++t) {
    x.at(1, t) = 0;
    x.at(3, t) = x.at(2, t);
  }
  for (const SeededBasis &basis : kBases) {
    Matrix plain = taken(fitSeeded(w, nullptr, basis));
    for (const Matrix &moment : {few, gram(x), momentOf(kInputs, 90, 22)}) {
      Matrix a = taken(fitSeeded(w, &moment, basis));
      EXPECT_TRUE(isFinite(a));
      EXPECT_LE(outputLoss(w - seededMatrix(a, basis), moment),
                outputLoss(w - seededMatrix(plain, basis), moment) *
                        (1 + 1e-9) +
                    1e-9 * trace(moment));
    }
    EXPECT_EQ(largestDifference(taken(fitSeeded(w, &zeros, basis)), plain), 0);
  }
  // Three directions are within the reach of three terms of each block.
  Matrix a = taken(fitSeeded(w, &few, {3, 8, 1}, 1e-8));
  EXPECT_LE(outputLoss(w - seededMatrix(a, {3, 8, 1}), few),
            1e-6 * outputLoss(w, few));
}

/// One factorisation knows what every number of terms loses.
TEST(SeededFitTest, LossesAreThoseOfFits) {
  Matrix w = randomMatrix(6, kInputs, 23),
         moment = momentOf(kInputs, 3 * kInputs, 24),
         few = momentOf(kInputs, 3, 25);
  for (const SeededBasis &basis : kBases)
    for (const Matrix *inputs : {static_cast<const Matrix *>(nullptr),
                                 static_cast<const Matrix *>(&moment),
                                 static_cast<const Matrix *>(&few)}) {
      std::vector<double> losses =
          taken(seededLosses(w, inputs, basis, kLeast));
      ASSERT_EQ(int64_t(losses.size()), basis.terms);
      double all = inputs ? outputLoss(w, *inputs) : dot(w, w);
      for (int64_t k = 1; k <= basis.terms; ++k) {
        SeededBasis first{k, basis.block, basis.seed};
        Matrix difference =
            w - seededMatrix(taken(fitSeeded(w, inputs, first, kLeast)), first);
        double loss = inputs ? outputLoss(difference, *inputs)
                             : dot(difference, difference);
        EXPECT_NEAR(losses[size_t(k - 1)], loss, 1e-5 * all)
            << k << " of " << basis.block;
      }
    }
  Matrix zeros(kInputs, kInputs);
  EXPECT_EQ(taken(seededLosses(w, &zeros, {2, 8, 1})),
            std::vector<double>({0, 0}));
}

TEST(SeededFitTest, Errors) {
  Matrix w = randomMatrix(3, 4, 1), moment(3, 3);
  auto expectError = [&](const Matrix *inputs, SeededBasis basis,
                         const std::string &expected) {
    auto fit = fitSeeded(w, inputs, basis);
    ASSERT_FALSE(bool(fit));
    EXPECT_EQ(fit.error().str(), expected);
    auto losses = seededLosses(w, inputs, basis);
    ASSERT_FALSE(bool(losses));
    EXPECT_EQ(losses.error().str(), expected);
  };
  expectError(nullptr, {1, 3, 1},
              "expected a block that divides 4 inputs, but got 3");
  expectError(nullptr, {1, 0, 1},
              "expected a block that divides 4 inputs, but got 0");
  expectError(nullptr, {0, 2, 1}, "expected 1 to 2 terms, but got 0");
  expectError(nullptr, {3, 2, 1}, "expected 1 to 2 terms, but got 3");
  expectError(&moment, {1, 2, 1},
              "expected a second moment of 4 x 4, but got 3 x 3");
  w.at(1, 1) = std::numeric_limits<double>::quiet_NaN();
  expectError(nullptr, {1, 2, 1},
              "expected finite entries, but got NaN or infinity");
  w = Matrix(3, 0);
  expectError(nullptr, {1, 2, 1},
              "expected a matrix with entries, but got 3 x 0");
}

} // namespace
