//===- SumMaps.cpp - low rank and what it lacks ---------------------------===//
//
// A matrix of low rank holds what many weights share; a second structure holds
// what single ones have of their own. Either is fitted to what the other
// leaves, in turns.
//
//===----------------------------------------------------------------------===//

#include "MapStructure.h"

#include <algorithm>
#include <iterator>
#include <map>

namespace linnet::compress {
namespace {

constexpr const char *kRank = "rank";

using Stored = std::vector<std::vector<std::byte>>;

/// Turns of a fit with blocks, whose masks hardly move after these, and with a
/// diagonal, which creeps.
constexpr int64_t kBlockTurns = 4, kDiagonalTurns = 40;
/// A turn that takes less than this share off the loss is the last.
constexpr double kLeastGain = 1e-3;
/// Ranks that are tried with each of the other part's numbers, if it has many.
constexpr int64_t kRanks = 16;

class SumMap : public FittedMap {
public:
  SumMap(std::unique_ptr<FittedMap> low, std::unique_ptr<FittedMap> rest)
      : low(std::move(low)), rest(std::move(rest)) {}
  Matrix toDense() const override { return low->toDense() + rest->toDense(); }
  Result<Stored> store(const LinearMap &map) override {
    Stored all;
    for (FittedMap *part : {low.get(), rest.get()}) {
      Result<Stored> own = part->store(map);
      if (!own)
        return own.error();
      std::move(own->begin(), own->end(), std::back_inserter(all));
    }
    return all;
  }

private:
  std::unique_ptr<FittedMap> low, rest;
};

/// A rank, and the numbers of the other part.
class LowRankSumStructure : public MapStructure {
public:
  LowRankSumStructure(const char *label, const MapStructure &rest,
                      int64_t turns)
      : label(label), low(pivotedLowRankStructure()), rest(rest), turns(turns) {
  }

  std::string_view name() const override { return label; }
  std::vector<std::string> keys() const override {
    std::vector<std::string> all = rest.keys();
    all.insert(all.begin(), kRank);
    return all;
  }
  bool needsBudget() const override { return true; }
  bool weighsOutputs() const override { return true; }
  Status check(const LinearMap &map,
               const PlanNumbers &numbers) const override {
    if (Status status = low.check(map, numbers); !status)
      return status;
    return rest.check(map, numbers);
  }
  std::vector<PlanNumbers>
  candidates(const LinearMap &map,
             const CompressOptions &options) const override;
  Result<std::vector<double>>
  losses(const Matrix &w, const FitInputs &inputs,
         llvm::ArrayRef<double> spectrum,
         llvm::ArrayRef<PlanNumbers> candidates) const override;
  FitResult fit(const Matrix &target, const FitInputs &inputs,
                const PlanNumbers &numbers) const override;
  int64_t parameters(const LinearMap &map,
                     const PlanNumbers &numbers) const override {
    return low.parameters(map, numbers) + rest.parameters(map, numbers);
  }
  int64_t operations(const LinearMap &map,
                     const PlanNumbers &numbers) const override {
    return low.operations(map, numbers) + rest.operations(map, numbers);
  }
  std::vector<TensorSpec> factors(const LinearMap &map,
                                  const PlanNumbers &numbers) const override {
    std::vector<TensorSpec> all = low.factors(map, numbers);
    for (TensorSpec &spec : all)
      spec.name = "low_" + spec.name;
    for (TensorSpec &spec : rest.factors(map, numbers))
      all.push_back(std::move(spec));
    return all;
  }
  std::string attribute(const LinearMap &map,
                        const PlanNumbers &numbers) const override {
    return "sum<[#linnet." + low.attribute(map, numbers) + ", #linnet." +
           rest.attribute(map, numbers) + "]>";
  }

private:
  struct Best {
    std::unique_ptr<FittedMap> map;
    double loss = 0;
  };
  /// Starts with `other` as the second part.
  Status takeTurns(const Matrix &target, const FitInputs &inputs,
                   const PlanNumbers &numbers, Matrix other, Best &best) const;

