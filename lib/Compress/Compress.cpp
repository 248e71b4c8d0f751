//===- Compress.cpp - plan, fit, write ------------------------------------===//

#include "linnet/Compress/Compress.h"

#include "LinearMaps.h"
#include "Plan.h"
#include "WriteCheckpoint.h"

#include "linnet/Driver/Input.h"
#include "linnet/Frontend/HuggingFace.h"
#include "linnet/Support/Quote.h"

#include <filesystem>

namespace linnet {

using namespace compress;

static Status checkOptions(const CompressOptions &options) {
  if (options.budget.empty() == options.plan.empty())
    return makeError("expected --budget=params:F or --plan=FILE, but got ",
                     options.budget.empty() ? "neither" : "both");
  if (options.rankMultiple < 1)
    return makeError("--rank-multiple: expected at least 1, but got ",
                     options.rankMultiple);
  std::error_code ignored;
  if (!std::filesystem::is_directory(options.input, ignored))
    return makeError(quoteName(options.input),
                     ": expected a checkpoint directory");
  return {};
}

/// The linear maps of the checkpoint in `dir`.
static Result<LinearMaps> findMaps(const std::string &dir,
                                   const Archive &archive) {
  std::unique_ptr<mlir::MLIRContext> context = makeContext();
  std::string detected;
  auto module = loadModel(*context, dir, std::nullopt, detected);
  if (!module)
    return module.error();
  LinearMaps found = findLinearMaps(**module, archive);
  if (found.maps.empty())
    return makeError(quoteName(dir), ": expected linear maps in layers, but ",
                     found.declined.empty() ? "there are none"
                                            : found.declined.front());
  return found;
}

Status compressCheckpoint(const CompressOptions &options,
                          CompressReport &report) {
  if (Status status = checkOptions(options); !status)
    return status;
  // An output that cannot be had is said before the work.
  Result<CheckpointWriter> writer =
      CheckpointWriter::create(options.output, options.force);
  if (!writer)
    return writer.error();
  Result<Archive> archive = Archive::open(options.input);
  if (!archive)
    return archive.error();
  Result<LinearMaps> found = findMaps(options.input, *archive);
  if (!found)
    return found.error();
  report.declined = found->declined;
  std::string fingerprint = fingerprintOf(*archive);
  Result<std::vector<int64_t>> ranks =
      options.plan.empty() ? planRanks(found->maps, *archive, options, report)
                           : readPlan(options.plan, found->maps, fingerprint);
  if (!ranks)
    return ranks.error();
  for (size_t i = 0; i < ranks->size(); ++i) {
    const LinearMap &map = found->maps[i];
    report.maps.push_back(
        {map.name, map.rows, map.columns, (*ranks)[i], /*error=*/0});
  }
  if (Status status = writer->write(options.input, *archive, found->maps,
                                    fingerprint, report);
      !status)
    return status;
  return writer->commit();
}

} // namespace linnet
