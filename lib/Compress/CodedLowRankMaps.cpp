//===- CodedLowRankMaps.cpp - two factors of codes ------------------------===//

#include "MapStructure.h"

#include "linnet/Numerics/LowRank.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace linnet::compress {
namespace {

constexpr const char *kRank = "rank", *kGroup = "group";

using Stored = std::vector<std::vector<std::byte>>;

class CodedFactorsMap : public FittedMap {
public:
  CodedFactorsMap(std::unique_ptr<FittedMap> left,
                  std::unique_ptr<FittedMap> right)
      : left(std::move(left)), right(std::move(right)) {}
  Matrix toDense() const override {
    return multiply(left->toDense(), right->toDense());
  }
  Result<Stored> store(const LinearMap &map) override {
    Stored all;
    for (FittedMap *factor : {left.get(), right.get()}) {
      Result<Stored> own = factor->store(map);
      if (!own)
        return own.error();
      std::move(own->begin(), own->end(), std::back_inserter(all));
    }
    return all;
  }

private:
  std::unique_ptr<FittedMap> left, right;
};

/// A rank and a group of inputs of both factors.
class CodedLowRankStructure : public MapStructure {
public:
  CodedLowRankStructure(const char *label, const MapStructure &codes)
      : label(label), codes(codes) {}

  std::string_view name() const override { return label; }
  std::vector<std::string> keys() const override { return {kRank, kGroup}; }
  bool needsBudget() const override { return true; }
  Status check(const LinearMap &map,
               const PlanNumbers &numbers) const override {
    auto [left, right] = factorMaps(map, numbers);
    for (const LinearMap &factor : {right, left})
      if (Status status = codes.check(factor, groupOf(numbers)); !status)
        return status;
    return lowRankStructure().check(map, numbers);
  }
  std::vector<PlanNumbers>
  candidates(const LinearMap &map,
             const CompressOptions &options) const override {
    std::vector<PlanNumbers> found;
    int64_t group =
        options.group ? options.group : std::max(map.rows, map.columns);
    for (PlanNumbers &ranks : lowRankStructure().candidates(map, options)) {
      ranks[kGroup] = group;
      if (check(map, ranks))
        found.push_back(std::move(ranks));
    }
    return found;
  }
  /// What is cut off, and of the rest the share that codes of W itself lose:
  /// near enough to plan with.
  Result<std::vector<double>>
  losses(const Matrix &w, const FitInputs &inputs,
         llvm::ArrayRef<double> spectrum,
         llvm::ArrayRef<PlanNumbers> candidates) const override {
    std::vector<double> found;
    if (candidates.empty())
      return found;
    double all = std::accumulate(spectrum.begin(), spectrum.end(), 0.0);
    FitResult coded =
        codes.fit(w, inputs.withMetric(nullptr),
                  {{kGroup, std::min(candidates[0].at(kGroup), w.columns())}});
    if (!coded)
      return coded.error();
    double lost = inputs.lossOf(w - (*coded)->toDense());
    for (const PlanNumbers &numbers : candidates) {
      double cut = std::accumulate(spectrum.begin() + numbers.at(kRank),
                                   spectrum.end(), 0.0);
      // Both factors lose.
      found.push_back(cut + (all > 0 ? 2 * lost * (all - cut) / all : 0));
    }
    return found;
  }
  FitResult fit(const Matrix &target, const FitInputs &inputs,
                const PlanNumbers &numbers) const override;
  int64_t parameters(const LinearMap &map,
                     const PlanNumbers &numbers) const override {
    return lowRankStructure().parameters(map, numbers);
  }
  std::vector<TensorSpec> factors(const LinearMap &map,
                                  const PlanNumbers &numbers) const override {
    std::vector<TensorSpec> all;
    auto [left, right] = factorMaps(map, numbers);
    for (const auto &[factor, side] :
         {std::pair(left, "left_"), std::pair(right, "right_")})
      for (TensorSpec &spec : codes.factors(factor, groupOf(numbers))) {
        spec.name = side + spec.name;
        all.push_back(std::move(spec));
      }
    return all;
  }
  std::string attribute(const LinearMap &map,
                        const PlanNumbers &numbers) const override {
    std::string part = "#linnet." + codes.attribute(map, groupOf(numbers));
    return "product<[" + part + ", " + part + "]>";
  }

private:
  /// Both factors as maps of their own.
  static std::pair<LinearMap, LinearMap>
  factorMaps(const LinearMap &map, const PlanNumbers &numbers) {
    LinearMap left = map, right = map;
    left.columns = right.rows = numbers.at(kRank);
    return {left, right};
  }
  static PlanNumbers groupOf(const PlanNumbers &numbers) {
    return {{kGroup, numbers.at(kGroup)}};
  }

  const char *label;
  const MapStructure &codes;
};

FitResult CodedLowRankStructure::fit(const Matrix &target,
                                     const FitInputs &inputs,
                                     const PlanNumbers &numbers) const {
  // A metric would stretch the factors, which costs their codes more than it
  // gains: 0.937 nats per token rather than 0.934 for linnet-llama in 0.13 of
  // its bytes.
  Result<LowRankFactors> factors =
      factorLowRank(target, inputs.withMetric(nullptr), numbers.at(kRank));
  if (!factors)
    return factors.error();
  PlanNumbers group = groupOf(numbers);
  FitResult right =
      codes.fit(factors->right, inputs.withMetric(nullptr), group);
  if (!right)
    return right;
  // The left one makes up for what the right one lost: least squares on its
  // outputs.
  Matrix coded = (*right)->toDense();
  Matrix seen =
      inputs.areIndependent() ? coded : multiply(coded, inputs.moment());
  Matrix middle = multiply(seen, coded, Side::AsIs, Side::Transposed);
  double pull =
      1e-6 * trace(middle) / double(std::max<int64_t>(1, middle.rows()));
  if (!(pull > 0)) {
    FitResult left = codes.fit(factors->left, FitInputs(), group);
    if (!left)
      return left;
    return std::unique_ptr<FittedMap>(
        std::make_unique<CodedFactorsMap>(left.take(), right.take()));
  }
  Matrix cross = multiply(seen, target, Side::AsIs, Side::Transposed);
  Result<Matrix> solved = solvePositive(
      middle + pull * Matrix::identity(middle.rows()), std::move(cross));
  if (!solved)
    return solved.error();
  FitResult left =
      codes.fit(solved->transposed(), FitInputs(std::move(middle)), group);
  if (!left)
    return left;
  return std::unique_ptr<FittedMap>(
      std::make_unique<CodedFactorsMap>(left.take(), right.take()));
}

} // namespace

const MapStructure &int8LowRankStructure() {
  static const CodedLowRankStructure structure("low_rank_int8",
                                               int8Structure());
  return structure;
}

const MapStructure &int4LowRankStructure() {
  static const CodedLowRankStructure structure("low_rank_int4",
                                               int4Structure());
  return structure;
}

} // namespace linnet::compress
