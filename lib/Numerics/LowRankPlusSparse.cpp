//===- LowRankPlusSparse.cpp - W = L + S ----------------------------------===//

#include "linnet/Numerics/LowRankPlusSparse.h"

#include "SparseOperands.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace linnet {
namespace {

Status checkRank(int64_t rank, const Matrix &weights) {
  int64_t most = std::min(weights.rows(), weights.columns());
  if (rank < 0 || rank > most)
    return makeError("expected a rank from 0 to ", most, ", but got ", rank);
  return Status();
}

double ratio(double part, double whole) { return whole > 0 ? part / whole : 0; }

} // namespace

Result<LowRankPlusSparse> decomposeByThresholding(
    const Matrix &weights, int64_t rank, const SparsityPattern &pattern,
    const std::vector<double> &inputScales, int64_t iterations) {
  int64_t m = weights.rows(), n = weights.columns();
  for (Status status : {checkRank(rank, weights), checkPattern(pattern, m, n)})
    if (!status)
      return status.error();
  if (!isFinite(weights))
    return makeError("expected finite weights, but got NaN or infinity");
  if (iterations < 1)
    return makeError("expected at least 1 iteration, but got ", iterations);
  if (!inputScales.empty() && int64_t(inputScales.size()) != n)
    return makeError("expected ", n, " input scales, but got ",
                     inputScales.size());
  std::vector<double> scales = inputScales;
  scales.resize(n, 1);
  std::vector<double> inverses(n);
  for (int64_t j = 0; j < n; ++j) {
    if (!std::isfinite(scales[j]) || scales[j] < 0)
      return makeError("expected input scales of at least 0, but got ",
                       scales[j]);
    inverses[j] = scales[j] > 0 ? 1 / scales[j] : 0;
  }
  Matrix scaled = scaleColumns(weights, scales);
  double whole = norm(scaled);
  LowRankPlusSparse result;
  result.sparse = Matrix(m, n);
  for (int64_t i = 0; i < iterations; ++i) {
    auto low = truncateSingularValues(scaled - result.sparse, rank);
    if (!low)
      return low.error();
    result.low = low.take();
    Matrix rest = scaled - result.low.toDense();
    result.mask = selectInColumns(scoreMagnitude(rest), pattern, 0);
    result.sparse = applyMask(rest, result.mask);
    result.history.push_back(ratio(norm(rest - result.sparse), whole));
  }
  result.low.right = scaleColumns(std::move(result.low.right), inverses);
  result.sparse = scaleColumns(std::move(result.sparse), inverses);
  return result;
}

Result<LowRankPlusSparse>
fitLowRankPlusSparse(const Matrix &weights, const Matrix &moment, int64_t rank,
                     const SparsityPattern &pattern,
                     const LowRankPlusSparseOptions &options) {
  for (Status status :
       {checkSparseOperands(weights, moment), checkRank(rank, weights),
        checkPattern(pattern, weights.rows(), weights.columns())})
    if (!status)
      return status.error();
  if (options.alternations < 1)
    return makeError("expected at least 1 alternation, but got ",
                     options.alternations);
  double whole = outputLoss(weights, moment);
  LowRankPlusSparse result;
  result.sparse = Matrix(weights.rows(), weights.columns());
  auto fitLow = [&]() -> Status {
    auto low = fitLowRank(weights - result.sparse, moment, rank);
    if (!low)
      return low.error();
    result.low = low.take();
    return Status();
  };
  auto measure = [&] {
    result.history.push_back(std::sqrt(
        ratio(outputLoss(weights - result.toDense(), moment), whole)));
  };
  SparseFitOptions fit = options.fit;
  for (int64_t i = 0; i < options.alternations; ++i) {
    if (Status status = fitLow(); !status)
      return status.error();
    // Least squares are for the last mask; on the way the iterate does.
    fit.refitRows = options.fit.refitRows && i + 1 == options.alternations;
    auto sparse =
        fitSparse(weights - result.low.toDense(), moment, pattern, fit);
    if (!sparse)
      return sparse.error();
    result.sparse = std::move(sparse->weights);
    result.mask = std::move(sparse->mask);
    measure();
  }
  if (Status status = fitLow(); !status)
    return status.error();
  measure();
  return result;
}

Result<NumbersShare> shareNumbers(int64_t rows, int64_t columns, double kept,
                                  double lowRankShare) {
  for (double fraction : {kept, lowRankShare})
    if (!(fraction >= 0 && fraction <= 1))
      return makeError("expected a fraction from 0 to 1, but got ", fraction);
  double all = double(rows * columns);
  auto numbers = [&](int64_t rank) {
    return double(rank * (rows + columns - rank));
  };
  NumbersShare share;
  while (share.rank < std::min(rows, columns) &&
         numbers(share.rank + 1) <= lowRankShare * kept * all)
    ++share.rank;
  share.keptSparse =
      ratio(std::max(0.0, kept * all - numbers(share.rank)), all);
  return share;
}

} // namespace linnet
