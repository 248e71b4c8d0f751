//===- Compress.cpp - plan, fit, write ------------------------------------===//

#include "linnet/Compress/Compress.h"

#include "Analyse.h"
#include "CalibratedModel.h"
#include "ChannelWidths.h"
#include "Channels.h"
#include "CheckOptions.h"
#include "DropLayers.h"
#include "ExpertScores.h"
#include "Layout.h"
#include "MeasureSpeed.h"
#include "Plan.h"
#include "Refit.h"
#include "RefitChannels.h"
#include "StateScores.h"
#include "WriteCheckpoint.h"

#include "linnet/Compress/Stages.h"
#include "linnet/Driver/Input.h"
#include "linnet/Frontend/HuggingFace.h"
#include "linnet/Support/Hash.h"
#include "linnet/Support/Quote.h"

#include <set>

namespace linnet {

using namespace compress;

namespace {

/// One run of linnet-compress.
class Compression {
public:
  /// `module` is the model whose weights are `archive`.
  Compression(const CompressOptions &options, CompressReport &report,
              mlir::ModuleOp module, const Archive &archive)
      : options(options), report(report), module(module), archive(archive),
        fingerprint(fingerprintOf(archive)) {}

  /// The stage before plans.
  Result<Json> analyse() {
    if (Status status = findMaps(); !status)
      return status.error();
    if (Status status = openRunner(); !status)
      return status.error();
    if (Result<ModelAnalysis> analysed = analyseMaps(); !analysed)
      return analysed.error();
    return analysis;
  }

  /// The stage before fits, by an analysis that was made before.
  Result<Json> planOnly() {
    if (Status status = findMaps(); !status)
      return status.error();
    Result<Budget> budget = openBudget();
    if (!budget)
      return budget.error();
    if (Status status = planWithin(*budget); !status)
      return status.error();
    reportPlans();
    return writePlan(report, fingerprint);
  }

  /// What the plan says, of structures alone: the model keeps its sizes.
  Status fitOnly(CheckpointWriter &into) {
    mayNarrow = false;
    return run(into);
  }

  /// All of them.
  Status run(CheckpointWriter &into) {
    writer = &into;
    if (Status status = findMaps(); !status)
      return status;
    if (Status status = plan(); !status)
      return status;
    if (Status status =
            writer->begin(options.input, archive, found.maps, plans, layout);
        !status)
      return status;
    if (Status status = runner ? refit() : fitMatrices(); !status)
      return status;
    if (Status status = writer->finishModel(); !status)
      return status;
    if (Status status = timeModels(); !status)
      return status;
    return writer->finish(analysis, fingerprint, report);
  }

private:
  Status findMaps() {
    found = findLinearMaps(module, archive);
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
    Result<Windows> read = readWindowsFor(module, options);
    if (!read)
      return read.error();
    windows = read.take();
    bool withStates =
        options.keepStateChannels < 1 ||
        llvm::any_of(channels, [](const auto &kept) { return !kept.empty(); });
    Result<TapRunner> created = TapRunner::create(
        module, archive, found, windows.batch, windows.length, withStates);
    if (!created)
      return makeError(quoteName(options.input), ": ", created.error().str());
    runner.emplace(created.take());
    if (report.announce)
      report.announce((windows.counts[0] + windows.counts[1]) * windows.length,
                      estimateMemory(hiddenSizeOf(module)));
    return {};
  }

