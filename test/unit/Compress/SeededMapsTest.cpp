//===- SeededMapsTest.cpp - matrices of seeded rows -----------------------===//

#include "MapCases.h"

#include "linnet/Numerics/SeededFit.h"

namespace linnet::compress {
namespace {

PlanNumbers seeds(int64_t terms, int64_t block, int64_t seed) {
  return {{"block", block}, {"seed", seed}, {"terms", terms}};
}

/// What is made of seeded rows is found again, whatever the seed, and stored as
/// its coefficients.
TEST(SeededMaps, AreFoundAgain) {
  const MapStructure &structure = seededStructure();
  for (int64_t seed : {1, 12345}) {
    PlanNumbers numbers = seeds(3, 8, seed);
    Matrix moment = randomMoment(24, 82),
           w = seededMatrix(randomMatrix(5, 9, 83), {3, 8, seed});
    MapMoments moments = sameInputs(w, moment);
    LinearMap map = mapOf(w);
    ASSERT_TRUE(bool(structure.check(map, numbers)));
    FitResult plain = fitMatrix(w, {structure, numbers}),
              fitted = fitMap(w, {structure, numbers}, moments, moments),
              other = fitMatrix(w, {structure, seeds(3, 8, seed + 1)});
    ASSERT_TRUE(plain && fitted && other);
    EXPECT_LT(distance((*plain)->toDense(), w), 1e-12);
    EXPECT_LT(distance((*fitted)->toDense(), w), 1e-8);
    EXPECT_GT(distance((*other)->toDense(), w), 0.1);
    EXPECT_EQ(structure.parameters(map, numbers), 5 * 9);
    EXPECT_EQ(structure.bytes(map, numbers), 8 * 5 * 9);
    EXPECT_EQ(structure.operations(map, numbers), 5 * 9 + 3 * 24);
    map.dtype = DataType::BF16;
    Matrix stored = storedMatrix(structure, **fitted, map, numbers,
                                 2 * structure.operations(map, numbers));
    EXPECT_LT(distance(stored, (*fitted)->toDense()), 1e-15);
    EXPECT_LT(distance(stored, w), 5e-3);
  }
}

/// Losses that plans are made of are those of fits, with a metric too, and as
/// many as the block allows.
TEST(SeededMaps, LossesAreThoseOfFits) {
  const MapStructure &structure = seededStructure();
  Matrix w = randomMatrix(6, 32, 84), moment = randomMoment(32, 85);
  LinearMap map = mapOf(w);
  auto candidates = structure.candidates(map, {});
  ASSERT_EQ(candidates.size(), 31u);
  EXPECT_EQ(candidates.front(), seeds(1, 32, 1));
  EXPECT_EQ(candidates.back(), seeds(31, 32, 1));
  // What only plans say.
  candidates.push_back(seeds(32, 32, 1));
  for (const FitInputs &inputs :
       {FitInputs(), FitInputs(moment),
        withMetric(FitInputs(moment), randomMoment(6, 86))}) {
    auto quick = structure.losses(w, inputs, {}, candidates),
         each = structure.MapStructure::losses(w, inputs, {}, candidates);
    ASSERT_TRUE(quick && each);
    double all = inputs.lossOf(w);
    for (size_t i = 0; i < candidates.size(); ++i)
      EXPECT_NEAR((*quick)[i], (*each)[i], 2e-4 * all) << i;
    EXPECT_LT((*quick).back(), 2e-4 * all);
  }
  // The largest block of up to 64 inputs that divides them.
  for (auto [inputs, block, most] :
       {std::tuple(64, 64, 62), {704, 64, 62}, {100, 50, 49}, {9, 9, 8}}) {
    map.columns = inputs;
    candidates = structure.candidates(map, {});
    ASSERT_FALSE(candidates.empty());
    EXPECT_EQ(candidates.back(), seeds(most, block, 1));
  }
  map.columns = 2 * 67;
  EXPECT_TRUE(structure.candidates(map, {}).empty());
  EXPECT_EQ(structure.obstacle(map),
            "its 134 inputs are no multiple of what 'seeded' stores together");
}

TEST(SeededMaps, NumbersAreChecked) {
  LinearMap map = mapOf(Matrix(4, 6));
  auto problem = [&](const PlanNumbers &numbers) {
    Status status = seededStructure().check(map, numbers);
    return status ? "" : status.error().str();
  };
  EXPECT_EQ(problem(seeds(3, 3, 0)), "");
  EXPECT_EQ(problem(seeds(1, 4, 1)),
            "key 'block': expected a divisor of 6 inputs, but got 4");
  EXPECT_EQ(problem(seeds(1, 0, 1)),
            "key 'block': expected a divisor of 6 inputs, but got 0");
  EXPECT_EQ(problem(seeds(0, 3, 1)),
            "key 'terms': expected 1 to 3, key 'block', but got 0");
  EXPECT_EQ(problem(seeds(4, 3, 1)),
            "key 'terms': expected 1 to 3, key 'block', but got 4");
  EXPECT_EQ(problem(seeds(2, 3, -1)),
            "key 'seed': expected 0 or more, but got -1");
}

} // namespace
} // namespace linnet::compress
