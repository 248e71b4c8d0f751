//===- Quantization.cpp - weights as small integers -----------------------===//

#include "linnet/Numerics/Quantization.h"

#include "CodeGrid.h"
#include "CodeSweeps.h"
#include "ColumnFeedback.h"

#include <numeric>

namespace linnet {
namespace {

using Range = QuantizationFormat::Range;

/// The grid of least squared error among those that the format tries;
/// `importance` weighs the weights unless it is null.
CodeGrid searchGrid(const double *weights, const double *importance,
                    int64_t count, const QuantizationFormat &format) {
  std::vector<CodeGrid> grids = gridsOf(weights, count, format);
  if (grids.size() == 1)
    return grids.front();
  return *std::min_element(grids.begin(), grids.end(),
                           [&](const CodeGrid &a, const CodeGrid &b) {
                             return a.errorOf(weights, importance, count) <
                                    b.errorOf(weights, importance, count);
                           });
}

/// One pass over columns, of which a block is at hand.
class RoundingPass {
public:
  RoundingPass(Matrix weights, const QuantizationFormat &format)
      : weights(std::move(weights)),
        width(groupWidth(format, this->weights.columns())) {
    int64_t m = this->weights.rows(), n = this->weights.columns();
    result.format = format;
    result.rows = m;
    result.columns = n;
    result.codes.resize(m * n);
    result.scales = result.zeros = Matrix(m, (n + width - 1) / width);
    grids.resize(m);
  }

  QuantizedMatrix roundAlone() && {
    for (int64_t r = 0; r < result.rows; ++r)
      for (int64_t j = 0; j < result.columns; ++j)
        round(r, j);
    return std::move(result);
  }

  QuantizedMatrix roundWithFeedback(const Matrix &factor, int64_t block) && {
    // What an error of each column costs once later ones made up for it.
    for (int64_t j = 0; j < result.columns; ++j)
      importance.push_back(1 / (factor.at(j, j) * factor.at(j, j)));
    // Groups start where blocks start, or lie within one.
    if (width <= block)
      block = block / width * width;
    else if (width < result.columns && width % block != 0)
      block = width;
    for (int64_t c = 0; c < result.columns; c += block)
      replaceColumns(weights, factor, c, std::min(block, result.columns - c),
                     [&](int64_t r, int64_t j) { return round(r, j); });
    return std::move(result);
  }

private:
  /// The value that weight becomes.
  double round(int64_t r, int64_t j) {
    if (j % width == 0) {
      grids[r] = searchGrid(weights.row(r) + j,
                            importance.empty() ? nullptr : &importance[j],
                            std::min(width, result.columns - j), result.format);
      result.scales.at(r, j / width) = grids[r].scale;
      result.zeros.at(r, j / width) = grids[r].zero;
    }
    double code = grids[r].codeOf(weights.at(r, j));
    result.codes[r * result.columns + j] = int16_t(code);
    return grids[r].valueOf(code);
  }

  Matrix weights;
  int64_t width;
  /// Of each row, that of the group at hand.
  std::vector<CodeGrid> grids;
  /// Of each column; empty: alike.
  std::vector<double> importance;
  QuantizedMatrix result;
};

/// The inputs of a group of positive definite moment, chosen from the last on:
/// each has the least variance left, given those that come later. These make up
/// for it, so that what is left of all is small and alike, as in detection
/// layer by layer (Wolniansky et al. 1998, "V-BLAST").
std::vector<int64_t> orderGroup(Matrix left) {
  int64_t count = left.rows();
  std::vector<int64_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  for (int64_t last = count - 1; last > 0; --last) {
    auto least = std::min_element(
        order.begin(), order.begin() + last + 1,
        [&](int64_t a, int64_t b) { return left.at(a, a) < left.at(b, b); });
    std::iter_swap(least, order.begin() + last);
    int64_t known = order[last];
    for (int64_t i = 0; i < last; ++i) {
      double share = left.at(order[i], known) / left.at(known, known);
      for (int64_t k = 0; k < last; ++k)
        left.at(order[i], order[k]) -= share * left.at(known, order[k]);
    }
  }
  return order;
}

/// All inputs, group by group, those of large second moments first; a last
/// group of fewer inputs stays last.
std::vector<int64_t> sortInputs(const Matrix &moment, int64_t width) {
  int64_t n = moment.rows(), whole = n / width;
  std::vector<std::pair<double, int64_t>> groups;
  for (int64_t group = 0; group < whole; ++group) {
    double sum = 0;
    for (int64_t j = group * width; j < (group + 1) * width; ++j)
      sum += moment.at(j, j);
    groups.emplace_back(-sum, group);
  }
  std::sort(groups.begin(), groups.end());
  if (whole * width < n)
    groups.emplace_back(0, whole);
  std::vector<int64_t> order;
  for (const auto &[sum, group] : groups) {
    int64_t first = group * width, count = std::min(width, n - first);
    for (int64_t input :
         orderGroup(moment.rowRange(first, count).columnRange(first, count)))
      order.push_back(first + input);
  }
  return order;
}

/// Input j becomes input order[j], and so do the groups.
QuantizedMatrix moveInputs(const QuantizedMatrix &codes,
                           const std::vector<int64_t> &order) {
  QuantizedMatrix moved = codes;
  int64_t width = groupWidth(codes.format, codes.columns);
  for (int64_t r = 0; r < codes.rows; ++r)
    for (int64_t j = 0; j < codes.columns; ++j) {
      moved.codes[r * codes.columns + order[j]] =
          codes.codes[r * codes.columns + j];
      if (j % width == 0) {
        moved.scales.at(r, order[j] / width) = codes.scales.at(r, j / width);
        moved.zeros.at(r, order[j] / width) = codes.zeros.at(r, j / width);
      }
    }
  return moved;
}

} // namespace

Matrix QuantizedMatrix::toDense() const {
  int64_t width = groupWidth(format, columns);
  Matrix dense(rows, columns);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t j = 0; j < columns; ++j)
      dense.at(r, j) = scales.at(r, j / width) *
                       (codes[r * columns + j] - zeros.at(r, j / width));
  return dense;
}

