//===- Compress.cpp - plan, fit, write ------------------------------------===//

#include "linnet/Compress/Compress.h"

#include "Analyse.h"
#include "Channels.h"
#include "DropLayers.h"
#include "Layout.h"
#include "Plan.h"
#include "Refit.h"
#include "WriteCheckpoint.h"

#include "linnet/Driver/Input.h"
#include "linnet/Frontend/HuggingFace.h"
#include "linnet/Support/Quote.h"

#include <filesystem>

namespace linnet {

using namespace compress;

/// Whether channels or layers are left out.
static bool isNarrowed(const CompressOptions &options) {
  return options.keepChannels < 1 || options.dropLayers > 0;
}

static Status checkNarrowOptions(const CompressOptions &options) {
  if (!(options.keepChannels > 0 && options.keepChannels <= 1))
    return makeError(
        "--keep-channels: expected above 0 and at most 1, but got ",
        options.keepChannels);
  if (options.dropLayers < 0)
    return makeError("--drop-layers: expected at least 0, but got ",
                     options.dropLayers);
  if (isNarrowed(options) && !(options.budget.empty() && options.plan.empty()))
    return makeError("--keep-channels and --drop-layers: expected neither "
                     "--budget nor --plan with them (compress the result in a "
                     "second run)");
  if (isNarrowed(options) && options.structures != CompressOptions().structures)
    return makeError("--keep-channels and --drop-layers: expected no "
                     "--structure with them (compress the result in a second "
                     "run)");
  if (isNarrowed(options) && options.calibration.empty())
    return makeError(
        "--keep-channels and --drop-layers: expected --calibration with them");
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

static Status checkOptions(const CompressOptions &options) {
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
  if (options.window < 2 || options.calibrationTokens < 1 ||
      options.sensitivityTokens < 0)
    return makeError("expected --window of at least 2, --calibration-tokens of "
                     "at least 1 and --sensitivity-tokens of at least 0, but "
                     "got ",
                     options.window, ", ", options.calibrationTokens, " and ",
                     options.sensitivityTokens);
  if (options.calibration.empty() && !options.evaluation.empty())
    return makeError("--evaluation: expected --calibration with it");
  std::error_code ignored;
  if (!std::filesystem::is_directory(options.input, ignored))
    return makeError(quoteName(options.input),
                     ": expected a checkpoint directory");
  return {};
}

namespace {

/// One run of linnet-compress.
class Compression {
public:
  Compression(const CompressOptions &options, CompressReport &report,
              CheckpointWriter &writer, const Archive &archive)
      : options(options), report(report), writer(writer), archive(archive),
        fingerprint(fingerprintOf(archive)) {}

  Status run() {
    if (Status status = findMaps(); !status)
      return status;
    if (Status status = plan(); !status)
      return status;
    if (Status status = narrow(); !status)
      return status;
    if (Status status = writer.begin(archive, found.maps, plans, layout);
        !status)
      return status;
    if (Status status = runner ? refitModel(*runner, found.maps, plans, archive,
                                            windows, layout, taker(), report)
                               : fitMatrices();
        !status)
      return status;
    return writer.finish(options.input, analysis, fingerprint, report);
  }

private:
  Status findMaps() {
    std::string detected;
    context = makeContext();
    auto loaded = loadModel(*context, options.input, std::nullopt, detected);
    if (!loaded)
      return loaded.error();
    module = loaded.take();
    found = findLinearMaps(*module, archive);
    report.declined = found.declined;
    if (found.maps.empty())
      return makeError(
          quoteName(options.input), ": expected linear maps in layers, but ",
          found.declined.empty() ? "there are none" : found.declined.front());
    return {};
  }

  /// Reads the texts and prepares to run the model, if there is a calibration.
  Status openRunner() {
    if (options.calibration.empty())
      return {};
    auto facts = (*module)->getAttrOfType<mlir::DictionaryAttr>(
        mlir::linnet::kModelAttr);
    auto number = [&](const char *key) {
      auto value = facts ? facts.getAs<mlir::IntegerAttr>(key) : nullptr;
      return value ? value.getInt() : 0;
    };
    Result<Windows> read =
        readWindows(options, number("vocab_size"), number("max_context"));
    if (!read)
      return read.error();
    windows = read.take();
    Result<TapRunner> created = TapRunner::create(
        *module, archive, found, windows.batch, windows.length);
    if (!created)
      return makeError(quoteName(options.input), ": ", created.error().str());
    runner.emplace(created.take());
    return {};
  }

  Status plan() {
    // What cannot be carried out is said before the work.
    std::optional<Budget> budget;
    groups = findChannelGroups(*module, found);
    if (isNarrowed(options)) {
      plans.resize(found.maps.size());
    } else if (!options.budget.empty()) {
      Result<Budget> read = readBudget(found.maps, options);
      if (!read)
        return read.error();
      budget = *read;
    } else if (options.plan.empty()) {
      plans = planAlike(found.maps, options, report);
    } else {
      Result<std::vector<MapPlan>> read =
          readPlan(options.plan, found.maps, fingerprint);
      if (!read)
        return read.error();
      plans = read.take();
    }
    if (Status status = openRunner(); !status)
      return status;
    if (budget)
      if (Status status = analyse(*budget); !status)
        return status;
    if (isNarrowed(options))
      if (Status status = planNarrowing(); !status)
        return status;
    for (size_t i = 0; i < plans.size(); ++i) {
      const LinearMap &map = found.maps[i];
      const auto &[structure, numbers] = plans[i];
      report.maps.push_back(
          {map.name, map.rows, map.columns, std::string(structure->name()),
           numbers, structure->parameters(map, numbers),
           structure->bytes(map, numbers), denseStructure().bytes(map, {})});
    }
    return {};
  }

  /// Which channels and layers are left.
  Status planNarrowing() {
    if (options.keepChannels < 1) {
      Result<std::vector<MapPlan>> planned =
          planChannels(groups, found.maps.size(), options.keepChannels,
                       options.rankMultiple);
      if (!planned)
        return planned.error();
      plans = planned.take();
    }
    if (options.dropLayers == 0)
      return {};
    Result<std::vector<DroppedLayer>> chosen = chooseLayers(
        *runner, windows, options.sensitivityTokens, options.dropLayers);
    if (!chosen)
      return chosen.error();
    analysis = {{"model", fingerprint}, {"layers", Json::array()}};
    for (const DroppedLayer &dropped : *chosen) {
      analysis["layers"].push_back(
          {{"dropped", dropped.layer}, {"nats", dropped.nats}});
      bool hasMaps = false;
      for (size_t i = 0; i < found.maps.size(); ++i)
        if (found.maps[i].layer == dropped.layer) {
          plans[i] = droppedStructure();
          hasMaps = true;
        }
      if (!hasMaps)
        return makeError("--drop-layers: expected layers with linear maps, but "
                         "layer ",
                         dropped.layer, ", the next to go, has none");
    }
    return {};
  }

  /// What the plans leave of the model.
  Status narrow() {
    if (Status status = checkNarrowing(found.maps, plans, groups); !status)
      return status;
    layout = Layout(*module, found.maps, plans, groups);
    if (!layout.isChanged())
      return {};
    Result<Json> config = readJsonFile(options.input + "/config.json");
    if (!config)
      return config.error();
    if (config->contains("linnet"))
      return makeError(options.input,
                       "/config.json: expected a checkpoint without key "
                       "'linnet' to leave out channels or layers of: do that "
                       "first");
    return layout.configure(*config, options.input + "/config.json");
  }

  Status analyse(const Budget &budget) {
    Result<std::vector<MapAnalysis>> analysed =
        runner ? analyseModel(*runner, found.maps, archive, windows, options,
                              report)
               : analyseMatrices(found.maps, archive, options, report);
    if (!analysed)
      return analysed.error();
    analysis = writeAnalysis(found.maps, *analysed, fingerprint);
    Result<std::vector<MapPlan>> planned =
        planMaps(found.maps, *analysed, budget);
    if (!planned)
      return planned.error();
    plans = planned.take();
    return {};
  }

  TakeFit taker() {
    return [this](size_t number, const Matrix &w, FittedMap &fitted,
                  const Matrix *moment) -> Status {
      if (Status status = writer.take(number, fitted); !status)
        return status;
      CompressedMap &map = report.maps[number];
      map.isRefit = fitted.isRefit;
      Matrix dense = fitted.toDense();
      map.error =
          moment ? outputError(w, dense, *moment) : relativeError(w, dense);
      return {};
    };
  }

  Status fitMatrices() {
    TakeFit take = taker();
    for (size_t i = 0; i < found.maps.size(); ++i) {
      const LinearMap &map = found.maps[i];
      if (layout.isDropped(map.layer))
        continue;
      if (report.progress)
        report.progress("fitting", map.name);
      Result<Matrix> w = readMatrix(map, archive);
      if (!w)
        return w.error();
      FitResult fitted =
          plans[i].structure->fit(*w, FitInputs(), plans[i].numbers);
      if (!fitted)
        return nameMap(map, fitted.error());
      if (Status status = take(i, *w, **fitted, nullptr); !status)
        return status;
    }
    return {};
  }

  const CompressOptions &options;
  CompressReport &report;
  CheckpointWriter &writer;
  const Archive &archive;
  std::string fingerprint;
  std::unique_ptr<mlir::MLIRContext> context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  LinearMaps found;
  Windows windows;
  std::optional<TapRunner> runner;
  Json analysis;
  std::vector<MapPlan> plans;
  std::vector<ChannelGroup> groups;
  Layout layout;
};

} // namespace

Status compressCheckpoint(const CompressOptions &options,
                          CompressReport &report) {
  if (Status status = checkOptions(options); !status)
    return status;
  if (options.exportDense)
    return exportDense(options.input, options.output);
  if (!options.adapters.empty())
    return mergeAdapters(options.input, options.adapters, options.output);
  // An output that cannot be had is said before the work.
  Result<CheckpointWriter> writer =
      CheckpointWriter::create(options.output, options.force);
  if (!writer)
    return writer.error();
  Result<Archive> archive = Archive::open(options.input);
  if (!archive)
    return archive.error();
  return Compression(options, report, *writer, *archive).run();
}

} // namespace linnet
