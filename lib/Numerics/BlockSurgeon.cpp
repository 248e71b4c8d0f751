//===- BlockSurgeon.cpp - greedy removal of blocks ------------------------===//

#include "linnet/Numerics/SparseFit.h"

#include "Lapack.h"
#include "SparseOperands.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace linnet {
namespace {

/// Of so many blocks that remain one goes at a time: they interact little, and
/// a product of matrices takes their place.
constexpr int64_t kPerStep = 32;

/// What remains of a row of blocks, refitted, and the inverse of its inputs'
/// moment.
class RemainingBlocks {
public:
  RemainingBlocks(Matrix weights, Matrix inverse, int64_t width)
      : weights(std::move(weights)), inverse(std::move(inverse)), width(width),
        blocks(this->weights.columns() / width) {
    std::iota(blocks.begin(), blocks.end(), 0);
  }

  int64_t count() const { return int64_t(blocks.size()); }

  /// Removes some blocks, at most `most`; appends them to `removed`, the
  /// cheapest first. The loss of that.
  Result<double> removeCheapest(int64_t most, std::vector<int64_t> &removed) {
    Result<std::vector<double>> losses = lossesAlone();
    if (!losses)
      return losses.error();
    std::vector<int64_t> places(blocks.size());
    std::iota(places.begin(), places.end(), 0);
    // Of equal ones the lower stays.
    std::sort(places.begin(), places.end(), [&](int64_t a, int64_t b) {
      double lossOfA = (*losses)[size_t(a)], lossOfB = (*losses)[size_t(b)];
      return lossOfA != lossOfB ? lossOfA < lossOfB : blocks[a] > blocks[b];
    });
    int64_t size = std::clamp<int64_t>(count() / kPerStep, 1, most);
    for (int64_t i = 0; i < size; ++i)
      removed.push_back(blocks[size_t(places[size_t(i)])]);
    std::sort(places.begin(), places.begin() + size);
    std::sort(places.begin() + size, places.end());
    std::vector<int64_t> gone = inputsOf(places, 0, size);
    std::vector<int64_t> left = inputsOf(places, size, count());
    std::vector<int64_t> stay;
    for (int64_t i = size; i < count(); ++i)
      stay.push_back(blocks[size_t(places[size_t(i)])]);
    blocks = std::move(stay);
    return eliminate(gone, left);
  }

private:
  /// The inputs of the blocks at places [first, last).
  std::vector<int64_t> inputsOf(const std::vector<int64_t> &places,
                                int64_t first, int64_t last) const {
    std::vector<int64_t> inputs;
    for (int64_t i = first; i < last; ++i)
      for (int64_t c = 0; c < width; ++c)
        inputs.push_back(places[size_t(i)] * width + c);
    return inputs;
  }

  /// tr(W_B (P_BB)^-1 W_B^T) of each block B.
  Result<std::vector<double>> lossesAlone() const {
    std::vector<double> losses(blocks.size());
    if (width == 1) {
      for (int64_t r = 0; r < weights.rows(); ++r)
        for (size_t b = 0; b < losses.size(); ++b)
          losses[b] += weights.row(r)[b] * weights.row(r)[b];
      for (size_t b = 0; b < losses.size(); ++b)
        losses[b] /= inverse.row(int64_t(b))[b];
      return losses;
    }
    for (int64_t b = 0; b < count(); ++b) {
      Matrix part = weights.columnRange(b * width, width).transposed();
      auto solved = solvePositive(
          inverse.rowRange(b * width, width).columnRange(b * width, width),
          part);
      if (!solved)
        return solved.error();
      losses[size_t(b)] = dot(part, *solved);
    }
    return losses;
  }

