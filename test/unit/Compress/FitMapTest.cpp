//===- FitMapTest.cpp - one matrix and what replaces it -------------------===//

#include "MapCases.h"

#include "linnet/Numerics/LowRank.h"
#include "linnet/Numerics/SparsityPattern.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

namespace linnet::compress {
namespace {

using test::randomMatrix;

const MapStructure *const kRanked[] = {&lowRankStructure(),
                                       &pivotedLowRankStructure()};

/// What is known of inputs makes three methods of one fit.
TEST(FitMap, GoalsSeeLessOfInputs) {
  // Inputs that hang together.
  Matrix w = randomMatrix(12, 8, 31), mix = randomMatrix(8, 3, 37),
         moment = 0.05 * randomMoment(8, 32) +
                  multiply(mix, mix, Side::AsIs, Side::Transposed);
  MapMoments moments = sameInputs(w, moment);
  MapPlan half(groupSparseStructure(), {{"kept", 2}, {"of", 4}});
  auto fitTo = [&](FitTo goal) {
    FitResult fitted =
        fitMap(w, half, moments, moments, {.goal = goal, .refits = false});
    EXPECT_TRUE(bool(fitted));
    EXPECT_FALSE((*fitted)->isRefit);
    return (*fitted)->toDense();
  };
  // Magnitudes, and magnitudes times |x| (Sun et al. 2023), the rest as it was.
  SparsityPattern pattern = SparsityPattern::keepOfInputs(2, 4);
  Matrix scores(w.rows(), w.columns());
  for (bool isScaled : {false, true}) {
    for (int64_t r = 0; r < w.rows(); ++r)
      for (int64_t c = 0; c < w.columns(); ++c)
        scores.at(r, c) = std::abs(w.at(r, c)) *
                          (isScaled ? std::sqrt(moment.at(c, c)) : 1.0);
    Result<Mask> mask = selectMask(scores, pattern);
    ASSERT_TRUE(bool(mask));
    Result<Matrix> expected = applyMask(w, *mask);
    ASSERT_TRUE(bool(expected));
    EXPECT_LT(
        distance(fitTo(isScaled ? FitTo::Scaled : FitTo::Weights), *expected),
        1e-9);
  }
  double byOutputs = outputError(w, fitTo(FitTo::Outputs), moment),
         byScales = outputError(w, fitTo(FitTo::Scaled), moment);
  EXPECT_LT(byOutputs, 0.9 * byScales);
}

TEST(FitMap, WeightsAreNearestByRank) {
  Matrix w = randomMatrix(9, 6, 33), moment = randomMoment(6, 34);
  MapMoments moments = sameInputs(w, moment);
  MapPlan plan = ranked(lowRankStructure(), 2);
  FitResult near = fitMap(w, plan, moments, moments,
                          {.goal = FitTo::Weights, .refits = false}),
            alone = fitMatrix(w, plan);
  ASSERT_TRUE(near && alone);
  EXPECT_LT(distance((*near)->toDense(), (*alone)->toDense()), 1e-12);
}

/// Inputs that lack what the original's have are made up for, unless not asked.
TEST(FitMap, RefitsOnlyIfAsked) {
  Matrix w = randomMatrix(9, 6, 35), moment = randomMoment(6, 36);
  MapMoments moments{FitInputs(moment), 2.0 * multiply(w, moment)};
  MapPlan plan = ranked(lowRankStructure(), 4);
  FitResult with = fitMap(w, plan, moments, moments),
            without = fitMap(w, plan, moments, moments, {.refits = false});
  ASSERT_TRUE(with && without);
  EXPECT_TRUE((*with)->isRefit);
  EXPECT_FALSE((*without)->isRefit);
  EXPECT_GT(norm((*with)->toDense()), 1.3 * norm((*without)->toDense()));
}

TEST(FitMap, FullRankIsTheMatrix) {
  Matrix w = randomMatrix(7, 5, 1);
  for (const MapStructure *structure : kRanked) {
    FitResult fitted = fitMatrix(w, ranked(*structure, 5));
    ASSERT_TRUE(bool(fitted));
    EXPECT_LT(distance((*fitted)->toDense(), w), 1e-12);
    EXPECT_FALSE((*fitted)->isRefit);
  }
  FitResult kept = fitMatrix(w, {});
  ASSERT_TRUE(bool(kept));
  EXPECT_EQ(distance((*kept)->toDense(), w), 0);
}

/// Both storages hold the same matrix, in fewer numbers.
TEST(FitMap, StoragesAgree) {
  Matrix w = randomMatrix(9, 6, 2), moment = randomMoment(6, 3);
  MapMoments moments = sameInputs(w, moment);
  FitResult two = fitMap(w, ranked(lowRankStructure(), 3), moments, moments);
  FitResult pivoted =
      fitMap(w, ranked(pivotedLowRankStructure(), 3), moments, moments);
  ASSERT_TRUE(two && pivoted);
  EXPECT_LT(distance((*pivoted)->toDense(), (*two)->toDense()), 1e-12);
  LinearMap map = mapOf(w);
  EXPECT_EQ(lowRankStructure().parameters(map, {{"rank", 3}}), 3 * (9 + 6));
  EXPECT_EQ(lowRankStructure().bytes(map, {{"rank", 3}}), 8 * 3 * (9 + 6));
  EXPECT_EQ(pivotedLowRankStructure().parameters(map, {{"rank", 3}}),
            3 * (9 + 6 - 3));
  EXPECT_EQ(pivotedLowRankStructure().bytes(map, {{"rank", 3}}),
            8 * 3 * (9 + 6 - 3) + 4 * 6);
}

/// Nothing of W's rank loses less on these inputs: W1 = P P^T W for the leading
/// eigenvectors of W G W^T.
TEST(FitMap, IsTheBestOfItsRank) {
  Matrix w = randomMatrix(9, 6, 4), moment = randomMoment(6, 5);
  MapMoments moments = sameInputs(w, moment);
  FitResult fitted = fitMap(w, ranked(lowRankStructure(), 2), moments, moments);
  ASSERT_TRUE(bool(fitted));
  Result<std::vector<double>> spectrum = lossSpectrum(w, moment);
  ASSERT_TRUE(bool(spectrum));
  double least = 0, all = 0;
  for (size_t i = 0; i < spectrum->size(); ++i) {
    all += (*spectrum)[i];
    least += i >= 2 ? (*spectrum)[i] : 0;
  }
  EXPECT_NEAR(outputError(w, (*fitted)->toDense(), moment),
              std::sqrt(least / all), 1e-10);
}

/// A residual difference that the inputs explain, r - r' = A x', moves the
/// target by what the fit trusts of it.
TEST(FitMap, MakesUpForTheResidual) {
  Matrix w = randomMatrix(4, 6, 6), a = randomMatrix(4, 6, 7),
         moment = randomMoment(6, 8);
  MapMoments moments = {FitInputs(moment), multiply(w + a, moment)};
  FitResult fitted = fitMap(w, {}, moments, moments);
  ASSERT_TRUE(bool(fitted));
  EXPECT_TRUE((*fitted)->isRefit);
  EXPECT_LT(distance((*fitted)->toDense(), w + 0.75 * a), 5e-3);
}

/// Inputs that the result has scaled: W1 x' = W x for x' = x / 2.
TEST(FitMap, MakesUpForItsInputs) {
  Matrix w = randomMatrix(4, 6, 9), moment = randomMoment(6, 10);
  MapMoments moments = {FitInputs(0.25 * moment), 0.5 * multiply(w, moment)};
  FitResult fitted = fitMap(w, {}, moments, moments);
  ASSERT_TRUE(bool(fitted));
  EXPECT_LT(distance((*fitted)->toDense(), 1.75 * w), 5e-3);
}

/// What helps on one text and harms on another is not done.
TEST(FitMap, HeldOutWindowsDecide) {
  Matrix w = randomMatrix(4, 6, 11), a = randomMatrix(4, 6, 12),
         moment = randomMoment(6, 13);
  FitInputs inputs(moment);
  MapMoments fitted = {inputs, multiply(w + a, moment)};
  MapMoments heldOut = {inputs, multiply(w - a, moment)};
  FitResult kept = fitMap(w, {}, fitted, heldOut);
  ASSERT_TRUE(bool(kept));
  EXPECT_FALSE((*kept)->isRefit);
  EXPECT_EQ(distance((*kept)->toDense(), w), 0);
}

/// Zeros by the pattern; what is left makes up for them on these inputs, and a
/// loss that is measured for a plan is near that of the fit.
TEST(FitMap, ZerosHeedTheInputs) {
  Matrix w = randomMatrix(16, 24, 19), moment = randomMoment(24, 20);
  for (int64_t i = 0; i < 24; ++i)
    for (int64_t j = 0; j < 24; ++j)
      moment.at(i, j) += 2;
  MapMoments moments = sameInputs(w, moment);
  for (const MapPlan &plan :
       {MapPlan(sparseStructure(), {{"kept", 192}}),
        MapPlan(groupSparseStructure(), {{"kept", 2}, {"of", 4}})}) {
    FitResult cut = fitMatrix(w, plan),
              fitted = fitMap(w, plan, moments, moments);
    ASSERT_TRUE(cut && fitted);
    Matrix dense = (*fitted)->toDense();
    EXPECT_EQ(findNonZeros(dense).count(), 192);
    EXPECT_EQ(plan.structure->parameters(mapOf(w), plan.numbers), 192);
    for (int64_t r = 0; r < 16 && plan.numbers.count("of"); ++r)
      for (int64_t c = 0; c < 24; c += 4)
        EXPECT_LE((dense.at(r, c) != 0) + (dense.at(r, c + 1) != 0) +
                      (dense.at(r, c + 2) != 0) + (dense.at(r, c + 3) != 0),
                  2);
    double loss = outputLoss(w - dense, moment);
    EXPECT_LT(loss, 0.5 * outputLoss(w - (*cut)->toDense(), moment));
    auto planned = plan.structure->losses(w, moments.inputs, {}, plan.numbers);
    ASSERT_TRUE(bool(planned));
    EXPECT_GT(planned->front(), 0.5 * loss);
    EXPECT_LT(planned->front(), 3 * loss);
  }
}

Matrix storedBlocks(FittedMap &fitted, const LinearMap &map,
                    const PlanNumbers &numbers) {
  const MapStructure &blocks = blockSparseStructure();
  return storedMatrix(blocks, fitted, map, numbers,
                      2 * blocks.operations(map, numbers));
}

/// As many blocks in each row of blocks, the last of which is lower; what is
/// left makes up for the others; what is stored is what was fitted.
TEST(FitMap, BlocksHeedTheInputs) {
  Matrix w = randomMatrix(40, 24, 24), moment = randomMoment(24, 25);
  for (int64_t i = 0; i < 24; ++i)
    for (int64_t j = 0; j < 24; ++j)
      moment.at(i, j) += 2;
  MapMoments moments = sameInputs(w, moment);
  LinearMap map = mapOf(w);
  for (DataType type : {DataType::F64, DataType::BF16})
    for (const PlanNumbers &numbers :
         {PlanNumbers{{"height", 16}, {"kept", 12}, {"width", 1}},
          PlanNumbers{{"height", 32}, {"kept", 4}, {"width", 3}}}) {
      map.dtype = type;
      MapPlan plan(blockSparseStructure(), numbers);
      ASSERT_TRUE(bool(plan.structure->check(map, numbers)));
      FitResult cut = fitMatrix(w, plan),
                fitted = fitMap(w, plan, moments, moments);
      ASSERT_TRUE(cut && fitted);
      Matrix stored = storedBlocks(**fitted, map, numbers);
      EXPECT_EQ(distance(stored, (*fitted)->toDense()), 0);
      EXPECT_EQ(findNonZeros(stored).count(), 40 * 12);
      EXPECT_EQ(plan.structure->parameters(map, numbers), 40 * 12);
      EXPECT_EQ(plan.structure->bytes(map, numbers),
                40 * 12 * int64_t(dataTypeSize(type)) +
                    (numbers.at("height") == 16 ? 3 * 12 : 2 * 4) * 2);
      double loss = outputLoss(w - stored, moment);
      EXPECT_LT(loss, 0.6 * outputLoss(w - (*cut)->toDense(), moment));
      auto planned = plan.structure->losses(w, moments.inputs, {}, numbers);
      ASSERT_TRUE(bool(planned));
      EXPECT_GT(planned->front(), 0.5 * loss);
      EXPECT_LT(planned->front(), 3 * loss);
      // Without data the blocks of largest norm stay as they are.
      Matrix kept = storedBlocks(**cut, mapOf(w), numbers);
      for (int64_t e = 0; e < w.size(); ++e)
        if (kept.data()[e] != 0)
          EXPECT_EQ(kept.data()[e], w.data()[e]);
    }
}

/// Columns are of 16 bits as far as these go.
TEST(FitMap, ManyColumns) {
  for (int64_t columns : {32768, 32770}) {
    Matrix w(2, columns);
    for (int64_t r = 0; r < 2; ++r)
      for (int64_t c = columns - 4; c < columns; ++c)
        w.at(r, c) = 1;
    LinearMap map = mapOf(w);
    map.dtype = DataType::BF16;
    PlanNumbers numbers{{"height", 16}, {"kept", 4}, {"width", 1}};
    FitResult cut = fitMatrix(w, {blockSparseStructure(), numbers});
    ASSERT_TRUE(bool(cut));
    EXPECT_EQ(distance(storedBlocks(**cut, map, numbers), w), 0);
    EXPECT_EQ(blockSparseStructure().bytes(map, numbers),
              2 * 4 * 2 + 4 * (columns == 32768 ? 2 : 4));
  }
}

/// Two factors of codes lose little more than two of numbers, and the left one
/// makes up for what the right one loses; a BLAST matrix of one block is of low
/// rank, and as good as the best of its rank where inputs are alike.
TEST(FitMap, ProductsOfFactors) {
  Matrix w = multiply(randomMatrix(16, 8, 21), randomMatrix(8, 24, 22));
  Matrix moment = randomMoment(24, 23);
  MapMoments moments = sameInputs(w, moment);
  LinearMap map = mapOf(w);
  for (const auto &[structure, most] :
       {std::pair(&int8LowRankStructure(), 0.01),
        std::pair(&int4LowRankStructure(), 0.12)}) {
    MapPlan plan(*structure, {{"rank", 8}, {"group", 8}});
    EXPECT_TRUE(bool(structure->check(map, plan.numbers)));
    FitResult fitted = fitMap(w, plan, moments, moments);
    ASSERT_TRUE(bool(fitted)) << fitted.error().str();
    double error = outputError(w, (*fitted)->toDense(), moment);
    EXPECT_LT(error, most);
    EXPECT_GT(error, 1e-4);
    auto spectrum = moments.inputs.spectrum(w);
    auto planned =
        structure->losses(w, moments.inputs, *spectrum, plan.numbers);
    ASSERT_TRUE(spectrum && planned);
    double loss = outputLoss(w - (*fitted)->toDense(), moment);
    EXPECT_GT(planned->front(), 0.2 * loss);
    EXPECT_LT(planned->front(), 5 * loss);
    auto stored = (*fitted)->store(map);
    ASSERT_TRUE(bool(stored));
    EXPECT_EQ(sizeOf(*stored), structure->bytes(map, plan.numbers));
  }
  MapPlan blast(blastStructure(), {{"blocks", 1}, {"rank", 4}});
  FitResult fitted = fitMatrix(w, blast);
  FitResult best = fitMatrix(w, ranked(lowRankStructure(), 4));
  ASSERT_TRUE(fitted && best);
  EXPECT_LT(norm(w - (*fitted)->toDense()),
            1.01 * norm(w - (*best)->toDense()));
  EXPECT_EQ(blastStructure().parameters(map, {{"blocks", 4}, {"rank", 3}}),
            3 * (16 + 24 + 16));
  EXPECT_FALSE(bool(blastStructure().check(map, {{"blocks", 3}, {"rank", 3}})));
}

/// What is stored of a pattern is W1 again, also of groups with fewer values.
TEST(FitMap, StoredPatterns) {
  Matrix w = randomMatrix(5, 48, 41);
  w.at(0, 0) = w.at(0, 1) = w.at(0, 2) = 0;
  for (auto [kept, of] : {std::pair(2, 4), {1, 4}, {4, 8}, {2, 3}}) {
    MapPlan plan(groupSparseStructure(), {{"kept", kept}, {"of", of}});
    LinearMap map = mapOf(w);
    map.dtype = DataType::F32;
    ASSERT_TRUE(bool(plan.structure->check(map, plan.numbers)));
    FitResult fitted = fitMatrix(w, plan);
    ASSERT_TRUE(bool(fitted));
    auto stored = (*fitted)->store(map);
    ASSERT_TRUE(bool(stored));
    Matrix dense = (*fitted)->toDense();
    const auto *values = reinterpret_cast<const float *>((*stored)[0].data());
    int64_t bits = of <= 4 ? 2 : 4, count = 48 / of * kept;
    ASSERT_EQ(int64_t((*stored)[1].size()), 5 * count * bits / 8);
    Matrix again(5, 48);
    for (int64_t r = 0; r < 5; ++r)
      for (int64_t j = 0; j < count; ++j) {
        int64_t at = r * count + j;
        int byte = int((*stored)[1][size_t(at * bits / 8)]);
        int64_t place = (byte >> (at * bits % 8)) & ((1 << bits) - 1);
        ASSERT_LT(place, of);
        again.at(r, j / kept * of + place) = double(values[at]);
      }
    EXPECT_EQ(norm(again - dense), 0);
    EXPECT_EQ(sizeOf(*stored), plan.structure->bytes(map, plan.numbers));
  }
}

/// Blocks are fitted to the inputs; with one block they are the best of their
/// rank. What is stored is what is said of it.
TEST(FitMap, BlocksOfLowRank) {
  Matrix w = randomMatrix(16, 24, 31), moment = randomMoment(24, 32);
  MapMoments moments = sameInputs(w, moment);
  MapPlan plan(monarchStructure(), {{"blocks", 2}, {"rank", 3}});
  FitResult cut = fitMatrix(w, plan),
            fitted = fitMap(w, plan, moments, moments);
  ASSERT_TRUE(cut && fitted);
  double loss = outputLoss(w - (*fitted)->toDense(), moment);
  EXPECT_LT(loss, 0.95 * outputLoss(w - (*cut)->toDense(), moment));
  auto planned = plan.structure->losses(w, moments.inputs, {}, plan.numbers);
  ASSERT_TRUE(bool(planned));
  EXPECT_GE(planned->front(), loss * (1 - 1e-9));
  EXPECT_LT(planned->front(), 2 * loss);
  LinearMap map = mapOf(w);
  auto stored = (*fitted)->store(map);
  ASSERT_TRUE(bool(stored));
  EXPECT_EQ(sizeOf(*stored), plan.structure->bytes(map, plan.numbers));
  EXPECT_EQ(plan.structure->parameters(map, plan.numbers), 2 * 3 * (16 + 24));
  FitResult one = fitMap(w, {monarchStructure(), {{"blocks", 1}, {"rank", 4}}},
                         moments, moments);
  FitResult best = fitMap(w, ranked(lowRankStructure(), 4), moments, moments);
  ASSERT_TRUE(one && best);
  EXPECT_NEAR(outputError(w, (*one)->toDense(), moment),
              outputError(w, (*best)->toDense(), moment), 1e-4);
}

/// Within a row of blocks the metric is heeded as it is: with one such row the
/// fit is that of U W, R = U^T U, for a matrix R and for a diagonal; more rows
/// lose less than without it.
TEST(FitMap, BlocksHeedTheMetric) {
  PlanNumbers numbers{{"height", 16}, {"kept", 8}, {"width", 1}};
  const MapStructure &blocks = blockSparseStructure();
  for (int64_t rows : {16, 40})
    for (bool isDiagonal : {false, true}) {
      Matrix w = randomMatrix(rows, 24, 51);
      FitInputs plain(randomMoment(24, 52));
      // One output of each row of blocks counts most.
      Matrix metric = isDiagonal ? Matrix(1, rows) : randomMoment(rows, 53);
      for (int64_t e = 0; e < metric.size(); ++e) {
        int64_t r = e / rows, c = e % rows;
        double scale = (r % 16 == 3 ? 20 : 1) * (c % 16 == 3 ? 20 : 1);
        metric.data()[e] = isDiagonal ? 1 + 400 * double(c % 16 == 3)
                                      : scale * metric.data()[e];
      }
      FitInputs weighed = withMetric(plain, metric);
      FitResult without = blocks.fit(w, plain, numbers),
                with = blocks.fit(w, weighed, numbers);
      ASSERT_TRUE(without && with);
      double loss = weighed.lossOf(w - (*with)->toDense());
      EXPECT_LT(loss, 0.95 * weighed.lossOf(w - (*without)->toDense()));
      EXPECT_EQ(findNonZeros((*with)->toDense()).count(), rows * 8);
      auto planned = blocks.losses(w, weighed, {}, numbers);
      ASSERT_TRUE(bool(planned));
      EXPECT_GT(planned->front(), 0.3 * loss);
      EXPECT_LT(planned->front(), 3 * loss);
      if (rows > 16)
        continue;
      FitResult turned = blocks.fit(weighed.metric().weigh(w), plain, numbers);
      ASSERT_TRUE(bool(turned));
      EXPECT_NEAR(
          loss, plain.lossOf(weighed.metric().weigh(w) - (*turned)->toDense()),
          1e-9 * loss);
    }
}

/// Low rank and blocks: what has this form is found again; of others less is
/// lost than with as many numbers of either kind; what is stored is what was
/// fitted.
TEST(FitMap, LowRankAndBlocks) {
  const MapStructure &both = lowRankSparseStructure();
  PlanNumbers numbers{{"height", 16}, {"kept", 3}, {"rank", 3}, {"width", 1}};
  Matrix w = multiply(randomMatrix(40, 3, 61), randomMatrix(3, 32, 62)),
         moment = randomMoment(32, 63), blocks(40, 32);
  for (int64_t r = 0; r < 40; ++r)
    for (int64_t j = 0; j < 3; ++j)
      blocks.at(r, (r / 16 * 7 + j * 10) % 32) = 4 + double(r % 5);
  w = w + blocks;
  MapMoments moments = sameInputs(w, moment);
  LinearMap map = mapOf(w);
  ASSERT_TRUE(bool(both.check(map, numbers)));
  FitResult fitted = fitMap(w, {both, numbers}, moments, moments);
  ASSERT_TRUE(bool(fitted)) << fitted.error().str();
  double loss = outputLoss(w - (*fitted)->toDense(), moment),
         all = outputLoss(w, moment);
  EXPECT_LT(loss, 1e-3 * all);
  EXPECT_EQ(both.parameters(map, numbers), 3 * (40 + 32 - 3) + 40 * 3);
  EXPECT_EQ(both.operations(map, numbers), both.parameters(map, numbers));
  // The same numbers of low rank, and of blocks, with more than that.
  FitResult low =
      fitMap(w, ranked(pivotedLowRankStructure(), 5), moments, moments);
  FitResult cut = fitMap(
      w, {blockSparseStructure(), {{"height", 16}, {"kept", 9}, {"width", 1}}},
      moments, moments);
  ASSERT_TRUE(low && cut);
  EXPECT_LT(loss, 0.1 * outputLoss(w - (*low)->toDense(), moment));
  EXPECT_LT(loss, 0.1 * outputLoss(w - (*cut)->toDense(), moment));
  for (DataType type : {DataType::F64, DataType::BF16}) {
    map.dtype = type;
    Matrix stored = storedMatrix(both, **fitted, map, numbers,
                                 2 * both.operations(map, numbers));
    EXPECT_LT(distance(stored, (*fitted)->toDense()), 1e-15);
  }
}

/// Turns lower the loss on any matrix, with a metric or without, and a loss
/// that is measured for a plan bounds it.
TEST(FitMap, SumsTakeTurns) {
  Matrix w = randomMatrix(40, 24, 64);
  FitInputs plain(randomMoment(24, 65)),
      weighed = withMetric(plain, randomMoment(40, 66));
  for (const FitInputs *inputs : {&plain, &weighed})
    for (const MapPlan &plan :
         {MapPlan(lowRankSparseStructure(),
                  {{"height", 16}, {"kept", 5}, {"rank", 4}, {"width", 1}}),
          MapPlan(diagonalLowRankStructure(), {{"rank", 6}})}) {
      FitResult fitted = plan.structure->fit(w, *inputs, plan.numbers);
      ASSERT_TRUE(bool(fitted));
      double loss = inputs->lossOf(w - (*fitted)->toDense());
      // The first turn's.
      auto planned = plan.structure->losses(w, *inputs, {}, plan.numbers);
      ASSERT_TRUE(bool(planned));
      EXPECT_LT(loss, planned->front());
      EXPECT_GT(loss, 0.5 * planned->front());
      // Of several candidates each as it is alone.
      PlanNumbers less = plan.numbers;
      less["rank"] = 2;
      auto several =
          plan.structure->losses(w, *inputs, {}, {less, plan.numbers});
      ASSERT_TRUE(bool(several));
      EXPECT_NEAR((*several)[1], planned->front(), 1e-9 * planned->front());
      EXPECT_GT((*several)[0], (*several)[1]);
    }
}

/// A diagonal and low rank, wider and higher: found again, where low rank alone
/// needs all of it.
TEST(FitMap, LowRankAndDiagonal) {
  const MapStructure &both = diagonalLowRankStructure();
  PlanNumbers numbers{{"rank", 2}};
  for (auto [rows, columns] : {std::pair(24, 24), {24, 30}, {30, 24}}) {
    Matrix w =
        multiply(randomMatrix(rows, 2, 71), randomMatrix(2, columns, 72));
    for (int64_t i = 0; i < 24; ++i)
      w.at(i, i) += 3 + double(i % 4);
    Matrix moment = randomMoment(columns, 73);
    MapMoments moments = sameInputs(w, moment);
    LinearMap map = mapOf(w);
    ASSERT_TRUE(bool(both.check(map, numbers)));
    FitResult fitted = fitMap(w, {both, numbers}, moments, moments);
    ASSERT_TRUE(bool(fitted)) << fitted.error().str();
    EXPECT_LT(outputError(w, (*fitted)->toDense(), moment), 1e-6);
    EXPECT_EQ(both.parameters(map, numbers), 2 * (rows + columns - 2) + 24);
    Matrix stored = storedMatrix(both, **fitted, map, numbers,
                                 2 * 2 * (rows + columns - 2) + 24);
    EXPECT_LT(distance(stored, (*fitted)->toDense()), 1e-15);
  }
}

/// Matrices of one vector are found again, and stored as it.
TEST(FitMap, MatricesOfOneVector) {
  for (const auto &[structure, rows] : {std::pair(&toeplitzStructure(), 5),
                                        {&toeplitzStructure(), 12},
                                        {&circulantStructure(), 8}}) {
    Matrix w(rows, 8), moment = randomMoment(8, 81);
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < 8; ++c)
        w.at(r, c) = std::sin(double(
            structure == &circulantStructure() ? (r - c + 8) % 8 : r - c));
    MapMoments moments = sameInputs(w, moment);
    LinearMap map = mapOf(w);
    ASSERT_TRUE(bool(structure->check(map, {})));
    FitResult plain = fitMatrix(w, {*structure}),
              fitted = fitMap(w, {*structure}, moments, moments);
    ASSERT_TRUE(plain && fitted);
    EXPECT_LT(distance((*plain)->toDense(), w), 1e-12);
    EXPECT_LT(distance((*fitted)->toDense(), w), 1e-6);
    int64_t length = structure == &circulantStructure() ? 8 : rows + 7;
    EXPECT_EQ(structure->parameters(map, {}), length);
    EXPECT_EQ(structure->bytes(map, {}), 8 * length);
    // All products are multiplied.
    EXPECT_EQ(structure->operations(map, {}), 8 * rows);
    map.dtype = DataType::BF16;
    Matrix stored = storedMatrix(*structure, **fitted, map, {}, 2 * 8 * rows);
    EXPECT_EQ(distance(stored, (*fitted)->toDense()), 0);
    EXPECT_LT(distance(stored, w), 5e-3);
  }
}

/// Numbers that a matrix cannot have, and options with which it has none.
TEST(FitMap, NumbersAreChecked) {
  LinearMap map = mapOf(Matrix(4, 6));
  auto problem = [&](const MapPlan &plan) {
    Status status = plan.structure->check(map, plan.numbers);
    return status ? "" : status.error().str();
  };
  EXPECT_EQ(problem(ranked(lowRankStructure(), 4)), "");
  EXPECT_EQ(problem(ranked(pivotedLowRankStructure(), 5)),
            "key 'rank': expected 1 to 4 for a matrix of 4 x 6, but got 5");
  EXPECT_EQ(problem({sparseStructure(), {{"kept", 25}}}),
            "key 'kept': expected 1 to 24 for a matrix of 4 x 6, but got 25");
  EXPECT_EQ(problem({groupSparseStructure(), {{"kept", 3}, {"of", 2}}}),
            "key 'kept': expected 1 to 2, key 'of', which is at most 16, but "
            "got 3 of 2");
  EXPECT_EQ(problem({groupSparseStructure(), {{"kept", 1}, {"of", 17}}}),
            "key 'kept': expected 1 to 16, key 'of', which is at most 16, but "
            "got 1 of 17");
  EXPECT_EQ(problem({groupSparseStructure(), {{"kept", 1}, {"of", 3}}}),
            "key 'kept': expected positions of 6 inputs that fill bytes, but "
            "got 1 of 3");
  EXPECT_EQ(problem({groupSparseStructure(), {{"kept", 2}, {"of", 4}}}),
            "key 'of': expected a divisor of 6 inputs, but got 4");
  auto blocks = [](int64_t height, int64_t width, int64_t kept) {
    return MapPlan(blockSparseStructure(),
                   {{"height", height}, {"kept", kept}, {"width", width}});
  };
  EXPECT_EQ(problem(blocks(64, 2, 3)), "");
  EXPECT_EQ(problem(blocks(8, 2, 3)),
            "key 'height': expected a multiple of 16, but got 8");
  EXPECT_EQ(problem(blocks(0, 2, 3)),
            "key 'height': expected a multiple of 16, but got 0");
  EXPECT_EQ(problem(blocks(16, 4, 1)),
            "key 'width': expected a divisor of 6 inputs, but got 4");
  EXPECT_EQ(problem(blocks(16, 0, 1)),
            "key 'width': expected a divisor of 6 inputs, but got 0");
  EXPECT_EQ(problem(blocks(16, 2, 4)),
            "key 'kept': expected 1 to 3 blocks of each row of blocks, but got "
            "4");
  EXPECT_EQ(problem(blocks(16, 2, 0)),
            "key 'kept': expected 1 to 3 blocks of each row of blocks, but got "
            "0");
  EXPECT_EQ(problem({int8Structure(), {{"group", 0}}}),
            "key 'group': expected at least 1, but got 0");
  EXPECT_EQ(problem({monarchStructure(), {{"blocks", 4}, {"rank", 1}}}),
            "key 'blocks': expected a divisor of 4 and 6, but got 4");
  EXPECT_EQ(problem({monarchStructure(), {{"blocks", 2}, {"rank", 3}}}),
            "key 'rank': expected 1 to 2 for blocks of 2 x 3, but got 3");
  EXPECT_EQ(problem({lowRankSparseStructure(),
                     {{"height", 16}, {"kept", 1}, {"rank", 5}, {"width", 1}}}),
            "key 'rank': expected 1 to 4 for a matrix of 4 x 6, but got 5");
  EXPECT_EQ(problem({lowRankSparseStructure(),
                     {{"height", 16}, {"kept", 7}, {"rank", 1}, {"width", 1}}}),
            "key 'kept': expected 1 to 6 blocks of each row of blocks, but got "
            "7");
  EXPECT_EQ(problem(ranked(diagonalLowRankStructure(), 0)),
            "key 'rank': expected 1 to 4 for a matrix of 4 x 6, but got 0");
  EXPECT_EQ(problem({toeplitzStructure()}), "");
  EXPECT_EQ(problem({circulantStructure()}),
            "key 'structure': expected as many outputs as inputs for "
            "'circulant', but got 4 x 6");
  EXPECT_EQ(circulantStructure().obstacle(map),
            "it is 4 x 6, and 'circulant' is square");
  EXPECT_TRUE(circulantStructure().candidates(map, {}).empty());
  EXPECT_EQ(toeplitzStructure().candidates(map, {}).size(), 1u);
  map.columns = 5;
  EXPECT_EQ(problem({int4Structure(), {{"group", 5}}}),
            "key 'structure': expected inputs that fill bytes for 'int4', but "
            "got 5");
  CompressOptions options;
  EXPECT_TRUE(int4Structure().candidates(map, options).empty());
  EXPECT_TRUE(groupSparseStructure().candidates(map, options).empty());
  EXPECT_EQ(int8Structure().candidates(map, options).size(), 1u);
  // Each number of blocks once, none of them 0.
  EXPECT_EQ(blockSparseStructure().candidates(map, options).size(), 5u);
  // All of them need fewer numbers than the matrix.
  options.rankMultiple = 1;
  for (const MapStructure *sum :
       {&lowRankSparseStructure(), &diagonalLowRankStructure()}) {
    EXPECT_FALSE(sum->candidates(map, options).empty());
    for (const PlanNumbers &numbers : sum->candidates(map, options)) {
      EXPECT_TRUE(bool(sum->check(map, numbers)));
      EXPECT_LT(sum->parameters(map, numbers), map.parameters());
    }
  }
  options.blockWidth = 2;
  EXPECT_TRUE(lowRankSparseStructure().candidates(map, options).empty());
  EXPECT_TRUE(blockSparseStructure().candidates(map, options).empty());
}

TEST(FitMap, ErrorsHideNoNaN) {
  Matrix w = randomMatrix(4, 6, 14), moment = randomMoment(6, 15), bad = w;
  bad.at(1, 2) = std::numeric_limits<double>::quiet_NaN();
  EXPECT_TRUE(std::isnan(relativeError(w, bad)));
  EXPECT_TRUE(std::isnan(relativeError(bad, w)));
  EXPECT_TRUE(std::isnan(outputError(w, bad, moment)));
  moment.at(3, 3) = bad.at(1, 2);
  EXPECT_TRUE(std::isnan(outputError(w, 0.5 * w, moment)));
  EXPECT_EQ(relativeError(Matrix(2, 2), Matrix(2, 2)), 0);
}

TEST(FitMap, InputsOfZeros) {
  Matrix w = randomMatrix(4, 6, 14), zeros(6, 6);
  MapMoments moments = {FitInputs(zeros), Matrix(4, 6)};
  for (const MapPlan &plan :
       {MapPlan(), ranked(lowRankStructure(), 2),
        ranked(pivotedLowRankStructure(), 2),
        MapPlan(int4Structure(), {{"group", 2}}),
        MapPlan(int4AsymmetricStructure(), {{"group", 2}}),
        MapPlan(int8LowRankStructure(), {{"rank", 2}, {"group", 4}}),
        MapPlan(blastStructure(), {{"blocks", 2}, {"rank", 1}}),
        MapPlan(monarchStructure(), {{"blocks", 2}, {"rank", 1}}),
        MapPlan(sparseStructure(), {{"kept", 7}}), MapPlan(toeplitzStructure()),
        MapPlan(diagonalLowRankStructure(), {{"rank", 1}}),
        MapPlan(lowRankSparseStructure(),
                {{"height", 16}, {"kept", 1}, {"rank", 1}, {"width", 3}}),
        MapPlan(groupSparseStructure(), {{"kept", 2}, {"of", 3}}),
        MapPlan(blockSparseStructure(),
                {{"height", 16}, {"kept", 1}, {"width", 3}})}) {
    FitResult fitted = fitMap(w, plan, moments, moments);
    ASSERT_TRUE(bool(fitted)) << fitted.error().str();
    EXPECT_TRUE(isFinite((*fitted)->toDense()));
    EXPECT_FALSE((*fitted)->isRefit);
  }
  EXPECT_EQ(outputError(w, Matrix(4, 6), zeros), 0);
}

/// Fewer tokens than inputs: the moment is singular, the fit is not.
TEST(FitMap, FewTokens) {
  Matrix w = randomMatrix(5, 8, 15), x = randomMatrix(8, 2, 16);
  Matrix moment = multiply(x, x, Side::AsIs, Side::Transposed);
  MapMoments moments = sameInputs(w, moment);
  for (const MapStructure *structure : kRanked) {
    FitResult fitted = fitMap(w, ranked(*structure, 2), moments, moments);
    ASSERT_TRUE(bool(fitted)) << fitted.error().str();
    EXPECT_LT(outputError(w, (*fitted)->toDense(), moment), 1e-3);
  }
}

} // namespace
} // namespace linnet::compress
