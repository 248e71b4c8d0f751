//===- BlockLowRankTest.cpp - blocks of low rank each ---------------------===//

#include "linnet/Numerics/BlockLowRank.h"
#include "linnet/Numerics/LowRank.h"
#include "linnet/Numerics/MonarchFit.h"

#include "CompressionOracle.h"

#include <limits>

using namespace linnet;
using namespace linnet::test;

namespace {

/// E[x x^T] of inputs that hang together.
Matrix momentOf(int64_t inputs, int64_t tokens, uint64_t seed) {
  Matrix x = multiply(randomMatrix(inputs, inputs, seed),
                      randomMatrix(inputs, tokens, seed + 1));
  return 1 / double(tokens) * multiply(x, x, Side::AsIs, Side::Transposed);
}

/// Blocks of rank r are found again, whatever the inputs.
TEST(BlockLowRankTest, RecoversBlocks) {
  for (auto [b, p, q, rank] :
       {std::tuple(3, 5, 7, 2), {4, 6, 3, 1}, {1, 9, 8, 3}, {2, 4, 4, 4}}) {
    Matrix w(b * p, b * q);
    for (int64_t i = 0; i < b; ++i)
      for (int64_t j = 0; j < b; ++j) {
        Matrix block = multiply(randomMatrix(p, rank, 10 * i + j),
                                randomMatrix(rank, q, 100 + 10 * i + j));
        for (int64_t r = 0; r < p; ++r)
          for (int64_t c = 0; c < q; ++c)
            w.at(i * p + r, j * q + c) = block.at(r, c);
      }
    Matrix moment = momentOf(w.columns(), 200, 7);
    for (const Matrix *inputs : {static_cast<const Matrix *>(nullptr),
                                 static_cast<const Matrix *>(&moment)}) {
      BlockLowRank fit = taken(fitBlockLowRank(w, inputs, b, rank, 200));
      EXPECT_LT(norm(fit.toDense() - w), 1e-6 * norm(w))
          << b << " " << !!inputs;
      ASSERT_EQ(int64_t(fit.left.size()), b);
      EXPECT_EQ(fit.left[0].rows(), p);
      EXPECT_EQ(fit.left[0].columns(), b * rank);
      EXPECT_EQ(fit.right[0].rows(), b * rank);
      EXPECT_EQ(fit.right[0].columns(), q);
    }
  }
}

/// One block is the data-aware optimum of its rank.
TEST(BlockLowRankTest, OneBlockIsLowRank) {
  Matrix w = randomMatrix(9, 12, 1), moment = momentOf(12, 100, 2);
  BlockLowRank fit = taken(fitBlockLowRank(w, &moment, 1, 4));
  Matrix best = taken(fitLowRank(w, moment, 4)).toDense();
  EXPECT_NEAR(outputLoss(w - fit.toDense(), moment),
              outputLoss(w - best, moment), 1e-5 * outputLoss(w, moment));
}

/// Without data every block is the nearest of its rank: with as many blocks as
/// a block has rows, the known projection with its outputs in another order.
TEST(BlockLowRankTest, IsAMonarchMatrix) {
  const int64_t q = 5, p = 3;
  Matrix w = randomMatrix(q * p, q * p, 3), shuffled = w;
  for (int64_t i1 = 0; i1 < p; ++i1)
    for (int64_t i2 = 0; i2 < q; ++i2)
      for (int64_t c = 0; c < q * p; ++c)
        shuffled.at(i2 * p + i1, c) = w.at(i1 * q + i2, c);
  Matrix blocks = taken(fitBlockLowRank(shuffled, nullptr, q, 1)).toDense();
  Matrix monarch = taken(projectOnMonarch(w, q)).toDense();
  EXPECT_NEAR(norm(shuffled - blocks), norm(w - monarch), 1e-10);
}

/// Each sweep lowers the loss on these inputs, to less than the blocks nearest
/// without them leave.
TEST(BlockLowRankTest, SweepsLowerTheLoss) {
  Matrix w = randomMatrix(12, 20, 4), moment = momentOf(20, 300, 5);
  double plain = outputLoss(
      w - taken(fitBlockLowRank(w, nullptr, 4, 1)).toDense(), moment);
  double last = outputLoss(w, moment);
  for (int64_t sweeps : {1, 2, 4, 8, 16}) {
    double loss = outputLoss(
        w - taken(fitBlockLowRank(w, &moment, 4, 1, sweeps)).toDense(), moment);
    EXPECT_LE(loss, last * (1 + 1e-12)) << sweeps;
    last = loss;
  }
  EXPECT_LT(last, 0.8 * plain);
}

/// Inputs that are 0 or copies of others, fewer tokens than inputs.
TEST(BlockLowRankTest, TakesInputsThatSpanLess) {
  Matrix w = randomMatrix(8, 12, 6), x = randomMatrix(12, 5, 7);
  for (int64_t t = 0; t < 5; ++t) {
    x.at(3, t) = 0;
    x.at(5, t) = x.at(4, t);
    for (int64_t i = 8; i < 12; ++i)
      x.at(i, t) = 0;
  }
  Matrix moment = multiply(x, x, Side::AsIs, Side::Transposed);
  Matrix w1 = taken(fitBlockLowRank(w, &moment, 2, 2, 50)).toDense();
  EXPECT_TRUE(isFinite(w1));
  EXPECT_LT(outputLoss(w - w1, moment), 0.5 * outputLoss(w, moment));
  Matrix zeros(12, 12);
  EXPECT_TRUE(isFinite(taken(fitBlockLowRank(w, &zeros, 2, 2)).toDense()));
}

TEST(BlockLowRankTest, Errors) {
  auto errorOf = [](const Matrix &w, const Matrix *moment, int64_t blocks,
                    int64_t rank) {
    auto failed = fitBlockLowRank(w, moment, blocks, rank);
    return failed ? "" : failed.error().str();
  };
  Matrix w = randomMatrix(6, 8, 1), moment(7, 7);
  EXPECT_EQ(errorOf(w, nullptr, 4, 1),
            "expected blocks that divide 6 and 8, but got 4");
  EXPECT_EQ(errorOf(w, nullptr, 0, 1),
            "expected blocks that divide 6 and 8, but got 0");
  EXPECT_EQ(errorOf(w, nullptr, 2, 4), "expected a rank of 1 to 3, but got 4");
  EXPECT_EQ(errorOf(w, nullptr, 2, 0), "expected a rank of 1 to 3, but got 0");
  EXPECT_EQ(errorOf(w, &moment, 2, 1),
            "expected a second moment of 8 x 8, but got 7 x 7");
  w.at(1, 1) = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(errorOf(w, nullptr, 2, 1),
            "expected finite entries, but got NaN or infinity");
}

} // namespace
