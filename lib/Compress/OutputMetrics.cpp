//===- OutputMetrics.cpp - how errors of a map's outputs count ------------===//

#include "OutputMetrics.h"

#include "StageMoments.h"

namespace linnet::compress {
namespace {

/// Tokens that tell enough.
constexpr int64_t kMetricTokens = 8192;

/// Adds block `from` of `a` to block `to` of `sum`, each `size` wide.
void addBlock(Matrix &sum, int64_t to, const Matrix &a, int64_t from,
              int64_t size) {
  for (int64_t i = 0; i < size; ++i)
    for (int64_t j = 0; j < size; ++j)
      sum.at(to * size + i, to * size + j) +=
          a.at(from * size + i, from * size + j);
}

class MetricMeasurer {
public:
  MetricMeasurer(TapRunner &runner, size_t layer,
                 const std::vector<LinearMap> &maps, const Archive &archive,
                 const HiddenStates &states, const Windows &windows,
                 int64_t most)
      : runner(runner), layer(layer), maps(maps), archive(archive),
        states(states), windows(windows), most(most) {}

  Result<OutputMetrics> run() {
    OutputMetrics metrics;
    for (const TapStage &stage : runner.layer(layer).stages)
      for (const TapSite &site : stage.sites) {
        const LinearMap &map = maps[runner.mapOf(layer, site)];
        if (!site.reach || !fits(*site.reach, map) ||
            (isLarge(map) && site.reach->kind != ReachKind::Channels))
          continue;
        Result<Matrix> metric = measure(*site.reach, map);
        if (!metric)
          return metric.error();
        Result<MetricRoots> roots =
            takeMetricRoots(OutputMetric{metric.take()}, map.rows);
        if (!roots)
          return nameMap(map, roots.error());
        metrics.set(runner.mapOf(layer, site), roots.take());
      }
    return metrics;
  }

private:
  bool isLarge(const LinearMap &map) const { return map.rows > most; }

  /// Whether the map's outputs are all of what the formula is about.
  bool fits(const TapReach &reach, const LinearMap &map) const {
    if (reach.kind == ReachKind::Channels)
      return maps[runner.mapAt(layer, reach.consumer)].columns == map.rows;
    int64_t queries = reach.queryHeads, keys = reach.keyHeads;
    int64_t heads = reach.kind == ReachKind::Queries ? queries : keys;
    if (queries < 1 || keys < 1 || queries % keys || map.rows % heads)
      return false;
    return reach.kind != ReachKind::Values ||
           maps[runner.mapAt(layer, reach.consumer)].columns ==
               map.rows / keys * queries;
  }

  Result<Matrix> measure(const TapReach &reach, const LinearMap &map) {
    switch (reach.kind) {
    case ReachKind::Channels:
      return isLarge(map) ? diagonalOfChannels(reach, map)
                          : ofChannels(reach, map);
    case ReachKind::Values:
      return ofValues(reach, map);
    case ReachKind::Queries:
    case ReachKind::Keys:
      return ofScores(reach, map);
    }
    return Matrix();
  }

  /// W'^T W' of the map that takes the outputs, which several maps may share.
  Result<const Matrix *> consumerProduct(const TapReach &reach) {
    auto [known, fresh] = products.try_emplace(reach.consumer);
    if (!fresh)
      return &known->second;
    Result<Matrix> w =
        readMatrix(maps[runner.mapAt(layer, reach.consumer)], archive);
    if (!w)
      return w.error();
    known->second = multiply(*w, *w, Side::Transposed, Side::AsIs);
    return &known->second;
  }

  /// Calls `see(slopes d, count)` for some tokens, a row of `width` each.
  template <typename Visitor>
  Status visitSlopes(const TapReach &reach, int64_t width, Visitor see) {
    Activations slopes, ofPlain, ofShifted;
    return visit(reach, [&](const StepValues &values,
                            llvm::ArrayRef<TokenRange> ranges) {
      const float *z = gatherRows(values.of(reach.shown[0]), width, ranges,
                                  ofPlain),
                  *shifted = gatherRows(values.of(reach.shown[1]), width,
                                        ranges, ofShifted);
      slopes.resize(size_t(countTokens(ranges) * width));
      for (size_t i = 0; i < slopes.size(); ++i)
        slopes[i] = (shifted[i] - z[i]) / kTapShift;
      see(slopes.data(), countTokens(ranges));
    });
  }

  /// |W'_c|^2 E[d_c^2] of each channel c.
  Result<Matrix> diagonalOfChannels(const TapReach &reach,
                                    const LinearMap &map) {
    Matrix metric(1, map.rows);
    int64_t tokens = 0;
    Status status =
        visitSlopes(reach, map.rows, [&](const float *slopes, int64_t count) {
          for (int64_t t = 0; t < count; ++t)
            for (int64_t c = 0; c < map.rows; ++c)
              metric.at(0, c) += double(slopes[t * map.rows + c]) *
                                 double(slopes[t * map.rows + c]);
          tokens += count;
        });
    if (!status)
      return status.error();
    Result<Matrix> w =
        readMatrix(maps[runner.mapAt(layer, reach.consumer)], archive);
    if (!w)
      return w.error();
    std::vector<double> squares(size_t(map.rows), 0.0);
    for (int64_t r = 0; r < w->rows(); ++r)
      for (int64_t c = 0; c < map.rows; ++c)
        squares[size_t(c)] += w->at(r, c) * w->at(r, c);
    for (int64_t c = 0; c < map.rows; ++c)
      metric.at(0, c) *=
          squares[size_t(c)] / double(std::max<int64_t>(1, tokens));
    return metric;
  }

