//===- LinearTest.cpp - linear, embedding, positions ----------------------===//

#include "RunModule.h"

#include "linnet/Support/SplitMix64.h"

#include <algorithm>
#include <gtest/gtest.h>

using namespace linnet;
using namespace linnet::test;

namespace {

/// y = x W^T (+ bias), the plain triple loop.
HostTensor multiply(const HostTensor &x, const HostTensor &w,
                    const HostTensor *bias) {
  HostTensor y;
  y.shape = x.shape;
  int64_t out = w.shape[0], in = w.shape[1];
  y.shape.back() = out;
  for (int64_t r = 0; r < x.size() / in; ++r)
    for (int64_t o = 0; o < out; ++o) {
      double sum = bias ? bias->values[o] : 0;
      for (int64_t i = 0; i < in; ++i)
        sum += w.values[o * in + i] * x.values[r * in + i];
      y.values.push_back(sum);
    }
  return y;
}

HostTensor transpose(const HostTensor &w) {
  HostTensor t = HostTensor::filled({w.shape[1], w.shape[0]});
  for (int64_t i = 0; i < w.shape[0]; ++i)
    for (int64_t j = 0; j < w.shape[1]; ++j)
      t.values[j * w.shape[0] + i] = w.values[i * w.shape[1] + j];
  return t;
}

TEST(LinearTest, DenseMatchesTripleLoopAtEveryTail) {
  Random random(1);
  // Tiles are 4 rows by 2 outputs by 2 inputs in blocks of 8 outputs.
  for (int64_t rows : {1, 3, 4, 7})
    for (int64_t out : {1, 2, 7, 9, 19})
      for (int64_t in : {1, 2, 5, 16}) {
        HostTensor x = random.tensor({1, rows, in}),
                   w = random.tensor({out, in});
        HostTensor b = random.tensor({out});
        auto y = runOp("linnet.linear #linnet.dense %0, %1 bias(%2)", {x, w, b},
                       {{1, rows, out}});
        EXPECT_LE(difference(y[0], multiply(x, w, &b)), 1e-14)
            << rows << " " << out << " " << in;
      }
}

TEST(LinearTest, ThreadsDoNotChangeTheResult) {
  Random random(2);
  HostTensor x = random.tensor({2, 33, 65}), w = random.tensor({129, 65});
  std::string source =
      wrapOp("linnet.linear #linnet.dense %0, %1", {x, w}, {{2, 33, 129}});
  auto module = parse(source);
  auto evaluator = Evaluator::create(*module, nullptr);
  ASSERT_TRUE(evaluator);
  evaluator->setThreads(1);
  auto one = evaluator->run("f", {x, w});
  evaluator->setThreads(3);
  auto three = evaluator->run("f", {x, w});
  ASSERT_TRUE(one && three);
  EXPECT_EQ((*one)[0].values, (*three)[0].values);
  EXPECT_LE(difference((*one)[0], multiply(x, w, nullptr)), 1e-14);
}

TEST(LinearTest, InOutIsTheTranspose) {
  Random random(3);
  HostTensor x = random.tensor({2, 3, 5}), w = random.tensor({7, 5});
  auto y = runOp("linnet.linear #linnet.dense<in_out> %0, %1",
                 {x, transpose(w)}, {{2, 3, 7}});
  EXPECT_LE(difference(y[0], multiply(x, w, nullptr)), 1e-14);
}

TEST(LinearTest, LowRankIsTwoProducts) {
  Random random(4);
  HostTensor x = random.tensor({2, 3, 7}), u = random.tensor({5, 2});
  HostTensor v = random.tensor({2, 7}), b = random.tensor({5});
  auto y = runOp("linnet.linear #linnet.low_rank %0, %1, %2 bias(%3)",
                 {x, u, v, b}, {{2, 3, 5}});
  EXPECT_LE(difference(y[0], multiply(multiply(x, v, nullptr), u, &b)), 1e-14);
}

TEST(LinearTest, BlockDiagonalIsAMatrixPerPart) {
  Random random(6);
  for (int64_t blocks : {1, 2, 5}) {
    HostTensor x = random.tensor({2, 9, blocks * 7});
    HostTensor w = random.tensor({blocks, 3, 7}), turned = w;
    HostTensor bias = random.tensor({blocks * 3});
    HostTensor expected = HostTensor::filled({2, 9, 0});
    turned.shape = {blocks, 7, 3};
    for (int64_t n = 0; n < blocks; ++n) {
      HostTensor block = slice(w, 0, n, n + 1);
      block.shape = {3, 7};
      HostTensor offset = slice(bias, 0, n * 3, n * 3 + 3);
      expected = join(
          expected, multiply(slice(x, 2, n * 7, n * 7 + 7), block, &offset), 2);
      std::ranges::copy(transpose(block).values,
                        turned.values.begin() + n * 21);
    }
    auto y = runOp("linnet.linear #linnet.block_diagonal %0, %1 bias(%2)",
                   {x, w, bias}, {{2, 9, blocks * 3}});
    EXPECT_LE(difference(y[0], expected), 1e-14) << blocks;
    y = runOp("linnet.linear #linnet.block_diagonal<in_out> %0, %1 bias(%2)",
              {x, turned, bias}, {{2, 9, blocks * 3}});
    EXPECT_LE(difference(y[0], expected), 1e-14) << blocks;
  }
}

TEST(LinearTest, PermutationReordersAndAddsTheBias) {
  HostTensor x({2, 3}, {10, 11, 12, 20, 21, 22}), bias({3}, {1, 2, 3});
  Operand order(HostTensor({3}, {2, 0, 1}), "i32");
  auto y = runOp("linnet.linear #linnet.permutation %0, %1 bias(%2)",
                 {x, order, bias}, {{2, 3}});
  EXPECT_EQ(y[0].values, std::vector<double>({13, 12, 14, 23, 22, 24}));
}

TEST(LinearTest, PivotedLowRankIsAProductOfColumns) {
  Random random(7);
  HostTensor x = random.tensor({3, 6}), columns = random.tensor({4, 2});
  HostTensor coefficients = random.tensor({2, 4});
  HostTensor order({6}, {4, 1, 0, 5, 2, 3});
  // W[:, order] = columns [I | coefficients], entry by entry.
  HostTensor w = HostTensor::filled({4, 6});
  for (int64_t o = 0; o < 4; ++o)
    for (int64_t r = 0; r < 2; ++r) {
      w.values[o * 6 + int64_t(order.values[r])] = columns.values[o * 2 + r];
      for (int64_t c = 0; c < 4; ++c)
        w.values[o * 6 + int64_t(order.values[2 + c])] +=
            columns.values[o * 2 + r] * coefficients.values[r * 4 + c];
    }
  auto y = runOp("linnet.linear #linnet.pivoted_low_rank %0, %1, %2, %3",
                 {x, columns, coefficients, Operand(order, "i32")}, {{3, 4}});
  EXPECT_LE(difference(y[0], multiply(x, w, nullptr)), 1e-14);
}

/// 2 of 3 blocks of 2 inputs; the second row of blocks has 3 outputs.
TEST(LinearTest, BlockSparsePutsBlocksInTheirPlaces) {
  Random random(8);
  HostTensor x = random.tensor({2, 6}), values = random.tensor({19, 4});
  HostTensor columns({2, 2}, {0, 2, 1, 2});
  HostTensor w = HostTensor::filled({19, 6});
  const int64_t places[2][4] = {{0, 1, 4, 5}, {2, 3, 4, 5}};
  for (int64_t o = 0; o < 19; ++o)
    for (int64_t j = 0; j < 4; ++j)
      w.values[o * 6 + places[o / 16][j]] = values.values[o * 4 + j];
  auto y = runOp("linnet.linear #linnet.block_sparse<16, 2, 6> %0, %1, %2",
                 {x, values, Operand(columns, "i32")}, {{2, 19}});
  EXPECT_LE(difference(y[0], multiply(x, w, nullptr)), 1e-14);
}

/// 2 of 4 inputs, positions of 2 bits; 1 of 6, of 4 bits.
TEST(LinearTest, NmSparsePicksInputs) {
  Random random(9);
  HostTensor x = random.tensor({3, 8}), values = random.tensor({2, 4});
  // Positions 1 3, 0 2 and 2 3, 0 1, the first in the lowest bits.
  HostTensor positions({2, 1}, {double(1 + 4 * 3 + 64 * 2 - 256),
                                double(2 + 4 * 3 + 16 * 0 + 64 * 1)});
  HostTensor w = HostTensor::filled({2, 8});
  const int64_t places[2][4] = {{1, 3, 4, 6}, {2, 3, 4, 5}};
  for (int64_t o = 0; o < 2; ++o)
    for (int64_t j = 0; j < 4; ++j)
      w.values[o * 8 + places[o][j]] = values.values[o * 4 + j];
  auto y = runOp("linnet.linear #linnet.nm_sparse<2, 4> %0, %1, %2",
                 {x, values, Operand(positions, "i8")}, {{3, 2}});
  EXPECT_LE(difference(y[0], multiply(x, w, nullptr)), 1e-14);
  HostTensor wide = random.tensor({3, 12}), two = random.tensor({1, 2});
  HostTensor w6 = HostTensor::filled({1, 12});
  w6.values[5] = two.values[0];
  w6.values[6 + 2] = two.values[1];
  y = runOp("linnet.linear #linnet.nm_sparse<1, 6> %0, %1, %2",
            {wide, two, Operand(HostTensor({1, 1}, {5 + 16 * 2}), "i8")},
            {{3, 1}});
  EXPECT_LE(difference(y[0], multiply(wide, w6, nullptr)), 1e-14);
}

/// Wider, higher and square: the formulas, entry by entry.
TEST(LinearTest, MatricesOfOneVector) {
  Random random(10);
  for (auto [out, in] : {std::pair(3, 5), {5, 3}, {4, 4}, {1, 6}, {6, 1}}) {
    HostTensor x = random.tensor({2, in}),
               diagonal = random.tensor({std::min(out, in)}),
               shifts = random.tensor({out + in - 1}),
               turns = random.tensor({in});
    HostTensor diag = HostTensor::filled({out, in}), toeplitz = diag,
               circulant = HostTensor::filled({in, in});
    for (int64_t o = 0; o < out; ++o)
      for (int64_t i = 0; i < in; ++i) {
        if (o == i)
          diag.values[o * in + i] = diagonal.values[i];
        toeplitz.values[o * in + i] = shifts.values[o - i + in - 1];
      }
    // Column i is the values, turned by i.
    for (int64_t i = 0; i < in; ++i)
      for (int64_t k = 0; k < in; ++k)
        circulant.values[(k + i) % in * in + i] = turns.values[k];
    std::string sizes = std::to_string(out);
    auto y = runOp("linnet.linear #linnet.diag<" + sizes + ", " +
                       std::to_string(in) + "> %0, %1",
                   {x, diagonal}, {{2, out}});
    EXPECT_LE(difference(y[0], multiply(x, diag, nullptr)), 1e-14);
    y = runOp("linnet.linear #linnet.toeplitz<" + sizes + "> %0, %1",
              {x, shifts}, {{2, out}});
    EXPECT_LE(difference(y[0], multiply(x, toeplitz, nullptr)), 1e-14);
    y = runOp("linnet.linear #linnet.circulant %0, %1", {x, turns}, {{2, in}});
    EXPECT_LE(difference(y[0], multiply(x, circulant, nullptr)), 1e-14);
  }
}

/// A Toeplitz matrix filters: W x is the convolution of values and x, and a
/// circulant one the cyclic convolution.
TEST(LinearTest, ToeplitzFilters) {
  HostTensor x({1, 3}, {1, 10, 100}), values({5}, {1, 2, 3, 4, 5});
  // y_o = sum_i values[o - i + 2] x_i.
  auto y =
      runOp("linnet.linear #linnet.toeplitz<3> %0, %1", {x, values}, {{1, 3}});
  EXPECT_EQ(y[0].values, std::vector<double>({123, 234, 345}));
  HostTensor turns({3}, {1, 2, 3});
  y = runOp("linnet.linear #linnet.circulant %0, %1", {x, turns}, {{1, 3}});
  EXPECT_EQ(y[0].values, std::vector<double>({231, 312, 123}));
}

/// Rows of the basis by the published generator, one stream each.
TEST(LinearTest, SeededRowsTimesCoefficients) {
  Random random(11);
  for (auto [terms, block, blocks] :
       {std::tuple(3, 4, 2), {1, 5, 3}, {6, 6, 1}, {4, 2, 2}, {1, 1, 4}}) {
    int64_t in = block * blocks, seed = 12345, out = 3;
    HostTensor x = random.tensor({2, in}),
               coefficients = random.tensor({out, terms * blocks});
    HostTensor basis = HostTensor::filled({terms, block});
    for (int64_t j = 0; j < terms; ++j) {
      uint64_t state = uint64_t(seed + 1000003 * j);
      for (int64_t i = 0; i < block; ++i)
        basis.values[j * block + i] =
            double(nextSplitMix64(state) >> 11) / 4503599627370496.0 - 1;
    }
    HostTensor w = HostTensor::filled({out, in});
    for (int64_t o = 0; o < out; ++o)
      for (int64_t c = 0; c < blocks; ++c)
        for (int64_t i = 0; i < block; ++i)
          for (int64_t j = 0; j < terms; ++j)
            w.values[o * in + c * block + i] +=
                coefficients.values[o * terms * blocks + c * terms + j] *
                basis.values[j * block + i];
    std::string sizes = std::to_string(terms) + ", " + std::to_string(block);
    auto y = runOp("linnet.linear #linnet.seeded<" + sizes + ", 12345> %0, %1",
                   {x, coefficients}, {{2, out}});
    EXPECT_LE(difference(y[0], multiply(x, w, nullptr)), 1e-14) << sizes;
    std::string type = "tensor<" + std::to_string(terms) + "x" +
                       std::to_string(block) + "xf32>";
    auto b = runModule("func.func @f() -> " + type +
                           " {\n  %b = linnet.seeded_basis 12345 : " + type +
                           "\n  return %b : " + type + "\n}",
                       {});
    EXPECT_EQ(b[0].values, basis.values) << sizes;
  }
}

TEST(LinearTest, RefusesPositionsThatDoNotAscend) {
  HostTensor x = HostTensor::filled({2, 8}),
             values = HostTensor::filled({1, 4});
  HostTensor positions({1, 1}, {1 + 4 * 1});
  std::string source =
      wrapOp("linnet.linear #linnet.nm_sparse<2, 4> %0, %1, %2",
             {x, values, Operand(positions, "i8")}, {{2, 1}});
  std::string error = runError(source, {x, values, positions});
  EXPECT_NE(error.find("factor 1: expected ascending numbers from 0 to 3 in "
                       "each group, but got 1 at (0, 1)"),
            std::string::npos)
      << error;
}

TEST(LinearTest, RefusesColumnsThatDoNotAscend) {
  HostTensor x = HostTensor::filled({2, 6}),
             values = HostTensor::filled({4, 4});
  HostTensor columns({1, 2}, {2, 1});
  std::string source =
      wrapOp("linnet.linear #linnet.block_sparse<16, 2, 6> %0, %1, %2",
             {x, values, Operand(columns, "i32")}, {{2, 4}});
  std::string error = runError(source, {x, values, columns});
  EXPECT_NE(error.find("factor 1: expected ascending numbers from 0 to 2 in "
                       "each row, but got 1 at (0, 1)"),
            std::string::npos)
      << error;
}

TEST(LinearTest, RefusesOrdersThatAreNone) {
  HostTensor x = HostTensor::filled({2, 3}), order({3}, {2, 0, 2});
  std::string source = wrapOp("linnet.linear #linnet.permutation %0, %1",
                              {x, Operand(order, "i32")}, {{2, 3}});
  std::string error = runError(source, {x, order});
  EXPECT_NE(
      error.find("factor 0: expected an order of every number from 0 to 2 "
                 "once, but got 2 twice"),
      std::string::npos)
      << error;
}

TEST(LinearTest, TakesAVectorAndNoRows) {
  Random random(5);
  HostTensor x = random.tensor({5}), w = random.tensor({3, 5});
  EXPECT_LE(
      difference(runOp("linnet.linear #linnet.dense %0, %1", {x, w}, {{3}})[0],
                 multiply(x, w, nullptr)),
      1e-14);
  auto none = runOp("linnet.linear #linnet.dense %0, %1",
                    {HostTensor::filled({2, 0, 5}), w}, {{2, 0, 3}});
  EXPECT_EQ(none[0].shape, Shape({2, 0, 3}));
}

TEST(EmbeddingTest, PicksRows) {
  HostTensor table({3, 2}, {0, 1, 10, 11, 20, 21});
  Operand ids(HostTensor({1, 3}, {2, 0, 1}), "i32");
  auto y = runOp("linnet.embedding %0, %1", {ids, table}, {{1, 3, 2}});
  EXPECT_EQ(y[0].values, std::vector<double>({20, 21, 0, 1, 10, 11}));
}

TEST(EmbeddingTest, RefusesIdsOutsideTheTable) {
  HostTensor table({3, 2}, {0, 1, 10, 11, 20, 21});
  for (double id : {3.0, -1.0, 2147483647.0}) {
    HostTensor ids({1, 2}, {0, id});
    std::string source = wrapOp("linnet.embedding %0, %1",
                                {Operand(ids, "i32"), table}, {{1, 2, 2}});
    std::string error = runError(source, {ids, table});
    EXPECT_NE(error.find("expected ids in [0, 3), but got " +
                         std::to_string(int64_t(id)) + " as element 1"),
              std::string::npos)
        << error;
    EXPECT_NE(error.find("linnet.embedding"), std::string::npos) << error;
  }
}

TEST(PositionsTest, CountFromThePosition) {
  Operand ids(HostTensor::filled({2, 3}, 7), "i32");
  auto y = runOp("linnet.positions %0, %1", {ids, Operand::index(5)}, {{2, 3}},
                 "i32");
  EXPECT_EQ(y[0].values, std::vector<double>({5, 6, 7, 5, 6, 7}));
}

} // namespace
