//===- RefitChannels.cpp - the maps around narrower channels --------------===//

#include "RefitChannels.h"

#include "FitMap.h"

#include "llvm/ADT/STLExtras.h"

#include <cmath>

namespace linnet::compress {
namespace {

/// Compiled from the layer.
class TapFunction : public ChannelFunction {
public:
  explicit TapFunction(OpenTap tap) : tap(std::move(tap)) {}
  int64_t size() const override { return int64_t(tap.outputSize(0)); }
  Status run(const std::vector<std::vector<float>> &y,
             std::vector<float> &z) const override {
    std::vector<const void *> inputs;
    for (const std::vector<float> &one : y)
      inputs.push_back(one.data());
    return tap.run(inputs, std::vector<void *>{z.data()});
  }

private:
  OpenTap tap;
};

/// What a sample adds up to: E|t|^2.
double energyOf(const ChannelTokens &tokens) {
  double sum = 0;
  for (float t : tokens.targets)
    sum += double(t) * double(t);
  return sum / double(std::max<int64_t>(tokens.count, 1));
}

int64_t countPart(const Windows &windows, Part part) {
  int64_t count = 0;
  for (int64_t step = 0; step < windows.batches(); ++step)
    count += countTokens(windows.tokensOf(part, step));
  return count;
}

} // namespace

int64_t refitFloats(const ChannelGroup &group,
                    const std::vector<LinearMap> &maps, int64_t tokens,
                    int64_t stepTokens) {
  int64_t held = std::min(tokens, kMostFittedTokens),
          seen = std::min(held, ChannelRefitOptions().stepTokens),
          each = maps[group.consumer].rows,
          count = int64_t(group.producers.size());
  for (const ChannelProducer &producer : group.producers)
    each =
        std::max(each, maps[group.consumer].rows + maps[producer.map].columns);
  // Rows of all tokens and of a step's, slopes of these, and what the function
  // is given and makes.
  return held * each + seen * (each + count * group.width) +
         (2 * count + 3) * stepTokens * group.width;
}

RefitChannels::RefitChannels(TapRunner &runner,
                             const std::vector<LinearMap> &maps,
                             const Archive &archive, const Windows &windows,
                             const Layout &layout, size_t layer, size_t stage,
                             llvm::ArrayRef<Matrix> weights)
    : runner(runner), maps(maps), archive(archive), windows(windows),
      layer(layer), stage(stage) {
  for (auto [i, weight] : llvm::enumerate(weights)) {
    const ChannelGroup *channels =
        layout.consumedGroup(runner.mapOf(layer, siteOf(i)));
    if (!channels || channels->kind != &mlpChannels())
      continue;
    const std::optional<TapChannels> &found = siteOf(i).channels;
    if (!found) {
      obstacles[i] = "the maps before its channels have several inputs";
      continue;
    }
    Group group{channels, {}, {}, {}};
    for (const std::string &key : found->producers)
      group.producers.push_back(runner.mapAt(layer, key));
    // What keeps all outputs, as none is left out, is written already.
    if (!llvm::all_of(group.producers, [&](size_t producer) {
          return layout.isProduced(producer);
        }))
      continue;
    group.weight.assign(weight.data(), weight.data() + weight.size());
    for (auto [part, most] : {std::pair(Part::Fitted, kMostFittedTokens),
                              std::pair(Part::HeldOut, kMostJudgedTokens)})
      group.samples[part].stride =
          std::max<int64_t>(1, (countPart(windows, part) + most - 1) / most);
    groups[i] = std::move(group);
  }
}

std::string RefitChannels::obstacle(size_t i) const {
  auto place = obstacles.find(i);
  return place == obstacles.end() ? std::string() : place->second;
}

void RefitChannels::add(Part part, const StepValues &original,
                        const StepValues &result, int64_t step) {
  for (auto &[i, group] : groups) {
    const TapSite &site = siteOf(i);
    const LinearMap &map = maps[runner.mapOf(layer, site)];
    const float *before = original.of(site.input),
                *after = result.of(site.input),
                *x = result.of(site.channels->input),
                *r = site.residual ? original.of(*site.residual) : nullptr,
                *s = site.residual ? result.of(*site.residual) : nullptr;
    int64_t inputs = maps[group.producers.front()].columns;
    Sample &sample = group.samples[part];
    // Held-out windows say what there is to make up for, fits how much of it
    // to trust.
    float trust = part == Part::Fitted ? float(kTrust) : 1;
    std::vector<float> channels, residuals;
    for (const TokenRange &range : windows.tokensOf(part, step))
      for (int64_t t = range.first; t < range.last; ++t) {
        if (sample.seen++ % sample.stride)
          continue;
        ++sample.tokens.count;
        sample.tokens.inputs.insert(sample.tokens.inputs.end(), x + t * inputs,
                                    x + (t + 1) * inputs);
        for (int64_t c = t * map.columns; c < (t + 1) * map.columns; ++c)
          channels.push_back(trust * before[c] + (1 - trust) * after[c]);
        for (int64_t o = t * map.rows; o < (t + 1) * map.rows; ++o)
          residuals.push_back(r ? trust * (r[o] - s[o]) : 0);
      }
    auto count = int64_t(residuals.size()) / map.rows;
    std::vector<float> targets(residuals.size());
    mapTokens(group.weight.data(), map.rows, map.columns, channels.data(),
              count, targets.data());
    for (size_t e = 0; e < targets.size(); ++e)
      sample.tokens.targets.push_back(targets[e] + residuals[e]);
  }
}

std::string RefitChannels::producerBias(const Group &group, size_t map) const {
  for (const ChannelProducer &producer : group.channels->producers)
    if (producer.map == map)
      return producer.bias;
  return {};
}

Result<ChannelMaps> RefitChannels::mapsOf(const Group &group,
                                          const FittedMap &consumer,
                                          const std::vector<int64_t> &kept,
                                          const Replacements &replaced) const {
  ChannelMaps around;
  around.consumer = consumer.toDense().takeColumns(kept);
  for (size_t producer : group.producers) {
    around.producers.push_back(replaced.at(maps[producer].name).takeRows(kept));
    std::vector<float> &bias = around.biases.emplace_back();
    std::string name = producerBias(group, producer);
    if (name.empty())
      continue;
    Result<const Archive::Tensor *> tensor = archive.require(name);
    if (!tensor)
      return tensor.error();
    std::vector<float> all(size_t(maps[producer].rows));
    convertToF32((*tensor)->data, (*tensor)->dtype, all.data(), all.size());
    for (int64_t channel : kept)
      bias.push_back(all[size_t(channel)]);
  }
  return around;
}

Result<FittedChannels> RefitChannels::fit(size_t i, const FittedMap &consumer,
                                          const Replacements &replaced,
                                          int64_t steps) {
  Group &group = groups.at(i);
  size_t number = group.channels->consumer;
  const std::vector<int64_t> &kept = *consumer.keptInputs();
  Result<ChannelMaps> start = mapsOf(group, consumer, kept, replaced);
  if (!start)
    return start.error();
  Result<OpenTap> tap = runner.openChannels(*siteOf(i).channels);
  if (!tap)
    return tap.error();
  TapFunction function(tap.take());
  ChannelTokens fitted = std::move(group.samples[Part::Fitted].tokens),
                heldOut = std::move(group.samples[Part::HeldOut].tokens);
  Result<double> before = channelLoss(*start, heldOut, function);
  if (!before)
    return before.error();
  Result<ChannelMaps> found =
      refitChannels(*start, fitted, function, {.steps = steps});
  if (!found)
    return nameMap(maps[number], found.error());
  Result<double> after = channelLoss(*found, heldOut, function);
  if (!after)
    return after.error();
  double all = energyOf(heldOut);
  FittedChannels result;
  result.report = {maps[number].name, std::sqrt(all > 0 ? *before / all : 0),
                   std::sqrt(all > 0 ? *after / all : 0), *after < *before};
  if (!result.report.isTaken)
    return result;
  Matrix whole(maps[number].rows, maps[number].columns);
  for (int64_t r = 0; r < whole.rows(); ++r)
    for (size_t k = 0; k < kept.size(); ++k)
      whole.at(r, kept[k]) = found->consumer.at(r, int64_t(k));
  result.consumer = keepInputs(std::move(whole), kept);
  result.consumer->isRefit = true;
  int64_t inputs = found->producers.front().columns();
  MomentSum moment(inputs, inputs);
  moment.add(heldOut.inputs.data(), heldOut.inputs.data(), heldOut.count);
  for (auto [producer, matrix] : llvm::zip(group.producers, found->producers)) {
    Result<Matrix> w = readMatrix(maps[producer], archive);
    if (!w)
      return w.error();
    Matrix dense = replaced.at(maps[producer].name);
    for (size_t k = 0; k < kept.size(); ++k)
      std::copy_n(matrix.row(int64_t(k)), inputs, dense.row(kept[k]));
    double error = outputError(*w, dense, moment.mean());
    auto map = std::make_unique<PlainMap>(std::move(dense));
    map->isRefit = true;
    result.producers.push_back({producer, std::move(map), error});
  }
  return result;
}

} // namespace linnet::compress
