//===- BlockSparseMaps.cpp - matrices of blocks ---------------------------===//
//
// Of blocks only what is kept is stored and multiplied: less is smaller and
// faster.
//
//===----------------------------------------------------------------------===//

#include "MapStructure.h"

#include "linnet/Numerics/SparseFit.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace linnet::compress {
namespace {

constexpr const char *kKept = "kept", *kHeight = "height", *kWidth = "width";

/// Holds numbers below `count`.
DataType typeOfColumns(int64_t count) {
  return count <= 0x8000 ? DataType::I16 : DataType::I32;
}

/// The kept blocks of every row of blocks side by side, and where they stand.
class BlockMap : public FittedMap {
public:
  BlockMap(SparseWeights fitted, int64_t height, int64_t width)
      : weights(std::move(fitted.weights)), height(height), width(width) {
    for (int64_t r = 0; r < weights.rows(); r += height)
      for (int64_t c = 0; c < weights.columns(); c += width)
        if (fitted.mask.keeps(r, c))
          columns.push_back(int32_t(c / width));
    kept = int64_t(columns.size()) / ((weights.rows() + height - 1) / height);
  }
  Matrix toDense() const override { return weights; }
  Result<std::vector<std::vector<std::byte>>>
  store(const LinearMap &map) override {
    Result<std::vector<std::byte>> bytes = roundEntries(
        weights, kept * width,
        [this](int64_t r, int64_t j) { return inputOf(r, j); }, map.dtype);
    if (!bytes)
      return bytes.error();
    if (typeOfColumns(map.columns / width) == DataType::I32)
      return std::vector{bytes.take(), bytesOf(columns)};
    std::vector<int16_t> narrow(columns.begin(), columns.end());
    return std::vector{bytes.take(), bytesOf(narrow)};
  }

private:
  /// The input of value `j` of row `r`.
  int64_t inputOf(int64_t r, int64_t j) const {
    return columns[size_t(r / height * kept + j / width)] * width + j % width;
  }

  Matrix weights;
  int64_t height, width, kept = 0;
  std::vector<int32_t> columns;
};

/// How outputs count within each row of blocks: with R = U^T U for the metric
/// of its outputs, U W counts as W does where all count the same, and has the
/// same blocks. What the metric says across rows of blocks is left out.
class RowBlockMetric {
public:
  /// Errors: a metric that is not positive definite.
  static Result<RowBlockMetric> take(const MetricRoots &roots, int64_t rows,
                                     int64_t height) {
    RowBlockMetric metric;
    const Matrix &root = roots.root;
    bool isDiagonal = root.rows() == 1 && rows != 1;
    for (int64_t r = 0; root.size() && r < rows; r += height) {
      Matrix own = root.columnRange(r, std::min(height, rows - r));
      Matrix squared = multiply(own, own, Side::Transposed, Side::AsIs);
      if (isDiagonal)
        for (int64_t i = 0; i < squared.size(); ++i)
          if (i / squared.columns() != i % squared.columns())
            squared.data()[i] = 0;
      Result<Matrix> upper = choleskyFactor(std::move(squared));
      if (!upper)
        return upper.error();
      metric.uppers.push_back(upper.take());
    }
    return metric;
  }
  Matrix weigh(const Matrix &a) const {
    return apply(a, [](const Matrix &upper, Matrix rows) {
      return multiply(upper, rows);
    });
  }
  Matrix undo(const Matrix &a) const {
    return apply(a, [](const Matrix &upper, Matrix rows) {
      return solveUpper(upper, std::move(rows));
    });
  }

private:
  Matrix apply(const Matrix &a,
               llvm::function_ref<Matrix(const Matrix &, Matrix)> map) const {
    Matrix result = a;
    int64_t r = 0;
    for (const Matrix &upper : uppers) {
      Matrix rows = map(upper, a.rowRange(r, upper.rows()));
      std::copy_n(rows.data(), rows.size(), result.row(r));
      r += upper.rows();
    }
    return result;
  }

