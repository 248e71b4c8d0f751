//===- MapStructure.h - what a matrix can become --------------*- C++ -*-===//
//
// One class for each structure says all that planning, fitting, writing and
// reporting need of it; these know no structure by name. Numbers of a structure
// (a rank, a group) stand in plans by name.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_COMPRESS_MAPSTRUCTURE_H
#define LIB_COMPRESS_MAPSTRUCTURE_H

#include "LinearMaps.h"

#include "linnet/Checkpoint/SafetensorsWriter.h"
#include "linnet/Compress/Compress.h"
#include "linnet/Numerics/LowRank.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"

#include <memory>
#include <optional>

namespace linnet::compress {

/// What a fit makes small.
enum class FitTo {
  /// The difference of outputs, on these inputs.
  Outputs,
  /// That of weights times the root mean square of their inputs.
  Scaled,
  /// That of weights.
  Weights,
};

/// By the names of CompressOptions::fitTo; nothing for other names.
std::optional<FitTo> findFitTo(std::string_view name);

/// The inputs of a map: their second moment E[x x^T], what several fits to them
/// share, and how errors of the map's outputs count.
class FitInputs {
public:
  /// Independent ones, of which nothing is known.
  FitInputs() = default;
  explicit FitInputs(Matrix moment)
      : shared(std::make_shared<Shared>(Shared{std::move(moment), false})) {}
  /// The same inputs of a map whose errors `metric` weighs.
  FitInputs withMetric(std::shared_ptr<const MetricRoots> metric) const;
  /// What a fit to `goal` knows of them; only that to outputs weighs outputs.
  FitInputs seenBy(FitTo goal) const;
  /// The same inputs, all of which but `kept` are 0, and known to be.
  FitInputs only(std::vector<int64_t> kept) const;
  /// Those; null: any may be something.
  const std::vector<int64_t> *kept() const { return keptInputs.get(); }
  bool areIndependent() const { return !shared; }
  /// Whether the moment is diagonal: no input can make up for another.
  bool areUncorrelated() const { return !shared || shared->isDiagonal; }
  /// Not of independent ones.
  const Matrix &moment() const { return shared->moment; }
  /// The same, null of independent ones.
  const Matrix *knownMoment() const {
    return shared ? &shared->moment : nullptr;
  }
  /// refitTarget() to them.
  Result<Matrix> refitTarget(const Matrix &w, const Matrix &cross, double trust,
                             double ridge) const {
    return refitTargetInPlace(w, cross, shared->moment, trust, ridge);
  }
  const MetricRoots &metric() const;
  /// What outputs lose by a difference of matrices, E|R^(1/2) D x|^2.
  double lossOf(const Matrix &difference) const;
  /// lossSpectrum(): at rank r outputs lose the sum of all but the first r.
  Result<std::vector<double>> spectrum(const Matrix &w) const;

private:
  struct Shared {
    Matrix moment;
    bool isDiagonal = false;
  };
  std::shared_ptr<Shared> shared;
  std::shared_ptr<const MetricRoots> outputMetric;
  std::shared_ptr<const std::vector<int64_t>> keptInputs;
};

/// What stands in for a matrix.
class FittedMap {
public:
  virtual ~FittedMap() = default;
  virtual Matrix toDense() const = 0;
  /// Rounds it to what is stored of `map`, a tensor of type `map.dtype`: the
  /// bytes of the factors, in their order. Errors: entries outside of the
  /// type's range.
  virtual Result<std::vector<std::vector<std::byte>>>
  store(const LinearMap &map) = 0;
  /// The inputs that are not left out, ascending; null if all stay.
  virtual const std::vector<int64_t> *keptInputs() const { return nullptr; }

  /// Whether it was fitted to what the original model computes rather than to
  /// the original matrix.
  bool isRefit = false;
};

using FitResult = Result<std::unique_ptr<FittedMap>>;

class MapStructure {
public:
  virtual ~MapStructure() = default;
  /// As plans and the command line say.
  virtual std::string_view name() const = 0;
  /// The names of its numbers.
  virtual std::vector<std::string> keys() const { return {}; }
  /// Whether a matrix can have it with more or fewer numbers, so that only a
  /// budget says which.
  virtual bool needsBudget() const { return false; }
  /// Whether fit() heeds how errors of outputs count.
  virtual bool weighsOutputs() const { return false; }
  /// Errors: numbers (all of keys() are there) that `map` cannot have.
  virtual Status check(const LinearMap &map, const PlanNumbers &numbers) const {
    return {};
  }
  /// What a plan may give `map` by these options; nothing if it cannot have
  /// the structure at all.
  virtual std::vector<PlanNumbers>
  candidates(const LinearMap &map, const CompressOptions &options) const = 0;
  /// Why there are none, as a report says it of `map`.
  virtual std::string obstacle(const LinearMap &map) const;
  /// What outputs lose with each of `candidates`, by tryFit().
  virtual Result<std::vector<double>>
  losses(const Matrix &w, const FitInputs &inputs,
         llvm::ArrayRef<double> spectrum,
         llvm::ArrayRef<PlanNumbers> candidates) const;
  /// The nearest matrix of the structure to `target` for these inputs.
  virtual FitResult fit(const Matrix &target, const FitInputs &inputs,
                        const PlanNumbers &numbers) const = 0;
  /// A cheaper fit, of which only the loss is asked.
  virtual FitResult tryFit(const Matrix &target, const FitInputs &inputs,
                           const PlanNumbers &numbers) const {
    return fit(target, inputs, numbers);
  }

