//===- ChannelPruning.cpp - fewer inputs of a linear map ------------------===//

#include "linnet/Numerics/ChannelPruning.h"

#include "SparseOperands.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace linnet {
namespace {

Status checkUnits(int64_t channels, int64_t count, ChannelUnits units) {
  auto [unit, sets] = units;
  if (unit < 1 || channels % unit != 0)
    return makeError("expected a unit that divides ", channels,
                     " channels, but got ", unit);
  if (sets < 1 || channels / unit % sets != 0)
    return makeError("expected sets that divide ", channels / unit,
                     " units, but got ", sets);
  if (count < 0 || count > channels / unit)
    return makeError("expected to keep 0 to ", channels / unit,
                     " units, but got ", count);
  if (count % sets != 0)
    return makeError("expected to keep as many units of each of ", sets,
                     " sets, but got ", count);
  return Status();
}

Status checkMeans(const std::vector<double> &means, int64_t channels) {
  if (int64_t(means.size()) != channels)
    return makeError("expected ", channels, " means, but got ", means.size());
  for (double mean : means)
    if (!std::isfinite(mean))
      return makeError("expected finite means, but got ", mean);
  return Status();
}

Status checkKept(const std::vector<int64_t> &kept, int64_t channels) {
  int64_t least = 0;
  for (int64_t channel : kept) {
    if (channel < least || channel >= channels)
      return makeError("expected ascending channels below ", channels,
                       ", but got ", channel);
    least = channel + 1;
  }
  return Status();
}

/// The channels of units, which need not be in order.
std::vector<int64_t> expandUnits(std::vector<int64_t> units, int64_t unit) {
  std::sort(units.begin(), units.end());
  std::vector<int64_t> channels;
  for (int64_t u : units)
    for (int64_t c = 0; c < unit; ++c)
      channels.push_back(u * unit + c);
  return channels;
}

std::vector<double> multiplyVector(const Matrix &a,
                                   const std::vector<double> &x) {
  std::vector<double> y(a.rows());
  for (int64_t r = 0; r < a.rows(); ++r)
    y[r] = std::inner_product(x.begin(), x.end(), a.row(r), 0.0);
  return y;
}

template <typename T>
std::vector<T> gather(const std::vector<T> &from,
                      const std::vector<int64_t> &which) {
  std::vector<T> result;
  for (int64_t i : which)
    result.push_back(from[i]);
  return result;
}

/// The units that are left, with W refitted to them and the inverse of their
/// moment. The last unit takes the place of one that is dropped.
class RemainingUnits {
public:
  /// `count` of them are to be kept.
  RemainingUnits(Matrix weights, Matrix inverse, int64_t count,
                 ChannelUnits units)
      : weights(std::move(weights)), inverse(std::move(inverse)),
        unit(units.unit), units(this->weights.columns() / unit),
        setSize(int64_t(this->units.size()) / units.sets),
        spare(size_t(units.sets), setSize - count / units.sets) {
    std::iota(this->units.begin(), this->units.end(), 0);
  }

  int64_t count() const { return int64_t(units.size()); }
  std::vector<int64_t> channels() const { return expandUnits(units, unit); }

  Status dropCheapest() {
    int64_t best = -1;
    double least = 0;
    for (int64_t u = 0; u < count(); ++u) {
      if (spareOf(u) == 0)
        continue;
      auto loss = lossOf(u);
      if (!loss)
        return loss.error();
      if (best < 0 || *loss < least ||
          (*loss == least && units[u] > units[best])) {
        best = u;
        least = *loss;
      }
    }
    return drop(best);
  }

private:
  /// How many more units may go of the set of this one.
  int64_t &spareOf(int64_t u) { return spare[size_t(units[u] / setSize)]; }

  Matrix blockOf(int64_t u) const {
    return inverse.rowRange(u * unit, unit).columnRange(u * unit, unit);
  }

  Result<double> lossOf(int64_t u) const {
    Matrix part = weights.columnRange(u * unit, unit);
    auto solved = solvePositive(blockOf(u), part.transposed());
    if (!solved)
      return solved.error();
    return dot(part.transposed(), *solved);
  }

