//===- CheckOptions.cpp - options that go together ------------------------===//

#include "CheckOptions.h"

#include "MapStructure.h"

#include "linnet/Support/Quote.h"

#include <filesystem>

namespace linnet {

using namespace compress;

static Status checkNarrowOptions(const CompressOptions &options) {
  for (auto [flag, share] : {std::pair("--keep-channels", options.keepChannels),
                             {"--keep-heads", options.keepHeads},
                             {"--keep-kv-groups", options.keepKvGroups}})
    if (!(share > 0 && share <= 1))
      return makeError(flag, ": expected above 0 and at most 1, but got ",
                       share);
  if (options.dropLayers < 0)
    return makeError("--drop-layers: expected at least 0, but got ",
                     options.dropLayers);
  if (!isNarrowed(options))
    return {};
  constexpr const char *flags =
      "--keep-channels, --keep-heads, --keep-kv-groups and --drop-layers";
  if (!(options.budget.empty() && options.plan.empty()))
    return makeError(flags, ": expected neither --budget nor --plan with them "
                            "(compress the result in a second run)");
  if (options.structures != CompressOptions().structures)
    return makeError(flags, ": expected no --structure with them (compress the "
                            "result in a second run)");
  if (options.calibration.empty())
    return makeError(flags, ": expected --calibration with them");
  return {};
}

/// Whether a budget says what becomes of each matrix.
static bool needsBudget(const CompressOptions &options) {
  return options.structures.size() != 1 ||
         findStructure(options.structures.front())->needsBudget();
}

static Status checkStructures(const CompressOptions &options) {
  for (const std::string &name : options.structures) {
    const MapStructure *structure = findStructure(name);
    if (!structure || structure == &denseStructure())
      return makeError("--structure: expected ", listStructures(/*skipped=*/1),
                       ", but got ", quoteName(name));
  }
  if (options.structures.empty())
    return makeError("--structure: expected ", listStructures(/*skipped=*/1),
                     ", but got nothing");
  if (options.patternKept < 1 || options.patternKept >= options.patternSize)
    return makeError("--pattern: expected N:M with N of at least 1 and below "
                     "M, but got ",
                     options.patternKept, ":", options.patternSize);
  if (options.blockHeight < 1 || options.blockHeight % 16 ||
      options.blockWidth < 1)
    return makeError("--block-size: expected HxW with H a multiple of 16 and W "
                     "of at least 1, but got ",
                     options.blockHeight, "x", options.blockWidth);
  return {};
}

Status compress::checkOptions(const CompressOptions &options) {
  bool isAlone = options.budget.empty() && options.plan.empty() &&
                 options.calibration.empty() && !isNarrowed(options);
  if (!options.adapters.empty() && (!isAlone || options.exportDense))
    return makeError("--merge: expected neither --budget, --plan, "
                     "--calibration nor --export-dense with it (compress the "
                     "result in a second run)");
  if (options.exportDense && !isAlone)
    return makeError("--export-dense: expected neither --budget, --plan nor "
                     "--calibration with it");
  if (options.exportDense || !options.adapters.empty())
    return {};
  if (Status status = checkStructures(options); !status)
    return status;
  if (Status status = checkNarrowOptions(options); !status)
    return status;
  if (!isNarrowed(options) && needsBudget(options) &&
      options.budget.empty() == options.plan.empty())
    return makeError("expected --budget=params:F (or bytes:F, flops:F) or "
                     "--plan=FILE, but got ",
                     options.budget.empty() ? "neither" : "both");
  if (!options.budget.empty() && !options.plan.empty())
    return makeError("expected --budget or --plan, but got both");
  if (options.group < 0)
    return makeError("--group: expected at least 0, but got ", options.group);
  if (options.blocks < 1)
    return makeError("--blocks: expected at least 1, but got ", options.blocks);
  if (options.rankMultiple < 1)
    return makeError("--rank-multiple: expected at least 1, but got ",
                     options.rankMultiple);
  if ((options.window != 0 && options.window < 2) ||
      options.calibrationTokens < 1 || options.sensitivityTokens < 0)
    return makeError("expected --window of at least 2, --calibration-tokens of "
                     "at least 1 and --sensitivity-tokens of at least 0, but "
                     "got ",
                     options.window, ", ", options.calibrationTokens, " and ",
                     options.sensitivityTokens);
  if (options.calibration.empty() && !options.resume.empty())
    return makeError("--resume: expected --calibration with it");
  if (options.calibration.empty() && !options.evaluation.empty())
    return makeError("--evaluation: expected --calibration with it");
  std::error_code ignored;
  if (!std::filesystem::is_directory(options.input, ignored))
    return makeError(quoteName(options.input),
                     ": expected a checkpoint directory");
  return {};
}

} // namespace linnet