  /// Hidden states of both models with what stages hold, layers in f32 while
  /// sensitivities are measured, the tokens that maps around channels are
  /// fitted to, and of one map the moments of one part of the windows (with
  /// fewer outputs than inputs, targets take the place of one) and a matrix
  /// with its fits in f64.
  int64_t estimateMemory(int64_t hidden) const {
    int64_t layers = 0, most = 0;
    for (const LinearMap &map : found.maps) {
      layers += map.parameters();
      int64_t moments = map.rows < map.columns ? 1 : 2;
      most = std::max(most, moments * map.columns * map.columns +
                                5 * map.parameters());
    }
    auto loses = [&](const ChannelGroup &group) {
      return group.kind == &mlpChannels() &&
             (options.keepChannels < 1 ||
              (group.consumer < plans.size() && keptUnits(group, plans)));
    };
    int64_t channels = 0;
    for (const ChannelGroup &group : groups.groups)
      if (options.refit && options.refitSteps > 0 && loses(group))
        channels =
            std::max(channels, refitFloats(group, found.maps,
                                           windows.counts[0] * windows.length,
                                           windows.batch * windows.length));
    return int64_t(sizeof(float)) * (channels +
                                     2 * int64_t(windows.ids.size()) *
                                         (hidden + runner->heldNumbers()) +
                                     (options.sensitivityTokens ? layers : 0)) +
           int64_t(sizeof(double)) * most;
  }

  Status plan() {
    // What cannot be carried out is said before the work.
    std::optional<Budget> budget;
    groups = findChannelGroups(module, found);
    mixtures = findMixtures(module, found);
    experts.resize(mixtures.mixtures.size());
    states = findScanStates(module, found);
    channels.resize(states.states.size());
    if (isNarrowed(options)) {
      plans.resize(found.maps.size());
    } else if (!options.budget.empty()) {
      Result<Budget> read = openBudget();
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
      Result<KeptExperts> listed =
          readExperts(options.plan, mixtures, found.maps);
      if (!listed)
        return listed.error();
      experts = listed.take();
      Result<KeptChannels> left = readChannels(options.plan, states);
      if (!left)
        return left.error();
      channels = left.take();
    }
    if (Status status = openRunner(); !status)
      return status;
    if (budget)
      if (Status status = planWithin(*budget); !status)
        return status;
    if (isNarrowed(options))
      if (Status status = planNarrowing(); !status)
        return status;
    if (Status status = narrow(); !status)
      return status;
    reportPlans();
    return {};
  }

  void reportPlans() {
    for (size_t i = 0; i < plans.size(); ++i) {
      const LinearMap &map = found.maps[i];
      const auto &[structure, numbers] = plans[i];
      report.maps.push_back(
          {map.name, map.rows, map.columns, std::string(structure->name()),
           numbers, structure->parameters(map, numbers),
           structure->bytes(map, numbers), denseStructure().bytes(map, {})});
    }
  }

  /// Reads the analysis too, if there is one: it says what matrices may become.
  Result<Budget> openBudget() {
    if (!options.analysis.empty()) {
      Result<Json> file = readJsonFile(options.analysis);
      if (!file)
        return file.error();
      Result<ModelAnalysis> read = readAnalysis(
          *file, options.analysis, found.maps, fingerprint, options);
      if (!read)
        return read.error();
      analysis = file.take();
      known = read.take();
    }
    return readBudget(found.maps, options, report);
  }

  /// Which experts are left.
  Status planExperts() {
    if (options.keepExperts >= 1)
      return {};
    Result<int64_t> count = countExperts(mixtures, options);
    if (!count)
      return count.error();
    Result<std::vector<ExpertScores>> scores =
        scoreExperts(*runner, mixtures.mixtures, found.maps, windows, report);
    if (!scores)
      return scores.error();
    for (auto [mixture, own, kept] :
         llvm::zip(mixtures.mixtures, *scores, experts)) {
      kept = keepBestExperts(mixture, own.scores, *count);
      analysis["experts"][found.maps[mixture.router].name] = {
          {"scores", own.scores}, {"tokens", own.tokens}};
    }
    return {};
  }

  /// Which key channels of scans are left.
  Status planStates() {
    if (options.keepStateChannels >= 1)
      return {};
    Result<int64_t> count = countChannels(states, options);
    if (!count)
      return count.error();
    Result<std::vector<std::vector<double>>> scores =
        scoreChannels(*runner, states.states, windows, report);
    if (!scores)
      return scores.error();
    for (auto [state, own, kept] :
         llvm::zip(states.states, *scores, channels)) {
      kept = keepBestChannels(state, own, *count);
      analysis["state_channels"][state.name] = {{"scores", own}};
    }
    return {};
  }

