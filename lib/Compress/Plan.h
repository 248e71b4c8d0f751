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
// Only `model`, `structure` and the structure's numbers are read. Maps that are
// not listed stay. `experts` lists those that mixtures keep (Experts.h),
// `state_channels` the key channels of scans (StateChannels.h).
//
//===----------------------------------------------------------------------===//

#ifndef LIB_COMPRESS_PLAN_H
#define LIB_COMPRESS_PLAN_H

#include "Analyse.h"
#include "KernelTimes.h"
#include "LayerKinds.h"
#include "MapStructure.h"

#include "linnet/Compress/Compress.h"
#include "linnet/Support/Json.h"

namespace linnet::compress {

/// What tells models apart: names, types, shapes and values of all tensors.
std::string fingerprintOf(const Archive &archive);

/// What `options.budget` counts and how much of it is left.
struct Budget {
  enum class Kind { Parameters, Bytes, Operations, Seconds };
  Kind kind = Kind::Parameters;
  double amount = 0;
  /// The share that every map keeps of its own.
  double floor = 0;
  /// Of seconds.
  std::shared_ptr<const KernelTimes> times;

  /// Whether a map of which the dense form costs `all` may come to cost `cost`.
  bool allows(double cost, double all) const { return cost >= floor * all; }
  double costOf(const LinearMap &map, const MapStructure &structure,
                const PlanNumbers &numbers) const;
};

/// Measures times if the budget is one of them. Errors: as compressCheckpoint
/// says.
Result<Budget> readBudget(const std::vector<LinearMap> &maps,
                          const CompressOptions &options,
                          const CompressReport &report);

struct PlannedMaps {
  std::vector<MapPlan> plans;
  /// What the analysis says of it, in its unit of damage.
  double damage = 0;
};

/// What each of `maps` becomes within `budget`, those that are `tied` the same:
/// each step is where it takes most damage per cost.
Result<PlannedMaps> planMaps(const std::vector<LinearMap> &maps,
                             const std::vector<MapAnalysis> &analysis,
                             const Budget &budget, const TiedMaps &tied);

/// Every map as the only structure of `options`, but for those that cannot have
/// it, which the report then lists as declined.
std::vector<MapPlan> planAlike(const std::vector<LinearMap> &maps,
                               const CompressOptions &options,
                               CompressReport &report);

/// What the plan at `path` makes of `maps`.
Result<std::vector<MapPlan>> readPlan(const std::string &path,
                                      const std::vector<LinearMap> &maps,
                                      const std::string &fingerprint);

/// The plan that was carried out.
Json writePlan(const CompressReport &report, const std::string &fingerprint);

} // namespace linnet::compress

#endif // LIB_COMPRESS_PLAN_H
