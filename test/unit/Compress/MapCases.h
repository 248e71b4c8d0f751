//===- MapCases.h - matrices and what is known of their inputs -*- C++ -*-===//

#ifndef TEST_UNIT_COMPRESS_MAPCASES_H
#define TEST_UNIT_COMPRESS_MAPCASES_H

#include "lib/Compress/FitMap.h"

#include "test/unit/Numerics/CompressionOracle.h"

#include <gtest/gtest.h>

namespace linnet::compress {

using test::randomMatrix;

/// Bytes of all factors.
inline int64_t sizeOf(const std::vector<std::vector<std::byte>> &stored) {
  int64_t bytes = 0;
  for (const auto &factor : stored)
    bytes += int64_t(factor.size());
  return bytes;
}

/// E[x x^T] of random inputs.
inline Matrix randomMoment(int64_t size, unsigned seed) {
  Matrix x = randomMatrix(size, 3 * size, seed);
  return (1.0 / double(x.columns())) *
         multiply(x, x, Side::AsIs, Side::Transposed);
}

inline double distance(const Matrix &a, const Matrix &b) {
  return norm(a - b) / norm(b);
}

/// Moments of a result whose inputs are those of the original.
inline MapMoments sameInputs(const Matrix &w, const Matrix &moment) {
  return {FitInputs(moment), multiply(w, moment)};
}

/// What becomes of a map: the fit that held-out windows choose.
inline FitResult fitMap(const Matrix &w, const MapPlan &plan,
                        const MapMoments &fitted, const MapMoments &heldOut,
                        const FitMethod &method = {}) {
  Result<MapFits> fits = fitBoth(w, plan, fitted, method);
  if (!fits)
    return fits.error();
  return chooseFit(fits.take(), plan, heldOut, method);
}

inline MapPlan ranked(const MapStructure &structure, int64_t rank) {
  return {structure, {{"rank", rank}}};
}

/// Without data.
inline FitResult fitMatrix(const Matrix &w, const MapPlan &plan) {
  return plan.structure->fit(w, FitInputs(), plan.numbers);
}

/// A map of f64 numbers, stored [out, in].
inline LinearMap mapOf(const Matrix &w) {
  LinearMap map;
  map.name = "m.weight";
  map.rows = w.rows();
  map.columns = w.columns();
  map.dtype = DataType::F64;
  return map;
}

/// A metric of outputs that hang together.
inline FitInputs withMetric(const FitInputs &inputs, const Matrix &metric) {
  Result<MetricRoots> roots = takeMetricRoots({metric}, metric.columns());
  EXPECT_TRUE(bool(roots));
  return inputs.withMetric(std::make_shared<const MetricRoots>(*roots));
}

} // namespace linnet::compress

#endif // TEST_UNIT_COMPRESS_MAPCASES_H