  /// Which channels, experts and layers are left.
  Status planNarrowing() {
    if (stateShare(options) < 1 && isEncoder(module))
      return makeError("--budget: expected a model that decodes for state:F, "
                       "but got an encoder");
    Result<std::vector<MapPlan>> planned =
        planChannels(groups, found.maps.size(), options);
    if (!planned)
      return planned.error();
    plans = planned.take();
    if (Status status = planExperts(); !status)
      return status;
    if (Status status = planStates(); !status)
      return status;
    if (Status status = planDropped(); !status)
      return status;
    if (Status status = planUneven(); !status)
      return status;
    if (!analysis.is_null())
      analysis["model"] = fingerprint;
    return {};
  }

  /// How many channels each layer keeps.
  Status planUneven() {
    if (!options.unevenChannels || options.keepChannels >= 1)
      return {};
    Result<std::vector<ChannelWidth>> widths =
        planWidths(*runner, found.maps, archive, windows, groups.groups,
                   options, report, plans);
    if (!widths)
      return widths.error();
    for (const ChannelWidth &width : *widths)
      analysis["widths"][found.maps[width.consumer].name] = {
          {"damage", width.damage},
          {"loss", width.loss},
          {"cut", width.cut},
          {"kept", width.kept}};
    return {};
  }

