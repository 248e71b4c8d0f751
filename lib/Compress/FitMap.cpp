//===- FitMap.cpp - one matrix and what replaces it -----------------------===//

#include "FitMap.h"

#include <cmath>

namespace linnet::compress {
namespace {

/// How far a refit follows what the original model computes: inputs of another
/// text correlate less with the errors made up for.
constexpr double kTrust = 0.75;
/// The weight of the original matrix in a refit, relative to the inputs' mean
/// square.
constexpr double kRidge = 1e-3;

/// E[t x'^T] for the targets t = W x + (r - r').
Matrix targetMoment(const Matrix &w, const MapMoments &moments) {
  Matrix targets = multiply(w, moments.cross);
  return moments.residual.size() ? targets + moments.residual : targets;
}

/// E|t - W1 x'|^2 less E|t|^2, which is the same for all W1.
double lossOn(const Matrix &w, const Matrix &w1, const MapMoments &moments) {
  return dot(multiply(w1, moments.own), w1) -
         2 * dot(w1, targetMoment(w, moments));
}

/// The nearest matrix to `target` of the plan's rank, for inputs whose moment
/// has this root (null: as if all were independent).
Result<FittedMap> nearest(const Matrix &target, const Matrix *root,
                          const MapPlan &plan, bool isRefit) {
  FittedMap fitted;
  fitted.structure = plan.structure;
  fitted.isRefit = isRefit;
  if (plan.structure == MapStructure::Dense) {
    fitted.dense = target;
    return fitted;
  }
  Result<LowRankFactors> factors =
      root ? fitLowRankToRoot(target, *root, plan.rank)
           : truncateSingularValues(target, plan.rank);
  if (!factors)
    return factors.error();
  if (plan.structure == MapStructure::LowRank) {
    fitted.factors = factors.take();
    return fitted;
  }
  Result<PivotedLowRank> pivoted = pivotLowRank(*factors);
  if (!pivoted)
    return pivoted.error();
  fitted.pivoted = pivoted.take();
  return fitted;
}

} // namespace

Matrix FittedMap::toDense() const {
  switch (structure) {
  case MapStructure::Dense:
    return dense;
  case MapStructure::LowRank:
    return factors.toDense();
  case MapStructure::PivotedLowRank:
    return pivoted.toDense();
  }
  return {};
}

Result<FittedMap> fitMatrix(const Matrix &w, const MapPlan &plan) {
  return nearest(w, nullptr, plan, /*isRefit=*/false);
}

Result<FittedMap> fitMap(const Matrix &w, const MapPlan &plan,
                         const MapMoments &fitted, const MapMoments &heldOut) {
  Result<Matrix> root = takeRoot(fitted.own);
  if (!root)
    return root.error();
  Result<FittedMap> plain = nearest(w, &*root, plan, /*isRefit=*/false);
  // Inputs that are all 0 say nothing about what to aim at.
  if (!plain || !(trace(fitted.own) > 0))
    return plain;
  Result<Matrix> target =
      refitTarget(w, targetMoment(w, fitted), fitted.own, kTrust, kRidge);
  if (!target)
    return target.error();
  Result<FittedMap> refit = nearest(*target, &*root, plan, /*isRefit=*/true);
  if (!refit)
    return refit.error();
  bool better = lossOn(w, refit->toDense(), heldOut) <
                lossOn(w, plain->toDense(), heldOut);
  return better ? refit.take() : plain.take();
}

double outputError(const Matrix &w, const Matrix &w1, const Matrix &moment) {
  double all = outputLoss(w, moment);
  return all > 0 ? std::sqrt(outputLoss(w - w1, moment) / all) : 0;
}

} // namespace linnet::compress
