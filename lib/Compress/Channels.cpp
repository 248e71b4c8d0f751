//===- Channels.cpp - narrower and fewer layers ---------------------------===//

#include "Channels.h"

#include "CheckOptions.h"
#include "TapExperts.h"

#include "linnet/Support/Quote.h"

#include "llvm/ADT/STLExtras.h"

#include <cmath>
#include <map>
#include <set>

namespace linnet::compress {

namespace ir = mlir::linnet;

//===----------------------------------------------------------------------===//
// Around heads
//===----------------------------------------------------------------------===//

Error standsBetweenMaps(mlir::Operation *op, const char *unit) {
  return makeError("'", op->getName().getStringRef().str(),
                   "' between its maps, which is not known to act on each ",
                   unit, " alone");
}

Result<ir::LinearOp> findConsumer(mlir::Value value, std::string_view what) {
  while (value.hasOneUse()) {
    mlir::OpOperand &use = *value.use_begin();
    mlir::Operation *user = use.getOwner();
    auto consumer = mlir::dyn_cast<ir::LinearOp>(user);
    if (consumer && use.getOperandNumber() == 0)
      return consumer;
    if (user->getNumResults() != 1)
      return standsBetweenMaps(user);
    value = user->getResult(0);
  }
  return makeError(what, " whose result several operations use");
}

//===----------------------------------------------------------------------===//
// Groups
//===----------------------------------------------------------------------===//

static int64_t countParts(const ChannelProducer &producer, bool isOfSets) {
  int64_t count = 0;
  for (const ProducerPart &part : producer.parts)
    if (part.isOfSets == isOfSets)
      count += part.count;
  return count;
}

int64_t ChannelProducer::perUnit(const KeptUnits &all) const {
  return countParts(*this, /*isOfSets=*/false) / all.units;
}

int64_t ChannelProducer::perSet(const KeptUnits &all) const {
  return countParts(*this, /*isOfSets=*/true) / all.sets;
}

int64_t ChannelGroup::keptOf(const ChannelProducer &producer,
                             const KeptUnits &kept) const {
  return producer.rows - producer.perUnit(all) * (all.units - kept.units) -
         producer.perSet(all) * (all.sets - kept.sets);
}

/// Which of `rows` slices, some of which go with units and sets by `parts`, are
/// needed for the inputs `kept` of `group`.
static std::vector<int64_t> slicesOf(const ChannelGroup &group, int64_t rows,
                                     llvm::ArrayRef<ProducerPart> parts,
                                     const std::vector<int64_t> &kept) {
  std::vector<bool> isKept(size_t(rows), true);
  for (const auto &[first, count, isOfSets] : parts) {
    int64_t pieces = isOfSets ? group.all.sets : group.all.units;
    int64_t inputs = group.width / pieces, outputs = count / pieces;
    std::vector<bool> needed(size_t(pieces), false);
    for (int64_t input : kept)
      needed[size_t(input / inputs)] = true;
    for (int64_t i = 0; i < count; ++i)
      isKept[size_t(first + i)] = needed[size_t(i / outputs)];
  }
  std::vector<int64_t> chosen;
  for (int64_t row = 0; row < rows; ++row)
    if (isKept[size_t(row)])
      chosen.push_back(row);
  return chosen;
}

std::vector<int64_t>
ChannelGroup::outputsFor(const ChannelProducer &producer,
                         const std::vector<int64_t> &kept) const {
  return slicesOf(*this, producer.rows, producer.parts, kept);
}

std::vector<int64_t>
ChannelGroup::slicesFor(const ChannelTensor &tensor,
                        const std::vector<int64_t> &kept) const {
  return slicesOf(*this, tensor.rows, tensor.parts, kept);
}

bool ChannelGroup::isNormed() const {
  return llvm::any_of(
      tensors, [](const ChannelTensor &tensor) { return tensor.isOfNorm; });
}

std::map<std::string, Matrix>
ChannelGroup::normFactors(const std::vector<int64_t> &kept) const {
  std::map<std::string, Matrix> factors;
  for (const ChannelTensor &tensor : tensors) {
    if (!tensor.isOfNorm)
      continue;
    std::vector<int64_t> slices = slicesFor(tensor, kept);
    Matrix factor(1, tensor.rows);
    for (int64_t slice : slices)
      factor.at(0, slice) =
          std::sqrt(double(tensor.rows) / double(slices.size()));
    factors[maskOf(tensor.name)] = std::move(factor);
  }
  return factors;
}

LayerMaps::LayerMaps(mlir::func::FuncOp layer, int64_t number,
                     const LinearMaps &found)
    : function(layer), layerNumber(number), found(found) {
  for (size_t i = 0; i < found.maps.size(); ++i)
    numbers[found.maps[i].name] = i;
}

std::optional<size_t> LayerMaps::numberOf(ir::LinearOp linear) const {
  std::string ignored;
  auto weight = linear.getFactors()[0].getDefiningOp<ir::WeightOp>();
  if (!weight || findMap(weight, ignored) != linear)
    return std::nullopt;
  auto place = numbers.find(ir::resolveWeightKey(weight.getKey(), layerNumber));
  if (place == numbers.end())
    return std::nullopt;
  return place->second;
}

std::optional<ChannelProducer>
LayerMaps::producer(ir::LinearOp linear,
                    std::vector<ProducerPart> parts) const {
  std::optional<size_t> number = numberOf(linear);
  if (!number)
    return std::nullopt;
  ChannelProducer producer{
      *number, found.maps[*number].rows, std::move(parts), {}};
  if (producer.parts.empty())
    producer.parts.push_back({0, producer.rows, false});
  if (!linear.getBias())
    return producer;
  auto bias = linear.getBias().getDefiningOp<ir::WeightOp>();
  if (!bias || !bias->hasOneUse())
    return std::nullopt;
  producer.bias = ir::resolveWeightKey(bias.getKey(), layerNumber);
  return producer;
}

static const ChannelKind *const kKinds[] = {&mlpChannels(), &attentionHeads(),
                                            &recurrentHeads()};

ChannelGroups findChannelGroups(mlir::ModuleOp module,
                                const LinearMaps &found) {
  ChannelGroups groups;
  for (auto [number, layer] : llvm::enumerate(layersOf(module)))
    for (const ChannelKind *kind : kKinds)
      kind->find(LayerMaps(layer, int64_t(number), found), groups);
  return groups;
}

//===----------------------------------------------------------------------===//
// Plans
//===----------------------------------------------------------------------===//

Result<int64_t> keepShare(double share, int64_t count, const char *flag,
                          const char *noun) {
  if (share >= 1)
    return count;
  int64_t kept = std::max<int64_t>(std::llround(share * double(count)), 1);
  if (kept == count)
    return makeError(flag, ": expected a share that leaves out one or more of ",
                     count, " ", noun, ", but got ", share);
  return kept;
}

Result<int64_t> fitState(double share, int64_t count, const char *noun) {
  // A share such as 2 / 3 has few digits.
  auto kept = int64_t(std::floor(share * double(count) + 1e-6));
  if (kept < 1)
    return makeError("--budget: expected at least state:", 1 / double(count),
                     ", one of ", count, " ", noun, ", but got state:", share);
  return kept;
}

Result<std::vector<MapPlan>> planChannels(const ChannelGroups &found,
                                          size_t maps,
                                          const CompressOptions &options) {
  std::vector<MapPlan> plans(maps);
  bool isOfState = stateShare(options) < 1, hasState = false;
  for (const ChannelKind *kind : kKinds) {
    bool isState = isOfState && kind->hasState();
    if (!kind->isAsked(options) && !isState)
      continue;
    if (auto obstacle = found.obstacles.find(kind);
        obstacle != found.obstacles.end())
      return makeError(kind->flags(), ": expected ", kind->noun(),
                       " in all layers that have them, but got ",
                       obstacle->second);
    const ChannelGroup *first = nullptr;
    for (const ChannelGroup &group : found.groups) {
      if (group.kind != kind)
        continue;
      if (!first)
        first = &group;
      if (group.width != first->width || group.all != first->all)
        return makeError(kind->flags(), ": expected as many ", kind->noun(),
                         " in all layers, but got ", first->width, " and ",
                         group.width);
      Result<KeptUnits> kept = kind->plan(group, options);
      if (!kept)
        return kept.error();
      plans[group.consumer] = {keptInputsStructure(),
                               {{"kept", kept->units * group.unit()}}};
      for (const ChannelProducer &producer : group.producers)
        if (int64_t own = group.keptOf(producer, *kept); own < producer.rows)
          plans[producer.map] = {keptOutputsStructure(), {{"kept", own}}};
    }
    hasState |= isState && first;
    if (!first && kind->isAsked(options))
      return makeError(kind->flags(), ": expected layers with ", kind->noun(),
                       ", but there are none");
  }
  if (isOfState && !hasState)
    return makeError("--budget: expected layers with heads of attention or of "
                     "scans for state:F, but there are none");
  return plans;
}

/// How many channels `plan` keeps of a map with `width`; `structure` is the one
/// that leaves some out.
static int64_t keptBy(const MapPlan &plan, const MapStructure &structure,
                      int64_t width) {
  return plan.structure == &structure ? plan.numbers.at("kept") : width;
}

namespace {

/// What the plans of a group's maps keep, if they agree.
class GroupCheck {
public:
  GroupCheck(const ChannelGroup &group, const std::vector<LinearMap> &maps,
             const std::vector<MapPlan> &plans)
      : group(group), maps(maps), plans(plans) {}

