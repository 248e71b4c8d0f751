//===- Analyse.cpp - what each matrix can do without ----------------------===//

#include "Analyse.h"

#include "ModelSample.h"
#include "OutputMetrics.h"
#include "StageMoments.h"

#include "linnet/Support/Quote.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace linnet::compress {
namespace {

/// The share of a matrix's numbers that is left when its sensitivity is
/// measured: at mild cuts the model's loss drowns in noise.
constexpr double kSensitivityShare = 0.15;
/// The least damage that a loss is taken for, as a share of the median.
constexpr double kLeastDamage = 0.3;

double sumOf(const std::vector<double> &spectrum, size_t first = 0) {
  return std::accumulate(spectrum.begin() + std::ptrdiff_t(first),
                         spectrum.end(), 0.0);
}

/// Fills in the spectrum and the choices of one matrix.
Status analyseChoices(const LinearMap &map, const Matrix &w,
                      const FitInputs &inputs, const CompressOptions &options,
                      MapAnalysis &analysis) {
  Result<std::vector<double>> spectrum = inputs.spectrum(w);
  if (!spectrum)
    return nameMap(map, spectrum.error());
  analysis.spectrum = spectrum.take();
  for (const std::string &name : options.structures) {
    const MapStructure &structure = *findStructure(name);
    std::vector<PlanNumbers> candidates = structure.candidates(map, options);
    Result<std::vector<double>> losses =
        structure.losses(w, inputs, analysis.spectrum, candidates);
    if (!losses)
      return nameMap(map, losses.error());
    for (size_t i = 0; i < candidates.size(); ++i)
      analysis.choices.push_back(
          {MapPlan(structure, candidates[i]), (*losses)[i]});
  }
  return {};
}

/// A relative loss counts the same in every matrix.
void weighAlike(std::vector<MapAnalysis> &analysis) {
  for (MapAnalysis &map : analysis) {
    double all = sumOf(map.spectrum);
    map.weight = all > 0 ? 1 / all : 0;
  }
}

/// A matrix's loss counts as what the model lost per share of it when that was
/// measured; what was measured as next to nothing is noise, and counts as a
/// part of the median.
void weighBySensitivity(std::vector<MapAnalysis> &analysis) {
  std::vector<double> slopes;
  for (const MapAnalysis &map : analysis)
    slopes.push_back(map.sensitivity->damage /
                     std::max(map.sensitivity->loss, 1e-9));
  std::vector<double> sorted = slopes;
  std::sort(sorted.begin(), sorted.end());
  double least = kLeastDamage *
                 std::max(sorted.empty() ? 0 : sorted[sorted.size() / 2], 1e-4);
  for (size_t i = 0; i < analysis.size(); ++i) {
    double all = sumOf(analysis[i].spectrum);
    analysis[i].weight = all > 0 ? std::max(slopes[i], least) / all : 0;
  }
}

/// Tokens whose moments tell spectra well enough to plan with; of maps with
/// many inputs, so many times these.
constexpr int64_t kSpectrumTokens = 16384;
constexpr int64_t kTokensPerInput = 4;

int64_t spectrumTokens(const std::vector<LinearMap> &maps) {
  int64_t tokens = kSpectrumTokens;
  for (const LinearMap &map : maps)
    tokens = std::max(tokens, kTokensPerInput * map.columns);
  return tokens;
}

/// The calibrated analysis, layer by layer.
class ModelAnalyser {
public:
  ModelAnalyser(TapRunner &runner, const std::vector<LinearMap> &maps,
                const Archive &archive, const Windows &all,
                const CompressOptions &options, const WorkDirectory &work,
                const CompressReport &report)
      : runner(runner), maps(maps), archive(archive),
        windows(all.sample(spectrumTokens(maps))), options(options), work(work),
        report(report), goal(*findFitTo(options.fitTo)), analysis(maps.size()),
        layers(runner.layers()), measured(options.sensitivityTokens > 0) {
    if (measured)
      sampled = all.sample(options.sensitivityTokens);
  }

  Result<ModelAnalysis> run() {
    bool isDone = true;
    for (size_t layer = 0; layer < runner.layers(); ++layer)
      isDone &= work.has(fileOf(layer));
    if (Status status = isDone ? readLayers() : analyseLayers(); !status)
      return status.error();
    measured ? weighBySensitivity(analysis) : weighAlike(analysis);
    return ModelAnalysis{std::move(analysis), std::move(layers)};
  }

private:
  static std::string fileOf(size_t layer) {
    return "layer-" + std::to_string(layer) + ".json";
  }

