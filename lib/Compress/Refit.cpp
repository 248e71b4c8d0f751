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
      if (const ChannelGroup *group = layout.consumedGroup(number))
        addFactors(*group, *kept.fitted->keptInputs(), replaced);
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
    if (Status status = sum(layer, stage, {original, {}}, {result, replaced},
                            fitted, heldOut);
        !status)
      return status;
    const std::vector<TapSite> &sites = tapped.sites;
    NarrowedNorms narrowed;
    if (Status status =
            narrowNorms(layer, stage, fitted, heldOut, narrowed, replaced);
        !status)
      return status;
    InputsOf fittedInputs, heldOutInputs;
    for (size_t i = 0; i < sites.size(); ++i) {
      size_t number = runner.mapOf(layer, sites[i]);
      if (report.progress)
        report.progress("fitting", maps[number].name);
      Result<Matrix> w = readMatrix(maps[number], archive);
      if (!w)
        return w.error();
      MapMoments judge = momentsOf(heldOut, i, number, heldOutInputs);
      MapMoments seen = momentsOf(fitted, i, number, fittedInputs);
      auto normed = narrowed.find(number);
      if (normed != narrowed.end()) {
        seen.inputs = seen.inputs.only(normed->second.kept);
        seen.start = normed->second.start;
      }
      FitResult fit = fitMap(*w, plans[number], seen, judge, method);
      if (!fit)
        return nameMap(maps[number], fit.error());
      double error = 0;
      if (Status status =
              take(number, **fit,
                   [&](const Matrix &dense) {
                     return error = normed == narrowed.end()
                                        ? outputError(*w, dense, judge.own())
                                        : normed->second.errorOf(*w, dense);
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

  /// A map behind a norm that is one over fewer inputs now: x are its inputs
  /// with all of them, x' with those that are kept.
  struct NarrowedNorm {
    std::vector<int64_t> kept;
    /// What its matrix is on x'.
    Matrix start;
    /// E[x x^T], E[x x'^T] and E[x' x'^T] of held-out windows.
    Matrix whole, cross, own;

    double errorOf(const Matrix &w, const Matrix &w1) const {
      return outputError(w, w1, whole, cross, own);
    }
  };
  /// By the number of the map.
  using NarrowedNorms = std::map<size_t, NarrowedNorm>;

  static void addFactors(const ChannelGroup &group,
                         const std::vector<int64_t> &kept,
                         Replacements &replaced) {
    for (auto &[name, factor] : group.normFactors(kept))
      replaced[name] = factor;
  }

  /// Where maps of a stage lose inputs behind a norm over them, chooses what
  /// they keep by what they are given with all of them, makes the norm that of
  /// those in `replaced`, and sums again.
  Status narrowNorms(size_t layer, size_t stage, StageMoments &fitted,
                     StageMoments &heldOut, NarrowedNorms &narrowed,
                     Replacements &replaced) {
    const std::vector<TapSite> &sites = runner.layer(layer).stages[stage].sites;
    const Replacements whole = replaced;
    for (size_t i = 0; i < sites.size(); ++i) {
      size_t number = runner.mapOf(layer, sites[i]);
      const ChannelGroup *group = layout.consumedGroup(number);
      if (!group || !group->isNormed())
        continue;
      Result<std::vector<int64_t>> kept = chooseInputs(number, fitted.own(i));
      if (!kept)
        return kept.error();
      addFactors(*group, *kept, replaced);
      narrowed[number] = {kept.take(), {}, heldOut.own(i), {}, {}};
    }
    if (narrowed.empty())
      return {};
    StageMoments closed(runner, maps, layer, stage, /*twoModels=*/true);
    StageMoments judged = closed;
    if (Status status = sum(layer, stage, {result, whole}, {result, replaced},
                            closed, judged);
        !status)
      return status;
    for (size_t i = 0; i < sites.size(); ++i) {
      auto own = narrowed.find(runner.mapOf(layer, sites[i]));
      if (own == narrowed.end())
        continue;
      Result<Matrix> w = readMatrix(maps[own->first], archive);
      if (!w)
        return w.error();
      own->second.cross = judged.cross(i);
      own->second.own = judged.own(i);
      if (Matrix seen = closed.own(i); trace(seen) > 0) {
        Result<Matrix> start = startOn(*w, closed.cross(i), seen);
        if (!start)
          return nameMap(maps[own->first], start.error());
        own->second.start = start.take();
      }
    }
    fitted = heldOut = StageMoments(runner, maps, layer, stage, true);
    return sum(layer, stage, {original, {}}, {result, replaced}, fitted,
               heldOut);
  }

  /// What map `number` keeps of inputs with this moment.
  Result<std::vector<int64_t>> chooseInputs(size_t number, Matrix own) const {
    Result<Matrix> w = readMatrix(maps[number], archive);
    if (!w)
      return w.error();
    FitInputs inputs = trace(own) > 0
                           ? FitInputs(std::move(own)).seenBy(method.goal)
                           : FitInputs();
    FitResult fit =
        plans[number].structure->fit(*w, inputs, plans[number].numbers);
    if (!fit)
      return nameMap(maps[number], fit.error());
    return *(*fit)->keptInputs();
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

  /// A model by its states before a layer, and what stands in for matrices of
  /// that layer.
  struct Model {
    const HiddenStates &states;
    const Replacements &instead;
  };

  /// Runs both models up to a stage.
  Status sum(size_t layer, size_t stage, const Model &one, const Model &other,
             StageMoments &fitted, StageMoments &heldOut) {
    Result<OpenTap> before = runner.openStage(layer, stage, one.instead);
    if (!before)
      return before.error();
    Result<OpenTap> after = runner.openStage(layer, stage, other.instead);
    if (!after)
      return after.error();
    StepValues x, y;
    for (int64_t step = 0; step < windows.batches(); ++step) {
      std::vector<TokenRange> seen = windows.tokensOf(Part::Fitted, step),
                              unseen = windows.tokensOf(Part::HeldOut, step);
      if (seen.empty() && unseen.empty())
        continue;
      if (Status status = runStep(*before, one.states, step, x); !status)
        return status;
      if (Status status = runStep(*after, other.states, step, y); !status)
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
