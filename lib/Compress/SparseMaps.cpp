//===- SparseMaps.cpp - matrices with zeros -------------------------------===//
//
// Any zeros are stored as such: other programs read them, and nothing gets
// smaller or faster by them here, so that a budget of bytes or multiplications
// declines them. Those of a pattern (so many of each group of inputs) are left
// out.
//
//===----------------------------------------------------------------------===//

#include "MapStructure.h"

#include "linnet/Numerics/SparseFit.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace linnet::compress {
namespace {

/// Steps of a fit, and of one that only measures a loss.
constexpr int64_t kSteps = 20, kTrialSteps = 12;
/// The pull of the mask; wide maps, whose inputs hang together more, need more
/// of it.
double penaltyOf(int64_t inputs) { return inputs < 700 ? 0.1 : 0.5; }

Result<Matrix> fitPattern(const Matrix &target, const FitInputs &inputs,
                          const SparsityPattern &pattern, bool isTrial) {
  if (inputs.areUncorrelated()) {
    Result<Matrix> scores = inputs.areIndependent()
                                ? scoreMagnitude(target)
                                : scoreActivations(target, inputs.moment());
    if (!scores)
      return scores.error();
    Result<Mask> mask = selectMask(*scores, pattern);
    return mask ? applyMask(target, *mask) : Result<Matrix>(mask.error());
  }
  SparseFitOptions options;
  options.iterations = isTrial ? kTrialSteps : kSteps;
  options.penalty = penaltyOf(target.columns());
  options.refitRows = !isTrial;
  Result<SparseWeights> fitted =
      fitSparse(target, inputs.moment(), pattern, options);
  if (!fitted)
    return fitted.error();
  return std::move(fitted->weights);
}

/// What patterns share.
class PatternStructure : public MapStructure {
public:
  FitResult fit(const Matrix &target, const FitInputs &inputs,
                const PlanNumbers &numbers) const override {
    return fitWeights(target, inputs, numbers, /*isTrial=*/false);
  }
  FitResult tryFit(const Matrix &target, const FitInputs &inputs,
                   const PlanNumbers &numbers) const override {
    return fitWeights(target, inputs, numbers, /*isTrial=*/true);
  }
  /// Prefill multiplies with zeros as well.
  int64_t operations(const LinearMap &map, const PlanNumbers &) const override {
    return map.parameters();
  }

private:
  virtual SparsityPattern patternOf(const Matrix &w,
                                    const PlanNumbers &numbers) const = 0;
  /// Weights with zeros by the pattern, as they are stored.
  virtual std::unique_ptr<FittedMap> hold(Matrix weights,
                                          const PlanNumbers &) const {
    return std::make_unique<PlainMap>(std::move(weights));
  }
  FitResult fitWeights(const Matrix &target, const FitInputs &inputs,
                       const PlanNumbers &numbers, bool isTrial) const {
    Result<Matrix> fitted =
        fitPattern(target, inputs, patternOf(target, numbers), isTrial);
    if (!fitted)
      return fitted.error();
    return hold(fitted.take(), numbers);
  }
};

constexpr const char *kKept = "kept", *kOf = "of";

/// Any numbers of the matrix.
class SparseStructure : public PatternStructure {
public:
  std::string_view name() const override { return "sparse"; }
  std::vector<std::string> keys() const override { return {kKept}; }
  bool needsBudget() const override { return true; }
  Status check(const LinearMap &map,
               const PlanNumbers &numbers) const override {
    if (numbers.at(kKept) < 1 || numbers.at(kKept) > map.parameters())
      return makeError("key 'kept': expected 1 to ", map.parameters(),
                       " for a matrix of ", map.rows, " x ", map.columns,
                       ", but got ", numbers.at(kKept));
    return {};
  }
  std::vector<PlanNumbers> candidates(const LinearMap &map,
                                      const CompressOptions &) const override {
    std::vector<PlanNumbers> found;
    for (double share :
         {0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.75, 0.9})
      if (int64_t kept = std::llround(share * double(map.parameters())))
        found.push_back({{kKept, kept}});
    return found;
  }
  int64_t parameters(const LinearMap &,
                     const PlanNumbers &numbers) const override {
    return numbers.at(kKept);
  }

private:
  SparsityPattern patternOf(const Matrix &w,
                            const PlanNumbers &numbers) const override {
    return SparsityPattern::keepOverMatrix(double(numbers.at(kKept)) /
                                           double(w.size()));
  }
};

/// The kept values of every group of inputs, and where they stand.
class GroupSparseMap : public FittedMap {
public:
  GroupSparseMap(Matrix weights, int64_t kept, int64_t of)
      : weights(std::move(weights)), kept(kept), of(of) {}
  Matrix toDense() const override { return weights; }
  Result<std::vector<std::vector<std::byte>>>
  store(const LinearMap &map) override {
    int64_t groups = weights.columns() / of, bits = positionBits(of),
            count = groups * kept;
    std::vector<int64_t> inputs;
    std::vector<uint8_t> positions(size_t(weights.rows() * count * bits / 8));
    for (int64_t r = 0; r < weights.rows(); ++r)
      for (int64_t g = 0; g < groups; ++g)
        for (int64_t place : placesOf(r, g)) {
          auto at = int64_t(inputs.size());
          inputs.push_back(g * of + place);
          positions[size_t(at * bits / 8)] |= uint8_t(place << (at * bits % 8));
        }
    Result<std::vector<std::byte>> bytes = roundEntries(
        weights, count,
        [&](int64_t r, int64_t j) { return inputs[size_t(r * count + j)]; },
        map.dtype);
    if (!bytes)
      return bytes.error();
    return std::vector{bytes.take(), bytesOf(positions)};
  }

