//===- Experts.cpp - mixtures with fewer experts --------------------------===//

#include "Experts.h"

#include "Channels.h"
#include "KnownOutputs.h"

#include "linnet/Support/Quote.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <cmath>

namespace linnet::compress {

namespace ir = mlir::linnet;

//===----------------------------------------------------------------------===//
// In the IR
//===----------------------------------------------------------------------===//

namespace {

/// Finds what belongs to the experts of one operation.
class MixtureFinder {
public:
  MixtureFinder(ir::ExpertsOp experts, const LayerMaps &layer)
      : experts(experts), layer(layer) {}

  /// Errors: why none can be left out.
  Result<Mixture> run() {
    auto route = experts.getIndices().getDefiningOp<ir::RouteOp>();
    if (!route || experts.getWeights() != route.getWeights() ||
        !route.getIndices().hasOneUse() || !route.getWeights().hasOneUse())
      return makeError("experts that are not those of one router");
    auto linear = route.getLogits().getDefiningOp<ir::LinearOp>();
    std::optional<size_t> router =
        linear && linear->hasOneUse() ? layer.numberOf(linear) : std::nullopt;
    if (!router)
      return makeError("a router that is no matrix of the layer's own alone");
    mixture.layer = layer.number();
    mixture.router = *router;
    mixture.experts = mlir::cast<mlir::ShapedType>(route.getLogits().getType())
                          .getShape()
                          .back();
    mixture.chosen = int64_t(route.getK());
    mixture.groups = int64_t(route.getGroups());
    mixture.openGroups = int64_t(route.getTopGroups());
    mixture.judged = route.getGroupRule() == ir::GroupRule::BestTwo ? 2 : 1;
    llvm::SmallVector<mlir::Value> tensors(experts.getFactors());
    for (mlir::Value bias : {linear.getBias(), route.getBias()})
      if (bias)
        tensors.push_back(bias);
    for (mlir::Value tensor : tensors)
      if (Status status = addTensor(tensor); !status)
        return status.error();
    return std::move(mixture);
  }

private:
  Status addTensor(mlir::Value value) {
    ir::WeightOp weight = findWeight(value);
    if (!weight || !weight->hasOneUse() || !weight.getLayer())
      return makeError(weight ? quoteName(weight.getKey().str())
                              : std::string("a tensor that is computed"),
                       ", which is not of its experts alone");
    (weight.isStacked() ? mixture.members : mixture.stacked)
        .push_back(ir::resolveWeightKey(weight.getKey(), layer.number()));
    return {};
  }

