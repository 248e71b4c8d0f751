//===- Refit.cpp - matrix by matrix on the result's own inputs ------------===//

#include "Refit.h"

#include "Judge.h"
#include "OutputMetrics.h"
#include "RefitChannels.h"
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
  /// By the site of the map.
  using NarrowedNorms = std::map<size_t, NarrowedNorm>;

  Status refitLayer(size_t layer) {
    bool isDropped = layout.isDropped(int64_t(layer));
    Replacements replaced = layout.masksOf(int64_t(layer));
    metrics.reset();
    LayerPass before(runner, layer, original), after(runner, layer, result);
    for (size_t stage = 0;
         !isDropped && stage < runner.layer(layer).stages.size(); ++stage)
      if (Status status = refitStage(layer, stage, replaced, before, after);
          !status)
        return status;
    if (Status status = before.finish({}); !status)
      return status;
    if (!isDropped)
      if (Status status = after.finish(replaced); !status)
        return status;
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
      if (Status status = takeKeptChannels(number, replaced); !status)
        return status.error();
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

  /// A producer as it is once the maps around its channels were fitted.
  LinearMap refitted(size_t number) const {
    LinearMap map = maps[number];
    map.name += ".channels";
    return map;
  }

  /// What replaces producers and is not what their own stage made of them.
  Status takeProducer(size_t number, FittedMap &fitted, double error,
                      Replacements &replaced) {
    if (Status status =
            take(number, fitted, [&](const Matrix &) { return error; });
        !status)
      return status;
    replaced[maps[number].name] = fitted.toDense();
    return {};
  }

  /// The same from the work directory, with consumer `number`.
  Status takeKeptChannels(size_t number, Replacements &replaced) {
    std::string name = refitted(number).name + ".json";
    if (!layout.consumedGroup(number) || !work.has(name))
      return {};
    Result<Json> entry = work.readJson(name);
    if (!entry)
      return entry.error();
    Result<double> before = getDouble(*entry, "error_before", name),
                   after = getDouble(*entry, "error_after", name);
    Result<bool> isTaken = getBool(*entry, "taken", name);
    if (!before || !after || !isTaken)
      return !before  ? before.error()
             : !after ? after.error()
                      : isTaken.error();
    report.channels.push_back({maps[number].name, *before, *after, *isTaken});
    if (!*isTaken)
      return {};
    for (const ChannelProducer &producer :
         layout.consumedGroup(number)->producers) {
      Result<WorkDirectory::Kept> kept =
          work.find(refitted(producer.map), plans[producer.map]);
      if (!kept)
        return kept.error();
      if (kept->fitted)
        if (Status status = takeProducer(producer.map, *kept->fitted,
                                         kept->error, replaced);
            !status)
          return status;
    }
    return {};
  }

  /// Fits the maps around the channels of site `i` together, of which map
  /// `number`, `fit`, is the consumer.
  Status fitChannels(RefitChannels &channels, size_t i, size_t number,
                     std::unique_ptr<FittedMap> &fit, Replacements &replaced) {
    Result<FittedChannels> found =
        channels.fit(i, *fit, replaced, method.channelSteps);
    if (!found)
      return found.error();
    auto &[result, consumer, producers] = *found;
    report.channels.push_back(result);
    for (auto &[producer, fitted, error] : producers) {
      if (Status status = takeProducer(producer, *fitted, error, replaced);
          !status)
        return status;
      if (Status status =
              work.keep(refitted(producer), plans[producer], *fitted, error);
          !status)
        return status;
    }
    if (consumer)
      fit = std::move(consumer);
    // Last, and before the consumer itself: where that is, all of it is.
    return work.writeJson(refitted(number).name + ".json",
                          {{"error_before", result.errorBefore},
                           {"error_after", result.errorAfter},
                           {"taken", result.isTaken}});
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

  Status refitStage(size_t layer, size_t stage, Replacements &replaced,
                    LayerPass &before, LayerPass &after) {
    Result<bool> isKept = takeKept(layer, stage, replaced);
    if (!isKept)
      return isKept.error();
    if (*isKept)
      return {};
    const TapStage &tapped = runner.layer(layer).stages[stage];
    if (Status status = findMetrics(layer, tapped); !status)
      return status;
    const std::vector<TapSite> &sites = tapped.sites;
    std::vector<Matrix> weights;
    for (const TapSite &site : sites) {
      Result<Matrix> w = readMatrix(maps[runner.mapOf(layer, site)], archive);
      if (!w)
        return w.error();
      weights.push_back(w.take());
    }
    if (Status status = before.open(stage, {}); !status)
      return status;
    if (Status status = after.open(stage, replaced); !status)
      return status;
    NarrowedNorms narrowed;
    if (Status status =
            narrowNorms(layer, stage, weights, after, narrowed, replaced);
        !status)
      return status;
    // One part's moments at a time: they are the most of what is in memory.
    bool mayFit = method.goal == FitTo::Outputs && method.refits &&
                  method.channelSteps > 0;
    RefitChannels channels(runner, maps, archive, windows, layout, layer, stage,
                           mayFit ? llvm::ArrayRef(weights)
                                  : llvm::ArrayRef<Matrix>());
    Result<std::vector<MapFits>> fits =
        fitStage(layer, stage, weights, narrowed, channels, before, after);
    if (!fits)
      return fits.error();
    StageMoments heldOut(runner, maps, layer, stage, weights);
    StepValues x, y;
    for (int64_t step = 0; step < windows.batches(); ++step) {
      std::vector<TokenRange> tokens = windows.tokensOf(Part::HeldOut, step);
      if (tokens.empty())
        continue;
      if (Status status = before.runAgain(step, x); !status)
        return status;
      if (Status status = after.runAgain(step, y); !status)
        return status;
      heldOut.add(&x, y, tokens);
      channels.add(Part::HeldOut, x, y, step);
    }
    heldOut.finish();
    for (size_t i = 0; i < sites.size(); ++i) {
      size_t number = runner.mapOf(layer, sites[i]);
      MapMoments judge = momentsOf(heldOut, i, number);
      std::unique_ptr<FittedMap> fit =
          chooseFit(std::move((*fits)[i]), plans[number], judge, method);
      if (std::string why = channels.obstacle(i); !why.empty())
        report.notes.push_back(maps[number].name +
                               ": fitted alone to the channels left: " + why);
      if (channels.has(i))
        if (Status status = fitChannels(channels, i, number, fit, replaced);
            !status)
          return status;
      auto normed = narrowed.find(i);
      double error = 0;
      if (Status status = take(
              number, *fit,
              [&](const Matrix &dense) {
                return error = normed == narrowed.end()
                                   ? outputError(weights[i], dense, judge.own())
                                   : normed->second.errorOf(weights[i], dense);
              });
          !status)
        return status;
      if (Status status = work.keep(maps[number], plans[number], *fit, error);
          !status)
        return status;
      replaced[maps[number].name] = fit->toDense();
    }
    // What the stage holds for later ones, producers made that are others now.
    return channels.isEmpty() ? Status() : after.reopen(replaced);
  }

  /// Runs the open stage of both models, and fits its maps to what is seen.
  Result<std::vector<MapFits>>
  fitStage(size_t layer, size_t stage, llvm::ArrayRef<Matrix> weights,
           const NarrowedNorms &narrowed, RefitChannels &channels,
           LayerPass &before, LayerPass &after) const {
    StageMoments fitted(runner, maps, layer, stage, weights);
    StepValues x, y;
    for (int64_t step = 0; step < windows.batches(); ++step) {
      if (Status status = before.run(x); !status)
        return status.error();
      if (Status status = after.run(y); !status)
        return status.error();
      fitted.add(&x, y, windows.tokensOf(Part::Fitted, step));
      channels.add(Part::Fitted, x, y, step);
    }
    fitted.finish();
    std::vector<MapFits> fits;
    const std::vector<TapSite> &sites = runner.layer(layer).stages[stage].sites;
    for (size_t i = 0; i < sites.size(); ++i) {
      size_t number = runner.mapOf(layer, sites[i]);
      if (report.progress)
        report.progress("fitting", maps[number].name);
      MapMoments seen = momentsOf(fitted, i, number);
      if (auto normed = narrowed.find(i); normed != narrowed.end()) {
        seen.inputs = seen.inputs.only(normed->second.kept);
        seen.start = normed->second.start;
      }
      Result<MapFits> both = fitBoth(weights[i], plans[number], seen, method);
      if (!both)
        return nameMap(maps[number], both.error());
      fits.push_back(both.take());
    }
    return fits;
  }

  static void addFactors(const ChannelGroup &group,
                         const std::vector<int64_t> &kept,
                         Replacements &replaced) {
    for (auto &[name, factor] : group.normFactors(kept))
      replaced[name] = factor;
  }

  /// Where maps of the stage that `after` opened lose inputs behind a norm over
  /// them, chooses what they keep by what they are given with all of them,
  /// makes the norm that of those in `replaced`, and opens the stage anew.
  Status narrowNorms(size_t layer, size_t stage, llvm::ArrayRef<Matrix> weights,
                     LayerPass &after, NarrowedNorms &narrowed,
                     Replacements &replaced) const {
    const std::vector<TapSite> &sites = runner.layer(layer).stages[stage].sites;
    std::vector<size_t> normed;
    for (size_t i = 0; i < sites.size(); ++i)
      if (const ChannelGroup *group =
              layout.consumedGroup(runner.mapOf(layer, sites[i]));
          group && group->isNormed())
        normed.push_back(i);
    if (normed.empty())
      return {};
    StageMoments fitted(runner, maps, layer, stage),
        heldOut(runner, maps, layer, stage);
    StepValues x, y;
    for (int64_t step = 0; step < windows.batches(); ++step) {
      if (Status status = after.run(x); !status)
        return status;
      fitted.add(nullptr, x, windows.tokensOf(Part::Fitted, step));
      heldOut.add(nullptr, x, windows.tokensOf(Part::HeldOut, step));
    }
    fitted.finish();
    heldOut.finish();
    for (size_t i : normed) {
      size_t number = runner.mapOf(layer, sites[i]);
      Result<std::vector<int64_t>> kept =
          chooseInputs(number, weights[i], fitted.inputsOf(i));
      if (!kept)
        return kept.error();
      addFactors(*layout.consumedGroup(number), *kept, replaced);
      narrowed[i] = {kept.take(), {}, heldOut.inputsOf(i).moment(), {}, {}};
    }
    if (Status status =
            compareNorms(layer, stage, weights, after, narrowed, replaced);
        !status)
      return status;
    return after.reopen(replaced);
  }

  /// What narrower norms do to the inputs of maps behind them.
  Status compareNorms(size_t layer, size_t stage,
                      llvm::ArrayRef<Matrix> weights, LayerPass &after,
                      NarrowedNorms &narrowed,
                      const Replacements &replaced) const {
    const TapStage &tapped = runner.layer(layer).stages[stage];
    Result<OpenTap> closed = runner.openStage(layer, tapped, replaced);
    if (!closed)
      return closed.error();
    struct Sums {
      MomentSum cross, own;
    };
    std::map<size_t, std::map<Part, Sums>> sums;
    for (const auto &[i, own] : narrowed)
      for (Part part : {Part::Fitted, Part::HeldOut}) {
        int64_t width = weights[i].columns();
        sums[i][part] = {MomentSum(width, width), MomentSum(width, width)};
      }
    StepValues x, y;
    Activations before, now;
    for (int64_t step = 0; step < windows.batches(); ++step) {
      if (Status status = after.runAgain(step, x); !status)
        return status;
      if (Status status = after.runBeside(*closed, step, y); !status)
        return status;
      for (auto &[i, parts] : sums)
        for (auto &[part, sum] : parts) {
          std::vector<TokenRange> tokens = windows.tokensOf(part, step);
          int64_t count = countTokens(tokens), width = weights[i].columns();
          if (count == 0)
            continue;
          TapValue input = tapped.sites[i].input;
          const float *whole = gatherRows(x.of(input), width, tokens, before),
                      *own = gatherRows(y.of(input), width, tokens, now);
          sum.cross.add(whole, own, count);
          sum.own.add(own, own, count);
        }
    }
    for (auto &[i, norm] : narrowed) {
      Matrix seen = sums[i][Part::Fitted].own.takeMean();
      norm.cross = sums[i][Part::HeldOut].cross.takeMean();
      norm.own = sums[i][Part::HeldOut].own.takeMean();
      if (!(trace(seen) > 0))
        continue;
      Result<Matrix> start =
          startOn(weights[i], sums[i][Part::Fitted].cross.takeMean(), seen);
      if (!start)
        return nameMap(maps[runner.mapOf(layer, tapped.sites[i])],
                       start.error());
      norm.start = start.take();
    }
    return {};
  }

  /// What map `number`, with matrix `w`, keeps of its inputs.
  Result<std::vector<int64_t>> chooseInputs(size_t number, const Matrix &w,
                                            const FitInputs &inputs) const {
    bool isBlind = !(trace(inputs.moment()) > 0);
    FitResult fit = plans[number].structure->fit(
        w, isBlind ? FitInputs() : inputs.seenBy(method.goal),
        plans[number].numbers);
    if (!fit)
      return nameMap(maps[number], fit.error());
    return *(*fit)->keptInputs();
  }

  MapMoments momentsOf(StageMoments &moments, size_t i, size_t number) const {
    return {moments.inputsOf(i).withMetric(metrics ? metrics->lookup(number)
                                                   : nullptr),
            moments.takeTarget(i)};
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
