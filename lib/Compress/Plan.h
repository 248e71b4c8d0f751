//===- Plan.h - which matrix becomes what ---------------------*- C++ -*-===//
//
// The file:
//
//   {"model": "9f...", "maps": {
//      "model.layers.0.mlp.up_proj.weight": {
//         "structure": "pivoted_low_rank", "rank": 48, "shape": [688, 256],
//         "parameters": 43008, "of": 176128, "error": 0.31, "refit": true},
//      "model.layers.0.mlp.down_proj.weight": {"structure": "dense"}}}
//
// Only `model`, `structure` and `rank` are read. Maps that are not listed stay.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_COMPRESS_PLAN_H
#define LIB_COMPRESS_PLAN_H

#include "Analyse.h"
#include "FitMap.h"

#include "linnet/Compress/Compress.h"
#include "linnet/Support/Json.h"

namespace linnet::compress {

/// What tells models apart: names, types, shapes and values of all tensors.
std::string fingerprintOf(const Archive &archive);

/// The parameters that `options.budget` leaves of `maps`. Errors: as
/// compressCheckpoint says.
Result<double> readBudget(const std::vector<LinearMap> &maps,
                          const CompressOptions &options);

/// What each of `maps` becomes within `budget` parameters: each step of rank is
/// where it takes most damage per parameter.
Result<std::vector<MapPlan>> planMaps(const std::vector<LinearMap> &maps,
                                      const std::vector<MapAnalysis> &analysis,
                                      double budget,
                                      const CompressOptions &options);

/// Every map as codes, but for those whose codes do not fill bytes, which the
/// report then lists as declined.
std::vector<MapPlan> quantizeAll(const std::vector<LinearMap> &maps,
                                 const CompressOptions &options,
                                 CompressReport &report);

/// Inputs of `map` that share a scale by `plan`; 0 without codes.
int64_t groupOf(const MapPlan &plan, const LinearMap &map);

/// What the plan at `path` makes of `maps`.
Result<std::vector<MapPlan>> readPlan(const std::string &path,
                                      const std::vector<LinearMap> &maps,
                                      const std::string &fingerprint);

/// The plan that was carried out.
Json writePlan(const std::vector<CompressedMap> &maps,
               const std::string &fingerprint);

} // namespace linnet::compress

#endif // LIB_COMPRESS_PLAN_H