  ir::ExpertsOp experts;
  const LayerMaps &layer;
  Mixture mixture;
};

} // namespace

Mixtures findMixtures(mlir::ModuleOp module, const LinearMaps &found) {
  Mixtures mixtures;
  for (auto [number, layer] : llvm::enumerate(layersOf(module))) {
    LayerMaps maps(layer, int64_t(number), found);
    auto decline = [&](const std::string &why) {
      if (mixtures.obstacle.empty())
        mixtures.obstacle = "layer " + std::to_string(number) + ": " + why;
    };
    bool isFirst = true;
    layer.walk([&](ir::ExpertsOp experts) {
      Result<Mixture> mixture = MixtureFinder(experts, maps).run();
      if (!mixture)
        decline(mixture.error().str());
      else if (!isFirst)
        decline("several mixtures");
      else
        mixtures.mixtures.push_back(mixture.take());
      isFirst = false;
    });
  }
  return mixtures;
}

//===----------------------------------------------------------------------===//
// How many, and which
//===----------------------------------------------------------------------===//

int64_t Mixture::least() const {
  int64_t inGroup = std::max((chosen + openGroups - 1) / openGroups, judged);
  return groups * inGroup;
}

std::vector<std::string> Mixture::tensors() const {
  std::vector<std::string> names = stacked;
  for (const std::string &key : members)
    for (int64_t e = 0; e < experts; ++e)
      names.push_back(ir::resolveMemberKey(key, e));
  return names;
}

static std::string nameOf(const Mixture &mixture,
                          const std::vector<LinearMap> &maps) {
  return quoteName(maps[mixture.router].name);
}

Result<int64_t> countExperts(const Mixtures &mixtures,
                             const CompressOptions &options) {
  constexpr const char *flag = "--keep-experts";
  if (!mixtures.obstacle.empty())
    return makeError(flag,
                     ": expected mixtures with a router of their own, "
                     "but got ",
                     mixtures.obstacle);
  if (mixtures.mixtures.empty())
    return makeError(flag, ": expected layers with mixtures of experts, but "
                           "there are none");
  const Mixture &first = mixtures.mixtures.front();
  for (const Mixture &mixture : mixtures.mixtures)
    if (mixture.experts != first.experts)
      return makeError(flag,
                       ": expected as many experts in all layers, but "
                       "got ",
                       first.experts, " and ", mixture.experts);
  // As many of each group.
  int64_t kept =
      first.groups * std::llround(options.keepExperts * double(first.experts) /
                                  double(first.groups));
  std::string taken = "each token takes " + std::to_string(first.chosen);
  if (first.groups > 1)
    taken += " of " + std::to_string(first.openGroups) + " of " +
             std::to_string(first.groups) + " groups of " +
             std::to_string(first.experts / first.groups);
  if (first.least() >= first.experts)
    return makeError(flag,
                     ": expected a router that can do without some "
                     "experts, but ",
                     taken);
  if (kept < first.least())
    return makeError(flag, ": expected at least ",
                     double(first.least()) / double(first.experts), ", ",
                     first.least(), " of ", first.experts, " experts, as ",
                     taken, ", but got ", options.keepExperts);
  if (kept >= first.experts)
    return makeError(flag, ": expected a share that leaves out one or more of ",
                     first.experts / first.groups, " experts",
                     first.groups > 1 ? " of each group" : "", ", but got ",
                     options.keepExperts);
  return kept;
}

std::vector<int64_t> keepBestExperts(const Mixture &mixture,
                                     llvm::ArrayRef<double> scores,
                                     int64_t count) {
  int64_t length = mixture.experts / mixture.groups,
          inGroup = count / mixture.groups;
  std::vector<int64_t> kept;
  for (int64_t group = 0; group < mixture.groups; ++group) {
    std::vector<int64_t> order;
    for (int64_t e = 0; e < length; ++e)
      order.push_back(group * length + e);
    llvm::sort(order, [&](int64_t a, int64_t b) {
      double of = scores[size_t(a)], other = scores[size_t(b)];
      return of > other || (of == other && a < b);
    });
    kept.insert(kept.end(), order.begin(), order.begin() + inGroup);
  }
  llvm::sort(kept);
  return kept;
}

//===----------------------------------------------------------------------===//
// Plans
//===----------------------------------------------------------------------===//

Result<KeptExperts> readExperts(const std::string &path,
                                const Mixtures &mixtures,
                                const std::vector<LinearMap> &maps) {
  Result<Json> plan = readJsonFile(path);
  if (!plan)
    return plan.error();
  KeptExperts kept(mixtures.mixtures.size());
  if (!findJson(*plan, "experts"))
    return kept;
  Result<const Json *> entries = getObject(*plan, "experts", path);
  if (!entries)
    return entries.error();
  for (const auto &[name, entry] : (*entries)->items()) {
    std::string what = path + ": key 'experts', entry " + quoteName(name);
    auto place = llvm::find_if(mixtures.mixtures, [&](const Mixture &mixture) {
      return maps[mixture.router].name == name;
    });
    if (place == mixtures.mixtures.end())
      return makeError(what, ": expected the matrix of a mixture's router, but "
                             "there is none of that name");
    std::vector<int64_t> numbers;
    for (const Json &number : entry) {
      int64_t last = numbers.empty() ? -1 : numbers.back();
      if (!number.is_number_integer() || number.get<int64_t>() <= last ||
          number.get<int64_t>() >= place->experts)
        return makeError(what, ": expected numbers of experts below ",
                         place->experts, ", ascending, but got ", entry.dump());
      numbers.push_back(number.get<int64_t>());
    }
    if (numbers.empty())
      return makeError(what, ": expected a list of experts, but got ",
                       entry.dump());
    kept[size_t(place - mixtures.mixtures.begin())] = std::move(numbers);
  }
  return kept;
}

/// Errors: fewer than the router can choose among, or not as many of each
/// group.
static Status checkKept(const Mixture &mixture,
                        const std::vector<int64_t> &kept,
                        const std::string &name) {
  if (int64_t(kept.size()) < mixture.least())
    return makeError(name, ": expected at least ", mixture.least(),
                     " kept experts, as each token takes ", mixture.chosen,
                     ", but got ", kept.size());
  std::vector<int64_t> counts(size_t(mixture.groups), 0);
  for (int64_t expert : kept)
    ++counts[size_t(expert / (mixture.experts / mixture.groups))];
  for (int64_t count : counts)
    if (count != counts.front())
      return makeError(name, ": expected as many kept experts in each of ",
                       mixture.groups, " groups, but got ", counts.front(),
                       " and ", count);
  return {};
}

Status resolveExperts(const Mixtures &mixtures, const KeptExperts &kept,
                      const std::vector<LinearMap> &maps,
                      std::vector<MapPlan> &plans) {
  const Mixture *first = nullptr;
  int64_t firstCount = 0;
  for (auto [mixture, own] : llvm::zip(mixtures.mixtures, kept)) {
    MapPlan &plan = plans[mixture.router];
    if (plan.structure == &droppedStructure())
      continue;
    std::string name = nameOf(mixture, maps);
    int64_t count = own.empty() ? mixture.experts : int64_t(own.size());
    if (!first) {
      first = &mixture;
      firstCount = count;
    }
    if (count != firstCount)
      return makeError(name, ": expected ", firstCount, " kept experts, as ",
                       nameOf(*first, maps),
                       " has (configurations have one number for all layers), "
                       "but got ",
                       count);
    if (own.empty())
      continue;
    if (plan.structure != &keptExpertsStructure() &&
        plan.structure != &denseStructure())
      return makeError(name,
                       ": expected 'dense' or 'kept_experts', as its "
                       "experts are listed, but got '",
                       plan.structure->name(), "'");
    if (Status status = checkKept(mixture, own, name); !status)
      return status;
    plan = count < mixture.experts
               ? MapPlan(keptExpertsStructure(), {{"kept", count}})
               : MapPlan();
  }
  for (size_t i = 0; i < maps.size(); ++i)
    if (plans[i].structure == &keptExpertsStructure() &&
        plans[i].numbers.empty())
      return makeError(quoteName(maps[i].name),
                       ": expected a list of kept experts of this router for "
                       "'kept_experts', but there is none");
  return {};
}

const MapStructure &keptExpertsStructure() {
  // Experts that go are there but never the best.
  static const KnownOutputs structure("kept_experts");
  return structure;
}

} // namespace linnet::compress