  /// W -= W_u (P_uu)^-1 P_u: and P -= P_:u (P_uu)^-1 P_u:.
  Status drop(int64_t u) {
    Matrix rows = inverse.rowRange(u * unit, unit);
    auto solved = solvePositive(blockOf(u), rows);
    if (!solved)
      return solved.error();
    addProduct(weights, weights.columnRange(u * unit, unit), *solved, -1);
    addProduct(inverse, rows, *solved, -1, Side::Transposed);
    std::vector<int64_t> left(weights.columns() - unit);
    std::iota(left.begin(), left.end(), 0);
    int64_t last = count() - 1;
    if (u != last)
      std::iota(left.begin() + u * unit, left.begin() + (u + 1) * unit,
                last * unit);
    weights = weights.takeColumns(left);
    inverse = inverse.takeColumns(left).takeRows(left);
    --spareOf(u);
    units[u] = units[last];
    units.pop_back();
    return Status();
  }

  Matrix weights, inverse;
  int64_t unit;
  std::vector<int64_t> units;
  int64_t setSize;
  std::vector<int64_t> spare;
};

/// The same for units of one channel in one set: in place, where dropped
/// channels are zeros. `lost` learns what each of them costs, in order.
std::vector<int64_t> keepChannels(Matrix weights, Matrix inverse, int64_t count,
                                  std::vector<double> *lost = nullptr) {
  int64_t m = weights.rows(), n = weights.columns();
  std::vector<int64_t> left(static_cast<size_t>(n));
  std::iota(left.begin(), left.end(), 0);
  auto subtract = [n](double *row, double factor, const double *other) {
    for (int64_t j = 0; j < n && factor != 0; ++j)
      row[j] -= factor * other[j];
  };
  while (int64_t(left.size()) > count) {
    std::vector<double> norms(static_cast<size_t>(n), 0.0);
    for (int64_t r = 0; r < m; ++r)
      for (int64_t j = 0; j < n; ++j)
        norms[size_t(j)] += weights.at(r, j) * weights.at(r, j);
    auto lossOf = [&](int64_t j) {
      return norms[size_t(j)] / inverse.at(j, j);
    };
    auto cheapest =
        std::min_element(left.begin(), left.end(), [&](int64_t a, int64_t b) {
          return lossOf(a) < lossOf(b);
        });
    int64_t u = *cheapest;
    if (lost)
      lost->push_back(lossOf(u));
    left.erase(cheapest);
    std::vector<double> row(inverse.row(u), inverse.row(u) + n);
    double scale = 1 / row[size_t(u)];
    for (int64_t r = 0; r < m; ++r)
      subtract(weights.row(r), weights.at(r, u) * scale, row.data());
    for (int64_t j : left)
      subtract(inverse.row(j), inverse.at(j, u) * scale, row.data());
    for (int64_t r = 0; r < m; ++r)
      weights.at(r, u) = 0;
  }
  return left;
}

} // namespace

std::vector<double> scoreEnergy(const Matrix &moment) {
  std::vector<double> scores(moment.rows());
  for (int64_t j = 0; j < moment.rows(); ++j)
    scores[j] = std::sqrt(std::max(moment.at(j, j), 0.0));
  return scores;
}

Result<std::vector<double>> scoreFluctuation(const Matrix &weights,
                                             const Matrix &moment,
                                             const std::vector<double> &means) {
  for (Status status : {checkSparseOperands(weights, moment),
                        checkMeans(means, weights.columns())})
    if (!status)
      return status.error();
  std::vector<double> scores(weights.columns());
  for (int64_t r = 0; r < weights.rows(); ++r)
    for (int64_t j = 0; j < weights.columns(); ++j)
      scores[j] += weights.at(r, j) * weights.at(r, j);
  for (int64_t j = 0; j < weights.columns(); ++j)
    scores[j] *= std::max(moment.at(j, j) - means[j] * means[j], 0.0);
  return scores;
}

