//===- LowRankMaps.cpp - matrices of low rank in two storages -------------===//

#include "MapStructure.h"

#include "linnet/Numerics/LowRank.h"

#include <algorithm>
#include <numeric>

namespace linnet::compress {
namespace {

constexpr const char *kRank = "rank";

class FactoredMap : public FittedMap {
public:
  explicit FactoredMap(LowRankFactors factors) : factors(std::move(factors)) {}
  Matrix toDense() const override { return factors.toDense(); }
  Result<std::vector<std::vector<std::byte>>>
  store(const LinearMap &map) override {
    std::vector<std::vector<std::byte>> stored;
    for (Matrix *factor : {&factors.left, &factors.right}) {
      Result<std::vector<std::byte>> bytes = roundMatrix(*factor, map.dtype);
      if (!bytes)
        return bytes.error();
      stored.push_back(bytes.take());
    }
    return stored;
  }

private:
  LowRankFactors factors;
};

class PivotedMap : public FittedMap {
public:
  explicit PivotedMap(PivotedLowRank pivoted) : pivoted(std::move(pivoted)) {}
  Matrix toDense() const override { return pivoted.toDense(); }
  Result<std::vector<std::vector<std::byte>>>
  store(const LinearMap &map) override {
    std::vector<std::vector<std::byte>> stored;
    for (Matrix *factor : {&pivoted.columns, &pivoted.coefficients}) {
      Result<std::vector<std::byte>> bytes = roundMatrix(*factor, map.dtype);
      if (!bytes)
        return bytes.error();
      stored.push_back(bytes.take());
    }
    std::vector<int32_t> order(pivoted.kept.begin(), pivoted.kept.end());
    order.insert(order.end(), pivoted.others.begin(), pivoted.others.end());
    stored.push_back(bytesOf(order));
    return stored;
  }

private:
  PivotedLowRank pivoted;
};

/// What the two storages share.
class RankedStructure : public MapStructure {
public:
  std::vector<std::string> keys() const override { return {kRank}; }
  bool needsBudget() const override { return true; }
  bool weighsOutputs() const override { return true; }
  Status check(const LinearMap &map,
               const PlanNumbers &numbers) const override {
    int64_t rank = numbers.at(kRank), most = std::min(map.rows, map.columns);
    if (rank < 1 || rank > most)
      return makeError("key 'rank': expected 1 to ", most, " for a matrix of ",
                       map.rows, " x ", map.columns, ", but got ", rank);
    return {};
  }
  std::vector<PlanNumbers>
  candidates(const LinearMap &map,
             const CompressOptions &options) const override {
    std::vector<PlanNumbers> ranks;
    for (int64_t rank = options.rankMultiple;
         rank <= std::min(map.rows, map.columns); rank += options.rankMultiple)
      ranks.push_back({{kRank, rank}});
    return ranks;
  }
  Result<std::vector<double>>
  losses(const Matrix &, const FitInputs &, llvm::ArrayRef<double> spectrum,
         llvm::ArrayRef<PlanNumbers> candidates) const override {
    std::vector<double> found;
    for (const PlanNumbers &numbers : candidates)
      found.push_back(std::accumulate(spectrum.begin() + numbers.at(kRank),
                                      spectrum.end(), 0.0));
    return found;
  }
  std::string attribute(const LinearMap &, const PlanNumbers &) const override {
    return std::string(name());
  }
};

class LowRankStructure : public RankedStructure {
public:
  std::string_view name() const override { return "low_rank"; }
  FitResult fit(const Matrix &target, const FitInputs &inputs,
                const PlanNumbers &numbers) const override {
    Result<LowRankFactors> factors =
        factorLowRank(target, inputs, numbers.at(kRank));
    if (!factors)
      return factors.error();
    return std::unique_ptr<FittedMap>(
        std::make_unique<FactoredMap>(factors.take()));
  }
  int64_t parameters(const LinearMap &map,
                     const PlanNumbers &numbers) const override {
    return numbers.at(kRank) * (map.rows + map.columns);
  }
  std::vector<TensorSpec> factors(const LinearMap &map,
                                  const PlanNumbers &numbers) const override {
    int64_t rank = numbers.at(kRank);
    return {{"left", map.dtype, {map.rows, rank}},
            {"right", map.dtype, {rank, map.columns}}};
  }
};

class PivotedStructure : public RankedStructure {
public:
  std::string_view name() const override { return "pivoted_low_rank"; }
  FitResult fit(const Matrix &target, const FitInputs &inputs,
                const PlanNumbers &numbers) const override {
    Result<LowRankFactors> factors =
        factorLowRank(target, inputs, numbers.at(kRank));
    if (!factors)
      return factors.error();
    Result<PivotedLowRank> pivoted = pivotLowRank(*factors);
    if (!pivoted)
      return pivoted.error();
    return std::unique_ptr<FittedMap>(
        std::make_unique<PivotedMap>(pivoted.take()));
  }
  int64_t parameters(const LinearMap &map,
                     const PlanNumbers &numbers) const override {
    int64_t rank = numbers.at(kRank);
    return rank * (map.rows + map.columns - rank);
  }
  std::vector<TensorSpec> factors(const LinearMap &map,
                                  const PlanNumbers &numbers) const override {
    int64_t rank = numbers.at(kRank);
    return {{"columns", map.dtype, {map.rows, rank}},
            {"coefficients", map.dtype, {rank, map.columns - rank}},
            {"order", DataType::I32, {map.columns}}};
  }
};

} // namespace

Result<LowRankFactors> factorLowRank(const Matrix &target,
                                     const FitInputs &inputs, int64_t rank) {
  return fitLowRank(target, inputs.knownMoment(), rank, inputs.metric());
}

const MapStructure &lowRankStructure() {
  static const LowRankStructure structure;
  return structure;
}

const MapStructure &pivotedLowRankStructure() {
  static const PivotedStructure structure;
  return structure;
}

} // namespace linnet::compress
