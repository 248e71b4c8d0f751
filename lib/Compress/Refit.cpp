//===- Refit.cpp - matrix by matrix on the result's own inputs ------------===//

#include "Refit.h"

#include "Judge.h"
#include "OutputMetrics.h"
#include "StageMoments.h"

#include "llvm/ADT/STLExtras.h"

namespace linnet::compress {
namespace {

class Refitter {
public:
  Refitter(TapRunner &runner, const std::vector<LinearMap> &maps,
           const std::vector<MapPlan> &plans, const Archive &archive,
           const Windows &windows, const Layout &layout,
           const FitMethod &method, const WorkDirectory &work,
           const TakeFit &take, CompressReport &report)
      : runner(runner), maps(maps), plans(plans), archive(archive),
        windows(windows), layout(layout), method(method), work(work),
        take(take), report(report) {}

  Status run() {
    Result<HiddenStates> begin = runner.begin(windows);
    if (!begin)
      return begin.error();
    original = begin.take();
    result = original;
    for (size_t layer = 0; layer < runner.layers(); ++layer)
      if (Status status = refitLayer(layer); !status)
        return status;
    return compareModels(runner, original, result, windows, report);
  }

private:
  Status refitLayer(size_t layer) {
    bool isDropped = layout.isDropped(int64_t(layer));
    Replacements replaced = layout.masksOf(int64_t(layer));
    metrics.reset();
    for (size_t stage = 0;
         !isDropped && stage < runner.layer(layer).stages.size(); ++stage)
      if (Status status = refitStage(layer, stage, replaced); !status)
        return status;
    for (bool isResult : {false, true}) {
      if (isResult && isDropped)
        continue;
      Result<OpenTap> whole =
          runner.openWhole(layer, isResult ? replaced : Replacements());
      if (!whole)
        return whole.error();
      if (Status status =
              runner.advance(layer, *whole, isResult ? result : original);
          !status)
        return status;
    }
    report.layerErrors.push_back(
        hiddenError(runner, original, result, windows));
    return {};
  }

  /// Takes all fits of a stage from the work directory; false if they are not
  /// all there.
  Result<bool> takeKept(size_t layer, size_t stage, Replacements &replaced) {
    std::vector<std::pair<size_t, WorkDirectory::Kept>> found;
    for (const TapSite &site : runner.layer(layer).stages[stage].sites) {
      size_t number = runner.mapOf(layer, site);
      Result<WorkDirectory::Kept> kept = work.find(maps[number], plans[number]);
      if (!kept)
        return kept.error();
      if (!kept->fitted)
        return false;
      found.emplace_back(number, kept.take());
    }
    for (auto &[number, kept] : found) {
      if (Status status =
              take(number, *kept.fitted,
                   [&, error = kept.error](const Matrix &) { return error; });
          !status)
        return status.error();
      replaced[maps[number].name] = kept.fitted->toDense();
    }
    return true;
  }

  /// Of the layer, once a stage has fits that heed them.
  Status findMetrics(size_t layer, const TapStage &stage) {
    bool isHeeded =
        method.goal == FitTo::Outputs &&
        llvm::any_of(stage.sites, [&](const TapSite &site) {
          return plans[runner.mapOf(layer, site)].structure->weighsOutputs();
        });
    if (metrics || !isHeeded)
      return {};
    Result<OutputMetrics> measured =
        measureMetrics(runner, layer, maps, archive, original, windows);
    if (!measured)
      return measured.error();
    metrics = measured.take();
    return {};
  }