  static int64_t positionBits(int64_t of) { return of <= 4 ? 2 : 4; }

private:
  /// Where the values of a group stand, ascending: those that are not 0, and
  /// others if these are fewer.
  std::vector<int64_t> placesOf(int64_t row, int64_t group) const {
    std::vector<int64_t> places;
    for (bool wanted : {true, false})
      for (int64_t i = 0; i < of && int64_t(places.size()) < kept; ++i)
        if ((weights.at(row, group * of + i) != 0) == wanted)
          places.push_back(i);
    std::sort(places.begin(), places.end());
    return places;
  }

  Matrix weights;
  int64_t kept, of;
};

/// So many of each group of inputs: 2 of 4. Decode multiplies with these alone.
class GroupSparseStructure : public PatternStructure {
public:
  std::string_view name() const override { return "nm_sparse"; }
  std::vector<std::string> keys() const override { return {kKept, kOf}; }
  Status check(const LinearMap &map,
               const PlanNumbers &numbers) const override {
    int64_t kept = numbers.at(kKept), of = numbers.at(kOf);
    if (of < 1 || of > kMostOf || kept < 1 || kept > of)
      return makeError("key 'kept': expected 1 to ",
                       std::clamp<int64_t>(of, 1, kMostOf),
                       ", key 'of', which is at most ", kMostOf, ", but got ",
                       kept, " of ", of);
    if (map.columns % of)
      return makeError("key 'of': expected a divisor of ", map.columns,
                       " inputs, but got ", of);
    if (map.columns / of * kept * GroupSparseMap::positionBits(of) % 8)
      return makeError("key 'kept': expected positions of ", map.columns,
                       " inputs that fill bytes, but got ", kept, " of ", of);
    return {};
  }
  std::vector<PlanNumbers>
  candidates(const LinearMap &map,
             const CompressOptions &options) const override {
    PlanNumbers numbers{{kKept, options.patternKept},
                        {kOf, options.patternSize}};
    if (!check(map, numbers))
      return {};
    return {numbers};
  }
  int64_t parameters(const LinearMap &map,
                     const PlanNumbers &numbers) const override {
    return map.parameters() / numbers.at(kOf) * numbers.at(kKept);
  }
  std::vector<TensorSpec> factors(const LinearMap &map,
                                  const PlanNumbers &numbers) const override {
    int64_t count = map.columns / numbers.at(kOf) * numbers.at(kKept);
    return {{"values", map.dtype, {map.rows, count}},
            {"positions",
             DataType::I8,
             {map.rows,
              count * GroupSparseMap::positionBits(numbers.at(kOf)) / 8}}};
  }
  std::string attribute(const LinearMap &,
                        const PlanNumbers &numbers) const override {
    return "nm_sparse<" + std::to_string(numbers.at(kKept)) + ", " +
           std::to_string(numbers.at(kOf)) + ">";
  }

private:
  /// Of inputs in a group.
  static constexpr int64_t kMostOf = 16;

  SparsityPattern patternOf(const Matrix &,
                            const PlanNumbers &numbers) const override {
    return SparsityPattern::keepOfInputs(numbers.at(kKept), numbers.at(kOf));
  }
  std::unique_ptr<FittedMap> hold(Matrix weights,
                                  const PlanNumbers &numbers) const override {
    return std::make_unique<GroupSparseMap>(std::move(weights),
                                            numbers.at(kKept), numbers.at(kOf));
  }
};

} // namespace

const MapStructure &sparseStructure() {
  static const SparseStructure structure;
  return structure;
}

const MapStructure &groupSparseStructure() {
  static const GroupSparseStructure structure;
  return structure;
}

} // namespace linnet::compress
