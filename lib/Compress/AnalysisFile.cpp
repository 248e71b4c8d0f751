//===- AnalysisFile.cpp - an analysis as a person reads it ----------------===//

#include "Analyse.h"

#include "linnet/Support/Quote.h"

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

Json writeAnalysis(const std::vector<LinearMap> &maps,
                   const ModelAnalysis &model, const std::string &fingerprint) {
  Json entries = Json::object();
  for (size_t i = 0; i < maps.size(); ++i)
    entries[maps[i].name] = writeMapAnalysis(maps[i], model.maps[i]);
  Json result = {{"model", fingerprint}, {"maps", entries}};
  for (const LayerAnalysis &layer : model.layers)
    result["layers"].push_back(
        {{"influence", layer.influence}, {"linearity", layer.linearity}});
  return result;
}

} // namespace linnet::compress
