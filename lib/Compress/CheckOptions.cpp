//===- CheckOptions.cpp - options that go together ------------------------===//

#include "CheckOptions.h"

#include "MapStructure.h"

#include "linnet/Support/Quote.h"

#include "llvm/ADT/StringRef.h"

#include <filesystem>

namespace linnet {

using namespace compress;

double compress::stateShare(const CompressOptions &options) {
  llvm::StringRef text = options.budget;
  double share = 1;
  bool isShare = text.consume_front("state:") && !text.getAsDouble(share) &&
                 share > 0 && share < 1;
  return isShare ? share : 1;
}

static Status checkNarrowOptions(const CompressOptions &options) {
  for (auto [flag, share] :
       {std::pair("--keep-channels", options.keepChannels),
        {"--keep-heads", options.keepHeads},
        {"--keep-kv-groups", options.keepKvGroups},
        {"--keep-experts", options.keepExperts},
        {"--keep-recurrent-heads", options.keepRecurrentHeads},
        {"--keep-state-channels", options.keepStateChannels}})
    if (!(share > 0 && share <= 1))
      return makeError(flag, ": expected above 0 and at most 1, but got ",
                       share);
  if (options.unevenChannels && options.keepChannels >= 1)
    return makeError("--uneven-channels: expected --keep-channels below 1 with "
                     "it");
  if (options.refitSteps < 0)
    return makeError("--refit-steps: expected at least 0, but got ",
                     options.refitSteps);
  if (options.dropLayers < 0)
    return makeError("--drop-layers: expected at least 0, but got ",
                     options.dropLayers);
  if (!isNarrowed(options))
    return {};
  constexpr const char *flags =
      "--keep-channels, --keep-heads, --keep-kv-groups, "
      "--keep-recurrent-heads, --keep-state-channels, --keep-experts and "
      "--drop-layers";
  bool isOfState = stateShare(options) < 1;
  if (isOfState && (options.keepKvGroups < 1 || options.keepRecurrentHeads < 1))
    return makeError("--budget: expected neither --keep-kv-groups nor "
                     "--keep-recurrent-heads with state:F, which says how many "
                     "stay");
  if (options.keepStateChannels < 1 &&
      (isOfState || options.keepRecurrentHeads < 1))
    return makeError("--keep-state-channels: expected neither --budget nor "
                     "--keep-recurrent-heads with it (compress the result in a "
                     "second run)");
  if (!(options.budget.empty() || isOfState) || !options.plan.empty())
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
  if (!findFitTo(options.fitTo))
    return makeError("--fit-to: expected outputs, scaled or weights, but got ",
                     quoteName(options.fitTo));
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

static Status checkFolds(const CompressOptions &options) {
  for (const std::string &name : options.folds)
    if (name != "norms" && name != "dead")
      return makeError("--fold: expected 'norms' or 'dead', but got ",
                       quoteName(name));
  return {};
}

/// What is done instead of planning, fitting and writing matrices, and whether
/// it takes a calibration.
struct OtherMode {
  const char *flag;
  bool isAsked;
  bool isCalibrated = false;
};

/// Errors: one of them with another, or with what plans. Whether there is one.
static Result<bool> checkOtherModes(const CompressOptions &options) {
  const OtherMode modes[] = {
      {"--merge", !options.adapters.empty()},
      {"--export-dense", options.exportDense},
      {"--fold", !options.folds.empty()},
      {"--keep-vocabulary", !options.keepVocabulary.empty()},
      {"--embedding-width", options.embeddingWidth != 0, true},
      {"--threshold-activations", !options.thresholds.empty(), true}};
  bool isPlanned =
      !options.budget.empty() || !options.plan.empty() || isNarrowed(options);
  const OtherMode *asked = nullptr;
  for (const OtherMode &mode : modes) {
    if (!mode.isAsked)
      continue;
    if (asked)
      return makeError(mode.flag, ": expected no ", asked->flag,
                       " with it (do that in another run)");
    asked = &mode;
    if (isPlanned || !(mode.isCalibrated || options.calibration.empty()))
      return makeError(mode.flag, ": expected neither --budget, --plan",
                       mode.isCalibrated ? "" : ", --calibration",
                       ", --keep-channels nor --drop-layers with it (compress "
                       "the result in a second run)");
  }
  return asked != nullptr;
}

static Status checkThresholdOptions(const CompressOptions &options) {
  if (!options.resume.empty() ||
      options.structures != CompressOptions().structures)
    return makeError("--threshold-activations: expected neither --structure "
                     "nor --resume with it (compress first, in a run of its "
                     "own)");
  if (options.calibration.empty())
    return makeError("--threshold-activations: expected --calibration with it");
  return {};
}

/// Numbers of the texts.
static Status checkTexts(const CompressOptions &options) {
  if ((options.window != 0 && options.window < 2) ||
      options.calibrationTokens < 1 || options.sensitivityTokens < 0)
    return makeError("expected --window of at least 2, --calibration-tokens of "
                     "at least 1 and --sensitivity-tokens of at least 0, but "
                     "got ",
                     options.window, ", ", options.calibrationTokens, " and ",
                     options.sensitivityTokens);
  CompressOptions defaults;
  if (options.calibration.empty() &&
      (options.fitTo != defaults.fitTo || options.refit != defaults.refit))
    return makeError(options.refit ? "--fit-to" : "--refit",
                     ": expected --calibration with it");
  if (options.calibration.empty() && !options.resume.empty())
    return makeError("--resume: expected --calibration with it");
  if (options.calibration.empty() && !options.evaluation.empty())
    return makeError("--evaluation: expected --calibration with it");
  return {};
}

static Status checkInput(const CompressOptions &options) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(options.input, ignored))
    return makeError(quoteName(options.input),
                     ": expected a checkpoint directory");
  return checkTexts(options);
}

