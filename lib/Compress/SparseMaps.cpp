//===- SparseMaps.cpp - matrices with zeros -------------------------------===//
//
// Stored as matrices, zeros and all: other programs read them, and nothing gets
// smaller or faster by them here, so that a budget of bytes or multiplications
// declines them (block_sparse is what it can use).
//
// A kernel for 2 of 4 would pay. Measured on a Xeon with AVX-512 (2 vCPU,
// loaded by others), products of a vector with 2 GB of bf16 weights in panels
// of 64 outputs, medians of the ratios to the dense panels of 9 alternating
// runs, on one thread and two: 1.5 and 1.6 times as fast with the values and
// positions of 2 bits (the two values of a lane meet entries that vpermilps
// picks out of four broadcast inputs), 1.7 and 1.8 with a bitmap per input and
// vpexpandw. Both read 1.78 times fewer bytes. What is missing is the
// structure: codes and bitmaps are of a group of outputs, so packing has to
// make them.
//
//===----------------------------------------------------------------------===//

#include "MapStructure.h"

#include "linnet/Numerics/SparseFit.h"

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
  if (inputs.areIndependent()) {
    Result<Mask> mask = selectMask(scoreMagnitude(target), pattern);
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
    Result<Matrix> fitted =
        fitPattern(target, inputs, patternOf(target, numbers), false);
    if (!fitted)
      return fitted.error();
    return std::unique_ptr<FittedMap>(
        std::make_unique<PlainMap>(fitted.take()));
  }
  Result<std::vector<double>>
  losses(const Matrix &w, const FitInputs &inputs, llvm::ArrayRef<double>,
         llvm::ArrayRef<PlanNumbers> candidates) const override {
    std::vector<double> found;
    for (const PlanNumbers &numbers : candidates) {
      Result<Matrix> fitted =
          fitPattern(w, inputs, patternOf(w, numbers), true);
      if (!fitted)
        return fitted.error();
      found.push_back(inputs.lossOf(w - *fitted));
    }
    return found;
  }

private:
  virtual SparsityPattern patternOf(const Matrix &w,
                                    const PlanNumbers &numbers) const = 0;
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

/// So many of each group of inputs: 2 of 4.
class GroupSparseStructure : public PatternStructure {
public:
  std::string_view name() const override { return "nm_sparse"; }
  std::vector<std::string> keys() const override { return {kKept, kOf}; }
  Status check(const LinearMap &map,
               const PlanNumbers &numbers) const override {
    int64_t kept = numbers.at(kKept), of = numbers.at(kOf);
    if (of < 1 || kept < 1 || kept > of)
      return makeError("key 'kept': expected 1 to ", of, ", key 'of', but got ",
                       kept);
    if (map.columns % of)
      return makeError("key 'of': expected a divisor of ", map.columns,
                       " inputs, but got ", of);
    return {};
  }
  std::vector<PlanNumbers>
  candidates(const LinearMap &map,
             const CompressOptions &options) const override {
    if (map.columns % options.patternSize)
      return {};
    return {{{kKept, options.patternKept}, {kOf, options.patternSize}}};
  }
  int64_t parameters(const LinearMap &map,
                     const PlanNumbers &numbers) const override {
    return map.parameters() / numbers.at(kOf) * numbers.at(kKept);
  }

private:
  SparsityPattern patternOf(const Matrix &,
                            const PlanNumbers &numbers) const override {
    return SparsityPattern::keepOfInputs(numbers.at(kKept), numbers.at(kOf));
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
