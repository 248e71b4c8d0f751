//===- CodedMapsTest.cpp - matrices of codes of few bits ------------------===//

#include "MapCases.h"

#include <cmath>

namespace linnet::compress {
namespace {

/// Codes without data: each weight within half a step; with data, outputs lose
/// less than by rounding.
TEST(CodedMaps, CodesHeedTheInputs) {
  Matrix w = randomMatrix(16, 24, 17), moment = randomMoment(24, 18);
  // Inputs that go together.
  for (int64_t i = 0; i < 24; ++i)
    for (int64_t j = 0; j < 24; ++j)
      moment.at(i, j) += 2;
  MapMoments moments = sameInputs(w, moment);
  for (MapPlan plan : {MapPlan(int4Structure(), {{"group", 8}}),
                       MapPlan(int4AsymmetricStructure(), {{"group", 8}}),
                       MapPlan(int8AsymmetricStructure(), {{"group", 24}}),
                       MapPlan(int8Structure(), {{"group", 24}})}) {
    FitResult rounded = fitMatrix(w, plan),
              fitted = fitMap(w, plan, moments, moments);
    ASSERT_TRUE(rounded && fitted);
    double without = outputError(w, (*rounded)->toDense(), moment),
           with = outputError(w, (*fitted)->toDense(), moment);
    EXPECT_LT(with, 0.7 * without);
    EXPECT_LT(without, plan.numbers["group"] == 8 ? 0.2 : 0.02);
    LinearMap map = mapOf(w);
    auto stored = (*fitted)->store(map);
    ASSERT_TRUE(bool(stored));
    EXPECT_EQ(sizeOf(*stored), plan.structure->bytes(map, plan.numbers));
  }
}

/// What is stored of codes is W1 again: W = scale (code - zero), of groups that
/// do not divide the inputs, with weights on both sides of 0 and on one.
TEST(CodedMaps, StoredCodes) {
  Matrix w = randomMatrix(5, 48, 42);
  for (int64_t j = 0; j < 48; ++j) {
    w.at(1, j) = std::abs(w.at(1, j));
    w.at(2, j) = -std::abs(w.at(2, j));
    w.at(3, j) = 0;
  }
  for (const auto &[structure, bits, hasZeros] :
       {std::tuple(&int4Structure(), 4, false),
        std::tuple(&int8Structure(), 8, false),
        std::tuple(&int4AsymmetricStructure(), 4, true),
        std::tuple(&int8AsymmetricStructure(), 8, true)}) {
    MapPlan plan(*structure, {{"group", 20}});
    LinearMap map = mapOf(w);
    map.dtype = DataType::F32;
    FitResult fitted = fitMatrix(w, plan);
    ASSERT_TRUE(bool(fitted));
    auto stored = (*fitted)->store(map);
    ASSERT_TRUE(bool(stored));
    ASSERT_EQ(stored->size(), hasZeros ? 3u : 2u);
    EXPECT_EQ(structure->attribute(map, plan.numbers),
              "quantized<" + std::to_string(bits) +
                  (hasZeros ? ", 20, zeros>" : ", 20>"));
    EXPECT_EQ(structure->factors(map, plan.numbers).size(), stored->size());
    EXPECT_EQ(sizeOf(*stored), structure->bytes(map, plan.numbers));
    EXPECT_EQ(sizeOf(*stored), 5 * 48 * bits / 8 + 5 * 3 * (hasZeros ? 5 : 4));
    const auto *scales = reinterpret_cast<const float *>((*stored)[1].data());
    Matrix again(5, 48);
    for (int64_t r = 0; r < 5; ++r)
      for (int64_t j = 0; j < 48; ++j) {
        int64_t at = r * 48 + j, group = r * 3 + j / 20;
        int code = int8_t((*stored)[0][size_t(at * bits / 8)]);
        if (bits == 4)
          code = (j % 2 ? code >> 4 : int8_t(code << 4) >> 4);
        int zero = hasZeros ? int8_t((*stored)[2][size_t(group)]) : 0;
        again.at(r, j) = double(scales[group]) * (code - zero);
      }
    EXPECT_EQ(norm(again - (*fitted)->toDense()), 0);
    EXPECT_LT(norm(again - w), (bits == 4 ? 0.1 : 0.01) * norm(w));
  }
}

/// Codes lose less in a metric of outputs that is known.
TEST(CodedMaps, HeedOutputs) {
  Matrix w = randomMatrix(16, 24, 43);
  FitInputs plain(randomMoment(24, 44));
  // A few directions of outputs count.
  Matrix mix = randomMatrix(16, 3, 45),
         metric = multiply(mix, mix, Side::AsIs, Side::Transposed);
  FitInputs weighed = withMetric(plain, metric);
  for (const MapStructure *structure :
       {&int4Structure(), &int4AsymmetricStructure(), &int8Structure(),
        &int8AsymmetricStructure()}) {
    EXPECT_TRUE(structure->weighsOutputs());
    PlanNumbers numbers = {{"group", 8}};
    FitResult blind = structure->fit(w, plain, numbers),
              seeing = structure->fit(w, weighed, numbers);
    ASSERT_TRUE(blind && seeing);
    EXPECT_LT(weighed.lossOf(w - (*seeing)->toDense()),
              0.8 * weighed.lossOf(w - (*blind)->toDense()))
        << structure->name();
  }
}

} // namespace
} // namespace linnet::compress