  /// Which layers go.
  Status planDropped() {
    if (options.dropLayers == 0)
      return {};
    Result<std::vector<DroppedLayer>> chosen = chooseLayers(
        *runner, windows, options.sensitivityTokens, options.dropLayers);
    if (!chosen)
      return chosen.error();
    analysis["dropped"] = Json::array();
    for (const DroppedLayer &dropped : *chosen) {
      analysis["dropped"].push_back(
          {{"layer", dropped.layer}, {dropped.measure, dropped.score}});
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
    if (Status status = resolveNarrowing(found.maps, plans, groups.groups);
        !status)
      return status;
    if (Status status = resolveExperts(mixtures, experts, found.maps, plans);
        !status)
      return status;
    if (Status status = resolveChannels(states, channels, found.maps, plans);
        !status)
      return status;
    layout = Layout(module, found.maps, plans, groups.groups, mixtures.mixtures,
                    experts, states.states, channels);
    reportExperts();
    reportStates();
    if (!layout.isChanged())
      return {};
    if (!mayNarrow)
      return makeError(options.plan,
                       ": expected a plan of structures, but got one that "
                       "leaves out channels or layers");
    Result<Json> config = readJsonFile(options.input + "/config.json");
    if (!config)
      return config.error();
    if (config->contains("linnet"))
      return makeError(options.input,
                       "/config.json: expected a checkpoint without key "
                       "'linnet' to leave out channels, experts or layers of: "
                       "do that first");
    if (Status status =
            layout.configure(*config, options.input + "/config.json");
        !status)
      return status;
    report.notes = layout.notes(*config);
    noteState();
    return {};
  }

  /// What is left of the state that decode carries.
  void noteState() {
    std::set<const ChannelKind *> noted;
    for (const ChannelGroup &group : groups.groups)
      if (std::optional<KeptUnits> kept = keptUnits(group, plans);
          kept && stateShare(options) < 1 && group.kind->hasState() &&
          noted.insert(group.kind).second)
        report.notes.push_back(
            "state of decode: " + group.kind->describe(*kept) +
            " are left of " + group.kind->describe(group.all));
  }

  void reportExperts() {
    for (auto [mixture, kept] : llvm::zip(mixtures.mixtures, experts)) {
      if (!layout.keptOutputs(mixture.router))
        continue;
      int64_t all = 0;
      for (const std::string &tensor : mixture.tensors())
        all += int64_t(archive.find(tensor)->bytes /
                       dataTypeSize(archive.find(tensor)->dtype));
      report.mixtures.push_back(
          {found.maps[mixture.router].name, mixture.experts, kept,
           all * int64_t(kept.size()) / mixture.experts, all});
    }
  }

  void reportStates() {
    for (auto [state, kept] : llvm::zip(states.states, channels))
      if (layout.keptOutputs(state.rows.front().map))
        report.states.push_back(
            {state.name, state.channels,
             writeChannels(state, kept)
                 .get<std::vector<std::vector<int64_t>>>()});
  }

  Result<ModelAnalysis> analyseMaps() {
    if (known)
      return *known;
    Result<ModelAnalysis> analysed =
        runner ? analyseOnText()
               : analyseMatrices(found.maps, archive, options, report);
    if (analysed)
      analysis = writeAnalysis(found.maps, *analysed, fingerprint, options);
    return analysed;
  }

  Status planWithin(const Budget &budget) {
    Result<ModelAnalysis> analysed = analyseMaps();
    if (!analysed)
      return analysed.error();
    Result<PlannedMaps> planned = planMaps(found.maps, analysed->maps, budget,
                                           tieNothing(found.maps.size()));
    if (!planned)
      return planned.error();
    report.plannedDamage = report.freeDamage = planned->damage;
    if (budget.times && !analysis.is_null())
      analysis["times"] = budget.times->describe();
    // With a free choice it is known which layers are near each other.
    std::vector<double> costs;
    for (size_t i = 0; i < found.maps.size(); ++i)
      costs.push_back(budget.costOf(found.maps[i], *planned->plans[i].structure,
                                    planned->plans[i].numbers));
    planned = planMaps(found.maps, analysed->maps, budget,
                       tieLayers(found.maps, costs, options.layerKinds));
    if (!planned)
      return planned.error();
    report.plannedDamage = planned->damage;
    plans = std::move(planned->plans);
    return {};
  }

  /// What all parts of a calibrated run depend on.
  std::string describeData() const {
    Hasher text;
    text.update(windows.ids.data(), windows.ids.size() * sizeof(int32_t))
        .update(windows.lengths.data(),
                windows.lengths.size() * sizeof(int64_t));
    for (int64_t number : {windows.length, windows.batch, windows.counts[0],
                           windows.counts[1], windows.counts[2]})
      text.update(uint64_t(number));
    return fingerprint + " " + toHex(text.finish()) + " " + options.fitTo;
  }

  Status refit() {
    std::string content =
        describeData() +
        (options.refit ? " refit " + std::to_string(options.refitSteps) : "");
    for (const MapPlan &plan : plans) {
      content += " " + std::string(plan.structure->name());
      for (const auto &[key, number] : plan.numbers)
        content += " " + key + " " + std::to_string(number);
    }
    for (const std::vector<int64_t> &kept : experts)
      content += " experts " + Json(kept).dump();
    for (const std::vector<int64_t> &kept : channels)
      if (!kept.empty())
        content += " channels " + Json(kept).dump();
    Result<WorkDirectory> work =
        WorkDirectory::open(options.resume, "fits", content);
    if (!work)
      return work.error();
    FitMethod method{*findFitTo(options.fitTo), options.refit,
                     options.refitSteps};
    return refitModel(*runner, found.maps, plans, archive, windows, layout,
                      method, *work, taker(), report);
  }

  Result<ModelAnalysis> analyseOnText() {
    std::string content = describeData();
    for (const std::string &structure : options.structures)
      content += " " + structure;
    for (int64_t number :
         {options.group, options.blocks, options.blockHeight,
          options.blockWidth, options.patternKept, options.patternSize,
          options.rankMultiple, options.sensitivityTokens})
      content += " " + std::to_string(number);
    Result<WorkDirectory> work =
        WorkDirectory::open(options.resume, "analysis", content);
    if (!work)
      return work.error();
    return analyseModel(*runner, found.maps, archive, windows, options, *work,
                        report);
  }

  Status timeModels() {
    if (!options.measureSpeed)
      return {};
    if (report.progress)
      report.progress("measuring", "speed");
    runner.reset();
    Result<SpeedComparison> speed = measureSpeed(options.input, writer->path());
    if (!speed)
      return speed.error();
    report.speed = *speed;
    return {};
  }

  TakeFit taker() {
    return [this](size_t number, FittedMap &fitted,
                  const MeasureError &measure) -> Status {
      if (Status status = writer->take(number, fitted); !status)
        return status;
      CompressedMap &map = report.maps[number];
      map.isRefit = fitted.isRefit;
      map.error = measure(fitted.toDense());
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
      if (Status status = take(
              i, **fitted,
              [&](const Matrix &dense) { return relativeError(*w, dense); });
          !status)
        return status;
    }
    return {};
  }

  CompressOptions options;
  CompressReport &report;
  CheckpointWriter *writer = nullptr;
  bool mayNarrow = true;
  mlir::ModuleOp module;
  const Archive &archive;
  std::string fingerprint;
  LinearMaps found;
  Windows windows;
  std::optional<TapRunner> runner;
  /// As it is written, and one that was made before.
  Json analysis;
  std::optional<ModelAnalysis> known;
  std::vector<MapPlan> plans;
  ChannelGroups groups;
  Mixtures mixtures;
  KeptExperts experts;
  ScanStates states;
  KeptChannels channels;
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
  if (options.embeddingWidth != 0)
    return cutEmbeddings(options, report);
  if (!options.folds.empty())
    return foldCheckpoint(options, report);
  if (!options.keepVocabulary.empty())
    return reduceVocabulary(options, report);
  if (!options.thresholds.empty())
    return thresholdActivations(options, report);
  // An output that cannot be had is said before the work.
  Result<CheckpointWriter> writer =
      CheckpointWriter::create(options.output, options.force);
  if (!writer)
    return writer.error();
  Result<Archive> archive = Archive::open(options.input);
  if (!archive)
    return archive.error();
  std::unique_ptr<mlir::MLIRContext> context = makeContext();
  std::string detected;
  auto module = loadModel(*context, options.input, std::nullopt, detected);
  if (!module)
    return module.error();
  return Compression(options, report, **module, *archive).run(*writer);
}

/// Hands a stage of the model in `module` what it needs.
static Status runStage(mlir::ModuleOp module, const CompressOptions &options,
                       CompressReport &report,
                       llvm::function_ref<Status(Compression &)> stage) {
  if (Status status = checkStageOptions(options); !status)
    return status;
  Result<Archive> archive = Archive::open(options.input);
  if (!archive)
    return archive.error();
  if (!hasConfig(options.input))
    nameMapsAfterWeights(module);
  Compression compression(options, report, module, *archive);
  return stage(compression);
}

/// Writes what a stage found to the file that the options name.
static Status writeFound(const Result<Json> &found,
                         const CompressOptions &options) {
  return found ? writeFileAtomically(options.output, formatJson(*found) + "\n")
               : found.error();
}

Status analyseLinearMaps(mlir::ModuleOp module, const CompressOptions &options,
                         CompressReport &report) {
  return runStage(module, options, report, [&](Compression &compression) {
    return writeFound(compression.analyse(), options);
  });
}

Status planLinearMaps(mlir::ModuleOp module, const CompressOptions &options,
                      CompressReport &report) {
  if (options.analysis.empty() || options.budget.empty())
    return makeError("expected an analysis and a budget, but got ",
                     options.analysis.empty() ? "no analysis" : "no budget");
  return runStage(module, options, report, [&](Compression &compression) {
    return writeFound(compression.planOnly(), options);
  });
}

Status fitLinearMaps(mlir::ModuleOp module, const CompressOptions &options,
                     CompressReport &report) {
  if (options.plan.empty())
    return makeError("expected a plan, but got none");
  return runStage(
      module, options, report, [&](Compression &compression) -> Status {
        Result<CheckpointWriter> writer =
            CheckpointWriter::create(options.output, options.force);
        return writer ? compression.fitOnly(*writer) : writer.error();
      });
}

} // namespace linnet