int64_t QuantizedMatrix::bits(int64_t scaleBits) const {
  int64_t perGroup =
      format.range == Range::Offset ? scaleBits + format.bits : scaleBits;
  return rows * columns * format.bits + scales.size() * perGroup;
}

Status checkFormat(const QuantizationFormat &format) {
  if (format.bits < 2 || format.bits > 8)
    return makeError("expected 2 to 8 bits, but got ", format.bits);
  if (format.group < 0)
    return makeError("expected groups of at least 1 input, or 0 for rows, but "
                     "got ",
                     format.group);
  if (format.scaleSteps < 0 || format.scaleDigits < 0)
    return makeError("expected scale steps and digits of at least 0, but got ",
                     format.scaleSteps, " and ", format.scaleDigits);
  return Status();
}

Result<QuantizedMatrix> roundToNearest(const Matrix &weights,
                                       const QuantizationFormat &format) {
  if (Status status = checkFormat(format); !status)
    return status.error();
  if (!isFinite(weights))
    return makeError("expected finite weights, but got NaN or infinity");
  return RoundingPass(weights, format).roundAlone();
}

Result<QuantizedMatrix>
quantizeWithFeedback(const Matrix &weights, const Matrix &moment,
                     const QuantizationFormat &format,
                     const QuantizationFeedback &options) {
  for (Status status :
       {checkFormat(format), checkSparseOperands(weights, moment),
        checkDamping(options.damping), checkFeedbackBlock(options.block)})
    if (!status)
      return status.error();
  if (options.sweeps < 0)
    return makeError("expected sweeps of at least 0, but got ", options.sweeps);
  const Matrix &metric = options.metric;
  if (metric.size() &&
      (metric.rows() != weights.rows() || metric.columns() != weights.rows()))
    return makeError("expected a metric of ", weights.rows(), " x ",
                     weights.rows(), ", but got ", metric.rows(), " x ",
                     metric.columns());
  if (!isFinite(metric))
    return makeError("expected a finite metric, but got NaN or infinity");
  if (options.sorts) {
    std::vector<int64_t> order =
        sortInputs(dampMoment(moment, options.damping),
                   groupWidth(format, weights.columns()));
    QuantizationFeedback sorted = options;
    sorted.sorts = false;
    Result<QuantizedMatrix> codes = quantizeWithFeedback(
        weights.takeColumns(order), moment.takeRows(order).takeColumns(order),
        format, sorted);
    return codes ? Result<QuantizedMatrix>(moveInputs(*codes, order)) : codes;
  }
  auto factor = factorFeedback(moment, options.damping);
  if (!factor)
    return factor.error();
  Matrix target = clearDeadInputs(weights, moment);
  QuantizedMatrix codes =
      RoundingPass(target, format).roundWithFeedback(*factor, options.block);
  if (Status status =
          sweepCodes(codes, target, dampMoment(moment, options.damping), metric,
                     options.sweeps);
      !status)
    return status.error();
  return codes;
}

} // namespace linnet