  /// One for each row of blocks; none if all outputs count the same.
  std::vector<Matrix> uppers;
};

/// So many blocks of each row of blocks.
class BlockSparseStructure : public MapStructure {
public:
  std::string_view name() const override { return "block_sparse"; }
  std::vector<std::string> keys() const override {
    return {kHeight, kKept, kWidth};
  }
  bool needsBudget() const override { return true; }
  bool weighsOutputs() const override { return true; }
  Status check(const LinearMap &map,
               const PlanNumbers &numbers) const override {
    int64_t height = numbers.at(kHeight), width = numbers.at(kWidth),
            kept = numbers.at(kKept);
    if (height < 1 || height % kLanes)
      return makeError("key 'height': expected a multiple of ", kLanes,
                       ", but got ", height);
    if (width < 1 || map.columns % width)
      return makeError("key 'width': expected a divisor of ", map.columns,
                       " inputs, but got ", width);
    if (kept < 1 || kept > map.columns / width)
      return makeError("key 'kept': expected 1 to ", map.columns / width,
                       " blocks of each row of blocks, but got ", kept);
    return {};
  }
  std::vector<PlanNumbers>
  candidates(const LinearMap &map,
             const CompressOptions &options) const override {
    if (map.columns % options.blockWidth)
      return {};
    int64_t all = map.columns / options.blockWidth;
    std::vector<PlanNumbers> found;
    for (int64_t percent = 5; percent < 100; percent += 5) {
      double wanted = double(percent * all) / 100;
      int64_t kept = wanted < double(kInputs)
                         ? std::llround(wanted)
                         : std::llround(wanted / kInputs) * kInputs;
      if (kept > 0 && (found.empty() || found.back().at(kKept) < kept))
        found.push_back({{kHeight, options.blockHeight},
                         {kKept, kept},
                         {kWidth, options.blockWidth}});
    }
    return found;
  }
  FitResult fit(const Matrix &target, const FitInputs &inputs,
                const PlanNumbers &numbers) const override {
    Result<SparseWeights> fitted = fitBlocks(target, inputs, numbers);
    if (!fitted)
      return fitted.error();
    return std::unique_ptr<FittedMap>(std::make_unique<BlockMap>(
        fitted.take(), numbers.at(kHeight), numbers.at(kWidth)));
  }
  /// One order of blocks says it for all numbers of blocks of one size.
  Result<std::vector<double>>
  losses(const Matrix &w, const FitInputs &inputs,
         llvm::ArrayRef<double> spectrum,
         llvm::ArrayRef<PlanNumbers> candidates) const override {
    if (inputs.areIndependent())
      return MapStructure::losses(w, inputs, spectrum, candidates);
    std::map<std::pair<int64_t, int64_t>, int64_t> least;
    auto sizeOf = [](const PlanNumbers &numbers) {
      return std::pair(numbers.at(kHeight), numbers.at(kWidth));
    };
    for (const PlanNumbers &numbers : candidates) {
      auto [place, fresh] =
          least.try_emplace(sizeOf(numbers), numbers.at(kKept));
      place->second = std::min(place->second, numbers.at(kKept));
    }
    std::map<std::pair<int64_t, int64_t>, std::vector<double>> byKept;
    for (auto [size, kept] : least) {
      Result<RowBlockMetric> metric =
          RowBlockMetric::take(inputs.metric(), w.rows(), size.first);
      if (!metric)
        return metric.error();
      Result<BlockOrder> order = orderBlocks(metric->weigh(w), inputs.moment(),
                                             size.first, size.second, kept);
      if (!order)
        return order.error();
      byKept[size] = std::move(order->losses);
    }
    std::vector<double> found;
    for (const PlanNumbers &numbers : candidates)
      found.push_back(byKept[sizeOf(numbers)][size_t(numbers.at(kKept))]);
    return found;
  }
  int64_t parameters(const LinearMap &map,
                     const PlanNumbers &numbers) const override {
    return map.rows * numbers.at(kKept) * numbers.at(kWidth);
  }
  std::vector<TensorSpec> factors(const LinearMap &map,
                                  const PlanNumbers &numbers) const override {
    int64_t height = numbers.at(kHeight), kept = numbers.at(kKept);
    return {{"values", map.dtype, {map.rows, kept * numbers.at(kWidth)}},
            {"columns",
             typeOfColumns(map.columns / numbers.at(kWidth)),
             {(map.rows + height - 1) / height, kept}}};
  }
  std::string attribute(const LinearMap &map,
                        const PlanNumbers &numbers) const override {
    return "block_sparse<" + std::to_string(numbers.at(kHeight)) + ", " +
           std::to_string(numbers.at(kWidth)) + ", " +
           std::to_string(map.columns) + ">";
  }

private:
  static Result<SparseWeights> fitBlocks(const Matrix &target,
                                         const FitInputs &inputs,
                                         const PlanNumbers &numbers) {
    int64_t height = numbers.at(kHeight), width = numbers.at(kWidth),
            kept = numbers.at(kKept);
    if (inputs.areIndependent()) {
      double share = double(kept * width) / double(target.columns());
      Result<Mask> mask =
          selectMask(scoreMagnitude(target),
                     SparsityPattern::keepBlocksPerRow(height, width, share));
      if (!mask)
        return mask.error();
      Matrix weights = applyMask(target, *mask);
      return SparseWeights{std::move(weights), mask.take()};
    }
    Result<RowBlockMetric> metric =
        RowBlockMetric::take(inputs.metric(), target.rows(), height);
    if (!metric)
      return metric.error();
    Matrix weighed = metric->weigh(target);
    Result<BlockOrder> order =
        orderBlocks(weighed, inputs.moment(), height, width, kept);
    if (!order)
      return order.error();
    Mask mask = order->keep(kept);
    Result<Matrix> weights =
        refitOnMask(weighed, inputs.moment(), mask, {.damping = kDamping});
    if (!weights)
      return weights.error();
    return SparseWeights{metric->undo(*weights), std::move(mask)};
  }

  /// Outputs of a vector, which a block has whole ones of.
  static constexpr int64_t kLanes = 16;
  /// Inputs that kernels take at a time.
  static constexpr int64_t kInputs = 8;
  static constexpr double kDamping = 0.01;
};

} // namespace

const MapStructure &blockSparseStructure() {
  static const BlockSparseStructure structure;
  return structure;
}

} // namespace linnet::compress
