//===- MonarchFitTest.cpp - two block diagonals with a shuffle between ----===//

#include "linnet/Numerics/MonarchFit.h"

#include "CompressionOracle.h"

#include <limits>

using namespace linnet;
using namespace linnet::test;

namespace {

MonarchFactors projected(const Matrix &matrix, int64_t blocks) {
  return taken(projectOnMonarch(matrix, blocks));
}

TEST(MonarchFitTest, MatchesTheKnownProjection) {
  CompressionOracle oracle("monarch_projection");
  Matrix m = oracle.matrix("M"), nearest = projected(m, 6).toDense();
  EXPECT_LE(largestDifference(nearest, oracle.matrix("projection")), 1e-10);
  double error = oracle.meta["error_random"];
  EXPECT_NEAR(norm(m - nearest), error, 1e-10 * error);
}

TEST(MonarchFitTest, IsExactWhereItCanBe) {
  CompressionOracle oracle("monarch_projection");
  for (auto [name, blocks] :
       {std::pair("exact_monarch", 6), {"hadamard16", 4}, {"kronecker16", 4}}) {
    Matrix m = oracle.matrix(name);
    EXPECT_LE(largestDifference(projected(m, blocks).toDense(), m), 1e-10)
        << name;
  }
}

/// The order of entries is that of two block diagonal products with a
/// transposition of the q x q middle between them.
TEST(MonarchFitTest, IsTwoProductsOfBlocks) {
  for (auto [p, q] : {std::pair(3, 5), {5, 3}, {1, 4}, {4, 1}}) {
    MonarchFactors factors = projected(randomMatrix(p * q, p * q, 1), q);
    Matrix x = randomMatrix(p * q, 1, 2), middle(q, q), y(p * q, 1);
    for (int64_t j1 = 0; j1 < q; ++j1) {
      Matrix part = multiply(factors.right[j1], x.rowRange(j1 * p, p));
      for (int64_t i2 = 0; i2 < q; ++i2)
        middle.at(j1, i2) = part.at(i2, 0);
    }
    for (int64_t i2 = 0; i2 < q; ++i2) {
      Matrix part = multiply(factors.left[i2], middle.columnRange(i2, 1));
      for (int64_t i1 = 0; i1 < p; ++i1)
        y.at(i1 * q + i2, 0) = part.at(i1, 0);
    }
    EXPECT_LE(largestDifference(multiply(factors.toDense(), x), y), 1e-12);
  }
}

TEST(MonarchFitTest, ProjectsOnceForAll) {
  for (auto [p, q] : {std::pair(3, 5), {5, 3}, {4, 4}}) {
    Matrix once = projected(randomMatrix(p * q, p * q, 3), q).toDense();
    EXPECT_LE(largestDifference(projected(once, q).toDense(), once), 1e-12);
  }
}

TEST(MonarchFitTest, NoPerturbationIsNearer) {
  Matrix m = randomMatrix(12, 12, 4);
  MonarchFactors best = projected(m, 4);
  double least = norm(m - best.toDense());
  for (unsigned trial = 0; trial < 50; ++trial) {
    MonarchFactors other = best;
    for (int64_t b = 0; b < 4; ++b) {
      other.left[b] =
          other.left[b] + 1e-2 * randomMatrix(3, 4, 100 + trial + b);
      other.right[b] =
          other.right[b] + 1e-2 * randomMatrix(4, 3, 300 + trial + b);
    }
    EXPECT_GT(norm(m - other.toDense()), least);
  }
}

TEST(MonarchFitTest, BalancesItsFactors) {
  MonarchFactors factors = projected(1e6 * randomMatrix(12, 12, 4), 4);
  double left = 0, right = 0;
  for (int64_t b = 0; b < 4; ++b) {
    left += norm(factors.left[b]) * norm(factors.left[b]);
    right += norm(factors.right[b]) * norm(factors.right[b]);
  }
  EXPECT_NEAR(left / right, 1, 1e-12);
}

TEST(MonarchFitTest, TakesZerosAndNothing) {
  EXPECT_EQ(norm(projected(Matrix(6, 6), 2).toDense()), 0);
  EXPECT_EQ(projected(Matrix(0, 0), 3).toDense().size(), 0);
}

TEST(MonarchFitTest, Refuses) {
  EXPECT_EQ(projectOnMonarch(Matrix(4, 6), 2).error().str(),
            "expected a square matrix, but got 4 x 6");
  for (int64_t blocks : {0, -1, 4})
    EXPECT_EQ(projectOnMonarch(Matrix(6, 6), blocks).error().str(),
              "expected a number of blocks that divides 6, but got " +
                  std::to_string(blocks));
  Matrix bad(4, 4);
  bad.at(1, 2) = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(projectOnMonarch(bad, 2).error().str(),
            "expected finite entries, but got NaN or infinity");
}

} // namespace
