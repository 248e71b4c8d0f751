//===- FitMap.h - one matrix and what replaces it -------------*- C++ -*-===//

#ifndef LIB_COMPRESS_FITMAP_H
#define LIB_COMPRESS_FITMAP_H

#include "MapStructure.h"

namespace linnet::compress {

/// Moments at a map, on one part of the windows: x inputs of the original
/// model, x' of the result, r and r' what the map's result is added to.
struct MapMoments {
  /// Of x'.
  FitInputs inputs;
  /// E[t x'^T] for the targets t = W x + (r - r').
  Matrix target;
  /// What W is on inputs x' that another function makes than those it was made
  /// for; empty: itself.
  Matrix start = {};

  const Matrix &own() const { return inputs.moment(); }
};

/// How far a refit follows what the original model computes: inputs of another
/// text correlate less with the errors made up for.
constexpr double kTrust = 0.75;

struct FitMethod {
  FitTo goal = FitTo::Outputs;
  /// Whether a fit may aim at what the original computes.
  bool refits = true;
  /// How often maps before and behind channels, some of which are left out, are
  /// fitted together.
  int64_t channelSteps = 0;
};

/// The nearest matrix to W, and the one that makes W1 x' nearest to
/// W x + (r - r') (refitTarget), so that errors of maps before this one are
/// made up for; null if nothing is to be refitted.
struct MapFits {
  std::unique_ptr<FittedMap> plain, refit;
};
Result<MapFits> fitBoth(const Matrix &w, const MapPlan &plan,
                        const MapMoments &fitted, const FitMethod &method);
/// The one that is better on `heldOut` windows.
std::unique_ptr<FittedMap> chooseFit(MapFits fits, const MapPlan &plan,
                                     const MapMoments &heldOut,
                                     const FitMethod &method);

/// What makes W1 x' nearest to W x, by E[x x'^T] and E[x' x'^T].
Result<Matrix> startOn(const Matrix &w, const Matrix &cross, const Matrix &own);

/// |W - W1| / |W| in the Frobenius norm; 0 where W is 0.
double relativeError(const Matrix &w, const Matrix &w1);

/// The relative error of outputs |(W - W1) x'| / |W x'|, root mean square; 0
/// where inputs are 0.
double outputError(const Matrix &w, const Matrix &w1, const Matrix &moment);
/// The same of |W x - W1 x'| / |W x|, by E[x x^T], E[x x'^T] and E[x' x'^T].
double outputError(const Matrix &w, const Matrix &w1, const Matrix &whole,
                   const Matrix &cross, const Matrix &own);

} // namespace linnet::compress

#endif // LIB_COMPRESS_FITMAP_H
