//===- Channels.cpp - narrower and fewer layers ---------------------------===//

#include "Channels.h"

#include "linnet/Numerics/ChannelPruning.h"
#include "linnet/Support/Quote.h"

#include "llvm/ADT/STLExtras.h"

#include <cmath>
#include <map>
#include <set>

namespace linnet::compress {

namespace ir = mlir::linnet;

//===----------------------------------------------------------------------===//
// Groups
//===----------------------------------------------------------------------===//

std::vector<ChannelGroup> findChannelGroups(mlir::ModuleOp module,
                                            const LinearMaps &found) {
  std::map<std::string, size_t> numbers;
  for (size_t i = 0; i < found.maps.size(); ++i)
    numbers[found.maps[i].name] = i;
  std::vector<ChannelGroup> groups;
  for (auto [number, layer] : llvm::enumerate(layersOf(module))) {
    // The map of an operation, if there is one.
    auto mapOf = [&, layer = int64_t(number)](ir::LinearOp linear) {
      std::string ignored;
      auto weight = linear.getFactors()[0].getDefiningOp<ir::WeightOp>();
      if (!weight || findMap(weight, ignored) != linear)
        return numbers.end();
      return numbers.find(ir::resolveWeightKey(weight.getKey(), layer));
    };
    layer.walk([&, layer = int64_t(number)](ir::LinearOp consumer) {
      auto place = mapOf(consumer);
      if (place == numbers.end())
        return;
      ChannelGroup group{
          place->second, {}, {}, found.maps[place->second].columns};
      for (mlir::Operation *op : producersOf(consumer.getInput())) {
        auto producer = mlir::cast<ir::LinearOp>(op);
        auto own = mapOf(producer);
        if (own == numbers.end())
          return;
        group.producers.push_back(own->second);
        if (!producer.getBias())
          continue;
        auto bias = producer.getBias().getDefiningOp<ir::WeightOp>();
        if (!bias || !bias->hasOneUse())
          return;
        group.biases.push_back(ir::resolveWeightKey(bias.getKey(), layer));
      }
      if (!group.producers.empty())
        groups.push_back(std::move(group));
    });
  }
  return groups;
}

Result<std::vector<MapPlan>>
planChannels(const std::vector<ChannelGroup> &groups, size_t maps, double share,
             int64_t multiple) {
  if (groups.empty())
    return makeError("--keep-channels: expected layers with channels between "
                     "two maps, but there are none");
  int64_t width = groups.front().width;
  for (const ChannelGroup &group : groups)
    if (group.width != width)
      return makeError("--keep-channels: expected as many channels in all "
                       "layers, but got ",
                       width, " and ", group.width);
  int64_t kept =
      std::llround(share * double(width) / double(multiple)) * multiple;
  kept = std::clamp<int64_t>(kept, 1, width);
  std::vector<MapPlan> plans(maps);
  for (const ChannelGroup &group : groups) {
    plans[group.consumer] = {keptInputsStructure(), {{"kept", kept}}};
    for (size_t producer : group.producers)
      plans[producer] = {keptOutputsStructure(), {{"kept", kept}}};
  }
  return plans;
}

/// How many channels `plan` keeps of a map with `width`; `structure` is the one
/// that leaves some out.
static int64_t keptOf(const MapPlan &plan, const MapStructure &structure,
                      int64_t width) {
  return plan.structure == &structure ? plan.numbers.at("kept") : width;
}

static Status checkGroups(const std::vector<LinearMap> &maps,
                          const std::vector<MapPlan> &plans,
                          const std::vector<ChannelGroup> &groups) {
  std::set<size_t> grouped;
  bool isNarrowed = false;
  std::map<int64_t, std::string> counts;
  for (const ChannelGroup &group : groups) {
    int64_t kept =
        keptOf(plans[group.consumer], keptInputsStructure(), group.width);
    grouped.insert(group.consumer);
    for (size_t producer : group.producers) {
      grouped.insert(producer);
      int64_t own =
          keptOf(plans[producer], keptOutputsStructure(), group.width);
      isNarrowed |= own < group.width;
      if (own != kept)
        return makeError(quoteName(maps[producer].name), ": expected ", kept,
                         " outputs, the inputs that ",
                         quoteName(maps[group.consumer].name),
                         " keeps, but got ", own);
    }
    if (plans[group.consumer].structure != &droppedStructure())
      counts[kept] = maps[group.consumer].name;
  }
  // As they are, layers may have what widths they like.
  if (isNarrowed && counts.size() > 1)
    return makeError(quoteName(counts.rbegin()->second), ": expected ",
                     counts.begin()->first, " kept inputs, as ",
                     quoteName(counts.begin()->second),
                     " has (configurations have one width for all layers), but "
                     "got ",
                     counts.rbegin()->first);
  for (size_t i = 0; i < maps.size(); ++i)
    if (!grouped.count(i) && (plans[i].structure == &keptInputsStructure() ||
                              plans[i].structure == &keptOutputsStructure()))
      return makeError(quoteName(maps[i].name),
                       ": expected a map at channels that other maps alone "
                       "share for '",
                       plans[i].structure->name(), "'");
  return {};
}

Status checkNarrowing(const std::vector<LinearMap> &maps,
                      const std::vector<MapPlan> &plans,
                      const std::vector<ChannelGroup> &groups) {
  std::map<int64_t, const LinearMap *> dropped, kept;
  for (size_t i = 0; i < maps.size(); ++i)
    (plans[i].structure == &droppedStructure() ? dropped
                                               : kept)[maps[i].layer] =
        &maps[i];
  for (const auto &[layer, map] : dropped)
    if (auto other = kept.find(layer); other != kept.end())
      return makeError(quoteName(other->second->name),
                       ": expected 'dropped' as ", quoteName(map->name),
                       " of the same layer has");
  if (kept.empty())
    return makeError("expected a layer that is not dropped");
  return checkGroups(maps, plans, groups);
}

//===----------------------------------------------------------------------===//
// Structures
//===----------------------------------------------------------------------===//

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

FitResult NarrowStructure::fit(const Matrix &target, const FitInputs &inputs,
                               const PlanNumbers &numbers) const {
  // Which outputs go is known with the consumer.
  if (!isConsumer)
    return denseStructure().fit(target, inputs, {});
  int64_t count = numbers.at("kept");
  Result<std::vector<int64_t>> kept =
      inputs.areIndependent()
          ? keepLargest(columnEnergies(target), count)
          : keepByBrainSurgeon(target, inputs.moment(), count);
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
