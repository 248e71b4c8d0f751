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

/// Signed codes of 8 bits, and of 4 those that use all 16.
QuantizationFormat formatOf(const MapPlan &plan) {
  using Range = QuantizationFormat::Range;
  int64_t bits = bitsOf(plan.structure);
  return {bits, plan.group, bits == 4 ? Range::Centered : Range::Signed};
}

/// The inputs of a fit: their second moment and a root of it.
struct Inputs {
  const Matrix &moment, &root;
};

/// The nearest matrix to `target` of the plan's structure for these inputs
/// (null: as if all were independent).
Result<FittedMap> nearest(const Matrix &target, const Inputs *inputs,
                          const MapPlan &plan, bool isRefit) {
  FittedMap fitted;
  fitted.structure = plan.structure;
  fitted.isRefit = isRefit;
  if (plan.structure == MapStructure::Dense) {
    fitted.dense = target;
    return fitted;
  }
  if (bitsOf(plan.structure)) {
    Result<QuantizedMatrix> codes =
        inputs ? quantizeWithFeedback(target, inputs->moment, formatOf(plan))
               : roundToNearest(target, formatOf(plan));
    if (!codes)
      return codes.error();
    fitted.codes = codes.take();
    return fitted;
  }
  Result<LowRankFactors> factors =
      inputs ? fitLowRankToRoot(target, inputs->root, plan.rank)
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
  case MapStructure::Int8:
  case MapStructure::Int4:
    return codes.toDense();
  }
  return {};
}

Result<FittedMap> fitMatrix(const Matrix &w, const MapPlan &plan) {
  return nearest(w, nullptr, plan, /*isRefit=*/false);
}

Result<FittedMap> fitMap(const Matrix &w, const MapPlan &plan,
                         const MapMoments &fitted, const MapMoments &heldOut) {
  // Inputs that are all 0 say nothing: neither what counts nor what to aim at.
  if (!(trace(fitted.own) > 0))
    return fitMatrix(w, plan);
  Result<Matrix> root =
      hasRank(plan.structure) ? takeRoot(fitted.own) : Result<Matrix>(Matrix());
  if (!root)
    return root.error();
  Inputs inputs{fitted.own, *root};
  Result<FittedMap> plain = nearest(w, &inputs, plan, /*isRefit=*/false);
  if (!plain)
    return plain.error();
  Result<Matrix> target =
      refitTarget(w, targetMoment(w, fitted), fitted.own, kTrust, kRidge);
  if (!target)
    return target.error();
  Result<FittedMap> refit = nearest(*target, &inputs, plan, /*isRefit=*/true);
  if (!refit)
    return refit.error();
  bool better = lossOn(w, refit->toDense(), heldOut) <
                lossOn(w, plain->toDense(), heldOut);
  return better ? refit.take() : plain.take();
}

double relativeError(const Matrix &w, const Matrix &w1) {
  double all = norm(w);
  return all > 0 ? norm(w - w1) / all : 0;
}

double outputError(const Matrix &w, const Matrix &w1, const Matrix &moment) {
  double all = outputLoss(w, moment);
  return all > 0 ? std::sqrt(outputLoss(w - w1, moment) / all) : 0;
}

} // namespace linnet::compress