  Result<KeptUnits> run() const {
    int64_t kept =
        keptBy(plans[group.consumer], keptInputsStructure(), group.width);
    if (kept % group.unit())
      return makeError(nameOf(group.consumer),
                       ": expected to keep a multiple of ", group.unit(),
                       " inputs, the width of a head, but got ", kept);
    KeptUnits units{kept / group.unit(), group.all.sets};
    const ChannelProducer *ofSets = nullptr;
    for (const ChannelProducer &producer : group.producers) {
      int64_t part = producer.perSet(group.all);
      if (!part)
        continue;
      // What is not there for units, or for neither.
      int64_t own = keptOutputs(producer);
      int64_t others = group.keptOf(producer, {units.units, 0});
      if (own <= others || (own - others) % part)
        return makeError(nameOf(producer.map), ": expected to keep ",
                         others ? std::to_string(others) + " and " : "",
                         "a multiple of ", part,
                         " outputs, the width of a head, but got ", own);
      int64_t sets = (own - others) / part;
      if (ofSets && units.sets != sets)
        return makeError(nameOf(producer.map), ": expected ",
                         others + units.sets * part, " outputs, as ",
                         nameOf(ofSets->map), " keeps as many heads, but got ",
                         own);
      ofSets = &producer;
      units.sets = sets;
    }
    if (int64_t most = units.sets * (group.all.units / group.all.sets);
        ofSets && (units.units % units.sets || units.units > most))
      return makeError(nameOf(group.consumer), ": expected a multiple of ",
                       units.sets * group.unit(), " inputs, at most ",
                       most * group.unit(), ", for the ", units.sets,
                       " heads that ", nameOf(ofSets->map), " keeps, but got ",
                       kept);
    if (int64_t part = units.sets * group.unit(); kept % part)
      return makeError(nameOf(group.consumer),
                       ": expected to keep a multiple of ", part,
                       " inputs, as many heads of each group, but got ", kept);
    for (const ChannelProducer &producer : group.producers)
      if (int64_t needed = group.keptOf(producer, units);
          keptOutputs(producer) != needed)
        return makeError(nameOf(producer.map), ": expected ", needed,
                         " outputs, for the inputs that ",
                         nameOf(group.consumer), " keeps, but got ",
                         keptOutputs(producer));
    return units;
  }

private:
  std::string nameOf(size_t map) const { return quoteName(maps[map].name); }
  int64_t keptOutputs(const ChannelProducer &producer) const {
    return keptBy(plans[producer.map], keptOutputsStructure(), producer.rows);
  }

