//===- ChannelWidths.cpp - how many channels each layer keeps -------------===//

#include "ChannelWidths.h"

#include "ModelSample.h"
#include "StageMoments.h"

#include "linnet/Numerics/Allocation.h"
#include "linnet/Numerics/ChannelPruning.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <cmath>

namespace linnet::compress {
namespace {

/// The share of channels that is left where it is measured what a layer's cost:
/// little, so that it is seen.
constexpr double kCutShare = 0.15;
/// What is measured as less than this part of the median is noise.
constexpr double kLeastDamage = 0.3;
/// Tokens whose moments tell losses, and as many times the channels.
constexpr int64_t kMomentTokens = 16384, kTokensPerChannel = 4;

class WidthPlanner {
public:
  WidthPlanner(TapRunner &runner, const std::vector<LinearMap> &maps,
               const Archive &archive, const Windows &windows,
               const CompressOptions &options, const CompressReport &report)
      : runner(runner), maps(maps), archive(archive), windows(windows),
        options(options), report(report) {}

  Result<std::vector<ChannelWidth>> run(std::vector<const ChannelGroup *> all,
                                        std::vector<MapPlan> &plans) {
    groups = std::move(all);
    int64_t budget = 0, tokens = kMomentTokens;
    for (const ChannelGroup *group : groups) {
      budget += plans[group->consumer].numbers.at("kept");
      tokens = std::max(tokens, kTokensPerChannel * group->width);
    }
    if (Status status = measure(windows.sample(tokens)); !status)
      return status.error();
    // In the order in which they run.
    groups = measured;
    weigh();
    // Each by itself, then those together that come out alike.
    std::vector<std::vector<size_t>> ties;
    for (size_t i = 0; i < groups.size(); ++i)
      ties.push_back({i});
    if (Status status = allocate(ties, budget); !status)
      return status.error();
    tie(ties);
    if (Status status = allocate(ties, budget); !status)
      return status.error();
    for (auto [group, width] : llvm::zip(groups, widths)) {
      plans[group->consumer].numbers["kept"] = width.kept;
      for (const ChannelProducer &producer : group->producers) {
        int64_t own = group->keptOf(producer, {width.kept, 1});
        plans[producer.map] =
            own < producer.rows
                ? MapPlan(keptOutputsStructure(), {{"kept", own}})
                : MapPlan();
      }
    }
    return widths;
  }

private:
  /// Losses of all groups, and what the model loses by each.
  Status measure(Windows sampled) {
    Result<HiddenStates> begin = runner.begin(sampled);
    if (!begin)
      return begin.error();
    HiddenStates states = begin.take();
    std::optional<ModelSample> sample;
    double base = 0;
    if (options.sensitivityTokens > 0) {
      Result<ModelSample> opened =
          ModelSample::open(runner, windows.sample(options.sensitivityTokens));
      if (!opened)
        return opened.error();
      sample.emplace(opened.take());
      Result<double> score = sample->originalScore();
      if (!score)
        return score.error();
      base = *score;
    }
    for (size_t layer = 0; layer < runner.layers(); ++layer) {
      LayerPass pass(runner, layer, states);
      for (size_t stage = 0; stage < runner.layer(layer).stages.size(); ++stage)
        if (Status status =
                measureStage(layer, stage, sampled, pass, sample, base);
            !status)
          return status;
      if (Status status = pass.finish({}); !status)
        return status;
      if (sample)
        if (Status status = sample->advance(); !status)
          return status;
    }
    return {};
  }

  Status measureStage(size_t layer, size_t stage, const Windows &sampled,
                      LayerPass &pass, const std::optional<ModelSample> &sample,
                      double base) {
    // By site.
    std::map<size_t, const ChannelGroup *> own;
    for (auto [site, tapped] :
         llvm::enumerate(runner.layer(layer).stages[stage].sites))
      for (const ChannelGroup *group : groups)
        if (runner.mapOf(layer, tapped) == group->consumer)
          own[site] = group;
    if (own.empty())
      return {};
    if (Status status = pass.open(stage, {}); !status)
      return status;
    StageMoments moments(runner, maps, layer, stage);
    StepValues values;
    for (int64_t step = 0; step < sampled.batches(); ++step) {
      if (Status status = pass.run(values); !status)
        return status;
      moments.add(nullptr, values, sampled.tokensOf(Part::Fitted, step));
    }
    moments.finish();
    for (auto [site, group] : own)
      if (Status status =
              measureGroup(layer, *group, moments.inputsOf(site), sample, base);
          !status)
        return status;
    return {};
  }