  Status analyseLayers() {
    Result<HiddenStates> begin = runner.begin(windows);
    if (!begin)
      return begin.error();
    HiddenStates states = begin.take();
    if (measured)
      if (Status status = openSample(); !status)
        return status;
    for (size_t layer = 0; layer < runner.layers(); ++layer)
      if (Status status = analyseLayer(layer, states); !status)
        return status;
    return {};
  }

  Status openSample() {
    Result<ModelSample> opened = ModelSample::open(runner, std::move(sampled));
    if (!opened)
      return opened.error();
    sample.emplace(opened.take());
    Result<double> score = sample->originalScore();
    if (!score)
      return score.error();
    base = *score;
    return {};
  }

  Status readLayers() {
    for (size_t layer = 0; layer < runner.layers(); ++layer)
      if (Status status = readLayer(layer); !status)
        return status;
    return {};
  }

  /// Of the maps in a layer, by number.
  template <typename Function>
  Status forMaps(size_t layer, Function function) const {
    for (const TapStage &stage : runner.layer(layer).stages)
      for (const TapSite &site : stage.sites)
        if (Status status = function(runner.mapOf(layer, site)); !status)
          return status;
    return {};
  }

  /// What was kept of a layer.
  Status readLayer(size_t layer) {
    Result<Json> kept = work.readJson(fileOf(layer));
    if (!kept)
      return kept.error();
    Result<const Json *> entries = getObject(*kept, "maps", fileOf(layer));
    Result<double> influence = getDouble(*kept, "influence", fileOf(layer)),
                   linearity = getDouble(*kept, "linearity", fileOf(layer));
    if (!entries)
      return entries.error();
    for (Result<double> *number : {&influence, &linearity})
      if (!*number)
        return number->error();
    layers[layer] = {*influence, *linearity};
    const char *measure = Judge::scoreNameOf(runner);
    return forMaps(layer, [&](size_t number) -> Status {
      const std::string &name = maps[number].name;
      Result<const Json *> entry = getObject(**entries, name, fileOf(layer));
      if (!entry)
        return entry.error();
      Result<MapAnalysis> read = readMapAnalysis(
          **entry, measure, fileOf(layer) + ": entry " + quoteName(name));
      if (!read)
        return read.error();
      analysis[number] = read.take();
      return {};
    });
  }

  Status keepLayer(size_t layer) const {
    Json entries = Json::object();
    (void)forMaps(layer, [&](size_t number) -> Status {
      entries[maps[number].name] =
          writeMapAnalysis(maps[number], analysis[number]);
      return {};
    });
    return work.writeJson(fileOf(layer),
                          {{"maps", entries},
                           {"influence", layers[layer].influence},
                           {"linearity", layers[layer].linearity}});
  }

  Status analyseLayer(size_t layer, HiddenStates &states) {
    bool isKept = work.has(fileOf(layer));
    LayerPass pass(runner, layer, states);
    if (Status status =
            isKept ? readLayer(layer) : analyseMaps(layer, states, pass);
        !status)
      return status;
    if (Status status = advance(layer, states, pass); !status)
      return status;
    return isKept ? Status() : keepLayer(layer);
  }

  Status analyseMaps(size_t layer, const HiddenStates &states,
                     LayerPass &pass) {
    if (goal == FitTo::Outputs) {
      Result<OutputMetrics> measuredMetrics =
          measureMetrics(runner, layer, maps, archive, states, windows);
      if (!measuredMetrics)
        return measuredMetrics.error();
      metrics = measuredMetrics.take();
    }
    for (size_t stage = 0; stage < runner.layer(layer).stages.size(); ++stage)
      if (Status status = analyseStage(layer, stage, pass); !status)
        return status;
    return {};
  }

  /// On to the next layer, with the sample on which sensitivities are measured
  /// and a look at what this one does.
  Status advance(size_t layer, HiddenStates &states, LayerPass &pass) {
    if (sample)
      if (Status status = sample->advance(); !status)
        return status;
    HiddenStates before = states;
    if (Status status = pass.finish({}); !status)
      return status;
    LayerStatistics statistics(int64_t(states.stepOf(0, 0).size()) /
                               runner.stepTokens());
    for (int64_t i = 0; i < windows.batches(); ++i)
      statistics.add(before.stepOf(0, i).data(), states.stepOf(0, i).data(),
                     windows.tokensOf(Part::Fitted, i));
    Result<LayerAnalysis> found = statistics.finish();
    if (!found)
      return makeError("layer ", layer, ": ", found.error().str());
    layers[layer] = *found;
    return {};
  }

