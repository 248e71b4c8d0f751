//===- FitMap.cpp - one matrix and what replaces it -----------------------===//

#include "FitMap.h"

#include "linnet/Numerics/LowRank.h"

#include <algorithm>
#include <cmath>

namespace linnet::compress {
namespace {

/// The weight of the original matrix in a refit, relative to the inputs' mean
/// square.
constexpr double kRidge = 1e-3;
/// What a refit gains at least, as a share: less is rounding.
constexpr double kLeastGain = 1e-9;

/// E|t - W1 x'|^2 less E|t|^2, which is the same for all W1, as `metric` weighs
/// it.
double lossOn(const Matrix &w1, const MapMoments &moments,
              const MetricRoots &metric) {
  Matrix weighed = metric.weigh(w1);
  return congruenceTrace(weighed, moments.own()) -
         2 * dot(weighed, metric.weigh(moments.target));
}

} // namespace

Result<MapFits> fitBoth(const Matrix &w, const MapPlan &plan,
                        const MapMoments &fitted, const FitMethod &method) {
  // Inputs that are all 0 say nothing: neither what counts nor what to aim at.
  bool isBlind = !(trace(fitted.own()) > 0);
  FitInputs seen = fitted.inputs.seenBy(isBlind ? FitTo::Weights : method.goal);
  const Matrix &start = fitted.start.size() && !isBlind ? fitted.start : w;
  FitResult plain = plan.structure->fit(start, seen, plan.numbers);
  if (!plain)
    return plain.error();
  if (isBlind || !method.refits)
    return MapFits{plain.take(), nullptr};
  Result<Matrix> target =
      fitted.inputs.refitTarget(start, fitted.target, kTrust, kRidge);
  if (!target)
    return target.error();
  FitResult refit = plan.structure->fit(*target, seen, plan.numbers);
  if (!refit)
    return refit.error();
  (*refit)->isRefit = true;
  return MapFits{plain.take(), refit.take()};
}

std::unique_ptr<FittedMap> chooseFit(MapFits fits, const MapPlan &plan,
                                     const MapMoments &heldOut,
                                     const FitMethod &method) {
  if (!fits.refit)
    return std::move(fits.plain);
  // Judged by what was made small.
  MetricRoots metric;
  if (plan.structure->weighsOutputs() && method.goal == FitTo::Outputs)
    metric = heldOut.inputs.metric();
  double before = lossOn(fits.plain->toDense(), heldOut, metric);
  bool better = lossOn(fits.refit->toDense(), heldOut, metric) <
                before - kLeastGain * std::abs(before);
  return std::move(better ? fits.refit : fits.plain);
}

double relativeError(const Matrix &w, const Matrix &w1) {
  double all = norm(w);
  return all == 0 ? 0 : norm(w - w1) / all;
}

Result<Matrix> startOn(const Matrix &w, const Matrix &cross,
                       const Matrix &own) {
  return refitTarget(w, multiply(w, cross), own, /*trust=*/1, kRidge);
}

double outputError(const Matrix &w, const Matrix &w1, const Matrix &whole,
                   const Matrix &cross, const Matrix &own) {
  double all = outputLoss(w, whole);
  double difference =
      all - 2 * dot(multiply(w, cross), w1) + outputLoss(w1, own);
  // What is no number stays none.
  return all == 0 ? 0 : std::sqrt((difference < 0 ? 0 : difference) / all);
}

double outputError(const Matrix &w, const Matrix &w1, const Matrix &moment) {
  double all = outputLoss(w, moment);
  return all == 0 ? 0 : std::sqrt(outputLoss(w - w1, moment) / all);
}

} // namespace linnet::compress