  Status measureGroup(size_t layer, const ChannelGroup &group,
                      const FitInputs &inputs,
                      const std::optional<ModelSample> &sample, double base) {
    const LinearMap &map = maps[group.consumer];
    if (report.progress)
      report.progress("analysing", map.name);
    Result<Matrix> w = readMatrix(map, archive);
    if (!w)
      return w.error();
    Result<std::vector<double>> losses =
        lossesByBrainSurgeon(*w, inputs.moment());
    if (!losses)
      return nameMap(map, losses.error());
    double all = outputLoss(*w, inputs.moment());
    for (double &loss : *losses)
      loss = all > 0 ? std::max(loss, 0.0) / all : 0;
    ChannelWidth width{.consumer = group.consumer};
    width.cut =
        std::max<int64_t>(std::llround(kCutShare * double(group.width)), 1);
    width.loss = (*losses)[size_t(width.cut)];
    lost.push_back(losses.take());
    if (sample) {
      FitResult cut =
          keptInputsStructure().fit(*w, inputs, {{"kept", width.cut}});
      if (!cut)
        return nameMap(map, cut.error());
      Result<double> score =
          sample->scoreWith(layer, {{map.name, (*cut)->toDense()}});
      if (!score)
        return score.error();
      width.damage = *score - base;
      if (!std::isfinite(width.damage))
        return makeError("tensor ", map.name, ": expected finite outputs with ",
                         width.cut, " channels, but got a score of ", *score);
    }
    widths.push_back(width);
    measured.push_back(&group);
    return {};
  }

  /// How much a loss costs in each layer.
  void weigh() {
    bool isMeasured = options.sensitivityTokens > 0;
    for (const ChannelWidth &width : widths)
      weights.push_back(isMeasured ? width.damage / std::max(width.loss, 1e-9)
                                   : 1);
    std::vector<double> sorted = weights;
    std::sort(sorted.begin(), sorted.end());
    double least = kLeastDamage * std::max(sorted[sorted.size() / 2], 1e-4);
    for (double &weight : weights)
      weight = std::max(weight, least);
  }

  /// Each tie keeps as many in all of its groups.
  Status allocate(const std::vector<std::vector<size_t>> &ties,
                  int64_t budget) {
    std::vector<std::vector<AllocationChoice>> items;
    std::vector<std::vector<int64_t>> counts;
    for (const std::vector<size_t> &tied : ties) {
      int64_t width = groups[tied.front()]->width,
              multiple = std::min(options.rankMultiple, width);
      std::vector<AllocationChoice> &choices = items.emplace_back();
      std::vector<int64_t> &own = counts.emplace_back();
      for (int64_t kept = multiple; kept <= width; kept += multiple) {
        double loss = 0;
        for (size_t i : tied)
          loss += weights[i] * lost[i][size_t(kept)];
        choices.push_back({double(kept * int64_t(tied.size())), loss});
        own.push_back(kept);
      }
    }
    Result<std::vector<size_t>> chosen = allocateBudget(items, double(budget));
    if (!chosen)
      return chosen.error();
    for (auto [tied, own, choice] : llvm::zip(ties, counts, *chosen))
      for (size_t i : tied)
        widths[i].kept = own[choice];
    return {};
  }

  /// Puts the nearest together until there are few.
  void tie(std::vector<std::vector<size_t>> &ties) const {
    auto widthOf = [&](const std::vector<size_t> &tied) {
      double sum = 0;
      for (size_t i : tied)
        sum += double(widths[i].kept);
      return sum / double(tied.size());
    };
    llvm::sort(ties, [&](const auto &a, const auto &b) {
      return std::pair(widthOf(a), a) < std::pair(widthOf(b), b);
    });
    while (options.layerKinds > 0 &&
           int64_t(ties.size()) > options.layerKinds) {
      size_t best = 0;
      auto gapAt = [&](size_t i) {
        return widthOf(ties[i + 1]) - widthOf(ties[i]);
      };
      for (size_t i = 1; i + 1 < ties.size(); ++i)
        if (gapAt(i) < gapAt(best))
          best = i;
      llvm::append_range(ties[best], ties[best + 1]);
      ties.erase(ties.begin() + std::ptrdiff_t(best) + 1);
    }
  }

  TapRunner &runner;
  const std::vector<LinearMap> &maps;
  const Archive &archive;
  const Windows &windows;
  const CompressOptions &options;
  const CompressReport &report;
  std::vector<const ChannelGroup *> groups, measured;
  /// By group, what is known.
  std::vector<ChannelWidth> widths;
  std::vector<std::vector<double>> lost;
  std::vector<double> weights;
};

} // namespace

Result<std::vector<ChannelWidth>>
planWidths(TapRunner &runner, const std::vector<LinearMap> &maps,
           const Archive &archive, const Windows &windows,
           const std::vector<ChannelGroup> &groups,
           const CompressOptions &options, const CompressReport &report,
           std::vector<MapPlan> &plans) {
  std::vector<const ChannelGroup *> left;
  for (const ChannelGroup &group : groups)
    if (group.kind == &mlpChannels() &&
        plans[group.consumer].structure == &keptInputsStructure())
      left.push_back(&group);
  if (left.empty())
    return std::vector<ChannelWidth>();
  return WidthPlanner(runner, maps, archive, windows, options, report)
      .run(std::move(left), plans);
}

} // namespace linnet::compress
