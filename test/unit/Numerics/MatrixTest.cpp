//===- MatrixTest.cpp - dense matrices and their factorisations -----------===//

#include "linnet/Numerics/Matrix.h"

#include "CompressionOracle.h"

#include <limits>

using namespace linnet;
using namespace linnet::test;

namespace {

/// By the definition.
Matrix productByHand(const Matrix &a, const Matrix &b) {
  Matrix result(a.rows(), b.columns());
  for (int64_t i = 0; i < a.rows(); ++i)
    for (int64_t j = 0; j < b.columns(); ++j)
      for (int64_t k = 0; k < a.columns(); ++k)
        result.at(i, j) += a.at(i, k) * b.at(k, j);
  return result;
}

/// Symmetric, with eigenvalues that are at least 0.1.
Matrix randomPositive(int64_t size, unsigned seed) {
  Matrix root = randomMatrix(size, size, seed);
  Matrix a = multiply(root, root, Side::AsIs, Side::Transposed) +
             0.1 * Matrix::identity(size);
  // Some kernels round the two triangles differently.
  for (int64_t r = 0; r < size; ++r)
    for (int64_t c = 0; c < r; ++c)
      a.at(r, c) = a.at(c, r);
  return a;
}

void expectOrthonormalColumns(const Matrix &q) {
  EXPECT_LE(largestDifference(multiply(q, q, Side::Transposed),
                              Matrix::identity(q.columns())),
            1e-12);
}

TEST(MatrixTest, MultipliesEverySide) {
  Matrix a = randomMatrix(7, 5, 1), b = randomMatrix(5, 11, 2);
  Matrix expected = productByHand(a, b), at = a.transposed(),
         bt = b.transposed();
  EXPECT_LE(largestDifference(multiply(a, b), expected), 1e-13);
  EXPECT_LE(largestDifference(multiply(at, b, Side::Transposed), expected),
            1e-13);
  EXPECT_LE(largestDifference(multiply(a, bt, Side::AsIs, Side::Transposed),
                              expected),
            1e-13);
  EXPECT_LE(largestDifference(
                multiply(at, bt, Side::Transposed, Side::Transposed), expected),
            1e-13);
  Matrix sum = expected;
  addProduct(sum, a, b, -1);
  EXPECT_LE(norm(sum), 1e-12);
}

TEST(MatrixTest, MultipliesOnBothSidesOfASymmetricOne) {
  for (auto [rows, inner] :
       {std::pair<int64_t, int64_t>{7, 5}, {5, 13}, {1, 1}, {33, 33}}) {
    Matrix a = randomMatrix(rows, inner, 1), g = randomPositive(inner, 2);
    Matrix expected = productByHand(productByHand(a, g), a.transposed());
    double rounding = 1e-13 * (1 + norm(expected));
    EXPECT_LE(largestDifference(congruence(a, g), expected), rounding);
    EXPECT_NEAR(congruenceTrace(a, g), trace(expected), rounding);
    EXPECT_LE(largestDifference(gram(a), productByHand(a, a.transposed())),
              1e-12);
    // The lower triangle does not count, and both of the result are there.
    for (int64_t r = 0; r < inner; ++r)
      std::fill_n(g.row(r), r, 1e9);
    EXPECT_LE(largestDifference(congruence(a, g), expected), rounding);
    EXPECT_EQ(
        largestDifference(congruence(a, g), congruence(a, g).transposed()), 0);
  }
  EXPECT_EQ(norm(gram(Matrix(3, 0))), 0);
  EXPECT_EQ(norm(congruence(Matrix(3, 0), Matrix(0, 0))), 0);
  EXPECT_EQ(congruence(Matrix(0, 2), Matrix(2, 2)).size(), 0);
}

TEST(MatrixTest, SumsOverNothing) {
  EXPECT_EQ(norm(multiply(Matrix(3, 0), Matrix(0, 4))), 0);
  EXPECT_EQ(multiply(Matrix(0, 2), Matrix(2, 4)).columns(), 4);
}

TEST(MatrixTest, TakesParts) {
  Matrix a = randomMatrix(37, 21, 3);
  EXPECT_EQ(a.transposed().at(20, 36), a.at(36, 20));
  EXPECT_EQ(a.rowRange(30, 7).at(6, 2), a.at(36, 2));
  EXPECT_EQ(a.columnRange(20, 1).at(5, 0), a.at(5, 20));
  EXPECT_EQ(a.takeRows({4, 0}).at(1, 3), a.at(0, 3));
  EXPECT_EQ(a.takeColumns({4, 0}).at(1, 0), a.at(1, 4));
  EXPECT_EQ(scaleRows(a, std::vector<double>(37, 2)).at(9, 9), 2 * a.at(9, 9));
  EXPECT_EQ(scaleColumns(a, std::vector<double>(21, 2)).at(9, 9),
            2 * a.at(9, 9));
}

TEST(MatrixTest, EigenvaluesDescend) {
  for (int64_t size : {0, 1, 2, 17, 64}) {
    Matrix a = randomPositive(size, unsigned(size));
    auto eigen = symmetricEigen(a);
    ASSERT_TRUE(bool(eigen)) << eigen.error().str();
    expectOrthonormalColumns(eigen->vectors);
    EXPECT_TRUE(std::is_sorted(eigen->values.rbegin(), eigen->values.rend()));
    Matrix again = multiply(scaleColumns(eigen->vectors, eigen->values),
                            eigen->vectors, Side::AsIs, Side::Transposed);
    EXPECT_LE(largestDifference(again, a), 1e-12 * (1 + norm(a)));
  }
}

TEST(MatrixTest, TakesTheLeadingVectorsOnly) {
  Matrix a = randomPositive(17, 4);
  auto all = symmetricEigen(a), three = symmetricEigen(a, 3),
       none = symmetricEigen(a, 0);
  ASSERT_TRUE(all && three && none);
  EXPECT_EQ(three->values, all->values);
  EXPECT_EQ(largestDifference(three->vectors, all->vectors.columnRange(0, 3)),
            0);
  EXPECT_EQ(none->vectors.columns(), 0);
  for (size_t i = 0; i < all->values.size(); ++i)
    EXPECT_NEAR(none->values[i], all->values[i], 1e-13 * all->values[0]);
  auto more = symmetricEigen(a, 18);
  ASSERT_FALSE(bool(more));
  EXPECT_EQ(more.error().str(), "expected 0 to 17 vectors, but got 18");
}

TEST(MatrixTest, VectorsPointUp) {
  auto eigen = symmetricEigen(randomPositive(9, 5));
  ASSERT_TRUE(bool(eigen));
  for (int64_t v = 0; v < 9; ++v) {
    double most = 0;
    for (int64_t i = 0; i < 9; ++i)
      if (std::abs(eigen->vectors.at(i, v)) > std::abs(most))
        most = eigen->vectors.at(i, v);
    EXPECT_GT(most, 0) << v;
  }
}

TEST(MatrixTest, SingularValuesOfEveryShape) {
  for (auto [rows, columns] : {std::pair<int64_t, int64_t>{1, 1},
                               {13, 5},
                               {5, 13},
                               {40, 40},
                               {0, 3}}) {
    Matrix a = randomMatrix(rows, columns, unsigned(rows + 100 * columns));
    auto svd = singularValues(a);
    ASSERT_TRUE(bool(svd)) << svd.error().str();
    expectOrthonormalColumns(svd->u);
    expectOrthonormalColumns(svd->vt.transposed());
    EXPECT_TRUE(std::is_sorted(svd->values.rbegin(), svd->values.rend()));
    EXPECT_LE(largestDifference(
                  multiply(scaleColumns(svd->u, svd->values), svd->vt), a),
              1e-12 * (1 + norm(a)));
  }
}

/// Values of an outside computation.
TEST(MatrixTest, SingularValuesAreKnown) {
  CompressionOracle oracle("svd_data_aware");
  auto svd = singularValues(multiply(oracle.matrix("W"), oracle.matrix("X")));
  ASSERT_TRUE(bool(svd)) << svd.error().str();
  std::vector<double> known = oracle.numbers("singular_values_WX");
  ASSERT_EQ(svd->values.size(), known.size());
  for (size_t i = 0; i < known.size(); ++i)
    EXPECT_NEAR(svd->values[i], known[i], 1e-12 * known[0]);
}

TEST(MatrixTest, CholeskyGivesTheUpperFactor) {
  Matrix a = randomPositive(23, 7);
  auto factor = choleskyFactor(a);
  ASSERT_TRUE(bool(factor)) << factor.error().str();
  EXPECT_EQ(factor->at(5, 4), 0);
  EXPECT_LE(largestDifference(multiply(*factor, *factor, Side::Transposed), a),
            1e-12 * norm(a));
  Matrix b = randomMatrix(23, 4, 8);
  auto solution = solvePositive(a, b);
  ASSERT_TRUE(bool(solution));
  EXPECT_LE(largestDifference(multiply(a, *solution), b), 1e-10);
  auto inverse = invertPositive(a);
  ASSERT_TRUE(bool(inverse));
  EXPECT_LE(largestDifference(multiply(a, *inverse), Matrix::identity(23)),
            1e-9);
}

TEST(MatrixTest, DividesInPlaceByARidgedOne) {
  Matrix a = randomPositive(37, 7), b = randomMatrix(4, 37, 8), kept = a;
  Matrix ridged = a + 0.25 * Matrix::identity(37);
  auto quotient = divideRidged(b, a, 0.25);
  ASSERT_TRUE(bool(quotient)) << quotient.error().str();
  EXPECT_LE(largestDifference(multiply(*quotient, ridged), b), 1e-10);
  EXPECT_EQ(largestDifference(a, kept), 0);
  // Also where it fails.
  auto failed = divideRidged(b, a, -1e9);
  ASSERT_FALSE(bool(failed));
  EXPECT_EQ(failed.error().str(),
            "expected a positive definite matrix, but minor 1 is not");
  EXPECT_EQ(largestDifference(a, kept), 0);
  b.at(0, 3) = std::numeric_limits<double>::quiet_NaN();
  EXPECT_FALSE(bool(divideRidged(b, a, 0.25)));
  Matrix none(0, 0);
  EXPECT_EQ(taken(divideRidged(Matrix(3, 0), none, 1)).rows(), 3);
}

TEST(MatrixTest, QrOfNoFewerRows) {
  for (auto [rows, columns] : {std::pair<int64_t, int64_t>{1, 1},
                               {13, 5},
                               {70, 67},
                               {40, 40},
                               {3, 0}}) {
    Matrix a = randomMatrix(rows, columns, unsigned(rows + 100 * columns));
    auto qr = takeQr(a);
    ASSERT_TRUE(bool(qr)) << qr.error().str();
    Matrix r = qr->r(), q = taken(qr->multiplyQ(Matrix::identity(columns)));
    ASSERT_EQ(q.rows(), rows);
    expectOrthonormalColumns(q);
    for (int64_t i = 0; i < columns; ++i)
      for (int64_t j = 0; j < i; ++j)
        EXPECT_EQ(r.at(i, j), 0);
    EXPECT_LE(largestDifference(multiply(q, r), a), 1e-12 * (1 + norm(a)));
    Matrix b = randomMatrix(columns, 6, 3);
    EXPECT_LE(largestDifference(taken(qr->multiplyQ(b)), multiply(q, b)),
              1e-12 * (1 + norm(b)));
    auto other = qr->multiplyQ(Matrix(columns + 1, 2));
    ASSERT_FALSE(bool(other));
    EXPECT_EQ(other.error().str(), "expected " + std::to_string(columns) +
                                       " rows, but got " +
                                       std::to_string(columns + 1));
  }
  auto wide = takeQr(Matrix(2, 3));
  ASSERT_FALSE(bool(wide));
  EXPECT_EQ(wide.error().str(),
            "expected no more columns than rows, but got 2 x 3");
}

TEST(MatrixTest, SaysWhatIsNotPositive) {
  Matrix a = Matrix::identity(3);
  a.at(1, 1) = -1;
  auto factor = choleskyFactor(a);
  ASSERT_FALSE(bool(factor));
  EXPECT_EQ(factor.error().str(),
            "expected a positive definite matrix, but minor 2 is not");
  EXPECT_FALSE(bool(solvePositive(a, Matrix(3, 1))));
  EXPECT_FALSE(bool(invertPositive(a)));
}

/// More unknowns than equations, and dependent columns: the least norm.
TEST(MatrixTest, LeastSquaresOfLeastNorm) {
  Matrix wide = randomMatrix(4, 9, 9), b = randomMatrix(4, 3, 10);
  auto x = leastSquares(wide, b);
  ASSERT_TRUE(bool(x)) << x.error().str();
  EXPECT_LE(largestDifference(multiply(wide, *x), b), 1e-12);
  // Of least norm: in the span of the rows.
  auto inRows = leastSquares(wide.transposed(), *x);
  ASSERT_TRUE(bool(inRows));
  EXPECT_LE(largestDifference(multiply(wide, *inRows, Side::Transposed), *x),
            1e-12);
  Matrix dependent(3, 2, {1, 1, 2, 2, 3, 3});
  auto y = leastSquares(dependent, Matrix(3, 1, {2, 4, 6}));
  ASSERT_TRUE(bool(y));
  EXPECT_NEAR(y->at(0, 0), 1, 1e-12);
  EXPECT_NEAR(y->at(1, 0), 1, 1e-12);
  EXPECT_EQ(leastSquares(Matrix(2, 0), Matrix(2, 3))->columns(), 3);
}

TEST(MatrixTest, PivotedQrLeavesTheLargestColumn) {
  Matrix a = randomMatrix(6, 10, 11);
  for (int64_t r = 0; r < 6; ++r)
    a.at(r, 7) *= 100;
  auto qr = pivotedQr(a);
  ASSERT_TRUE(bool(qr)) << qr.error().str();
  EXPECT_EQ(qr->order[0], 7);
  // R^T R is the product of the ordered columns.
  Matrix ordered = a.takeColumns(qr->order);
  EXPECT_LE(largestDifference(multiply(qr->r, qr->r, Side::Transposed),
                              multiply(ordered, ordered, Side::Transposed)),
            1e-9);
  Matrix r = qr->r.columnRange(0, 6), b = randomMatrix(6, 4, 12);
  EXPECT_LE(largestDifference(multiply(r, solveUpper(r, b)), b), 1e-10);
  Matrix turned = solveUpper(r, b, Side::Transposed);
  EXPECT_LE(largestDifference(multiply(r, turned, Side::Transposed), b), 1e-10);
}

TEST(MatrixTest, RefusesWhatIsNotFinite) {
  Matrix a = Matrix::identity(4);
  a.at(2, 1) = std::numeric_limits<double>::quiet_NaN();
  const char *expected = "expected finite entries, but got NaN or infinity";
  EXPECT_EQ(symmetricEigen(a).error().str(), expected);
  EXPECT_EQ(singularValues(a).error().str(), expected);
  EXPECT_EQ(choleskyFactor(a).error().str(), expected);
  EXPECT_EQ(leastSquares(a, a).error().str(), expected);
  EXPECT_EQ(pivotedQr(a).error().str(), expected);
}

TEST(MatrixTest, RefusesWhatIsNotSquare) {
  EXPECT_EQ(symmetricEigen(Matrix(2, 3)).error().str(),
            "expected a square matrix, but got 2 x 3");
  EXPECT_EQ(choleskyFactor(Matrix(2, 3)).error().str(),
            "expected a square matrix, but got 2 x 3");
  EXPECT_EQ(leastSquares(Matrix(2, 3), Matrix(3, 1)).error().str(),
            "expected 2 rows on the right-hand side, but got 3");
}

} // namespace
