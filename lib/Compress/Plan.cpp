//===- Plan.cpp - which matrix becomes what -------------------------------===//

#include "Plan.h"

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

/// "params:F" as F.
static Result<double> parseBudget(const std::string &text) {
  constexpr std::string_view kKind = "params:";
  double share = 0;
  std::string_view number = text;
  if (number.starts_with(kKind)) {
    number.remove_prefix(kKind.size());
    const char *end = number.data() + number.size();
    auto [stop, problem] = std::from_chars(number.data(), end, share);
    if (problem == std::errc() && stop == end && share > 0 && share <= 1)
      return share;
  }
  return makeError("--budget: expected params:F with F above 0 and at most 1, "
                   "but got ",
                   quoteName(text));
}

/// What a matrix may become, what each costs and how much damage it does; the
/// last choice keeps it.
struct MapChoices {
  std::vector<MapPlan> plans;
  std::vector<AllocationChoice> choices;
};

static double costOf(const LinearMap &map, MapStructure structure,
                     int64_t rank) {
  return double(CompressedMap{map.name, map.rows, map.columns, structure, rank}
                    .parameters());
}

static MapChoices choicesOf(const LinearMap &map, const MapAnalysis &analysis,
                            const CompressOptions &options) {
  MapChoices found;
  double left =
      std::accumulate(analysis.spectrum.begin(), analysis.spectrum.end(), 0.0);
  for (int64_t rank = 1; rank <= int64_t(analysis.spectrum.size()); ++rank) {
    left = std::max(left - analysis.spectrum[size_t(rank - 1)], 0.0);
    double cost = costOf(map, options.structure, rank);
    if (cost >= double(map.parameters()))
      break;
    if (rank % options.rankMultiple)
      continue;
    found.plans.push_back({options.structure, rank});
    found.choices.push_back({cost, analysis.weight * left});
  }
  found.plans.push_back({});
  found.choices.push_back({double(map.parameters()), 0});
  return found;
}

Result<double> readBudget(const std::vector<LinearMap> &maps,
                          const CompressOptions &options) {
  Result<double> share = parseBudget(options.budget);
  if (!share)
    return share.error();
  double total = 0, least = 0;
  for (const LinearMap &map : maps) {
    double all = double(map.parameters());
    bool fits = options.rankMultiple <= std::min(map.rows, map.columns);
    total += all;
    least += fits ? std::min(all, costOf(map, options.structure,
                                         options.rankMultiple))
                  : all;
  }
  if (least > *share * total)
    return makeError("--budget: expected at least params:", least / total,
                     " for ranks of at least ", options.rankMultiple,
                     ", but got ", quoteName(options.budget));
  return *share * total;
}

Result<std::vector<MapPlan>> planMaps(const std::vector<LinearMap> &maps,
                                      const std::vector<MapAnalysis> &analysis,
                                      double budget,
                                      const CompressOptions &options) {
  std::vector<MapChoices> found;
  std::vector<std::vector<AllocationChoice>> items;
  for (size_t i = 0; i < maps.size(); ++i) {
    found.push_back(choicesOf(maps[i], analysis[i], options));
    items.push_back(found.back().choices);
  }
  Result<std::vector<size_t>> chosen = allocateBudget(items, budget);
  if (!chosen)
    return chosen.error();
  std::vector<MapPlan> plans;
  for (size_t i = 0; i < maps.size(); ++i)
    plans.push_back(found[i].plans[(*chosen)[i]]);
  return plans;
}

/// Whether the codes of a row of `map` fill bytes.
static bool fillsBytes(MapStructure structure, const LinearMap &map) {
  return map.columns * bitsOf(structure) % 8 == 0;
}

int64_t groupOf(const MapPlan &plan, const LinearMap &map) {
  if (bitsOf(plan.structure) == 0)
    return 0;
  return plan.group ? std::min(plan.group, map.columns) : map.columns;
}

std::vector<MapPlan> quantizeAll(const std::vector<LinearMap> &maps,
                                 const CompressOptions &options,
                                 CompressReport &report) {
  std::vector<MapPlan> plans;
  for (const LinearMap &map : maps) {
    bool fits = fillsBytes(options.structure, map);
    plans.push_back(fits ? MapPlan{options.structure, 0, options.group}
                         : MapPlan());
    if (!fits)
      report.declined.push_back(map.name + ": its " +
                                std::to_string(map.columns) +
                                " inputs do not fill bytes");
  }
  return plans;
}

/// The codes that `entry`, which `what` names, gives `map`.
static Result<MapPlan> readCodes(MapStructure structure, const Json &entry,
                                 const LinearMap &map,
                                 const std::string &what) {
  Result<int64_t> group = getInt(entry, "group", what);
  if (!group)
    return group.error();
  if (*group < 1)
    return makeError(what, ": key 'group': expected at least 1, but got ",
                     *group);
  if (!fillsBytes(structure, map))
    return makeError(what,
                     ": key 'structure': expected inputs that fill "
                     "bytes for '",
                     structureName(structure), "', but got ", map.columns);
  return MapPlan{structure, 0, *group};
}

/// What `entry`, which `what` names, makes of `map`.
static Result<MapPlan> readMapPlan(const Json &entry, const LinearMap &map,
                                   const std::string &what) {
  Result<std::string> name = getString(entry, "structure", what);
  if (!name)
    return name.error();
  std::optional<MapStructure> structure = parseStructureName(*name);
  if (!structure)
    return makeError(what,
                     ": key 'structure': expected 'dense', 'low_rank', "
                     "'pivoted_low_rank', 'int8' or 'int4', but got ",
                     quoteName(*name));
  if (*structure == MapStructure::Dense)
    return MapPlan();
  if (bitsOf(*structure))
    return readCodes(*structure, entry, map, what);
  Result<int64_t> rank = getInt(entry, "rank", what);
  if (!rank)
    return rank.error();
  int64_t most = std::min(map.rows, map.columns);
  if (*rank < 1 || *rank > most)
    return makeError(what, ": key 'rank': expected 1 to ", most,
                     " for a matrix of ", map.rows, " x ", map.columns,
                     ", but got ", *rank);
  return MapPlan{*structure, *rank};
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

Json writePlan(const std::vector<CompressedMap> &maps,
               const std::string &fingerprint) {
  Json entries = Json::object();
  for (const CompressedMap &map : maps) {
    Json entry = {{"structure", structureName(map.structure)},
                  {"parameters", map.parameters()},
                  {"of", map.rows * map.columns},
                  {"shape", {map.rows, map.columns}},
                  {"error", map.error},
                  {"refit", map.isRefit}};
    if (hasRank(map.structure))
      entry["rank"] = map.rank;
    if (bitsOf(map.structure))
      entry["group"] = map.group;
    entries[map.name] = entry;
  }
  return {{"model", fingerprint}, {"maps", entries}};
}

} // namespace linnet::compress