  const char *label;
  const MapStructure &low, &rest;
  int64_t turns;
};

std::vector<PlanNumbers>
LowRankSumStructure::candidates(const LinearMap &map,
                                const CompressOptions &options) const {
  std::vector<PlanNumbers> ranks = low.candidates(map, options),
                           others = rest.candidates(map, options), found;
  auto step =
      std::max<size_t>(1, others.size() > 1 ? ranks.size() / kRanks : 1);
  for (size_t i = 0; i < ranks.size(); i += step)
    for (const PlanNumbers &numbers : others) {
      PlanNumbers both = ranks[i];
      both.insert(numbers.begin(), numbers.end());
      if (parameters(map, both) < map.parameters())
        found.push_back(std::move(both));
    }
  return found;
}

/// One order of ranks says it for all of them: the other part gets what each
/// leaves.
Result<std::vector<double>>
LowRankSumStructure::losses(const Matrix &w, const FitInputs &inputs,
                            llvm::ArrayRef<double> spectrum,
                            llvm::ArrayRef<PlanNumbers> candidates) const {
  std::map<int64_t, std::vector<size_t>> byRank;
  for (size_t i = 0; i < candidates.size(); ++i)
    byRank[candidates[i].at(kRank)].push_back(i);
  std::vector<double> found(candidates.size());
  if (byRank.empty())
    return found;
  int64_t most = byRank.rbegin()->first;
  Result<LowRankFactors> factors = factorLowRank(w, inputs, most);
  if (!factors)
    return factors.error();
  for (const auto &[rank, places] : byRank) {
    Matrix left = w - multiply(factors->left.columnRange(0, rank),
                               factors->right.rowRange(0, rank));
    std::vector<PlanNumbers> own;
    for (size_t place : places)
      own.push_back(candidates[place]);
    Result<std::vector<double>> lost = rest.losses(left, inputs, spectrum, own);
    if (!lost)
      return lost.error();
    for (size_t i = 0; i < places.size(); ++i)
      found[places[i]] = (*lost)[i];
  }
  return found;
}

Status LowRankSumStructure::takeTurns(const Matrix &target,
                                      const FitInputs &inputs,
                                      const PlanNumbers &numbers, Matrix other,
                                      Best &best) const {
  double before = 0;
  for (int64_t turn = 0; turn < turns; ++turn) {
    FitResult lowFit = low.fit(target - other, inputs, numbers);
    if (!lowFit)
      return lowFit.error();
    Matrix left = target - (*lowFit)->toDense();
    FitResult restFit = rest.fit(left, inputs, numbers);
    if (!restFit)
      return restFit.error();
    other = (*restFit)->toDense();
    double loss = inputs.lossOf(left - other);
    if (!best.map || loss < best.loss)
      best = {std::make_unique<SumMap>(lowFit.take(), restFit.take()), loss};
    if (turn > 0 && !(loss < (1 - kLeastGain) * before))
      break;
    before = loss;
  }
  return {};
}

/// From nothing, and from what the other part alone would be: large blocks are
/// better taken out before low rank bends to them.
FitResult LowRankSumStructure::fit(const Matrix &target,
                                   const FitInputs &inputs,
                                   const PlanNumbers &numbers) const {
  Best best;
  FitResult alone = rest.fit(target, inputs, numbers);
  if (!alone)
    return alone;
  for (Matrix start :
       {Matrix(target.rows(), target.columns()), (*alone)->toDense()})
    if (Status status =
            takeTurns(target, inputs, numbers, std::move(start), best);
        !status)
      return status.error();
  return std::move(best.map);
}

} // namespace

const MapStructure &lowRankSparseStructure() {
  static const LowRankSumStructure structure(
      "low_rank_sparse", blockSparseStructure(), kBlockTurns);
  return structure;
}

const MapStructure &diagonalLowRankStructure() {
  static const LowRankSumStructure structure(
      "diag_low_rank", diagonalStructure(), kDiagonalTurns);
  return structure;
}

} // namespace linnet::compress
