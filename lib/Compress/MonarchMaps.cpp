//===- MonarchMaps.cpp - blocks of low rank each --------------------------===//

#include "MapStructure.h"

#include "linnet/Numerics/BlockLowRank.h"

#include <algorithm>

namespace linnet::compress {
namespace {

constexpr const char *kRank = "rank", *kBlocks = "blocks";

/// Sweeps of a fit, and of one that only measures a loss.
constexpr int64_t kSweeps = 6, kTrialSweeps = 1;

using Stored = std::vector<std::vector<std::byte>>;

class MonarchMap : public FittedMap {
public:
  explicit MonarchMap(BlockLowRank fitted) : fitted(std::move(fitted)) {}
  Matrix toDense() const override { return fitted.toDense(); }
  Result<Stored> store(const LinearMap &map) override {
    Stored stored(3);
    for (auto [blocks, bytes] :
         {std::pair(&fitted.left, &stored[0]), {&fitted.right, &stored[2]}})
      for (Matrix &block : *blocks) {
        Result<std::vector<std::byte>> rounded = roundMatrix(block, map.dtype);
        if (!rounded)
          return rounded.error();
        bytes->insert(bytes->end(), rounded->begin(), rounded->end());
      }
    // From (column j, row i, direction) to (row, column, direction).
    int64_t rank = fitted.left[0].columns() / fitted.blocks;
    std::vector<int32_t> order;
    for (int64_t i = 0; i < fitted.blocks; ++i)
      for (int64_t j = 0; j < fitted.blocks; ++j)
        for (int64_t k = 0; k < rank; ++k)
          order.push_back(int32_t((j * fitted.blocks + i) * rank + k));
    stored[1] = bytesOf(order);
    return stored;
  }

private:
  BlockLowRank fitted;
};

class MonarchStructure : public MapStructure {
public:
  std::string_view name() const override { return "monarch"; }
  std::vector<std::string> keys() const override { return {kBlocks, kRank}; }
  bool needsBudget() const override { return true; }
  Status check(const LinearMap &map,
               const PlanNumbers &numbers) const override {
    int64_t b = numbers.at(kBlocks), rank = numbers.at(kRank);
    if (b < 1 || map.rows % b || map.columns % b)
      return makeError("key 'blocks': expected a divisor of ", map.rows,
                       " and ", map.columns, ", but got ", b);
    int64_t most = std::min(map.rows, map.columns) / b;
    if (rank < 1 || rank > most)
      return makeError("key 'rank': expected 1 to ", most, " for blocks of ",
                       map.rows / b, " x ", map.columns / b, ", but got ",
                       rank);
    return {};
  }
  std::vector<PlanNumbers>
  candidates(const LinearMap &map,
             const CompressOptions &options) const override {
    std::vector<PlanNumbers> found;
    int64_t b = options.blocks;
    if (map.rows % b || map.columns % b)
      return found;
    int64_t last = 0;
    for (double share : {0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8}) {
      auto rank = int64_t(share * double(map.parameters()) /
                          double(b * (map.rows + map.columns)));
      rank = std::min(rank, std::min(map.rows, map.columns) / b);
      if (rank > last)
        found.push_back({{kBlocks, b}, {kRank, rank}});
      last = std::max(rank, last);
    }
    return found;
  }
  Result<std::vector<double>>
  losses(const Matrix &w, const FitInputs &inputs, llvm::ArrayRef<double>,
         llvm::ArrayRef<PlanNumbers> candidates) const override {
    std::vector<double> found;
    for (const PlanNumbers &numbers : candidates) {
      Result<BlockLowRank> fitted = fitBlocks(w, inputs, numbers, kTrialSweeps);
      if (!fitted)
        return fitted.error();
      found.push_back(inputs.lossOf(w - fitted->toDense()));
    }
    return found;
  }
  FitResult fit(const Matrix &target, const FitInputs &inputs,
                const PlanNumbers &numbers) const override {
    Result<BlockLowRank> fitted = fitBlocks(target, inputs, numbers, kSweeps);
    if (!fitted)
      return fitted.error();
    return std::unique_ptr<FittedMap>(
        std::make_unique<MonarchMap>(fitted.take()));
  }
  int64_t parameters(const LinearMap &map,
                     const PlanNumbers &numbers) const override {
    return numbers.at(kBlocks) * numbers.at(kRank) * (map.rows + map.columns);
  }
  int64_t operations(const LinearMap &map,
                     const PlanNumbers &numbers) const override {
    return parameters(map, numbers);
  }
  std::vector<TensorSpec> factors(const LinearMap &map,
                                  const PlanNumbers &numbers) const override {
    int64_t b = numbers.at(kBlocks), middle = b * numbers.at(kRank);
    return {{"left", map.dtype, {b, map.rows / b, middle}},
            {"order", DataType::I32, {b * middle}},
            {"right", map.dtype, {b, middle, map.columns / b}}};
  }
  std::string attribute(const LinearMap &, const PlanNumbers &) const override {
    return "product<[#linnet.block_diagonal, #linnet.permutation, "
           "#linnet.block_diagonal]>";
  }

private:
  static Result<BlockLowRank> fitBlocks(const Matrix &w,
                                        const FitInputs &inputs,
                                        const PlanNumbers &numbers,
                                        int64_t sweeps) {
    return fitBlockLowRank(w,
                           inputs.areIndependent() ? nullptr : &inputs.moment(),
                           numbers.at(kBlocks), numbers.at(kRank), sweeps);
  }
};

} // namespace

const MapStructure &monarchStructure() {
  static const MonarchStructure structure;
  return structure;
}

} // namespace linnet::compress
