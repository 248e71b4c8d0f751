//===- ThresholdActivations.cpp - inputs that count as zero ---------------===//
//
// Every map's threshold is chosen on what the original model has at its input
// (as TEAL does, Liu et al. 2024), stage by stage. What all thresholds together
// do is then measured with the checkpoint as written.
//
//===----------------------------------------------------------------------===//

#include "linnet/Compress/Compress.h"

#include "CalibratedModel.h"
#include "Judge.h"
#include "StageMoments.h"
#include "WriteCheckpoint.h"

#include "linnet/Checkpoint/SafetensorsWriter.h"
#include "linnet/Numerics/Thresholds.h"
#include "linnet/Support/Quote.h"

#include <charconv>
#include <cmath>

namespace linnet {

using namespace compress;

namespace {

constexpr const char *kConfigFile = "config.json", *kReportFile = "report.json",
                     *kEnding = ".thresholds";
/// Tokens that thresholds are chosen on, and judged on, at most each: a product
/// with the matrix is computed for several choices.
constexpr int64_t kMostTokens = 4096;

/// "share:F" or "error:E".
Result<ThresholdGoal> readThresholdGoal(const std::string &text) {
  size_t colon = text.find(':');
  std::string kind = text.substr(0, colon);
  ThresholdGoal goal;
  goal.kind = kind == "share" ? ThresholdGoal::Share : ThresholdGoal::Error;
  const char *begin = text.data() + std::min(text.size(), colon) + 1,
             *end = text.data() + text.size();
  bool isKnown =
      colon != std::string::npos && (kind == "share" || kind == "error");
  if (isKnown) {
    auto [stop, problem] = std::from_chars(begin, end, goal.amount);
    isKnown = problem == std::errc() && stop == end && goal.amount > 0 &&
              goal.amount < 1;
  }
  if (!isKnown)
    return makeError("--threshold-activations: expected share:F or error:E "
                     "with a number above 0 and below 1, but got ",
                     quoteName(text));
  return goal;
}

/// What enters one map, one row for each token.
struct MapInputs {
  Matrix fitted, heldOut;
};

/// Rows of tokens, of which every `stride`th is kept.
class RowSample {
public:
  RowSample(int64_t width, int64_t tokens)
      : width(width),
        stride(std::max<int64_t>(1, (tokens + kMostTokens - 1) / kMostTokens)) {
  }

  void add(const float *values, llvm::ArrayRef<TokenRange> ranges) {
    for (const TokenRange &range : ranges)
      for (int64_t token = range.first; token < range.last; ++token)
        if (seen++ % stride == 0)
          rows.insert(rows.end(), values + token * width,
                      values + (token + 1) * width);
  }

  Matrix take() {
    auto count = int64_t(rows.size()) / width;
    return Matrix(count, width, std::move(rows));
  }

private:
  int64_t width, stride, seen = 0;
  std::vector<double> rows;
};

class Thresholding {
public:
  Thresholding(const CompressOptions &options, CompressReport &report,
               const Archive &archive, AtomicDirectory &directory)
      : options(options), report(report), archive(archive),
        directory(directory) {}

  Status run() {
    Result<ThresholdGoal> given = readThresholdGoal(options.thresholds);
    if (!given)
      return given.error();
    goal = *given;
    if (Status status = open(); !status)
      return status;
    if (Status status = choose(); !status)
      return status;
    if (Status status = write(); !status)
      return status;
    if (Status status = measure(); !status)
      return status;
    return writeReport();
  }

private:
  Status open() {
    Result<Json> read = readJsonFile(options.input + "/" + kConfigFile);
    if (!read)
      return read.error();
    config = read.take();
    if (config.contains("linnet") && config["linnet"].contains("thresholds"))
      return makeError(options.input,
                       "/config.json: expected a checkpoint without key "
                       "'linnet.thresholds'");
    auto loaded = CalibratedModel::load(options.input, archive);
    if (!loaded)
      return loaded.error();
    model = loaded.take();
    if (isEncoder(*model->module))
      return makeError(quoteName(options.input),
                       ": expected a causal-lm, whose decode skips zeros, but "
                       "got an encoder");
    report.declined = model->found.declined;
    if (model->found.maps.empty())
      return makeError(
          quoteName(options.input), ": expected linear maps in layers, but ",
          report.declined.empty() ? "there are none" : report.declined.front());
    Result<Windows> given = readWindowsFor(*model->module, options);
    if (!given)
      return given.error();
    windows = given.take();
    return model->openRunner(windows);
  }

  int64_t countOf(Part part) const {
    int64_t count = 0;
    for (int64_t step = 0; step < windows.batches(); ++step)
      count += countTokens(windows.tokensOf(part, step));
    return count;
  }

  Status choose() {
    TapRunner &runner = *model->runner;
    Result<HiddenStates> begin = runner.begin(windows);
    if (!begin)
      return begin.error();
    HiddenStates states = begin.take();
    for (size_t layer = 0; layer < runner.layers(); ++layer) {
      LayerPass pass(runner, layer, states);
      for (size_t stage = 0; stage < runner.layer(layer).stages.size(); ++stage)
        if (Status status = chooseInStage(layer, stage, pass); !status)
          return status;
      if (Status status = pass.finish({}); !status)
        return status;
    }
    return {};
  }

