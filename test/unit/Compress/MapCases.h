//===- MapCases.h - matrices and what is known of their inputs -*- C++ -*-===//

#ifndef TEST_UNIT_COMPRESS_MAPCASES_H
#define TEST_UNIT_COMPRESS_MAPCASES_H

#include "lib/Compress/FitMap.h"

#include "test/unit/Numerics/CompressionOracle.h"

#include "mlir/AsmParser/AsmParser.h"

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

/// The map that the dialect makes of what is stored: the entries that were
/// kept, after rounding. `flops` is what the structure counts.
inline Matrix storedMatrix(const MapStructure &kind, FittedMap &fitted,
                           const LinearMap &map, const PlanNumbers &numbers,
                           int64_t flops) {
  namespace ir = mlir::linnet;
  mlir::MLIRContext context;
  context.loadDialect<ir::LinnetDialect>();
  auto structure =
      mlir::dyn_cast_or_null<ir::StructureAttrInterface>(mlir::parseAttribute(
          "#linnet." + kind.attribute(map, numbers), &context));
  auto stored = fitted.store(map);
  EXPECT_TRUE(structure && stored);
  std::vector<TensorSpec> specs = kind.factors(map, numbers);
  std::vector<std::vector<double>> values;
  llvm::SmallVector<ir::FactorValue> factors;
  llvm::SmallVector<mlir::Type> types;
  for (size_t i = 0; i < specs.size(); ++i) {
    size_t size = dataTypeSize(specs[i].dtype);
    values.emplace_back((*stored)[i].size() / size);
    convertToF64((*stored)[i].data(), specs[i].dtype, values[i].data(),
                 values[i].size());
  }
  for (size_t i = 0; i < specs.size(); ++i) {
    mlir::Type type = mlir::Float64Type::get(&context);
    if (!isFloat(specs[i].dtype))
      type = mlir::IntegerType::get(&context,
                                    unsigned(8 * dataTypeSize(specs[i].dtype)));
    factors.push_back(
        {mlir::RankedTensorType::get(specs[i].shape, type), values[i]});
    types.push_back(factors.back().type);
    EXPECT_EQ(structure.findObstacle(unsigned(i), factors[i]), "");
    EXPECT_EQ(int64_t(values[i].size()), factors[i].type.getNumElements());
  }
  auto shape = structure.inferShape(
      types, [&] { return mlir::emitError(mlir::UnknownLoc::get(&context)); });
  EXPECT_TRUE(mlir::succeeded(shape));
  EXPECT_EQ(shape->in, map.columns);
  EXPECT_EQ(shape->out, map.rows);
  EXPECT_EQ(int64_t(structure.getFlops(types)), flops);
  return Matrix(map.rows, map.columns, structure.toDense(factors));
}

} // namespace linnet::compress

#endif // TEST_UNIT_COMPRESS_MAPCASES_H