  /// With P_RR = U^T U, Z = U^-T P_RL and Y = U^-T W_R^T: W_L -= Y^T Z,
  /// P_LL -= Z^T Z, and |Y|^2 is the loss. `gone` and `left` ascend.
  Result<double> eliminate(const std::vector<int64_t> &gone,
                           const std::vector<int64_t> &left) {
    auto size = int64_t(gone.size()), rest = int64_t(left.size());
    Matrix square(size, size), across(size, rest);
    for (int64_t r = 0; r < size; ++r) {
      for (int64_t c = r; c < size; ++c)
        square.at(r, c) = inverse.at(gone[size_t(r)], gone[size_t(c)]);
      for (int64_t c = 0; c < rest; ++c) {
        auto [low, high] = std::minmax(gone[size_t(r)], left[size_t(c)]);
        across.at(r, c) = inverse.at(low, high);
      }
    }
    Result<Matrix> factor = choleskyFactor(std::move(square));
    if (!factor)
      return factor.error();
    Matrix shares = weights.takeColumns(gone).transposed();
    solveTransposed(*factor, shares);
    solveTransposed(*factor, across);
    weights = weights.takeColumns(left);
    addProduct(weights, shares, across, -1, Side::Transposed);
    Matrix smaller(rest, rest);
    for (int64_t r = 0; r < rest; ++r) {
      const double *from = inverse.row(left[size_t(r)]);
      double *to = smaller.row(r);
      for (int64_t c = r; c < rest; ++c)
        to[c] = from[left[size_t(c)]];
    }
    inverse = std::move(smaller);
    subtractGram(inverse, across);
    return dot(shares, shares);
  }

  /// b becomes U^-T b.
  static void solveTransposed(const Matrix &upper, Matrix &b) {
    int size = int(upper.rows()), count = int(b.columns());
    double one = 1;
    if (size > 0 && count > 0)
      dtrsm_("R", "L", "T", "N", &count, &size, &one, upper.data(), &size,
             b.data(), &count);
  }

  /// sum -= a^T a in the upper triangle.
  static void subtractGram(Matrix &sum, const Matrix &a) {
    int size = int(a.columns()), inner = int(a.rows());
    double one = 1, minus = -1;
    if (size > 0 && inner > 0)
      dsyrk_("L", "N", &size, &inner, &minus, a.data(), &size, &one, sum.data(),
             &size);
  }

  /// Of the inverse, the upper triangle.
  Matrix weights, inverse;
  int64_t width;
  std::vector<int64_t> blocks;
};

} // namespace

Mask BlockOrder::keep(int64_t count) const {
  Mask mask(rows, columns);
  for (int64_t r = 0; r < rows; ++r) {
    const std::vector<int64_t> &order = removed[size_t(r / blockRows)];
    int64_t all = columns / blockColumns;
    std::vector<bool> isGone(static_cast<size_t>(all));
    for (int64_t i = 0; i < all - count; ++i)
      isGone[size_t(order[size_t(i)])] = true;
    for (int64_t c = 0; c < columns; ++c)
      mask.set(r, c, !isGone[size_t(c / blockColumns)]);
  }
  return mask;
}

Result<BlockOrder> orderBlocks(const Matrix &weights, const Matrix &moment,
                               int64_t rows, int64_t columns, int64_t least,
                               double damping) {
  int64_t m = weights.rows(), n = weights.columns();
  for (Status status :
       {checkSparseOperands(weights, moment), checkDamping(damping),
        checkPattern(SparsityPattern::keepBlocksPerRow(rows, columns, 1), m,
                     n)})
    if (!status)
      return status.error();
  int64_t all = n / columns;
  if (least < 0 || least > all)
    return makeError("expected to keep 0 to ", all, " blocks, but got ", least);
  auto inverse = invertPositive(dampMoment(moment, damping));
  if (!inverse)
    return inverse.error();
  Matrix live = clearDeadInputs(weights, moment);
  BlockOrder order{m, n, rows, columns, {}, {}};
  order.losses.resize(size_t(all + 1));
  for (int64_t first = 0; first < m; first += rows) {
    RemainingBlocks remaining(live.rowRange(first, std::min(rows, m - first)),
                              *inverse, columns);
    std::vector<int64_t> &removed = order.removed.emplace_back();
    double loss = 0;
    while (remaining.count() > least) {
      int64_t before = remaining.count();
      Result<double> more = remaining.removeCheapest(before - least, removed);
      if (!more)
        return more.error();
      // Between steps as if each block had cost the same.
      int64_t now = remaining.count();
      for (int64_t kept = now; kept < before; ++kept)
        order.losses[size_t(kept)] +=
            loss + *more * double(before - kept) / double(before - now);
      loss += *more;
    }
    for (int64_t kept = 0; kept < least; ++kept)
      order.losses[size_t(kept)] += loss;
  }
  return order;
}

} // namespace linnet