  Status chooseInStage(size_t layer, size_t stage, LayerPass &pass) {
    TapRunner &runner = *model->runner;
    const std::vector<TapSite> &sites = runner.layer(layer).stages[stage].sites;
    if (Status status = pass.open(stage, {}); !status)
      return status;
    // Maps that share an input share a sample.
    std::map<TapValue, std::pair<RowSample, RowSample>> samples;
    for (const TapSite &site : sites) {
      int64_t width = mapOf(layer, site).columns;
      samples.try_emplace(site.input, RowSample(width, countOf(Part::Fitted)),
                          RowSample(width, countOf(Part::HeldOut)));
    }
    StepValues values;
    for (int64_t step = 0; step < windows.batches(); ++step) {
      if (Status status = pass.run(values); !status)
        return status;
      for (auto &[input, sample] : samples) {
        const float *rows = values.of(input);
        sample.first.add(rows, windows.tokensOf(Part::Fitted, step));
        sample.second.add(rows, windows.tokensOf(Part::HeldOut, step));
      }
    }
    std::map<TapValue, MapInputs> inputs;
    for (auto &[input, sample] : samples)
      inputs[input] = {sample.first.take(), sample.second.take()};
    for (const TapSite &site : sites)
      if (Status status = chooseFor(mapOf(layer, site), inputs[site.input]);
          !status)
        return status;
    return {};
  }

  const LinearMap &mapOf(size_t layer, const TapSite &site) const {
    return model->found.maps[model->runner->mapOf(layer, site)];
  }

  Status chooseFor(const LinearMap &map, const MapInputs &inputs) {
    if (report.progress)
      report.progress("choosing a threshold for", map.name);
    Result<Matrix> w = readMatrix(map, archive);
    if (!w)
      return w.error();
    Result<double> t = chooseThreshold(*w, inputs.fitted, goal);
    if (!t)
      return nameMap(map, t.error());
    if (*t == 0) {
      report.declined.push_back(
          map.name + ": " +
          (goal.kind == ThresholdGoal::Share
               ? "its inputs hold as many zeros already"
               : "none of its inputs can be left out within the error"));
      return {};
    }
    ThresholdedMap chosen{map.name, *t, {}};
    std::vector<float> thresholds = makeThresholds(*t, columnNorms(*w));
    ThresholdEffect effect = measureThresholds(*w, inputs.heldOut, thresholds);
    chosen.zerosBefore = effect.zerosBefore;
    chosen.zeros = effect.zeros;
    chosen.error = effect.error;
    report.thresholds.push_back(chosen);
    stored[map.name + kEnding] = std::move(thresholds);
    return {};
  }

  Status write() {
    std::vector<AddedTensor> added;
    for (const auto &[name, thresholds] : stored)
      added.push_back({{name, DataType::F32, {int64_t(thresholds.size())}},
                       bytesOf(thresholds)});
    if (Status status = writeTensorsBeside(archive, added,
                                           directory.file("model.safetensors"));
        !status)
      return status;
    Json names = Json::array();
    for (const ThresholdedMap &map : report.thresholds)
      names.push_back(map.name);
    config["linnet"]["thresholds"] = names;
    return finishRewrite(options.input, formatJson(config) + "\n", directory);
  }

  /// Runs the original and what was written.
  Status measure() {
    Result<Archive> written = Archive::open(directory.path());
    if (!written)
      return written.error();
    auto loaded = CalibratedModel::load(directory.path(), *written);
    if (!loaded)
      return loaded.error();
    CalibratedModel &other = **loaded;
    if (Status status = other.openRunner(windows); !status)
      return status;
    Result<HiddenStates> x = model->runner->begin(windows),
                         y = other.runner->begin(windows);
    if (!x || !y)
      return x ? y.error() : x.error();
    for (size_t layer = 0; layer < model->runner->layers(); ++layer) {
      if (report.progress)
        report.progress("measuring layer", std::to_string(layer));
      for (auto [runner, states] :
           {std::pair(&*model->runner, &*x), std::pair(&*other.runner, &*y)}) {
        Result<OpenTap> whole = runner->openWhole(layer, {});
        if (!whole)
          return whole.error();
        if (Status status = runner->advance(layer, *whole, *states); !status)
          return status;
      }
      report.layerErrors.push_back(
          hiddenError(*model->runner, *x, *y, windows));
    }
    return compareModels(*model->runner, *x, *y, windows, report);
  }

  Status writeReport() {
    Json maps = Json::object();
    for (const ThresholdedMap &map : report.thresholds)
      maps[map.name] = {{"threshold", map.threshold},
                        {"zeros_before", map.zerosBefore},
                        {"zeros", map.zeros},
                        {"error", map.error}};
    Json content = {{"goal", options.thresholds},
                    {"thresholds", maps},
                    {"declined", report.declined}};
    addMeasurements(content, report);
    return writeFileAtomically(directory.file(kReportFile),
                               formatJson(content) + "\n");
  }

  const CompressOptions &options;
  CompressReport &report;
  const Archive &archive;
  AtomicDirectory &directory;
  ThresholdGoal goal;
  Json config;
  std::unique_ptr<CalibratedModel> model;
  Windows windows;
  /// By tensor.
  std::map<std::string, std::vector<float>> stored;
};

} // namespace

Status thresholdActivations(const CompressOptions &options,
                            CompressReport &report) {
  return rewriteCheckpoint(
      options.input, options.output, options.force ? kReportFile : "",
      [&](const Archive &archive, AtomicDirectory &directory) {
        return Thresholding(options, report, archive, directory).run();
      });
}

} // namespace linnet