/// Numbers that go with structures and plans.
static Status checkNumbers(const CompressOptions &options) {
  if (options.group < 0)
    return makeError("--group: expected at least 0, but got ", options.group);
  if (options.blocks < 1)
    return makeError("--blocks: expected at least 1, but got ", options.blocks);
  if (options.rankMultiple < 1)
    return makeError("--rank-multiple: expected at least 1, but got ",
                     options.rankMultiple);
  if (options.layerKinds < 0)
    return makeError("--layer-kinds: expected at least 0, but got ",
                     options.layerKinds);
  if (!(options.floor >= 0 && options.floor <= 1))
    return makeError("--floor: expected at least 0 and at most 1, but got ",
                     options.floor);
  if (options.floor > 0 && options.budget.empty())
    return makeError("--floor: expected --budget with it");
  return {};
}

/// An analysis says itself what matrices may become.
static Status checkAnalysis(const CompressOptions &options) {
  if (options.analysis.empty())
    return {};
  if (options.budget.empty())
    return makeError("--analysis: expected --budget with it");
  if (options.structures != CompressOptions().structures)
    return makeError("--analysis: expected no --structure with it (the "
                     "analysis says which)");
  return {};
}

Status compress::checkStageOptions(const CompressOptions &options) {
  for (Status (*check)(const CompressOptions &) :
       {checkStructures, checkAnalysis, checkNumbers, checkTexts})
    if (Status status = check(options); !status)
      return status;
  return {};
}

Status compress::checkOptions(const CompressOptions &options) {
  Result<bool> isOther = checkOtherModes(options);
  if (!isOther)
    return isOther.error();
  if (*isOther && options.measureSpeed)
    return makeError("--measure-speed: expected a run that plans matrices, "
                     "channels or layers");
  if (!options.thresholds.empty()) {
    Status status = checkThresholdOptions(options);
    return status ? checkInput(options) : status;
  }
  if (*isOther)
    return checkFolds(options);
  if (Status status = checkStructures(options); !status)
    return status;
  if (Status status = checkNarrowOptions(options); !status)
    return status;
  if (!isNarrowed(options) && needsBudget(options) &&
      options.budget.empty() == options.plan.empty())
    return makeError("expected --budget=params:F (or bytes:F, flops:F, "
                     "latency:F) or --plan=FILE, but got ",
                     options.budget.empty() ? "neither" : "both");
  if (!options.budget.empty() && !options.plan.empty())
    return makeError("expected --budget or --plan, but got both");
  for (Status (*check)(const CompressOptions &) : {checkAnalysis, checkNumbers})
    if (Status status = check(options); !status)
      return status;
  return checkInput(options);
}

} // namespace linnet