  /// Numbers that are not 0 of themselves; indices and scales do not count.
  virtual int64_t parameters(const LinearMap &map,
                             const PlanNumbers &numbers) const {
    return map.parameters();
  }
  /// Multiplications per token in Linnet's kernel.
  virtual int64_t operations(const LinearMap &map,
                             const PlanNumbers &numbers) const {
    return parameters(map, numbers);
  }
  /// What is stored in place of the matrix: names behind that of its tensor
  /// (empty: its own), in the order of the structure attribute's factors.
  virtual std::vector<TensorSpec> factors(const LinearMap &map,
                                          const PlanNumbers &numbers) const;
  int64_t bytes(const LinearMap &map, const PlanNumbers &numbers) const;
  /// The structure attribute of the dialect; empty for a matrix that is stored
  /// as the importer expects it.
  virtual std::string attribute(const LinearMap &map,
                                const PlanNumbers &numbers) const {
    return {};
  }
};

/// What a matrix is to become.
struct MapPlan {
  MapPlan();
  MapPlan(const MapStructure &structure, PlanNumbers numbers = {})
      : structure(&structure), numbers(std::move(numbers)) {}

  const MapStructure *structure;
  PlanNumbers numbers;
};

/// All of them; the first is "dense", the matrix itself.
llvm::ArrayRef<const MapStructure *> allStructures();
/// Null for other names.
const MapStructure *findStructure(std::string_view name);
/// "'dense', 'low_rank' or 'int4'", but for the first `skipped`.
std::string listStructures(size_t skipped = 0);

/// Rounds `matrix` to `type`: its bytes. Errors: entries out of range.
Result<std::vector<std::byte>> roundMatrix(Matrix &matrix, DataType type);

/// Rounds the entries (r, inputOf(r, j)) of `matrix`, `count` in each row, to
/// `type`: their bytes, row by row. Errors: entries out of range.
Result<std::vector<std::byte>>
roundEntries(Matrix &matrix, int64_t count,
             llvm::function_ref<int64_t(int64_t, int64_t)> inputOf,
             DataType type);

template <typename T>
std::vector<std::byte> bytesOf(const std::vector<T> &values) {
  const auto *begin = reinterpret_cast<const std::byte *>(values.data());
  return {begin, begin + values.size() * sizeof(T)};
}

/// The best factors of `rank` for these inputs.
Result<LowRankFactors> factorLowRank(const Matrix &target,
                                     const FitInputs &inputs, int64_t rank);

/// A matrix without factors, as `map` stores it.
class PlainMap : public FittedMap {
public:
  explicit PlainMap(Matrix matrix) : matrix(std::move(matrix)) {}
  Matrix toDense() const override { return matrix; }
  Result<std::vector<std::vector<std::byte>>>
  store(const LinearMap &map) override;

private:
  Matrix matrix;
};

const MapStructure &denseStructure();
const MapStructure &lowRankStructure();
const MapStructure &pivotedLowRankStructure();
const MapStructure &int8Structure();
const MapStructure &int4Structure();
const MapStructure &int8AsymmetricStructure();
const MapStructure &int4AsymmetricStructure();
const MapStructure &int8LowRankStructure();
const MapStructure &int4LowRankStructure();
const MapStructure &blastStructure();
const MapStructure &monarchStructure();
const MapStructure &sparseStructure();
const MapStructure &groupSparseStructure();
const MapStructure &blockSparseStructure();
const MapStructure &lowRankSparseStructure();
const MapStructure &diagonalLowRankStructure();
const MapStructure &toeplitzStructure();
const MapStructure &circulantStructure();
const MapStructure &seededStructure();
/// Only a part of others.
const MapStructure &diagonalStructure();

} // namespace linnet::compress

#endif // LIB_COMPRESS_MAPSTRUCTURE_H
