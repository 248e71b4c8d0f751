//===- Plan.cpp - which matrix becomes what -------------------------------===//

#include "Plan.h"

#include "Channels.h"
#include "Experts.h"
#include "StateChannels.h"

#include "linnet/Numerics/Allocation.h"
#include "linnet/Support/Hash.h"
#include "linnet/Support/Quote.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <numeric>

namespace linnet::compress {

std::string fingerprintOf(const Archive &archive) {
  Hasher hash;
  for (const std::string &name : archive.names()) {
    const Archive::Tensor *tensor = archive.find(name);
    hash.update(name)
        .update(dataTypeName(tensor->dtype))
        .update(formatShape(tensor->shape))
        .update(tensor->data, tensor->bytes);
  }
  return toHex(hash.finish());
}

namespace {

struct BudgetName {
  std::string_view name;
  Budget::Kind kind;
  std::string_view counted;
};
constexpr BudgetName kBudgets[] = {
    {"params", Budget::Kind::Parameters, "parameters"},
    {"bytes", Budget::Kind::Bytes, "bytes"},
    {"flops", Budget::Kind::Operations, "multiplications"},
    {"latency", Budget::Kind::Seconds, "seconds"}};

/// "params:F" as its kind and F.
Result<std::pair<const BudgetName *, double>>
parseBudget(const std::string &text) {
  size_t colon = std::min(text.find(':'), text.size());
  for (const BudgetName &known : kBudgets) {
    if (known.name != std::string_view(text).substr(0, colon) ||
        colon == text.size())
      continue;
    double share = 0;
    const char *begin = text.data() + colon + 1,
               *end = text.data() + text.size();
    auto [stop, problem] = std::from_chars(begin, end, share);
    if (problem == std::errc() && stop == end && share > 0 && share <= 1)
      return std::pair(&known, share);
  }
  return makeError(
      "--budget: expected params:F, bytes:F, flops:F, latency:F or "
      "state:F with F above 0 and at most 1 (of state "
      "below), but got ",
      quoteName(text));
}

/// The structures that `options` names, all of which are known.
std::vector<const MapStructure *> structuresOf(const CompressOptions &options) {
  std::vector<const MapStructure *> found;
  for (const std::string &name : options.structures)
    found.push_back(findStructure(name));
  return found;
}

} // namespace

double Budget::costOf(const LinearMap &map, const MapStructure &structure,
                      const PlanNumbers &numbers) const {
  switch (kind) {
  case Kind::Parameters:
    return double(structure.parameters(map, numbers));
  case Kind::Bytes:
    return double(structure.bytes(map, numbers));
  case Kind::Operations:
    return double(structure.operations(map, numbers));
  case Kind::Seconds:
    return times->secondsOf(map, structure, numbers);
  }
  return 0;
}

Result<Budget> readBudget(const std::vector<LinearMap> &maps,
                          const CompressOptions &options,
                          const CompressReport &report) {
  auto parsed = parseBudget(options.budget);
  if (!parsed)
    return parsed.error();
  auto [named, share] = *parsed;
  Budget budget{named->kind, 0, options.floor, nullptr};
  std::vector<const MapStructure *> structures = structuresOf(options);
  if (named->kind == Budget::Kind::Seconds) {
    Result<KernelTimes> times =
        KernelTimes::measure(maps, structures, options, report);
    if (!times)
      return times.error();
    budget.times = std::make_shared<KernelTimes>(times.take());
  }
  std::vector<bool> pays(structures.size(), false);
  double total = 0, least = 0;
  for (const LinearMap &map : maps) {
    double all = budget.costOf(map, denseStructure(), {}), lowest = all;
    for (size_t i = 0; i < structures.size(); ++i)
      for (const PlanNumbers &numbers :
           structures[i]->candidates(map, options)) {
        double cost = budget.costOf(map, *structures[i], numbers);
        if (!budget.allows(cost, all))
          continue;
        pays[i] = pays[i] || cost < all;
        lowest = std::min(lowest, cost);
      }
    total += all;
    least += lowest;
  }
  for (size_t i = 0; i < structures.size(); ++i)
    if (!pays[i] && share < 1)
      return makeError("--structure: expected such as need fewer ",
                       named->counted, ", but got '", structures[i]->name(),
                       "', with which no matrix does");
  if (least > share * total)
    return makeError("--budget: expected at least ", named->name, ":",
                     least / total, " with these structures",
                     options.floor > 0 ? " and this --floor" : "", ", but got ",
                     quoteName(options.budget));
  budget.amount = share * total;
  return budget;
}

Result<PlannedMaps> planMaps(const std::vector<LinearMap> &maps,
                             const std::vector<MapAnalysis> &analysis,
                             const Budget &budget, const TiedMaps &tied) {
  std::vector<std::vector<MapPlan>> plans(tied.size());
  std::vector<std::vector<AllocationChoice>> items(tied.size());
  for (size_t i = 0; i < tied.size(); ++i) {
    // Maps of one function have the same choices at the same costs.
    const LinearMap &map = maps[tied[i].front()];
    double share = double(tied[i].size());
    double all = budget.costOf(map, denseStructure(), {});
    const std::vector<MapChoice> &choices = analysis[tied[i].front()].choices;
    for (size_t number = 0; number < choices.size(); ++number) {
      const MapPlan &plan = choices[number].plan;
      double cost = budget.costOf(map, *plan.structure, plan.numbers);
      if (cost >= all || !budget.allows(cost, all))
        continue;
      double damage = 0;
      for (size_t own : tied[i])
        damage += analysis[own].weight * analysis[own].choices[number].loss;
      plans[i].push_back(plan);
      items[i].push_back({share * cost, damage});
    }
    plans[i].push_back({});
    items[i].push_back({share * all, 0});
  }
  Result<std::vector<size_t>> chosen = allocateBudget(items, budget.amount);
  if (!chosen)
    return chosen.error();
  PlannedMaps planned{std::vector<MapPlan>(maps.size()), 0};
  for (size_t i = 0; i < tied.size(); ++i) {
    for (size_t own : tied[i])
      planned.plans[own] = plans[i][(*chosen)[i]];
    planned.damage += items[i][(*chosen)[i]].loss;
  }
  return planned;
}

std::vector<MapPlan> planAlike(const std::vector<LinearMap> &maps,
                               const CompressOptions &options,
                               CompressReport &report) {
  const MapStructure &structure = *structuresOf(options).front();
  std::vector<MapPlan> plans;
  for (const LinearMap &map : maps) {
    std::vector<PlanNumbers> candidates = structure.candidates(map, options);
    plans.push_back(candidates.empty()
                        ? MapPlan()
                        : MapPlan(structure, candidates.front()));
    if (candidates.empty())
      report.declined.push_back(map.name + ": " + structure.obstacle(map));
  }
  return plans;
}

/// What `entry`, which `what` names, makes of `map`.
static Result<MapPlan> readMapPlan(const Json &entry, const LinearMap &map,
                                   const std::string &what) {
  Result<std::string> name = getString(entry, "structure", what);
  if (!name)
    return name.error();
  const MapStructure *structure = findStructure(*name);
  // What only plans say, of channels, experts and layers.
  for (const MapStructure *narrow :
       {&keptInputsStructure(), &keptOutputsStructure(),
        &keptExpertsStructure(), &keptStateStructure(), &droppedStructure()})
    if (narrow->name() == *name)
      structure = narrow;
  if (!structure)
    return makeError(what, ": key 'structure': expected ", listStructures(),
                     ", but got ", quoteName(*name));
  PlanNumbers numbers;
  for (const std::string &key : structure->keys()) {
    Result<int64_t> number = getInt(entry, key, what);
    if (!number)
      return number.error();
    numbers[key] = *number;
  }
  if (Status status = structure->check(map, numbers); !status)
    return makeError(what, ": ", status.error().str());
  return MapPlan(*structure, std::move(numbers));
}

Result<std::vector<MapPlan>> readPlan(const std::string &path,
                                      const std::vector<LinearMap> &maps,
                                      const std::string &fingerprint) {
  Result<Json> plan = readJsonFile(path);
  if (!plan)
    return plan.error();
  Result<std::string> model = getString(*plan, "model", path);
  if (!model)
    return model.error();
  if (*model != fingerprint)
    return makeError(path, ": key 'model': expected ", quoteName(fingerprint),
                     ", this checkpoint, but got ", quoteName(*model));
  Result<const Json *> entries = getObject(*plan, "maps", path);
  if (!entries)
    return entries.error();
  std::map<std::string, size_t> known;
  for (size_t i = 0; i < maps.size(); ++i)
    known[maps[i].name] = i;
  std::vector<MapPlan> plans(maps.size());
  for (const auto &[name, entry] : (*entries)->items()) {
    std::string what = path + ": key 'maps', entry " + quoteName(name);
    auto place = known.find(name);
    if (place == known.end())
      return makeError(what, ": expected the matrix of a linear map of a "
                             "layer, but there is none of that name");
    Result<MapPlan> read = readMapPlan(entry, maps[place->second], what);
    if (!read)
      return read.error();
    plans[place->second] = *read;
  }
  return plans;
}

Json writePlan(const CompressReport &report, const std::string &fingerprint) {
  Json entries = Json::object();
  for (const CompressedMap &map : report.maps) {
    Json entry = {
        {"structure", map.structure},   {"parameters", map.parameters},
        {"of", map.rows * map.columns}, {"shape", {map.rows, map.columns}},
        {"error", map.error},           {"refit", map.isRefit}};
    for (const auto &[key, number] : map.numbers)
      entry[key] = number;
    entries[map.name] = entry;
  }
  Json plan = {{"model", fingerprint}, {"maps", entries}};
  for (const CompressedMixture &mixture : report.mixtures)
    plan["experts"][mixture.router] = mixture.kept;
  for (const CompressedState &state : report.states)
    plan["state_channels"][state.name] = state.kept;
  return plan;
}

} // namespace linnet::compress