  Status analyseStage(size_t layer, size_t stage, LayerPass &pass) {
    if (Status status = pass.open(stage, {}); !status)
      return status;
    StageMoments moments(runner, maps, layer, stage);
    StepValues values;
    for (int64_t step = 0; step < windows.batches(); ++step) {
      if (Status status = pass.run(values); !status)
        return status;
      moments.add(nullptr, values, windows.tokensOf(Part::Fitted, step));
    }
    moments.finish();
    const std::vector<TapSite> &sites = runner.layer(layer).stages[stage].sites;
    std::map<size_t, FitInputs> inputs;
    for (size_t i = 0; i < sites.size(); ++i) {
      size_t number = runner.mapOf(layer, sites[i]);
      if (report.progress)
        report.progress("analysing", maps[number].name);
      auto [known, fresh] = inputs.try_emplace(moments.inputNumber(i));
      if (fresh)
        known->second = moments.inputsOf(i).seenBy(goal);
      if (Status status = analyseMap(
              layer, number, known->second.withMetric(metrics.lookup(number)));
          !status)
        return status;
    }
    return {};
  }

  Status analyseMap(size_t layer, size_t number, const FitInputs &inputs) {
    const LinearMap &map = maps[number];
    Result<Matrix> w = readMatrix(map, archive);
    if (!w)
      return w.error();
    MapAnalysis &result = analysis[number];
    if (Status status = analyseChoices(map, *w, inputs, options, result);
        !status)
      return status;
    if (!measured)
      return {};
    MapAnalysis::Sensitivity sensitivity;
    sensitivity.rank = std::max<int64_t>(
        1, int64_t(kSensitivityShare * double(map.parameters()) /
                   double(map.rows + map.columns)));
    double all = sumOf(result.spectrum);
    sensitivity.loss =
        all > 0 ? sumOf(result.spectrum, size_t(sensitivity.rank)) / all : 0;
    FitResult cut =
        lowRankStructure().fit(*w, inputs, {{"rank", sensitivity.rank}});
    if (!cut)
      return nameMap(map, cut.error());
    Result<double> score =
        sample->scoreWith(layer, {{map.name, (*cut)->toDense()}});
    if (!score)
      return score.error();
    sensitivity.damage = *score - base;
    sensitivity.measure = Judge::scoreNameOf(runner);
    if (!std::isfinite(sensitivity.damage))
      return makeError("tensor ", quoteName(map.name),
                       ": expected finite outputs with rank ", sensitivity.rank,
                       ", but got ", Judge::scoreNameOf(runner), " of ",
                       *score);
    result.sensitivity = sensitivity;
    return {};
  }

  TapRunner &runner;
  const std::vector<LinearMap> &maps;
  const Archive &archive;
  Windows windows;
  const CompressOptions &options;
  const WorkDirectory &work;
  const CompressReport &report;
  FitTo goal;
  std::vector<MapAnalysis> analysis;
  std::vector<LayerAnalysis> layers;
  /// Of one layer.
  OutputMetrics metrics;
  bool measured;
  /// On which sensitivities are measured, if they are.
  Windows sampled;
  std::optional<ModelSample> sample;
  double base = 0;
};

} // namespace

Result<ModelAnalysis> analyseMatrices(const std::vector<LinearMap> &maps,
                                      const Archive &archive,
                                      const CompressOptions &options,
                                      const CompressReport &report) {
  std::vector<MapAnalysis> analysis;
  for (const LinearMap &map : maps) {
    if (report.progress)
      report.progress("analysing", map.name);
    Result<Matrix> w = readMatrix(map, archive);
    if (!w)
      return w.error();
    if (Status status = analyseChoices(map, *w, FitInputs(), options,
                                       analysis.emplace_back());
        !status)
      return status.error();
  }
  weighAlike(analysis);
  return ModelAnalysis{std::move(analysis), {}};
}

Result<ModelAnalysis>
analyseModel(TapRunner &runner, const std::vector<LinearMap> &maps,
             const Archive &archive, const Windows &windows,
             const CompressOptions &options, const WorkDirectory &work,
             const CompressReport &report) {
  return ModelAnalyser(runner, maps, archive, windows, options, work, report)
      .run();
}

} // namespace linnet::compress