  Result<Matrix> ofChannels(const TapReach &reach, const LinearMap &map) {
    MomentSum slopes(map.rows, map.rows);
    Status status =
        visitSlopes(reach, map.rows, [&](const float *rows, int64_t count) {
          slopes.add(rows, rows, count);
        });
    if (!status)
      return status.error();
    Result<const Matrix *> product = consumerProduct(reach);
    if (!product)
      return product.error();
    Matrix metric = slopes.mean();
    for (int64_t i = 0; i < metric.size(); ++i)
      metric.data()[i] *= (*product)->data()[i];
    return metric;
  }

  Result<Matrix> ofValues(const TapReach &reach, const LinearMap &map) {
    Result<const Matrix *> product = consumerProduct(reach);
    if (!product)
      return product.error();
    int64_t size = map.rows / reach.keyHeads;
    Matrix metric(map.rows, map.rows);
    for (int64_t head = 0; head < reach.queryHeads; ++head)
      addBlock(metric, head * reach.keyHeads / reach.queryHeads, **product,
               head, size);
    return metric;
  }

  /// What attention multiplies: E[q q^T] and E[k k^T], over all heads.
  struct ScoreMoments {
    Matrix queries, keys;
  };

  /// Queries and keys have a tap in common, which runs once.
  Result<const ScoreMoments *> scoreMoments(const TapReach &reach,
                                            int64_t size) {
    auto [known, fresh] = scores.try_emplace(reach.function);
    if (!fresh)
      return &known->second;
    int64_t widths[2] = {reach.queryHeads * size, reach.keyHeads * size};
    MomentSum sums[2] = {MomentSum(widths[0], widths[0]),
                         MomentSum(widths[1], widths[1])};
    Activations gathered;
    Status status = visit(reach, [&](const StepValues &values,
                                     llvm::ArrayRef<TokenRange> ranges) {
      for (int i : {0, 1}) {
        const float *x = gatherRows(values.of(reach.shown[size_t(i)]),
                                    widths[i], ranges, gathered);
        sums[i].add(x, x, countTokens(ranges));
      }
    });
    if (!status)
      return status.error();
    known->second = {sums[0].mean(), sums[1].mean()};
    return &known->second;
  }

  Result<Matrix> ofScores(const TapReach &reach, const LinearMap &map) {
    bool ofQueries = reach.kind == ReachKind::Queries;
    int64_t heads = ofQueries ? reach.queryHeads : reach.keyHeads,
            others = ofQueries ? reach.keyHeads : reach.queryHeads;
    int64_t size = map.rows / heads, all = std::max(heads, others);
    Result<const ScoreMoments *> moments = scoreMoments(reach, size);
    if (!moments)
      return moments.error();
    const Matrix &mean = ofQueries ? (*moments)->keys : (*moments)->queries;
    Matrix metric(map.rows, map.rows);
    for (int64_t head = 0; head < all; ++head)
      addBlock(metric, head * heads / all, mean, head * others / all, size);
    return metric;
  }

  /// Runs the tap on some fitted tokens.
  template <typename Visitor>
  Status visit(const TapReach &reach, Visitor see) {
    Result<OpenTap> tap = runner.openReach(layer, reach);
    if (!tap)
      return tap.error();
    StepValues values;
    int64_t tokens = 0;
    for (int64_t step = 0; step < windows.batches() && tokens < kMetricTokens;
         ++step) {
      std::vector<TokenRange> ranges = windows.tokensOf(Part::Fitted, step);
      if (ranges.empty())
        continue;
      values.carried = runner.inputsOf(states, step);
      if (Status status = tap->run(values.carried, values.shown); !status)
        return status;
      see(values, ranges);
      tokens += countTokens(ranges);
    }
    return {};
  }

  TapRunner &runner;
  size_t layer;
  const std::vector<LinearMap> &maps;
  const Archive &archive;
  const HiddenStates &states;
  const Windows &windows;
  int64_t most;
  /// By their taps.
  std::map<std::string, ScoreMoments> scores;
  /// By consumer.
  std::map<std::string, Matrix> products;
};

} // namespace

Result<OutputMetrics> measureMetrics(TapRunner &runner, size_t number,
                                     const std::vector<LinearMap> &maps,
                                     const Archive &archive,
                                     const HiddenStates &states,
                                     const Windows &windows, int64_t most) {
  return MetricMeasurer(runner, number, maps, archive, states, windows, most)
      .run();
}

} // namespace linnet::compress
