//===- CodeSweeps.cpp - coordinate descent on codes -----------------------===//
//
// A row r of D meets the others only in the slope of the loss,
//   (R D G)_r / R_rr = d_r G + (sum over s != r of R_rs d_s G) / R_rr,
// so that it is descended along as if it were alone, once the others' part is
// known.
//
//===----------------------------------------------------------------------===//

#include "CodeSweeps.h"

#include "CodeGrid.h"

namespace linnet {
namespace {

using Range = QuantizationFormat::Range;

/// Grids of a group that are not only rounded to but fitted to, of groups of so
/// many inputs: of wider ones fewer, since each takes the square of their
/// width.
constexpr int64_t kFittedGrids = 4, kFittedWidth = 64;
/// What a new grid gains at least, as a share: less is rounding.
constexpr double kLeastGain = 1e-9;

class CodeSweeper {
public:
  CodeSweeper(QuantizedMatrix &codes, const Matrix &moment,
              const Matrix &metric)
      : codes(codes), moment(moment), metric(metric), n(codes.columns),
        width(groupWidth(codes.format, n)) {}

  Status factorGroups() {
    for (int64_t j = 0; codes.format.scaleSteps && j < n; j += width) {
      int64_t count = std::min(width, n - j);
      Result<Matrix> inverse =
          invertPositive(moment.rowRange(j, count).columnRange(j, count));
      if (!inverse)
        return inverse.error();
      Result<Matrix> factor = choleskyFactor(inverse.take());
      if (!factor)
        return factor.error();
      std::vector<double> importance;
      for (int64_t i = 0; i < count; ++i)
        importance.push_back(1 / (factor->at(i, i) * factor->at(i, i)));
      factors.push_back(factor.take());
      importances.push_back(std::move(importance));
    }
    return Status();
  }

  /// `slopes` is (W' - W) G.
  void run(Matrix slopes, int64_t sweeps) {
    std::vector<bool> settled(size_t(codes.rows));
    bool changed = true;
    for (int64_t sweep = 0; changed && sweep < sweeps; ++sweep) {
      changed = false;
      for (int64_t r = 0; r < codes.rows; ++r) {
        if (settled[r])
          continue;
        bool own =
            metric.size() ? sweepAmong(slopes, r) : sweepRow(r, slopes.row(r));
        settled[r] = !own && !metric.size();
        changed |= own;
      }
    }
  }

private:
  /// Row `r`, whose errors count with those of others.
  bool sweepAmong(Matrix &slopes, int64_t r) {
    double own = metric.at(r, r);
    if (!(own > 0))
      return false;
    std::vector<double> slope(slopes.row(r), slopes.row(r) + n);
    for (int64_t s = 0; s < codes.rows; ++s)
      if (double share = s == r ? 0 : metric.at(r, s) / own)
        for (int64_t k = 0; k < n; ++k)
          slope[k] += share * slopes.at(s, k);
    std::vector<double> before = slope;
    if (!sweepRow(r, slope.data()))
      return false;
    for (int64_t k = 0; k < n; ++k)
      slopes.at(r, k) += slope[k] - before[k];
    return true;
  }

  /// Takes row `r` through all its grids and codes once; `slope` is half of the
  /// loss's. Whether one changed.
  bool sweepRow(int64_t r, double *slope) {
    bool changed = false;
    for (int64_t first = 0; first < n; first += width) {
      if (codes.format.scaleSteps) {
        changed |= changeGrid(r, first, slope);
        changed |= refitScale(r, first, slope);
      }
      for (int64_t j = first; j < std::min(first + width, n); ++j)
        changed |= changeCode(r, j, slope);
    }
    return changed;
  }

  CodeGrid gridOf(int64_t r, int64_t first) const {
    double half = double(int64_t(1) << (codes.format.bits - 1));
    bool isSigned = codes.format.range == Range::Signed;
    return {codes.scales.at(r, first / width), codes.zeros.at(r, first / width),
            isSigned ? 1 - half : 0, isSigned ? half - 1 : 2 * half - 1};
  }

  void move(double *slope, int64_t j, double step) const {
    const double *row = moment.row(j);
    for (int64_t k = 0; k < n; ++k)
      slope[k] += step * row[k];
  }

  bool changeCode(int64_t r, int64_t j, double *slope) {
    CodeGrid grid = gridOf(r, j / width * width);
    int16_t &code = codes.codes[r * n + j];
    double wanted = code - slope[j] / (moment.at(j, j) * grid.scale);
    double next = std::clamp(std::nearbyint(wanted), grid.least, grid.most);
    if (next == code)
      return false;
    move(slope, j, (next - code) * grid.scale);
    code = int16_t(next);
    return true;
  }

