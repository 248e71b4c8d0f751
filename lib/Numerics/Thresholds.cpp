//===- Thresholds.cpp - inputs that add little to a map -------------------===//

#include "linnet/Numerics/Thresholds.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace linnet {

std::vector<double> columnNorms(const Matrix &w) {
  std::vector<double> norms(size_t(w.columns()));
  for (int64_t r = 0; r < w.rows(); ++r)
    for (int64_t c = 0; c < w.columns(); ++c)
      norms[size_t(c)] += w.at(r, c) * w.at(r, c);
  for (double &norm : norms)
    norm = std::sqrt(norm);
  return norms;
}

std::vector<float> makeThresholds(double t, const std::vector<double> &norms) {
  constexpr float kLargest = std::numeric_limits<float>::max();
  std::vector<float> thresholds;
  for (double norm : norms)
    // Also where the quotient is too large.
    thresholds.push_back(t < norm * double(kLargest) ? float(t / norm)
                                                     : kLargest);
  return thresholds;
}

/// |x_j| |W[:, j]| of all entries, ascending.
static std::vector<double> sortedAmounts(const Matrix &inputs,
                                         const std::vector<double> &norms) {
  std::vector<double> amounts;
  amounts.reserve(size_t(inputs.size()));
  for (int64_t r = 0; r < inputs.rows(); ++r)
    for (int64_t c = 0; c < inputs.columns(); ++c)
      amounts.push_back(std::abs(inputs.at(r, c)) * norms[size_t(c)]);
  std::sort(amounts.begin(), amounts.end());
  return amounts;
}

/// A t that leaves out this share of entries and up to a 256th more: in the
/// middle of the widest gap there, because where it were an entry's, or one of
/// many that are equal but for roundings, roundings would decide what counts.
static double amountOfShare(const std::vector<double> &amounts, double share) {
  auto count = size_t(std::ceil(share * double(amounts.size())));
  if (count == 0 || amounts[count - 1] == 0)
    return 0;
  size_t most = std::min(amounts.size(), count + amounts.size() / 256),
         best = count;
  auto gapBehind = [&](size_t number) {
    return number < amounts.size() ? amounts[number] / amounts[number - 1] : 1;
  };
  for (size_t number = count + 1; number <= most; ++number)
    if (gapBehind(number) > gapBehind(best))
      best = number;
  return best < amounts.size() ? (amounts[best - 1] + amounts[best]) / 2
                               : amounts[best - 1];
}

Result<double> chooseThreshold(const Matrix &w, const Matrix &inputs,
                               const ThresholdGoal &goal) {
  if (inputs.size() == 0)
    return makeError("expected inputs to choose a threshold by, but got none");
  if (!isFinite(inputs))
    return makeError("expected finite inputs, but got others");
  std::vector<double> norms = columnNorms(w),
                      amounts = sortedAmounts(inputs, norms);
  if (goal.kind == ThresholdGoal::Share)
    return amountOfShare(amounts, goal.amount);
  constexpr int kSteps = 64;
  auto isGoodEnough = [&](int step) {
    double t = amountOfShare(amounts, double(step) / kSteps);
    return measureThresholds(w, inputs, makeThresholds(t, norms)).error <=
           goal.amount;
  };
  // The error grows with the share, but for terms that cancel.
  int good = 0, bad = kSteps;
  while (bad - good > 1) {
    int middle = (good + bad) / 2;
    (isGoodEnough(middle) ? good : bad) = middle;
  }
  return amountOfShare(amounts, double(good) / kSteps);
}

ThresholdEffect measureThresholds(const Matrix &w, const Matrix &inputs,
                                  const std::vector<float> &thresholds) {
  ThresholdEffect effect;
  // W x - W x' is W times what is left out.
  Matrix leftOut(inputs.rows(), inputs.columns());
  int64_t zerosBefore = 0, zeros = 0;
  for (int64_t r = 0; r < inputs.rows(); ++r)
    for (int64_t c = 0; c < inputs.columns(); ++c) {
      double x = inputs.at(r, c);
      bool isSmall = std::abs(x) <= double(thresholds[size_t(c)]);
      zerosBefore += x == 0;
      zeros += isSmall || x == 0;
      leftOut.at(r, c) = isSmall ? x : 0;
    }
  if (inputs.size() == 0)
    return effect;
  effect.zerosBefore = double(zerosBefore) / double(inputs.size());
  effect.zeros = double(zeros) / double(inputs.size());
  double all = norm(multiply(inputs, w, Side::AsIs, Side::Transposed));
  if (all > 0)
    effect.error =
        norm(multiply(leftOut, w, Side::AsIs, Side::Transposed)) / all;
  return effect;
}

} // namespace linnet
