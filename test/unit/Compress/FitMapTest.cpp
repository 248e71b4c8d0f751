//===- FitMapTest.cpp - one matrix and what replaces it -------------------===//

#include "lib/Compress/FitMap.h"

#include "test/unit/Numerics/CompressionOracle.h"

#include <cmath>
#include <gtest/gtest.h>

namespace linnet::compress {
namespace {

using test::randomMatrix;

/// E[x x^T] of random inputs.
Matrix randomMoment(int64_t size, unsigned seed) {
  Matrix x = randomMatrix(size, 3 * size, seed);
  return (1.0 / double(x.columns())) *
         multiply(x, x, Side::AsIs, Side::Transposed);
}

double distance(const Matrix &a, const Matrix &b) {
  return norm(a - b) / norm(b);
}

/// Moments of a result whose inputs are those of the original.
MapMoments sameInputs(const Matrix &moment) { return {moment, moment, {}}; }

TEST(FitMap, FullRankIsTheMatrix) {
  Matrix w = randomMatrix(7, 5, 1);
  for (MapStructure structure :
       {MapStructure::LowRank, MapStructure::PivotedLowRank}) {
    Result<FittedMap> fitted = fitMatrix(w, {structure, 5});
    ASSERT_TRUE(bool(fitted));
    EXPECT_LT(distance(fitted->toDense(), w), 1e-12);
    EXPECT_FALSE(fitted->isRefit);
  }
  Result<FittedMap> kept = fitMatrix(w, {});
  ASSERT_TRUE(bool(kept));
  EXPECT_EQ(distance(kept->toDense(), w), 0);
}

/// Both storages hold the same matrix, in fewer numbers.
TEST(FitMap, StoragesAgree) {
  Matrix w = randomMatrix(9, 6, 2), moment = randomMoment(6, 3);
  MapMoments moments = sameInputs(moment);
  Result<FittedMap> two =
      fitMap(w, {MapStructure::LowRank, 3}, moments, moments);
  Result<FittedMap> pivoted =
      fitMap(w, {MapStructure::PivotedLowRank, 3}, moments, moments);
  ASSERT_TRUE(two && pivoted);
  EXPECT_LT(distance(pivoted->toDense(), two->toDense()), 1e-12);
  EXPECT_EQ(two->factors.left.size() + two->factors.right.size(), 3 * (9 + 6));
  EXPECT_EQ(pivoted->pivoted.numbers(), 3 * (9 + 6 - 3));
}

/// Nothing of W's rank loses less on these inputs: W1 = P P^T W for the leading
/// eigenvectors of W G W^T.
TEST(FitMap, IsTheBestOfItsRank) {
  Matrix w = randomMatrix(9, 6, 4), moment = randomMoment(6, 5);
  MapMoments moments = sameInputs(moment);
  Result<FittedMap> fitted =
      fitMap(w, {MapStructure::LowRank, 2}, moments, moments);
  ASSERT_TRUE(bool(fitted));
  Result<std::vector<double>> spectrum = lossSpectrum(w, moment);
  ASSERT_TRUE(bool(spectrum));
  double least = 0, all = 0;
  for (size_t i = 0; i < spectrum->size(); ++i) {
    all += (*spectrum)[i];
    least += i >= 2 ? (*spectrum)[i] : 0;
  }
  EXPECT_NEAR(outputError(w, fitted->toDense(), moment), std::sqrt(least / all),
              1e-10);
}

/// A residual difference that the inputs explain, r - r' = A x', moves the
/// target by what the fit trusts of it.
TEST(FitMap, MakesUpForTheResidual) {
  Matrix w = randomMatrix(4, 6, 6), a = randomMatrix(4, 6, 7),
         moment = randomMoment(6, 8);
  MapMoments moments = {moment, moment, multiply(a, moment)};
  Result<FittedMap> fitted = fitMap(w, {}, moments, moments);
  ASSERT_TRUE(bool(fitted));
  EXPECT_TRUE(fitted->isRefit);
  EXPECT_LT(distance(fitted->toDense(), w + 0.75 * a), 5e-3);
}

/// Inputs that the result has scaled: W1 x' = W x for x' = x / 2.
TEST(FitMap, MakesUpForItsInputs) {
  Matrix w = randomMatrix(4, 6, 9), moment = randomMoment(6, 10);
  MapMoments moments = {0.25 * moment, 0.5 * moment, {}};
  Result<FittedMap> fitted = fitMap(w, {}, moments, moments);
  ASSERT_TRUE(bool(fitted));
  EXPECT_LT(distance(fitted->toDense(), 1.75 * w), 5e-3);
}

/// What helps on one text and harms on another is not done.
TEST(FitMap, HeldOutWindowsDecide) {
  Matrix w = randomMatrix(4, 6, 11), a = randomMatrix(4, 6, 12),
         moment = randomMoment(6, 13);
  MapMoments fitted = {moment, moment, multiply(a, moment)};
  MapMoments heldOut = {moment, moment, multiply(-1.0 * a, moment)};
  Result<FittedMap> kept = fitMap(w, {}, fitted, heldOut);
  ASSERT_TRUE(bool(kept));
  EXPECT_FALSE(kept->isRefit);
  EXPECT_EQ(distance(kept->toDense(), w), 0);
}

/// Codes without data: each weight within half a step; with data, outputs lose
/// less than by rounding.
TEST(FitMap, CodesHeedTheInputs) {
  Matrix w = randomMatrix(16, 24, 17), moment = randomMoment(24, 18);
  // Inputs that go together.
  for (int64_t i = 0; i < 24; ++i)
    for (int64_t j = 0; j < 24; ++j)
      moment.at(i, j) += 2;
  MapMoments moments = sameInputs(moment);
  for (MapPlan plan :
       {MapPlan{MapStructure::Int4, 0, 8}, MapPlan{MapStructure::Int8, 0, 0}}) {
    Result<FittedMap> rounded = fitMatrix(w, plan),
                      fitted = fitMap(w, plan, moments, moments);
    ASSERT_TRUE(rounded && fitted);
    double without = outputError(w, rounded->toDense(), moment),
           with = outputError(w, fitted->toDense(), moment);
    EXPECT_LT(with, 0.7 * without);
    EXPECT_LT(without, plan.structure == MapStructure::Int4 ? 0.2 : 0.02);
    EXPECT_EQ(rounded->codes.codes.size(), 16u * 24u);
  }
}

TEST(FitMap, InputsOfZeros) {
  Matrix w = randomMatrix(4, 6, 14), zeros(6, 6);
  MapMoments moments = {zeros, zeros, Matrix(4, 6)};
  for (MapPlan plan : {MapPlan(), MapPlan{MapStructure::LowRank, 2},
                       MapPlan{MapStructure::PivotedLowRank, 2},
                       MapPlan{MapStructure::Int4, 0, 2}}) {
    Result<FittedMap> fitted = fitMap(w, plan, moments, moments);
    ASSERT_TRUE(bool(fitted)) << fitted.error().str();
    EXPECT_TRUE(isFinite(fitted->toDense()));
    EXPECT_FALSE(fitted->isRefit);
  }
  EXPECT_EQ(outputError(w, Matrix(4, 6), zeros), 0);
}

/// Fewer tokens than inputs: the moment is singular, the fit is not.
TEST(FitMap, FewTokens) {
  Matrix w = randomMatrix(5, 8, 15), x = randomMatrix(8, 2, 16);
  Matrix moment = multiply(x, x, Side::AsIs, Side::Transposed);
  MapMoments moments = sameInputs(moment);
  for (MapStructure structure :
       {MapStructure::LowRank, MapStructure::PivotedLowRank}) {
    Result<FittedMap> fitted = fitMap(w, {structure, 2}, moments, moments);
    ASSERT_TRUE(bool(fitted)) << fitted.error().str();
    EXPECT_LT(outputError(w, fitted->toDense(), moment), 1e-3);
  }
}

} // namespace
} // namespace linnet::compress
