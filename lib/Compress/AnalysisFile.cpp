//===- AnalysisFile.cpp - an analysis as a person reads it ----------------===//

#include "Analyse.h"

#include "linnet/Support/Quote.h"

#include <algorithm>
#include <cmath>

namespace linnet::compress {

/// What lies beyond the rank that a matrix is said to use.
static constexpr double kUnusedShare = 0.01;

Json writeMapAnalysis(const LinearMap &map, const MapAnalysis &analysis) {
  Json entry = {
      {"shape", {map.rows, map.columns}},
      {"weight", analysis.weight},
      {"spectrum", analysis.spectrum},
      {"effective_rank", effectiveRank(analysis.spectrum)},
      {"utilised_rank", utilisedRank(analysis.spectrum, kUnusedShare)}};
  if (const auto &sensitivity = analysis.sensitivity)
    entry["sensitivity"] = {{"rank", sensitivity->rank},
                            {"loss", sensitivity->loss},
                            {sensitivity->measure, sensitivity->damage}};
  for (const MapChoice &choice : analysis.choices) {
    Json tried = {{"structure", choice.plan.structure->name()},
                  {"loss", choice.loss}};
    for (const auto &[key, number] : choice.plan.numbers)
      tried[key] = number;
    entry["choices"].push_back(tried);
  }
  return entry;
}

Result<MapAnalysis> readMapAnalysis(const Json &entry, const char *measure,
                                    const std::string &what) {
  MapAnalysis analysis;
  Result<std::vector<double>> spectrum = getDoubles(entry, "spectrum", what);
  if (!spectrum)
    return spectrum.error();
  analysis.spectrum = spectrum.take();
  if (const Json *found = findJson(entry, "sensitivity")) {
    Result<int64_t> rank = getInt(*found, "rank", what);
    Result<double> loss = getDouble(*found, "loss", what),
                   damage = getDouble(*found, measure, what);
    if (!rank)
      return rank.error();
    for (Result<double> *number : {&loss, &damage})
      if (!*number)
        return number->error();
    analysis.sensitivity = {measure, *damage, *rank, *loss};
  }
  const Json *choices = findJson(entry, "choices");
  for (const Json &choice : choices ? *choices : Json::array()) {
    Result<std::string> name = getString(choice, "structure", what);
    if (!name)
      return name.error();
    const MapStructure *structure = findStructure(*name);
    if (!structure)
      return makeError(what, ": key 'structure': expected ", listStructures(),
                       ", but got ", quoteName(*name));
    MapChoice read{*structure, 0};
    Result<double> loss = getDouble(choice, "loss", what);
    if (!loss)
      return loss.error();
    read.loss = *loss;
    for (const std::string &key : structure->keys()) {
      Result<int64_t> number = getInt(choice, key, what);
      if (!number)
        return number.error();
      read.plan.numbers[key] = *number;
    }
    analysis.choices.push_back(std::move(read));
  }
  return analysis;
}

namespace {

/// The numbers of options that say what matrices may become, by their keys.
struct OptionKey {
  const char *key;
  int64_t CompressOptions::*number;
};
constexpr OptionKey kOptionKeys[] = {
    {"group", &CompressOptions::group},
    {"blocks", &CompressOptions::blocks},
    {"block_height", &CompressOptions::blockHeight},
    {"block_width", &CompressOptions::blockWidth},
    {"pattern_kept", &CompressOptions::patternKept},
    {"pattern_size", &CompressOptions::patternSize},
    {"rank_multiple", &CompressOptions::rankMultiple}};

Status readOptions(const Json &file, const std::string &path,
                   CompressOptions &options) {
  Result<const Json *> entry = getObject(file, "options", path);
  if (!entry)
    return entry.error();
  std::string what = path + ": key 'options'";
  Result<std::vector<std::string>> structures =
      getStrings(**entry, "structures", what);
  if (!structures)
    return structures.error();
  options.structures = structures.take();
  for (const auto &[key, number] : kOptionKeys) {
    Result<int64_t> read = getInt(**entry, key, what);
    if (!read)
      return read.error();
    options.*number = *read;
  }
  return {};
}

/// What a file says of `map`, as a plan needs it.
Result<MapAnalysis> readPlannedMap(const Json &entry, const LinearMap &map,
                                   const std::string &what) {
  // Weights stand for sensitivities, and may have been edited.
  Json rest = entry;
  rest.erase("sensitivity");
  Result<MapAnalysis> read = readMapAnalysis(rest, "", what);
  if (!read)
    return read;
  Result<double> weight = getDouble(entry, "weight", what);
  if (!weight)
    return weight.error();
  read->weight = *weight;
  if (!(std::isfinite(*weight) && *weight >= 0))
    return makeError(what, ": key 'weight': expected at least 0, but got ",
                     *weight);
  for (const MapChoice &choice : read->choices) {
    if (!(std::isfinite(choice.loss) && choice.loss >= 0))
      return makeError(what,
                       ": key 'choices': expected losses of at least 0, but "
                       "got ",
                       choice.loss);
    if (Status status = choice.plan.structure->check(map, choice.plan.numbers);
        !status)
      return makeError(what, ": key 'choices': ", status.error().str());
  }
  return read;
}

bool isSamePlan(const MapChoice &a, const MapChoice &b) {
  return a.plan.structure == b.plan.structure &&
         a.plan.numbers == b.plan.numbers;
}

} // namespace

Json writeAnalysis(const std::vector<LinearMap> &maps,
                   const ModelAnalysis &model, const std::string &fingerprint,
                   const CompressOptions &options) {
  Json entries = Json::object();
  for (size_t i = 0; i < maps.size(); ++i)
    entries[maps[i].name] = writeMapAnalysis(maps[i], model.maps[i]);
  Json result = {{"model", fingerprint},
                 {"options", {{"structures", options.structures}}},
                 {"maps", entries}};
  for (const auto &[key, number] : kOptionKeys)
    result["options"][key] = options.*number;
  for (const LayerAnalysis &layer : model.layers)
    result["layers"].push_back(
        {{"influence", layer.influence}, {"linearity", layer.linearity}});
  return result;
}

Result<ModelAnalysis> readAnalysis(const Json &file, const std::string &path,
                                   const std::vector<LinearMap> &maps,
                                   const std::string &fingerprint,
                                   CompressOptions &options) {
  Result<std::string> model = getString(file, "model", path);
  if (!model)
    return model.error();
  if (*model != fingerprint)
    return makeError(path, ": key 'model': expected ", quoteName(fingerprint),
                     ", this model, but got ", quoteName(*model));
  if (Status status = readOptions(file, path, options); !status)
    return status.error();
  Result<const Json *> entries = getObject(file, "maps", path);
  if (!entries)
    return entries.error();
  ModelAnalysis analysis;
  // Layers of one function are planned together, choice by choice; they have
  // the same maps in the same order.
  std::map<std::pair<std::string, size_t>, size_t> first;
  size_t place = 0;
  for (size_t i = 0; i < maps.size(); ++i) {
    place = i > 0 && maps[i].layer == maps[i - 1].layer ? place + 1 : 0;
    std::string what = path + ": key 'maps', entry " + quoteName(maps[i].name);
    Result<const Json *> entry =
        getObject(**entries, maps[i].name, path + ": key 'maps'");
    if (!entry)
      return entry.error();
    Result<MapAnalysis> read = readPlannedMap(**entry, maps[i], what);
    if (!read)
      return read.error();
    auto [other, isFirst] = first.try_emplace({maps[i].function, place}, i);
    if (!isFirst &&
        !std::ranges::equal(read->choices, analysis.maps[other->second].choices,
                            isSamePlan))
      return makeError(what, ": key 'choices': expected those of ",
                       quoteName(maps[other->second].name),
                       " (with losses of their own), but got others");
    analysis.maps.push_back(read.take());
  }
  return analysis;
}

} // namespace linnet::compress