  Status refitStage(size_t layer, size_t stage, Replacements &replaced) {
    Result<bool> isKept = takeKept(layer, stage, replaced);
    if (!isKept)
      return isKept.error();
    if (*isKept)
      return {};
    const TapStage &tapped = runner.layer(layer).stages[stage];
    if (Status status = findMetrics(layer, tapped); !status)
      return status;
    StageMoments fitted(runner, maps, layer, stage, /*twoModels=*/true);
    StageMoments heldOut = fitted;
    if (Status status = sum(layer, stage, replaced, fitted, heldOut); !status)
      return status;
    const std::vector<TapSite> &sites = tapped.sites;
    InputsOf fittedInputs, heldOutInputs;
    for (size_t i = 0; i < sites.size(); ++i) {
      size_t number = runner.mapOf(layer, sites[i]);
      if (report.progress)
        report.progress("fitting", maps[number].name);
      Result<Matrix> w = readMatrix(maps[number], archive);
      if (!w)
        return w.error();
      MapMoments judge = momentsOf(heldOut, i, number, heldOutInputs);
      FitResult fit =
          fitMap(*w, plans[number], momentsOf(fitted, i, number, fittedInputs),
                 judge, method);
      if (!fit)
        return nameMap(maps[number], fit.error());
      double error = 0;
      if (Status status = take(number, **fit,
                               [&](const Matrix &dense) {
                                 return error =
                                            outputError(*w, dense, judge.own());
                               });
          !status)
        return status;
      if (Status status = work.keep(maps[number], plans[number], **fit, error);
          !status)
        return status;
      replaced[maps[number].name] = (*fit)->toDense();
    }
    return {};
  }

  /// The inputs of a stage, by their number.
  using InputsOf = std::map<size_t, FitInputs>;

  MapMoments momentsOf(const StageMoments &moments, size_t i, size_t number,
                       InputsOf &known) const {
    auto [inputs, fresh] = known.try_emplace(moments.inputNumber(i));
    if (fresh)
      inputs->second = FitInputs(moments.own(i));
    return {
        inputs->second.withMetric(metrics ? metrics->lookup(number) : nullptr),
        moments.cross(i), moments.residual(i)};
  }

  /// Runs both models up to a stage.
  Status sum(size_t layer, size_t stage, const Replacements &replaced,
             StageMoments &fitted, StageMoments &heldOut) {
    Result<OpenTap> before = runner.openStage(layer, stage, {});
    if (!before)
      return before.error();
    Result<OpenTap> after = runner.openStage(layer, stage, replaced);
    if (!after)
      return after.error();
    StepValues x, y;
    for (int64_t step = 0; step < windows.batches(); ++step) {
      std::vector<TokenRange> seen = windows.tokensOf(Part::Fitted, step),
                              unseen = windows.tokensOf(Part::HeldOut, step);
      if (seen.empty() && unseen.empty())
        continue;
      if (Status status = runStep(*before, original, step, x); !status)
        return status;
      if (Status status = runStep(*after, result, step, y); !status)
        return status;
      fitted.add(&x, y, seen);
      heldOut.add(&x, y, unseen);
    }
    return {};
  }

  Status runStep(const OpenTap &tap, const HiddenStates &states, int64_t step,
                 StepValues &values) const {
    values.carried = runner.inputsOf(states, step);
    return tap.run(values.carried, values.shown);
  }

  TapRunner &runner;
  const std::vector<LinearMap> &maps;
  const std::vector<MapPlan> &plans;
  const Archive &archive;
  const Windows &windows;
  const Layout &layout;
  const FitMethod &method;
  const WorkDirectory &work;
  const TakeFit &take;
  CompressReport &report;
  HiddenStates original, result;
  /// Of one layer.
  std::optional<OutputMetrics> metrics;
};

} // namespace

Status refitModel(TapRunner &runner, const std::vector<LinearMap> &maps,
                  const std::vector<MapPlan> &plans, const Archive &archive,
                  const Windows &windows, const Layout &layout,
                  const FitMethod &method, const WorkDirectory &work,
                  const TakeFit &take, CompressReport &report) {
  return Refitter(runner, maps, plans, archive, windows, layout, method, work,
                  take, report)
      .run();
}

} // namespace linnet::compress
