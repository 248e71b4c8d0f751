//===- SeededMaps.cpp - matrices of seeded rows ---------------------------===//

#include "MapStructure.h"

#include "linnet/Numerics/SeededFit.h"

#include <algorithm>

namespace linnet::compress {
namespace {

constexpr const char *kBlock = "block";
constexpr const char *kTerms = "terms";
constexpr const char *kSeed = "seed";

/// What candidates have; plans may say others.
constexpr int64_t kUsualSeed = 1;
/// Inputs of a block: so many fill vectors, and the product with the basis is
/// small beside that with the coefficients.
constexpr int64_t kMostInputs = 64, kFewestInputs = 8;
/// So many numbers of terms are tried.
constexpr int64_t kSteps = 32;

SeededBasis basisOf(const PlanNumbers &numbers) {
  return {numbers.at(kTerms), numbers.at(kBlock), numbers.at(kSeed)};
}

class SeededMap : public FittedMap {
public:
  SeededMap(Matrix coefficients, const SeededBasis &basis)
      : coefficients(std::move(coefficients)), basis(basis) {}
  Matrix toDense() const override { return seededMatrix(coefficients, basis); }
  Result<std::vector<std::vector<std::byte>>>
  store(const LinearMap &map) override {
    Result<std::vector<std::byte>> bytes = roundMatrix(coefficients, map.dtype);
    if (!bytes)
      return bytes.error();
    return std::vector<std::vector<std::byte>>{bytes.take()};
  }

private:
  Matrix coefficients;
  SeededBasis basis;
};

/// Coefficients of rows that follow from a seed. All matrices of a model have
/// the same rows, so that maps of one input share their products with it.
class SeededStructure : public MapStructure {
public:
  std::string_view name() const override { return "seeded"; }
  std::vector<std::string> keys() const override {
    return {kBlock, kTerms, kSeed};
  }
  bool needsBudget() const override { return true; }
  Status check(const LinearMap &map,
               const PlanNumbers &numbers) const override {
    auto [terms, block, seed] = basisOf(numbers);
    if (block < 1 || map.columns % block)
      return makeError("key 'block': expected a divisor of ", map.columns,
                       " inputs, but got ", block);
    if (terms < 1 || terms > block)
      return makeError("key 'terms': expected 1 to ", block,
                       ", key 'block', but got ", terms);
    if (seed < 0)
      return makeError("key 'seed': expected 0 or more, but got ", seed);
    return {};
  }
  std::vector<PlanNumbers> candidates(const LinearMap &map,
                                      const CompressOptions &) const override {
    int64_t block = kMostInputs;
    while (block >= kFewestInputs && map.columns % block)
      --block;
    if (block < kFewestInputs)
      return {};
    std::vector<PlanNumbers> found;
    int64_t step = std::max<int64_t>(1, block / kSteps);
    // As many terms as inputs are no fewer numbers, and worse rounded ones.
    for (int64_t terms = step; terms < block; terms += step)
      found.push_back({{kBlock, block}, {kTerms, terms}, {kSeed, kUsualSeed}});
    return found;
  }
  /// Those of all numbers of terms by one factorisation.
  Result<std::vector<double>>
  losses(const Matrix &w, const FitInputs &inputs, llvm::ArrayRef<double>,
         llvm::ArrayRef<PlanNumbers> candidates) const override {
    if (candidates.empty())
      return std::vector<double>();
    SeededBasis most = basisOf(candidates.front());
    for (const PlanNumbers &numbers : candidates)
      most.terms = std::max(most.terms, numbers.at(kTerms));
    Result<std::vector<double>> all =
        seededLosses(inputs.metric().weigh(w), inputs.knownMoment(), most);
    if (!all)
      return all;
    std::vector<double> found;
    for (const PlanNumbers &numbers : candidates)
      found.push_back((*all)[size_t(numbers.at(kTerms) - 1)]);
    return found;
  }
  FitResult fit(const Matrix &target, const FitInputs &inputs,
                const PlanNumbers &numbers) const override {
    SeededBasis basis = basisOf(numbers);
    Result<Matrix> coefficients =
        fitSeeded(target, inputs.knownMoment(), basis);
    if (!coefficients)
      return coefficients.error();
    return std::unique_ptr<FittedMap>(
        std::make_unique<SeededMap>(coefficients.take(), basis));
  }
  int64_t parameters(const LinearMap &map,
                     const PlanNumbers &numbers) const override {
    return map.rows * coefficientsPerRow(map, numbers);
  }
  int64_t operations(const LinearMap &map,
                     const PlanNumbers &numbers) const override {
    return (map.rows + numbers.at(kBlock)) * coefficientsPerRow(map, numbers);
  }
  std::vector<TensorSpec> factors(const LinearMap &map,
                                  const PlanNumbers &numbers) const override {
    return {{"coefficients",
             map.dtype,
             {map.rows, coefficientsPerRow(map, numbers)}}};
  }
  std::string attribute(const LinearMap &,
                        const PlanNumbers &numbers) const override {
    return "seeded<" + std::to_string(numbers.at(kTerms)) + ", " +
           std::to_string(numbers.at(kBlock)) + ", " +
           std::to_string(numbers.at(kSeed)) + ">";
  }

private:
  static int64_t coefficientsPerRow(const LinearMap &map,
                                    const PlanNumbers &numbers) {
    return map.columns / numbers.at(kBlock) * numbers.at(kTerms);
  }
};

} // namespace

const MapStructure &seededStructure() {
  static const SeededStructure structure;
  return structure;
}

} // namespace linnet::compress