  const ChannelGroup &group;
  const std::vector<LinearMap> &maps;
  const std::vector<MapPlan> &plans;
};

} // namespace

static Status resolveGroups(const std::vector<LinearMap> &maps,
                            std::vector<MapPlan> &plans,
                            const std::vector<ChannelGroup> &groups) {
  std::set<size_t> consumers, producers;
  std::set<const ChannelKind *> narrowed;
  std::map<std::pair<const ChannelKind *, KeptUnits>, size_t> counts;
  for (const ChannelGroup &group : groups) {
    Result<KeptUnits> kept = GroupCheck(group, maps, plans).run();
    if (!kept)
      return kept.error();
    consumers.insert(group.consumer);
    for (const ChannelProducer &producer : group.producers)
      producers.insert(producer.map);
    MapPlan &plan = plans[group.consumer];
    if (plan.structure == &droppedStructure())
      continue;
    if (*kept != group.all)
      narrowed.insert(group.kind);
    counts.try_emplace({group.kind, *kept}, group.consumer);
    if (plan.structure == &keptInputsStructure() &&
        group.all != KeptUnits{group.width, 1})
      plan.numbers.insert({{"unit", group.unit()},
                           {"sets", group.all.sets},
                           {"kept_sets", kept->sets}});
  }
  for (size_t i = 0; i < maps.size(); ++i) {
    bool isConsumer = plans[i].structure == &keptInputsStructure();
    if ((isConsumer || plans[i].structure == &keptOutputsStructure()) &&
        !(isConsumer ? consumers : producers).count(i))
      return makeError(quoteName(maps[i].name),
                       ": expected a map at channels that other maps alone "
                       "share for '",
                       plans[i].structure->name(), "'");
  }
  // As they are, layers may have what widths they like.
  for (auto one = counts.begin(), next = one; one != counts.end(); one = next)
    if (++next != counts.end() && next->first.first == one->first.first &&
        narrowed.count(one->first.first) && !one->first.first->mayDiffer()) {
      auto [kind, fewer] = one->first;
      return makeError(quoteName(maps[next->second].name), ": expected ",
                       kind->describe(fewer), ", as ",
                       quoteName(maps[one->second].name),
                       " has (configurations have one width for all layers), "
                       "but got ",
                       kind->describe(next->first.second));
    }
  return {};
}

Status resolveNarrowing(const std::vector<LinearMap> &maps,
                        std::vector<MapPlan> &plans,
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
  return resolveGroups(maps, plans, groups);
}

std::optional<KeptUnits> keptUnits(const ChannelGroup &group,
                                   const std::vector<MapPlan> &plans) {
  const MapPlan &plan = plans[group.consumer];
  if (plan.structure != &keptInputsStructure())
    return std::nullopt;
  auto sets = plan.numbers.find("kept_sets");
  return KeptUnits{plan.numbers.at("kept") / group.unit(),
                   sets == plan.numbers.end() ? group.all.sets : sets->second};
}

} // namespace linnet::compress