Result<std::vector<int64_t>> keepLargest(const std::vector<double> &scores,
                                         int64_t count, ChannelUnits units) {
  int64_t channels = int64_t(scores.size());
  if (Status status = checkUnits(channels, count, units); !status)
    return status.error();
  std::vector<double> sums(channels / units.unit);
  for (int64_t j = 0; j < channels; ++j) {
    if (std::isnan(scores[j]))
      return makeError("expected scores that are numbers, but got NaN at ", j);
    sums[j / units.unit] += scores[j];
  }
  std::vector<int64_t> kept;
  int64_t setSize = int64_t(sums.size()) / units.sets;
  for (int64_t set = 0; set < units.sets; ++set)
    for (int64_t u :
         findLargest(sums.data() + set * setSize, setSize, count / units.sets))
      kept.push_back(set * setSize + u);
  return expandUnits(std::move(kept), units.unit);
}

Result<std::vector<int64_t>>
keepByBrainSurgeon(const Matrix &weights, const Matrix &moment, int64_t count,
                   ChannelUnits units, double damping) {
  for (Status status :
       {checkSparseOperands(weights, moment), checkDamping(damping),
        checkUnits(weights.columns(), count, units)})
    if (!status)
      return status.error();
  auto inverse = invertPositive(dampMoment(moment, damping));
  if (!inverse)
    return inverse.error();
  if (units.unit == 1 && units.sets == 1)
    return keepChannels(clearDeadInputs(weights, moment), inverse.take(),
                        count);
  RemainingUnits remaining(clearDeadInputs(weights, moment), inverse.take(),
                           count, units);
  while (remaining.count() > count)
    if (Status status = remaining.dropCheapest(); !status)
      return status.error();
  return remaining.channels();
}

Result<std::vector<double>> lossesByBrainSurgeon(const Matrix &weights,
                                                 const Matrix &moment,
                                                 double damping) {
  for (Status status :
       {checkSparseOperands(weights, moment), checkDamping(damping)})
    if (!status)
      return status.error();
  auto inverse = invertPositive(dampMoment(moment, damping));
  if (!inverse)
    return inverse.error();
  std::vector<double> lost;
  (void)keepChannels(clearDeadInputs(weights, moment), inverse.take(),
                     /*count=*/0, &lost);
  std::vector<double> losses(lost.size() + 1, 0.0);
  for (size_t gone = 1; gone < losses.size(); ++gone)
    losses[lost.size() - gone] =
        losses[lost.size() - gone + 1] + lost[gone - 1];
  return losses;
}

Result<PrunedInputs> refitKept(const Matrix &weights, const Matrix &moment,
                               const std::vector<int64_t> &kept,
                               const std::vector<double> &means,
                               double damping) {
  int64_t n = weights.columns();
  for (Status status :
       {checkSparseOperands(weights, moment), checkDamping(damping),
        checkKept(kept, n), means.empty() ? Status() : checkMeans(means, n)})
    if (!status)
      return status.error();
  Matrix spread = moment;
  for (int64_t i = 0; i < n && !means.empty(); ++i)
    for (int64_t j = 0; j < n; ++j)
      spread.at(i, j) -= means[i] * means[j];
  Matrix ofKept = spread.takeRows(kept);
  double added = n ? damping * trace(moment) / double(n) : 0;
  auto solved = solvePositive(
      ofKept.takeColumns(kept) + added * Matrix::identity(int64_t(kept.size())),
      multiply(ofKept, weights, Side::AsIs, Side::Transposed) +
          added * weights.takeColumns(kept).transposed());
  if (!solved)
    return solved.error();
  PrunedInputs pruned{solved->transposed(), {}};
  if (means.empty())
    return pruned;
  pruned.bias = multiplyVector(weights, means);
  std::vector<double> held =
      multiplyVector(pruned.weights, gather(means, kept));
  for (size_t r = 0; r < held.size(); ++r)
    pruned.bias[r] -= held[r];
  return pruned;
}

Result<PrunedInputs> shiftDropped(const Matrix &weights,
                                  const std::vector<int64_t> &kept,
                                  const std::vector<double> &means) {
  for (Status status : {checkKept(kept, weights.columns()),
                        checkMeans(means, weights.columns())})
    if (!status)
      return status.error();
  std::vector<double> dropped = means;
  for (int64_t channel : kept)
    dropped[channel] = 0;
  return PrunedInputs{weights.takeColumns(kept),
                      multiplyVector(weights, dropped)};
}

} // namespace linnet
