//===- VectorFitTest.cpp - matrices of one vector -------------------------===//

#include "linnet/Numerics/VectorFit.h"
#include "linnet/Numerics/LowRank.h"

#include "CompressionOracle.h"

#include <functional>
#include <limits>

using namespace linnet;
using namespace linnet::test;

namespace {

/// A family by the matrix that each of its vectors makes.
struct Family {
  const char *name;
  Result<std::vector<double>> (*fit)(const Matrix &, const Matrix *);
  std::function<Matrix(const std::vector<double> &)> make;
  int64_t length;
};

std::vector<Family> familiesOf(int64_t rows, int64_t columns) {
  std::vector<Family> families = {{"diagonal", fitDiagonal,
                                   [=](const std::vector<double> &values) {
                                     return diagonalMatrix(values, rows,
                                                           columns);
                                   },
                                   std::min(rows, columns)},
                                  {"toeplitz", fitToeplitz,
                                   [=](const std::vector<double> &values) {
                                     return toeplitzMatrix(values, rows);
                                   },
                                   rows + columns - 1}};
  if (rows == columns)
    families.push_back({"circulant", fitCirculant, circulantMatrix, columns});
  return families;
}

constexpr std::pair<int64_t, int64_t> kShapes[] = {{6, 6}, {4, 9}, {9, 4},
                                                   {1, 5}, {5, 1}, {1, 1}};

/// E[x x^T] of inputs that hang together.
Matrix momentOf(int64_t inputs, unsigned seed) {
  Matrix x = multiply(randomMatrix(inputs, inputs, seed),
                      randomMatrix(inputs, 3 * inputs + 2, seed + 1));
  return multiply(x, x, Side::AsIs, Side::Transposed);
}

std::vector<double> randomVector(int64_t length, unsigned seed) {
  Matrix row = randomMatrix(1, length, seed);
  return {row.data(), row.data() + length};
}

TEST(VectorFitTest, MatricesOfVectors) {
  Matrix diagonal = diagonalMatrix({1, 2}, 2, 3);
  EXPECT_EQ(largestDifference(diagonal, Matrix(2, 3, {1, 0, 0, 0, 2, 0})), 0);
  Matrix toeplitz = toeplitzMatrix({1, 2, 3, 4}, 2);
  EXPECT_EQ(largestDifference(toeplitz, Matrix(2, 3, {3, 2, 1, 4, 3, 2})), 0);
  Matrix circulant = circulantMatrix({1, 2, 3});
  EXPECT_EQ(
      largestDifference(circulant, Matrix(3, 3, {1, 3, 2, 2, 1, 3, 3, 2, 1})),
      0);
}

/// A matrix of the family is found again, whatever the inputs.
TEST(VectorFitTest, RecoversMembers) {
  for (auto [m, n] : kShapes)
    for (const Family &family : familiesOf(m, n)) {
      Matrix w = family.make(randomVector(family.length, 3)),
             moment = momentOf(n, 4);
      for (const Matrix *inputs : {static_cast<const Matrix *>(nullptr),
                                   static_cast<const Matrix *>(&moment)}) {
        auto values = taken(family.fit(w, inputs));
        ASSERT_EQ(int64_t(values.size()), family.length);
        EXPECT_LT(largestDifference(family.make(values), w), 1e-6)
            << family.name << " " << m << " x " << n;
      }
    }
}

/// The solution of the least-squares problem written out: a column for each
/// number of the vector, what it alone makes times a root of the moment.
TEST(VectorFitTest, SolvesLeastSquares) {
  for (auto [m, n] : kShapes)
    for (const Family &family : familiesOf(m, n)) {
      Matrix w = randomMatrix(m, n, 5), moment = momentOf(n, 6),
             root = taken(choleskyFactor(moment)).transposed(),
             target = multiply(w, root);
      Matrix design(m * n, family.length), right(m * n, 1);
      for (int64_t k = 0; k < family.length; ++k) {
        std::vector<double> unit(size_t(family.length), 0.0);
        unit[size_t(k)] = 1;
        Matrix seen = multiply(family.make(unit), root);
        for (int64_t e = 0; e < m * n; ++e) {
          design.at(e, k) = seen.data()[e];
          right.at(e, 0) = target.data()[e];
        }
      }
      Matrix expected = taken(leastSquares(design, right));
      auto values = taken(family.fit(w, &moment));
      for (int64_t k = 0; k < family.length; ++k)
        EXPECT_NEAR(values[size_t(k)], expected.at(k, 0), 1e-5)
            << family.name << " " << m << " x " << n << " " << k;
    }
}

/// No other vector near it loses less.
TEST(VectorFitTest, NoOtherIsBetter) {
  for (auto [m, n] : kShapes)
    for (const Family &family : familiesOf(m, n)) {
      Matrix w = randomMatrix(m, n, 7), moment = momentOf(n, 8);
      auto values = taken(family.fit(w, &moment));
      double least = outputLoss(w - family.make(values), moment);
      for (unsigned trial = 0; trial < 50; ++trial) {
        auto other = randomVector(family.length, 100 + trial);
        for (size_t k = 0; k < other.size(); ++k)
          other[k] = values[k] + 1e-2 * other[k];
        EXPECT_GE(outputLoss(w - family.make(other), moment),
                  least * (1 - 1e-9))
            << family.name;
      }
    }
}

/// Without data the means of what the family makes equal.
TEST(VectorFitTest, MeansWithoutData) {
  Matrix w(2, 3, {1, 2, 3, 4, 5, 7});
  EXPECT_EQ(taken(fitDiagonal(w, nullptr)), std::vector<double>({1, 5}));
  EXPECT_EQ(taken(fitToeplitz(w, nullptr)),
            std::vector<double>({3, 4.5, 3, 4}));
  EXPECT_EQ(taken(fitCirculant(Matrix(2, 2, {1, 2, 3, 5}), nullptr)),
            std::vector<double>({3, 2.5}));
}

/// Inputs that are 0 or copies of others, and none at all: what they leave open
/// is as without data.
TEST(VectorFitTest, TakesInputsThatSpanLess) {
  for (const Family &family : familiesOf(5, 5)) {
    Matrix w = randomMatrix(5, 5, 9), x = randomMatrix(5, 2, 10);
    for (int64_t t = 0; t < 2; ++t) {
      x.at(1, t) = 0;
      x.at(3, t) = x.at(2, t);
    }
    Matrix moment = multiply(x, x, Side::AsIs, Side::Transposed);
    Matrix w1 = family.make(taken(family.fit(w, &moment)));
    EXPECT_TRUE(isFinite(w1));
    EXPECT_LE(
        outputLoss(w - w1, moment),
        outputLoss(w - family.make(taken(family.fit(w, nullptr))), moment) *
            (1 + 1e-9))
        << family.name;
    Matrix zeros(5, 5);
    EXPECT_EQ(taken(family.fit(w, &zeros)), taken(family.fit(w, nullptr)));
  }
}

TEST(VectorFitTest, Errors) {
  auto errorOf = [](const Result<std::vector<double>> &result) {
    return result ? "" : result.error().str();
  };
  Matrix w = randomMatrix(3, 4, 1), moment(3, 3);
  for (const Family &family : familiesOf(3, 4))
    EXPECT_EQ(errorOf(family.fit(w, &moment)),
              "expected a second moment of 4 x 4, but got 3 x 3");
  EXPECT_EQ(errorOf(fitCirculant(w, nullptr)),
            "expected a square matrix with entries, but got 3 x 4");
  EXPECT_EQ(errorOf(fitCirculant(Matrix(), nullptr)),
            "expected a square matrix with entries, but got 0 x 0");
  EXPECT_EQ(errorOf(fitToeplitz(Matrix(0, 4), nullptr)),
            "expected a matrix with entries, but got 0 x 4");
  w.at(1, 1) = std::numeric_limits<double>::quiet_NaN();
  for (const Family &family : familiesOf(3, 4))
    EXPECT_EQ(errorOf(family.fit(w, nullptr)),
              "expected finite entries, but got NaN or infinity");
}

} // namespace
