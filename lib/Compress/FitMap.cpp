//===- FitMap.cpp - one matrix and what replaces it -----------------------===//

#include "FitMap.h"

#include "linnet/Numerics/LowRank.h"

#include <algorithm>
#include <cmath>

namespace linnet::compress {
namespace {

/// How far a refit follows what the original model computes: inputs of another
/// text correlate less with the errors made up for.
constexpr double kTrust = 0.75;
/// The weight of the original matrix in a refit, relative to the inputs' mean
/// square.
constexpr double kRidge = 1e-3;
/// What a refit gains at least, as a share: less is rounding.
constexpr double kLeastGain = 1e-9;

/// E[t x'^T] for the targets t = W x + (r - r').
Matrix targetMoment(const Matrix &w, const MapMoments &moments) {
  Matrix targets = multiply(w, moments.cross);
  return moments.residual.size() ? targets + moments.residual : targets;
}

/// E|t - W1 x'|^2 less E|t|^2, which is the same for all W1, as `metric` weighs
/// it.
double lossOn(const Matrix &w, const Matrix &w1, const MapMoments &moments,
              const MetricRoots &metric) {
  Matrix weighed = metric.weigh(w1);
  return dot(multiply(weighed, moments.own()), weighed) -
         2 * dot(weighed, metric.weigh(targetMoment(w, moments)));
}

} // namespace

FitResult fitMap(const Matrix &w, const MapPlan &plan, const MapMoments &fitted,
                 const MapMoments &heldOut, const FitMethod &method) {
  // Inputs that are all 0 say nothing: neither what counts nor what to aim at.
  if (!(trace(fitted.own()) > 0))
    return plan.structure->fit(w, fitted.inputs.seenBy(FitTo::Weights),
                               plan.numbers);
  FitInputs seen = fitted.inputs.seenBy(method.goal);
  const Matrix &start = fitted.start.size() ? fitted.start : w;
  FitResult plain = plan.structure->fit(start, seen, plan.numbers);
  if (!plain || !method.refits)
    return plain;
  Result<Matrix> target =
      refitTarget(start, targetMoment(w, fitted), fitted.own(), kTrust, kRidge);
  if (!target)
    return target.error();
  FitResult refit = plan.structure->fit(*target, seen, plan.numbers);
  if (!refit)
    return refit;
  // Judged by what was made small.
  MetricRoots metric;
  if (plan.structure->weighsOutputs() && method.goal == FitTo::Outputs)
    metric = heldOut.inputs.metric();
  double before = lossOn(w, (*plain)->toDense(), heldOut, metric);
  bool better = lossOn(w, (*refit)->toDense(), heldOut, metric) <
                before - kLeastGain * std::abs(before);
  (*refit)->isRefit = true;
  return better ? std::move(refit) : std::move(plain);
}

double relativeError(const Matrix &w, const Matrix &w1) {
  double all = norm(w);
  return all > 0 ? norm(w - w1) / all : 0;
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
  return all > 0 ? std::sqrt(std::max(difference, 0.0) / all) : 0;
}

double outputError(const Matrix &w, const Matrix &w1, const Matrix &moment) {
  double all = outputLoss(w, moment);
  return all > 0 ? std::sqrt(outputLoss(w - w1, moment) / all) : 0;
}

} // namespace linnet::compress
