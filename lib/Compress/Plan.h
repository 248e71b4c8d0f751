//===- Plan.h - which matrix becomes what ---------------------*- C++ -*-===//
//
// The file:
//
//   {"model": "9f...", "maps": {
//      "model.layers.0.mlp.up_proj.weight": {"structure": "low_rank", "rank":
//      48,
//         "shape": [688, 256], "parameters": 45312, "of": 176128,
//         "error": 0.31},
//      "model.layers.0.mlp.down_proj.weight": {"structure": "dense"}}}
//
// Only `model`, `structure` and `rank` are read. Maps that are not listed stay.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_COMPRESS_PLAN_H
#define LIB_COMPRESS_PLAN_H

#include "LinearMaps.h"

#include "linnet/Compress/Compress.h"
#include "linnet/Support/Json.h"

namespace linnet::compress {

/// What tells models apart: names, types, shapes and values of all tensors.
std::string fingerprintOf(const Archive &archive);

/// The ranks of `maps`, 0 for those that stay, within the budget: each step of
/// rank where it takes most of a matrix's relative squared error
/// |W - W1|^2 / |W|^2 per parameter (data-free; errors of all matrices count
/// the same). Errors: as compressCheckpoint says.
Result<std::vector<int64_t>> planRanks(const std::vector<LinearMap> &maps,
                                       const Archive &archive,
                                       const CompressOptions &options,
                                       CompressReport &report);

/// The ranks that the plan at `path` gives `maps`.
Result<std::vector<int64_t>> readPlan(const std::string &path,
                                      const std::vector<LinearMap> &maps,
                                      const std::string &fingerprint);

/// The plan that was carried out.
Json writePlan(const std::vector<CompressedMap> &maps,
               const std::string &fingerprint);

} // namespace linnet::compress

#endif // LIB_COMPRESS_PLAN_H
