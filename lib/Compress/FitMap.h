//===- FitMap.h - one matrix and what replaces it -------------*- C++ -*-===//

#ifndef LIB_COMPRESS_FITMAP_H
#define LIB_COMPRESS_FITMAP_H

#include "linnet/Compress/Compress.h"
#include "linnet/Numerics/LowRank.h"
#include "linnet/Numerics/Quantization.h"

namespace linnet::compress {

/// Moments at a map, on one part of the windows: x inputs of the original
/// model, x' of the result, r and r' what the map's result is added to.
struct MapMoments {
  /// E[x' x'^T], E[x x'^T], E[(r - r') x'^T]; the last may be empty.
  Matrix own, cross, residual;
};

/// What a matrix is to become.
struct MapPlan {
  MapStructure structure = MapStructure::Dense;
  /// Of structures that have one.
  int64_t rank = 0;
  /// Inputs that share a scale, of structures with codes; 0: all.
  int64_t group = 0;
};

/// What stands in for a matrix.
struct FittedMap {
  MapStructure structure = MapStructure::Dense;
  Matrix dense;
  LowRankFactors factors;
  PivotedLowRank pivoted;
  QuantizedMatrix codes;
  /// Whether it was fitted to what the original model computes rather than to
  /// the original matrix.
  bool isRefit = false;

  Matrix toDense() const;
};

/// Without data: truncated singular values, nearest codes, or W itself.
Result<FittedMap> fitMatrix(const Matrix &w, const MapPlan &plan);

/// With data: what makes W1 x' nearest to W x + (r - r') (refitTarget), so that
/// errors of maps before this one are made up for, unless on `heldOut` windows
/// W's own nearest matrix is better: then that.
Result<FittedMap> fitMap(const Matrix &w, const MapPlan &plan,
                         const MapMoments &fitted, const MapMoments &heldOut);

/// |W - W1| / |W| in the Frobenius norm; 0 where W is 0.
double relativeError(const Matrix &w, const Matrix &w1);

/// The relative error of outputs |(W - W1) x'| / |W x'|, root mean square; 0
/// where inputs are 0.
double outputError(const Matrix &w, const Matrix &w1, const Matrix &moment);

} // namespace linnet::compress

#endif // LIB_COMPRESS_FITMAP_H
