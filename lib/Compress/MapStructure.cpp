//===- MapStructure.cpp - what a matrix can become ------------------------===//

#include "MapStructure.h"

#include "linnet/Numerics/LowRank.h"

#include <algorithm>

namespace linnet::compress {

std::optional<FitTo> findFitTo(std::string_view name) {
  if (name == "outputs")
    return FitTo::Outputs;
  if (name == "scaled")
    return FitTo::Scaled;
  if (name == "weights")
    return FitTo::Weights;
  return std::nullopt;
}

FitInputs
FitInputs::withMetric(std::shared_ptr<const MetricRoots> metric) const {
  FitInputs inputs = *this;
  inputs.outputMetric = std::move(metric);
  return inputs;
}

FitInputs FitInputs::only(std::vector<int64_t> kept) const {
  FitInputs inputs = *this;
  inputs.keptInputs =
      std::make_shared<const std::vector<int64_t>>(std::move(kept));
  return inputs;
}

FitInputs FitInputs::seenBy(FitTo goal) const {
  if (goal == FitTo::Outputs || areIndependent())
    return *this;
  FitInputs none;
  none.keptInputs = keptInputs;
  if (goal == FitTo::Weights)
    return none;
  Matrix squares(moment().rows(), moment().columns());
  for (int64_t i = 0; i < squares.rows(); ++i)
    squares.at(i, i) = moment().at(i, i);
  FitInputs seen(std::move(squares));
  seen.shared->isDiagonal = true;
  seen.keptInputs = keptInputs;
  return seen;
}

const MetricRoots &FitInputs::metric() const {
  static const MetricRoots none;
  return outputMetric ? *outputMetric : none;
}

Result<std::vector<double>> FitInputs::spectrum(const Matrix &w) const {
  return lossSpectrum(w, knownMoment(), metric());
}

double FitInputs::lossOf(const Matrix &difference) const {
  Matrix weighed = metric().weigh(difference);
  return areIndependent() ? dot(weighed, weighed)
                          : outputLoss(weighed, moment());
}

Result<std::vector<double>>
MapStructure::losses(const Matrix &w, const FitInputs &inputs,
                     llvm::ArrayRef<double> spectrum,
                     llvm::ArrayRef<PlanNumbers> candidates) const {
  std::vector<double> found;
  for (const PlanNumbers &numbers : candidates) {
    FitResult fitted = tryFit(w, inputs, numbers);
    if (!fitted)
      return fitted.error();
    found.push_back(inputs.lossOf(w - (*fitted)->toDense()));
  }
  return found;
}

std::vector<TensorSpec> MapStructure::factors(const LinearMap &map,
                                              const PlanNumbers &) const {
  bool outIn = map.storage == mlir::linnet::Storage::OutIn;
  return {{"",
           map.dtype,
           {outIn ? map.rows : map.columns, outIn ? map.columns : map.rows}}};
}

int64_t MapStructure::bytes(const LinearMap &map,
                            const PlanNumbers &numbers) const {
  int64_t sum = 0;
  for (const TensorSpec &factor : factors(map, numbers)) {
    int64_t size = int64_t(dataTypeSize(factor.dtype));
    for (int64_t extent : factor.shape)
      size *= extent;
    sum += size;
  }
  return sum;
}

std::string MapStructure::obstacle(const LinearMap &map) const {
  return "its " + std::to_string(map.columns) +
         " inputs are no multiple of what '" + std::string(name()) +
         "' stores together";
}

MapPlan::MapPlan() : structure(&denseStructure()) {}

llvm::ArrayRef<const MapStructure *> allStructures() {
  static const MapStructure *const all[] = {&denseStructure(),
                                            &lowRankStructure(),
                                            &pivotedLowRankStructure(),
                                            &int8Structure(),
                                            &int4Structure(),
                                            &int8AsymmetricStructure(),
                                            &int4AsymmetricStructure(),
                                            &int8LowRankStructure(),
                                            &int4LowRankStructure(),
                                            &blastStructure(),
                                            &monarchStructure(),
                                            &lowRankSparseStructure(),
                                            &diagonalLowRankStructure(),
                                            &toeplitzStructure(),
                                            &circulantStructure(),
                                            &seededStructure(),
                                            &sparseStructure(),
                                            &groupSparseStructure(),
                                            &blockSparseStructure()};
  return all;
}

const MapStructure *findStructure(std::string_view name) {
  for (const MapStructure *structure : allStructures())
    if (structure->name() == name)
      return structure;
  return nullptr;
}

std::string listStructures(size_t skipped) {
  std::string list;
  auto all = allStructures().drop_front(skipped);
  for (size_t i = 0; i < all.size(); ++i) {
    if (i)
      list += i + 1 == all.size() ? " or " : ", ";
    list += "'" + std::string(all[i]->name()) + "'";
  }
  return list;
}

Result<std::vector<std::byte>> roundMatrix(Matrix &matrix, DataType type) {
  std::vector<std::byte> bytes(size_t(matrix.size()) * dataTypeSize(type));
  convertFromF64(matrix.data(), type, bytes.data(), size_t(matrix.size()));
  convertToF64(bytes.data(), type, matrix.data(), size_t(matrix.size()));
  if (!isFinite(matrix))
    return makeError("expected entries in the range of ", dataTypeName(type),
                     ", but got larger ones");
  return bytes;
}

Result<std::vector<std::byte>>
roundEntries(Matrix &matrix, int64_t count,
             llvm::function_ref<int64_t(int64_t, int64_t)> inputOf,
             DataType type) {
  Matrix entries(matrix.rows(), count);
  auto visit = [&](auto move) {
    for (int64_t r = 0; r < matrix.rows(); ++r)
      for (int64_t j = 0; j < count; ++j)
        move(matrix.at(r, inputOf(r, j)), entries.at(r, j));
  };
  visit([](double &from, double &to) { to = from; });
  Result<std::vector<std::byte>> bytes = roundMatrix(entries, type);
  if (bytes)
    visit([](double &to, double &from) { to = from; });
  return bytes;
}

Result<std::vector<std::vector<std::byte>>>
PlainMap::store(const LinearMap &map) {
  bool outIn = map.storage == mlir::linnet::Storage::OutIn;
  Matrix stored = outIn ? std::move(matrix) : matrix.transposed();
  Result<std::vector<std::byte>> bytes = roundMatrix(stored, map.dtype);
  if (!bytes)
    return bytes.error();
  matrix = outIn ? std::move(stored) : stored.transposed();
  return std::vector<std::vector<std::byte>>{bytes.take()};
}

namespace {

class DenseStructure : public MapStructure {
public:
  std::string_view name() const override { return "dense"; }
  std::vector<PlanNumbers> candidates(const LinearMap &,
                                      const CompressOptions &) const override {
    return {{}};
  }
  Result<std::vector<double>>
  losses(const Matrix &, const FitInputs &, llvm::ArrayRef<double>,
         llvm::ArrayRef<PlanNumbers> candidates) const override {
    return std::vector<double>(candidates.size(), 0.0);
  }
  FitResult fit(const Matrix &target, const FitInputs &,
                const PlanNumbers &) const override {
    return std::unique_ptr<FittedMap>(std::make_unique<PlainMap>(target));
  }
};

} // namespace

const MapStructure &denseStructure() {
  static const DenseStructure structure;
  return structure;
}

} // namespace linnet::compress