  /// The scale of the group becomes the one of least loss for its codes.
  bool refitScale(int64_t r, int64_t first, double *slope) {
    int64_t end = std::min(first + width, n);
    double &scale = codes.scales.at(r, first / width);
    double zero = codes.zeros.at(r, first / width), rise = 0, curvature = 0;
    const int16_t *row = &codes.codes[r * n];
    for (int64_t j = first; j < end; ++j) {
      double code = row[j] - zero, inner = 0;
      if (code == 0)
        continue;
      for (int64_t k = first; k < end; ++k)
        inner += moment.at(j, k) * (row[k] - zero);
      rise += code * slope[j];
      curvature += code * inner;
    }
    if (!(curvature > 0))
      return false;
    double next =
        roundDigits(scale - rise / curvature, codes.format.scaleDigits);
    double step = next - scale;
    // A rounded scale may be worse.
    if (next == 0 || !(2 * step * rise + step * step * curvature < 0))
      return false;
    scale = next;
    for (int64_t j = first; j < end; ++j)
      if (double change = step * (row[j] - zero))
        move(slope, j, change);
    return true;
  }

  /// Codes for a group on a grid, and what they lose.
  struct Rounding {
    CodeGrid grid;
    std::vector<double> codes;
    double loss = 0;
  };

  /// Rounds the weights of a group, whose errors later ones of it make up for.
  static Rounding roundGroup(const CodeGrid &grid, std::vector<double> weights,
                             const Matrix &factor) {
    Rounding found{grid, {}};
    for (size_t j = 0; j < weights.size(); ++j) {
      double code = grid.codeOf(weights[j]);
      double error = (weights[j] - grid.valueOf(code)) / factor.at(j, j);
      found.codes.push_back(code);
      found.loss += error * error;
      for (size_t k = j + 1; k < weights.size(); ++k)
        weights[k] -= error * factor.at(j, k);
    }
    return found;
  }

  /// The group gets another grid, and its codes with it, where that is better
  /// while all other groups stand: of the grids that fit best what the group
  /// would be without codes, each is rounded to.
  bool changeGrid(int64_t r, int64_t first, double *slope) {
    int64_t group = first / width, count = std::min(width, n - first);
    const Matrix &factor = factors[group];
    const std::vector<double> &importance = importances[group];
    int16_t *row = &codes.codes[r * n + first];
    CodeGrid current = gridOf(r, first);
    // With G_gg^-1 = U^T U that is W' - U^T U slope, which loses |U slope|^2
    // less than W'.
    std::vector<double> turned(factor.rows(), 0.0), wanted;
    double least = 0;
    for (int64_t i = 0; i < count; ++i) {
      wanted.push_back(current.valueOf(row[i]));
      for (int64_t k = i; k < count; ++k)
        turned[i] += factor.at(i, k) * slope[first + k];
      least += turned[i] * turned[i];
    }
    for (int64_t i = 0; i < count; ++i)
      for (int64_t k = i; k < count; ++k)
        wanted[k] -= factor.at(i, k) * turned[i];
    std::vector<CodeGrid> grids = gridsOf(wanted.data(), count, codes.format);
    std::vector<std::pair<double, size_t>> order;
    for (size_t i = 0; i < grids.size(); ++i)
      order.emplace_back(
          grids[i].errorOf(wanted.data(), importance.data(), count), i);
    int64_t tried = std::clamp<int64_t>(kFittedGrids * kFittedWidth / count, 1,
                                        kFittedGrids);
    auto end = order.begin() + std::min(int64_t(order.size()), tried);
    std::partial_sort(order.begin(), end, order.end());
    Rounding best = roundGroup(current, wanted, factor);
    for (auto place = order.begin(); place != end; ++place) {
      Rounding other = roundGroup(grids[place->second], wanted, factor);
      if (other.loss < best.loss)
        best = std::move(other);
    }
    if (!(best.loss < least * (1 - kLeastGain)))
      return false;
    for (int64_t j = 0; j < count; ++j) {
      double step = best.grid.valueOf(best.codes[j]) - current.valueOf(row[j]);
      row[j] = int16_t(best.codes[j]);
      if (step != 0)
        move(slope, first + j, step);
    }
    codes.scales.at(r, group) = best.grid.scale;
    codes.zeros.at(r, group) = best.grid.zero;
    return true;
  }

  QuantizedMatrix &codes;
  const Matrix &moment, &metric;
  int64_t n, width;
  /// Of each group, U with G_gg^-1 = U^T U, and 1 / U_jj^2.
  std::vector<Matrix> factors;
  std::vector<std::vector<double>> importances;
};

} // namespace

Status sweepCodes(QuantizedMatrix &codes, const Matrix &target,
                  const Matrix &moment, const Matrix &metric, int64_t sweeps) {
  if (sweeps <= 0)
    return Status();
  CodeSweeper sweeper(codes, moment, metric);
  if (Status status = sweeper.factorGroups(); !status)
    return status;
  sweeper.run(multiply(codes.toDense() - target, moment), sweeps);
  return Status();
}

} // namespace linnet
