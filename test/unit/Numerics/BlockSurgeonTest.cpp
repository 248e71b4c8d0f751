//===- BlockSurgeonTest.cpp - greedy removal of blocks --------------------===//

#include "linnet/Numerics/SparseFit.h"

#include "SparseCases.h"

#include <algorithm>

using namespace linnet;
using namespace linnet::test;

namespace {

BlockOrder ordered(const Matrix &weights, const Matrix &moment, int64_t rows,
                   int64_t columns, int64_t least = 0, double damping = 0) {
  auto order = orderBlocks(weights, moment, rows, columns, least, damping);
  EXPECT_TRUE(bool(order)) << order.error().str();
  return order ? order.take() : BlockOrder();
}

/// The least loss of all choices of `count` blocks of the rows of one block.
double bestLoss(const Matrix &weights, const Matrix &moment, int64_t columns,
                int64_t count) {
  int64_t all = weights.columns() / columns;
  double least = std::numeric_limits<double>::infinity();
  for (unsigned bits : choicesOf(int(count), int(all))) {
    Mask kept(weights.rows(), weights.columns());
    for (int64_t r = 0; r < kept.rows(); ++r)
      for (int64_t c = 0; c < kept.columns(); ++c)
        kept.set(r, c, bits >> (c / columns) & 1);
    least = std::min(
        least, lossOf(*refitOnMask(weights, moment, kept), weights, moment));
  }
  return least;
}

/// Near the best of all choices and well below the blocks of largest norm; the
/// losses are those of least squares on the masks. The last row of blocks has
/// 2 rows of 3.
TEST(BlockSurgeonTest, ComesCloseToTheBestBlocks) {
  double found = 0, best = 0, largest = 0;
  for (unsigned seed = 0; seed < 8; ++seed) {
    Matrix w = randomMatrix(8, 12, seed), g = correlatedMoment(12, 90 + seed);
    BlockOrder order = ordered(w, g, 3, 2);
    for (int64_t count : {0, 1, 2, 3, 5, 6}) {
      Mask mask = order.keep(count);
      EXPECT_EQ(mask.count(), 8 * 2 * count);
      double loss = lossOf(*refitOnMask(w, g, mask), w, g);
      EXPECT_NEAR(order.losses[size_t(count)], loss,
                  1e-9 * order.losses.front());
      Mask byNorm = *selectMask(
          scoreMagnitude(w),
          SparsityPattern::keepBlocksPerRow(3, 2, double(count) / 6));
      found += loss;
      largest += lossOf(*refitOnMask(w, g, byNorm), w, g);
      for (int64_t row : {0, 3, 6})
        best += bestLoss(w.rowRange(row, std::min<int64_t>(3, 8 - row)), g, 2,
                         count);
    }
  }
  EXPECT_GE(found, best * (1 - 1e-9));
  EXPECT_LE(found, 1.1 * best);
  EXPECT_LE(found, 0.8 * largest);
}

/// Single weights of single rows: the brain surgeon.
TEST(BlockSurgeonTest, IsTheBrainSurgeonOnSingleWeights) {
  Matrix w = randomMatrix(5, 21, 3), g = correlatedMoment(21, 4);
  for (int64_t kept : {3, 10, 20})
    EXPECT_EQ(ordered(w, g, 1, 1, 0, 0.01).keep(kept),
              removeByBrainSurgeon(
                  w, g, SparsityPattern::keepPerRow(double(kept) / 21), 0.01)
                  ->mask);
}

/// Several at a time lose little more than one by one, and the losses between
/// steps lie between those at them.
TEST(BlockSurgeonTest, StepsOfSeveralBlocks) {
  Matrix w = randomMatrix(16, 200, 5), g = correlatedMoment(200, 6);
  BlockOrder order = ordered(w, g, 16, 1, 20, 0.01);
  EXPECT_EQ(order.removed.front().size(), 180u);
  for (size_t k = 21; k < order.losses.size(); ++k)
    EXPECT_LE(order.losses[k], order.losses[k - 1]) << k;
  EXPECT_EQ(order.losses.back(), 0);
  Matrix single = w, inverse;
  // One by one: of each mask on its own.
  Mask mask(16, 200, true);
  for (int64_t left = 200; left > 20; --left) {
    Matrix refit = *refitOnMask(w, g, mask, {.damping = 0.01});
    std::vector<int64_t> support = mask.support(0);
    Matrix square = (g + 0.01 * trace(g) / 200 * Matrix::identity(200))
                        .takeRows(support)
                        .takeColumns(support);
    Matrix own = *invertPositive(square);
    double least = std::numeric_limits<double>::infinity();
    int64_t cheapest = 0;
    for (size_t i = 0; i < support.size(); ++i) {
      double sum = 0;
      for (int64_t r = 0; r < 16; ++r)
        sum += std::pow(refit.at(r, support[i]), 2);
      sum /= own.at(int64_t(i), int64_t(i));
      if (sum < least) {
        least = sum;
        cheapest = support[i];
      }
    }
    for (int64_t r = 0; r < 16; ++r)
      mask.set(r, cheapest, false);
  }
  auto lossWith = [&](const Mask &kept) {
    return lossOf(*refitOnMask(w, g, kept, {.damping = 0.01}), w, g);
  };
  EXPECT_LE(lossWith(order.keep(20)), 1.1 * lossWith(mask));
}

/// Inputs that are always 0 go first.
TEST(BlockSurgeonTest, DeadInputsGoFirst) {
  Matrix w = randomMatrix(4, 10, 7), g = correlatedMoment(10, 8);
  for (int64_t dead : {2, 7})
    for (int64_t j = 0; j < 10; ++j)
      g.at(dead, j) = g.at(j, dead) = 0;
  BlockOrder order = ordered(w, g, 2, 1, 0, 0.01);
  for (const std::vector<int64_t> &removed : order.removed)
    EXPECT_EQ(std::vector<int64_t>(removed.begin(), removed.begin() + 2),
              (std::vector<int64_t>{7, 2}));
  EXPECT_EQ(order.losses[8], 0);
}

TEST(BlockSurgeonTest, Refuses) {
  expectRefusesOperands(
      [](const Matrix &w, const Matrix &g) { return orderBlocks(w, g, 1, 1); });
  Matrix w = randomMatrix(3, 4, 1), g = Matrix::identity(4);
  auto errorOf = [&](int64_t rows, int64_t columns, int64_t least) {
    auto order = orderBlocks(w, g, rows, columns, least);
    return order ? "" : order.error().str();
  };
  EXPECT_EQ(errorOf(2, 2, 1), "");
  EXPECT_EQ(errorOf(0, 2, 1),
            "expected blocks of at least 1 x 1 weights, but got 0 x 2");
  EXPECT_EQ(errorOf(1, 3, 1), "expected a multiple of 3 columns, but got 4");
  EXPECT_EQ(errorOf(1, 2, 3), "expected to keep 0 to 2 blocks, but got 3");
  EXPECT_EQ(errorOf(1, 2, -1), "expected to keep 0 to 2 blocks, but got -1");
  EXPECT_EQ(orderBlocks(w, g, 1, 1, 0, kNaN).error().str(),
            "expected a damping of at least 0, but got nan");
  EXPECT_FALSE(
      bool(orderBlocks(w, momentOf(randomMatrix(4, 2, 2)), 1, 1, 0, 0)));
}

} // namespace
