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

/// The squared singular values of W, which descend.
static Result<std::vector<double>> spectrumOf(const Matrix &w) {
  bool wide = w.columns() > w.rows();
  Result<SymmetricEigen> eigen =
      symmetricEigen(multiply(w, w, wide ? Side::AsIs : Side::Transposed,
                              wide ? Side::Transposed : Side::AsIs));
  if (!eigen)
    return eigen.error();
  for (double &value : eigen->values)
    value = std::max(value, 0.0);
  return std::move(eigen->values);
}

/// The ranks that are smaller than the matrix, and what each costs and loses;
/// the last choice, of rank 0, keeps the matrix.
struct RankChoices {
  std::vector<int64_t> ranks;
  std::vector<AllocationChoice> choices;
};

static RankChoices choicesOf(const LinearMap &map,
                             const std::vector<double> &spectrum,
                             int64_t multiple) {
  RankChoices found;
  double all = std::accumulate(spectrum.begin(), spectrum.end(), 0.0);
  double kept = 0;
  for (int64_t rank = 1; rank <= int64_t(spectrum.size()); ++rank) {
    kept += spectrum[size_t(rank - 1)];
    int64_t cost = rank * (map.rows + map.columns);
    if (cost >= map.parameters())
      break;
    if (rank % multiple)
      continue;
    found.ranks.push_back(rank);
    found.choices.push_back(
        {double(cost), all > 0 ? std::max(all - kept, 0.0) / all : 0});
  }
  found.ranks.push_back(0);
  found.choices.push_back({double(map.parameters()), 0});
  return found;
}

Result<std::vector<int64_t>> planRanks(const std::vector<LinearMap> &maps,
                                       const Archive &archive,
                                       const CompressOptions &options,
                                       CompressReport &report) {
  Result<double> share = parseBudget(options.budget);
  if (!share)
    return share.error();
  std::vector<RankChoices> found;
  std::vector<std::vector<AllocationChoice>> items;
  double total = 0, least = 0;
  for (const LinearMap &map : maps) {
    if (report.progress)
      report.progress("analysing", map.name);
    Result<Matrix> w = readMatrix(map, archive);
    if (!w)
      return w.error();
    Result<std::vector<double>> spectrum = spectrumOf(*w);
    if (!spectrum)
      return makeError("tensor ", quoteName(map.name), ": ",
                       spectrum.error().str());
    found.push_back(choicesOf(map, *spectrum, options.rankMultiple));
    items.push_back(found.back().choices);
    total += double(map.parameters());
    least += items.back().front().cost;
  }
  if (least > *share * total)
    return makeError("--budget: expected at least params:", least / total,
                     " for ranks of at least ", options.rankMultiple,
                     ", but got ", quoteName(options.budget));
  Result<std::vector<size_t>> chosen = allocateBudget(items, *share * total);
  if (!chosen)
    return chosen.error();
  std::vector<int64_t> ranks;
  for (size_t i = 0; i < maps.size(); ++i)
    ranks.push_back(found[i].ranks[(*chosen)[i]]);
  return ranks;
}

/// The rank that `entry`, which `what` names, gives `map`.
static Result<int64_t> readRank(const Json &entry, const LinearMap &map,
                                const std::string &what) {
  Result<std::string> structure = getString(entry, "structure", what);
  if (!structure)
    return structure.error();
  if (*structure == "dense")
    return int64_t(0);
  if (*structure != "low_rank")
    return makeError(what,
                     ": key 'structure': expected 'dense' or 'low_rank', "
                     "but got ",
                     quoteName(*structure));
  Result<int64_t> rank = getInt(entry, "rank", what);
  if (!rank)
    return rank.error();
  int64_t most = std::min(map.rows, map.columns);
  if (*rank < 1 || *rank > most)
    return makeError(what, ": key 'rank': expected 1 to ", most,
                     " for a matrix of ", map.rows, " x ", map.columns,
                     ", but got ", *rank);
  return *rank;
}

Result<std::vector<int64_t>> readPlan(const std::string &path,
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
  std::vector<int64_t> ranks(maps.size(), 0);
  for (const auto &[name, entry] : (*entries)->items()) {
    std::string what = path + ": key 'maps', entry " + quoteName(name);
    auto place = known.find(name);
    if (place == known.end())
      return makeError(what, ": expected the matrix of a linear map of a "
                             "layer, but there is none of that name");
    Result<int64_t> rank = readRank(entry, maps[place->second], what);
    if (!rank)
      return rank.error();
    ranks[place->second] = *rank;
  }
  return ranks;
}

Json writePlan(const std::vector<CompressedMap> &maps,
               const std::string &fingerprint) {
  Json entries = Json::object();
  for (const CompressedMap &map : maps) {
    Json entry = {{"structure", map.rank ? "low_rank" : "dense"},
                  {"parameters", map.parameters()},
                  {"of", map.rows * map.columns},
                  {"shape", {map.rows, map.columns}},
                  {"error", map.error}};
    if (map.rank)
      entry["rank"] = map.rank;
    entries[map.name] = entry;
  }
  return {{"model", fingerprint}, {"maps", entries}};
}

} // namespace linnet::compress
