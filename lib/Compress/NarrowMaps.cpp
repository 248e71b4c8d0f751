//===- NarrowMaps.cpp - matrices without some rows or columns -------------===//

#include "Channels.h"

#include "linnet/Numerics/ChannelPruning.h"

#include <numeric>

namespace linnet::compress {
namespace {

/// A map with some of its inputs, the others' columns being zeros.
class NarrowMap : public PlainMap {
public:
  NarrowMap(Matrix matrix, std::vector<int64_t> kept)
      : PlainMap(std::move(matrix)), kept(std::move(kept)) {}
  const std::vector<int64_t> *keptInputs() const override { return &kept; }

private:
  std::vector<int64_t> kept;
};

/// Matrices without some rows or columns.
class NarrowStructure : public MapStructure {
public:
  explicit NarrowStructure(bool isConsumer) : isConsumer(isConsumer) {}

  std::string_view name() const override {
    return isConsumer ? "kept_inputs" : "kept_outputs";
  }
  std::vector<std::string> keys() const override { return {"kept"}; }
  Status check(const LinearMap &map,
               const PlanNumbers &numbers) const override {
    int64_t most = isConsumer ? map.columns : map.rows;
    if (numbers.at("kept") < 1 || numbers.at("kept") > most)
      return makeError("key 'kept': expected 1 to ", most, ", but got ",
                       numbers.at("kept"));
    return {};
  }
  std::vector<PlanNumbers> candidates(const LinearMap &,
                                      const CompressOptions &) const override {
    return {};
  }
  FitResult fit(const Matrix &target, const FitInputs &inputs,
                const PlanNumbers &numbers) const override;
  int64_t parameters(const LinearMap &map,
                     const PlanNumbers &numbers) const override {
    return (isConsumer ? map.rows : map.columns) * numbers.at("kept");
  }
  std::vector<TensorSpec> factors(const LinearMap &map,
                                  const PlanNumbers &numbers) const override {
    LinearMap narrow = map;
    (isConsumer ? narrow.columns : narrow.rows) = numbers.at("kept");
    return denseStructure().factors(narrow, {});
  }

private:
  bool isConsumer;
};

/// The squared norm of each column.
std::vector<double> columnEnergies(const Matrix &w) {
  std::vector<double> energies(size_t(w.columns()), 0.0);
  for (int64_t r = 0; r < w.rows(); ++r)
    for (int64_t c = 0; c < w.columns(); ++c)
      energies[size_t(c)] += w.at(r, c) * w.at(r, c);
  return energies;
}

/// The number `key` of a plan, if it has it.
int64_t numberOr(const PlanNumbers &numbers, const char *key, int64_t other) {
  auto place = numbers.find(key);
  return place == numbers.end() ? other : place->second;
}

/// Keeps `count` units: by what is lost when the others make up for them, or,
/// with inputs of which nothing is known, the heaviest.
Result<std::vector<int64_t>> keepUnits(const Matrix &w, const Matrix &moment,
                                       int64_t count, ChannelUnits units) {
  return moment.size() ? keepByBrainSurgeon(w, moment, count, units)
                       : keepLargest(columnEnergies(w), count, units);
}

/// The inputs that are kept: whole sets first, then units of those.
Result<std::vector<int64_t>> chooseKept(const Matrix &target,
                                        const FitInputs &inputs,
                                        const PlanNumbers &numbers) {
  if (const std::vector<int64_t> *known = inputs.kept())
    return *known;
  int64_t unit = numberOr(numbers, "unit", 1),
          sets = numberOr(numbers, "sets", 1),
          keptSets = numberOr(numbers, "kept_sets", sets),
          kept = numbers.at("kept");
  Matrix w = target,
         moment = inputs.areIndependent() ? Matrix() : inputs.moment();
  std::vector<int64_t> chosen(size_t(target.columns()));
  std::iota(chosen.begin(), chosen.end(), 0);
  if (keptSets < sets) {
    Result<std::vector<int64_t>> whole =
        keepUnits(w, moment, keptSets, {target.columns() / sets, 1});
    if (!whole)
      return whole;
    chosen = whole.take();
    if (moment.size()) {
      Result<PrunedInputs> refit = refitKept(w, moment, chosen);
      if (!refit)
        return refit.error();
      w = std::move(refit->weights);
      moment = moment.takeRows(chosen).takeColumns(chosen);
    } else {
      w = w.takeColumns(chosen);
    }
  }
  if (kept == int64_t(chosen.size()))
    return chosen;
  Result<std::vector<int64_t>> left =
      keepUnits(w, moment, kept / unit, {unit, keptSets});
  if (!left)
    return left;
  for (int64_t &channel : *left)
    channel = chosen[size_t(channel)];
  return left;
}

FitResult NarrowStructure::fit(const Matrix &target, const FitInputs &inputs,
                               const PlanNumbers &numbers) const {
  // Which outputs go is known with the consumer.
  if (!isConsumer)
    return denseStructure().fit(target, inputs, {});
  Result<std::vector<int64_t>> kept = chooseKept(target, inputs, numbers);
  if (!kept)
    return kept.error();
  Matrix whole(target.rows(), target.columns());
  Matrix narrow;
  if (!inputs.areIndependent()) {
    Result<PrunedInputs> refit = refitKept(target, inputs.moment(), *kept);
    if (!refit)
      return refit.error();
    narrow = std::move(refit->weights);
  }
  for (int64_t r = 0; r < target.rows(); ++r)
    for (size_t k = 0; k < kept->size(); ++k)
      whole.at(r, (*kept)[k]) =
          narrow.size() ? narrow.at(r, int64_t(k)) : target.at(r, (*kept)[k]);
  return std::unique_ptr<FittedMap>(
      std::make_unique<NarrowMap>(std::move(whole), kept.take()));
}

/// A map of a layer that is not there any more.
class DroppedStructure : public MapStructure {
public:
  std::string_view name() const override { return "dropped"; }
  std::vector<PlanNumbers> candidates(const LinearMap &,
                                      const CompressOptions &) const override {
    return {};
  }
  FitResult fit(const Matrix &target, const FitInputs &,
                const PlanNumbers &) const override {
    return std::unique_ptr<FittedMap>(
        std::make_unique<PlainMap>(Matrix(target.rows(), target.columns())));
  }
  int64_t parameters(const LinearMap &, const PlanNumbers &) const override {
    return 0;
  }
  std::vector<TensorSpec> factors(const LinearMap &,
                                  const PlanNumbers &) const override {
    return {};
  }
};

} // namespace

std::unique_ptr<FittedMap> keepInputs(Matrix matrix,
                                      std::vector<int64_t> kept) {
  return std::make_unique<NarrowMap>(std::move(matrix), std::move(kept));
}

const MapStructure &keptInputsStructure() {
  static const NarrowStructure structure(/*isConsumer=*/true);
  return structure;
}

const MapStructure &keptOutputsStructure() {
  static const NarrowStructure structure(/*isConsumer=*/false);
  return structure;
}

const MapStructure &droppedStructure() {
  static const DroppedStructure structure;
  return structure;
}

} // namespace linnet::compress
