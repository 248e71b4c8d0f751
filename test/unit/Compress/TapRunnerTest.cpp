//===- TapRunnerTest.cpp - tapped layers against the fixtures -------------===//

#include "TapFixture.h"

#include "lib/Compress/Judge.h"
#include "lib/Compress/StageMoments.h"

#include "dialects/Linnet/Linnet.h"
#include "linnet/Reference/Evaluator.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

namespace linnet::compress {
namespace {

double distance(const std::vector<float> &a, const std::vector<double> &b) {
  EXPECT_EQ(a.size(), b.size());
  double difference = 0, all = 0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    all += b[i] * b[i];
  }
  return std::sqrt(difference / all);
}

/// The logits of a model run layer by layer with `instead` in layer 0.
Result<std::vector<float>> runLayers(TapRunner &runner, const Windows &windows,
                                     const Replacements &instead = {}) {
  Result<HiddenStates> states = runner.begin(windows);
  if (!states)
    return states.error();
  for (size_t layer = 0; layer < runner.layers(); ++layer) {
    Result<OpenTap> whole =
        runner.openWhole(layer, layer ? Replacements() : instead);
    if (!whole)
      return whole.error();
    if (Status status = runner.advance(layer, *whole, *states); !status)
      return status.error();
  }
  Result<std::optional<OpenTap>> end = runner.openEnd();
  if (!end)
    return end.error();
  std::vector<Activations> buffer;
  Result<llvm::ArrayRef<float>> output =
      runner.outputOf(*end, *states, 0, buffer);
  if (!output)
    return output.error();
  return output->vec();
}

/// The states behind all layers, layer 0 with `instead`.
HiddenStates statesBehind(TapRunner &runner, const Windows &windows,
                          const Replacements &instead = {}) {
  Result<HiddenStates> states = runner.begin(windows);
  EXPECT_TRUE(bool(states));
  for (size_t layer = 0; layer < runner.layers(); ++layer) {
    Result<OpenTap> whole =
        runner.openWhole(layer, layer ? Replacements() : instead);
    EXPECT_TRUE(whole && runner.advance(layer, *whole, *states));
  }
  return states.take();
}

class EveryModel : public ::testing::TestWithParam<const char *> {};
class EveryStage : public ::testing::TestWithParam<const char *> {};

/// Layer by layer, with weights in scratch files, it is the same model.
TEST_P(EveryModel, HasTheLogitsOfTheFixture) {
  Fixture fixture(GetParam());
  Result<TapRunner> runner = fixture.runner();
  ASSERT_TRUE(bool(runner)) << runner.error().str();
  Result<std::vector<float>> logits = runLayers(*runner, fixture.windows);
  ASSERT_TRUE(bool(logits)) << logits.error().str();
  EXPECT_LT(distance(*logits, fixture.logits), 2e-5);
}

/// `states` through `layer`, all of whose stages are opened on the way, or
/// some.
void passStages(TapRunner &runner, size_t layer, HiddenStates &states,
                size_t every, const Replacements &instead = {}) {
  LayerPass pass(runner, layer, states);
  StepValues values;
  for (size_t s = 0; s < runner.layer(layer).stages.size(); s += every) {
    ASSERT_TRUE(bool(pass.open(s, instead)));
    // The rest of the steps is left to the pass.
    ASSERT_TRUE(bool(pass.run(values)));
    std::vector<Activations> shown = values.shown;
    ASSERT_TRUE(bool(pass.runAgain(1, values)));
    ASSERT_TRUE(bool(pass.runAgain(0, values)));
    EXPECT_EQ(shown, values.shown);
  }
  Status finished = pass.finish(instead);
  ASSERT_TRUE(bool(finished)) << finished.error().str();
}

/// Stages that go on from each other are the layer, with its own matrices and
/// with others, on all steps.
TEST_P(EveryModel, StagesAreTheLayer) {
  Fixture fixture(GetParam());
  Windows &windows = fixture.windows;
  // Two steps, the second with the windows the other way round.
  for (int64_t w = windows.batch; w-- > 0;)
    windows.ids.insert(windows.ids.end(),
                       windows.ids.begin() + w * windows.length,
                       windows.ids.begin() + (w + 1) * windows.length);
  Result<TapRunner> runner = fixture.runner();
  ASSERT_TRUE(bool(runner)) << runner.error().str();
  Replacements changed;
  for (const LinearMap &map : fixture.maps.maps)
    changed[map.name] = 0.5 * *readMatrix(map, *fixture.archive);
  Result<HiddenStates> begin = runner->begin(windows);
  ASSERT_TRUE(bool(begin));
  ASSERT_EQ(begin->steps, 2);
  for (const Replacements &instead : {Replacements(), changed}) {
    HiddenStates whole = *begin;
    for (size_t layer = 0; layer < runner->layers(); ++layer) {
      HiddenStates all = whole, some = whole, none = whole;
      passStages(*runner, layer, all, 1, instead);
      passStages(*runner, layer, some, 2, instead);
      ASSERT_TRUE(bool(LayerPass(*runner, layer, none).finish(instead)));
      Result<OpenTap> tap = runner->openWhole(layer, instead);
      ASSERT_TRUE(tap && runner->advance(layer, *tap, whole));
      EXPECT_EQ(all.carried, some.carried);
      EXPECT_EQ(none.carried, whole.carried);
      for (size_t i = 0; i < whole.carried.size(); ++i)
        EXPECT_LT(distance(all.carried[i],
                           std::vector<double>(whole.carried[i].begin(),
                                               whole.carried[i].end())),
                  1e-6)
            << layer << " " << i;
    }
  }
}

/// Every map is a site of one stage, every stage runs, and its inputs are as
/// wide as the maps say.
TEST_P(EveryStage, ShowsTheInputsOfItsMaps) {
  Fixture fixture(GetParam());
  Result<TapRunner> runner = fixture.runner();
  ASSERT_TRUE(bool(runner)) << runner.error().str();
  Result<HiddenStates> states = runner->begin(fixture.windows);
  ASSERT_TRUE(bool(states));
  std::vector<int> seen(fixture.maps.maps.size());
  int64_t tokens = runner->stepTokens();
  for (size_t layer = 0; layer < runner->layers(); ++layer) {
    LayerPass pass(*runner, layer, *states);
    for (size_t s = 0; s < runner->layer(layer).stages.size(); ++s) {
      Status opened = pass.open(s, {});
      ASSERT_TRUE(bool(opened)) << opened.error().str();
      StepValues values;
      Status ran = pass.run(values);
      ASSERT_TRUE(bool(ran)) << ran.error().str();
      for (const TapSite &site : runner->layer(layer).stages[s].sites) {
        const LinearMap &map = fixture.maps.maps[runner->mapOf(layer, site)];
        ++seen[runner->mapOf(layer, site)];
        if (!site.input.isCarried())
          EXPECT_EQ(int64_t(values.shown[site.input.number].size()),
                    tokens * map.columns);
        if (site.residual && site.residual->place == TapPlace::Shown)
          EXPECT_EQ(int64_t(values.shown[site.residual->number].size()),
                    tokens * map.rows);
        if (site.residual)
          EXPECT_TRUE(values.of(*site.residual));
      }
    }
  }
  for (size_t i = 0; i < seen.size(); ++i)
    EXPECT_EQ(seen[i], 1) << fixture.maps.maps[i].name;
}

INSTANTIATE_TEST_SUITE_P(Models, EveryModel,
                         ::testing::Values("hf/llama", "hf/gpt2", "hf/gpt_neox",
                                           "hf/mamba2", "hf/gemma2",
                                           "hf/mixtral", "hf/zamba2",
                                           "hf/deepseek_v3"));
INSTANTIATE_TEST_SUITE_P(Models, EveryStage,
                         ::testing::Values("hf/llama", "hf/gpt_neox",
                                           "hf/mamba2", "hf/mixtral",
                                           "hf/bert"));

TEST(TapRunner, StagesOfALlama) {
  Fixture fixture("hf/llama");
  Result<TapRunner> runner = fixture.runner();
  ASSERT_TRUE(bool(runner)) << runner.error().str();
  const TappedLayer &layer = runner->layer(0);
  std::vector<std::vector<std::string>> keys;
  std::vector<std::string> residuals;
  for (const TapStage &stage : layer.stages) {
    keys.emplace_back();
    for (const TapSite &site : stage.sites) {
      std::string name = site.key.substr(site.key.find("{}") + 3);
      keys.back().push_back(name);
      if (site.residual)
        residuals.push_back(name);
    }
  }
  EXPECT_EQ(keys, (std::vector<std::vector<std::string>>{
                      {"self_attn.q_proj.weight", "self_attn.k_proj.weight",
                       "self_attn.v_proj.weight"},
                      {"self_attn.o_proj.weight"},
                      {"mlp.gate_proj.weight", "mlp.up_proj.weight"},
                      {"mlp.down_proj.weight"}}));
  EXPECT_EQ(residuals, (std::vector<std::string>{"self_attn.o_proj.weight",
                                                 "mlp.down_proj.weight"}));
  // Held: both norms' outputs, attention's, what it was added to and, since it
  // is not much wider, the MLP's middle.
  auto holdsOf = [](const TapStage &stage) {
    std::vector<size_t> numbers;
    for (const TapStage::Held &held : stage.holds)
      numbers.push_back(held.number);
    return numbers;
  };
  using Numbers = std::vector<size_t>;
  auto inputsOf = [&](size_t stage) {
    return fixture.maps.maps[runner->mapOf(0, layer.stages[stage].sites[0])]
        .columns;
  };
  int64_t h = inputsOf(0), heads = inputsOf(1), middle = inputsOf(3);
  ASSERT_LE(middle, 2 * h);
  EXPECT_EQ(layer.heldWidths, (std::vector<int64_t>{h, heads, h, h, middle}));
  EXPECT_EQ(holdsOf(layer.stages[0]), Numbers{0});
  EXPECT_EQ(layer.stages[1].takes, Numbers{0});
  EXPECT_EQ(holdsOf(layer.stages[1]), Numbers{1});
  EXPECT_EQ(layer.stages[2].takes, Numbers{1});
  EXPECT_EQ(holdsOf(layer.stages[2]), (Numbers{2, 3}));
  EXPECT_EQ(layer.stages[3].takes, Numbers{3});
  EXPECT_EQ(layer.rest.takes, (Numbers{2, 4}));
  EXPECT_EQ(runner->heldNumbers(), 2 * h + middle);
  // One input for queries, keys and values.
  StageMoments moments(*runner, fixture.maps.maps, 0, 0);
  EXPECT_EQ(moments.inputNumber(0), moments.inputNumber(2));
}

/// A matrix that is replaced by a multiple changes what a multiple in the
/// checkpoint would: here by nothing, and by something.
TEST(TapRunner, ReplacesMatrices) {
  for (const char *name : {"hf/llama", "hf/gpt2"}) {
    Fixture fixture(name);
    Result<TapRunner> runner = fixture.runner();
    ASSERT_TRUE(bool(runner)) << runner.error().str();
    const LinearMap &map = fixture.maps.maps.front();
    Result<Matrix> w = readMatrix(map, *fixture.archive);
    ASSERT_TRUE(bool(w));
    Result<std::vector<float>> same =
        runLayers(*runner, fixture.windows, {{map.name, *w}});
    ASSERT_TRUE(bool(same)) << same.error().str();
    EXPECT_LT(distance(*same, fixture.logits), 2e-5);
    Result<std::vector<float>> other =
        runLayers(*runner, fixture.windows, {{map.name, 0.5 * *w}});
    ASSERT_TRUE(bool(other));
    EXPECT_GT(distance(*other, fixture.logits), 1e-3);
  }
}

/// Moments of a tap against sums in f64 over its values.
TEST(TapRunner, SumsMoments) {
  Fixture fixture("hf/llama");
  Result<TapRunner> runner = fixture.runner();
  ASSERT_TRUE(bool(runner));
  Result<HiddenStates> states = runner->begin(fixture.windows);
  ASSERT_TRUE(bool(states));
  // Stage 1 with a residual: the output projection.
  LayerPass pass(*runner, 0, *states);
  ASSERT_TRUE(bool(pass.open(1, {})));
  StepValues x;
  ASSERT_TRUE(bool(pass.run(x)));
  StepValues y = x;
  std::vector<float> moved(states->carried[0]);
  for (float &value : moved)
    value += 1;
  y.carried = {moved.data()};
  const TapSite &site = runner->layer(0).stages[1].sites[0];
  const LinearMap &map = fixture.maps.maps[runner->mapOf(0, site)];
  ASSERT_TRUE(site.residual && site.residual->isCarried());
  for (float &value : y.shown[site.input.number])
    value *= 2;
  std::vector<Matrix> weights = {*readMatrix(map, *fixture.archive)};
  int64_t first = 3, last = 50;
  Matrix own(map.columns, map.columns), residual(map.rows, map.columns);
  for (int64_t t = first; t < last; ++t) {
    const float *at = y.of(site.input) + t * map.columns;
    for (int64_t c = 0; c < map.columns; ++c) {
      for (int64_t r = 0; r < map.columns; ++r)
        own.at(r, c) += double(at[r]) * double(at[c]) / double(last - first);
      for (int64_t r = 0; r < map.rows; ++r)
        residual.at(r, c) -= double(at[c]) / double(last - first);
    }
  }
  Matrix target = 0.5 * multiply(weights[0], own) + residual;
  // At once, in parts, and without some of the tokens.
  using Ranges = std::vector<std::vector<TokenRange>>;
  for (auto [steps, isAll] :
       {std::pair(Ranges{{{first, last}}}, true),
        std::pair(Ranges{{{3, 20}, {20, 21}, {21, 50}}}, true),
        std::pair(Ranges{{{3, 20}, {25, 50}}, {{20, 25}}}, true),
        std::pair(Ranges{{{3, 20}, {25, 50}}}, false)}) {
    StageMoments moments(*runner, fixture.maps.maps, 0, 1, weights),
        single(*runner, fixture.maps.maps, 0, 1);
    for (const std::vector<TokenRange> &ranges : steps) {
      moments.add(&x, y, ranges);
      single.add(nullptr, y, ranges);
    }
    moments.finish();
    single.finish();
    const Matrix &found = moments.inputsOf(0).moment();
    EXPECT_EQ(norm(single.inputsOf(0).moment() - found), 0);
    EXPECT_EQ(norm(found - own) < 1e-5 * norm(own), isAll);
    EXPECT_EQ(norm(moments.takeTarget(0) - target) < 1e-5 * norm(target),
              isAll);
  }
}

/// Of a map with fewer outputs than inputs, targets are summed as they are: the
/// same but for the rounding of f32.
TEST(TapRunner, SumsTargetsOfNarrowMaps) {
  Fixture fixture("hf/llama");
  Result<TapRunner> runner = fixture.runner();
  ASSERT_TRUE(bool(runner));
  Result<HiddenStates> states = runner->begin(fixture.windows);
  ASSERT_TRUE(bool(states));
  LayerPass pass(*runner, 0, *states);
  ASSERT_TRUE(bool(pass.open(3, {})));
  StepValues x;
  ASSERT_TRUE(bool(pass.run(x)));
  StepValues y = x;
  const TapSite &site = runner->layer(0).stages[3].sites[0];
  const LinearMap &map = fixture.maps.maps[runner->mapOf(0, site)];
  ASSERT_LT(map.rows, map.columns);
  for (float &value : y.shown[site.input.number])
    value = 3 * value + 0.25f;
  std::vector<float> moved(size_t(runner->stepTokens() * map.rows), 0.5f);
  ASSERT_EQ(site.residual->place, TapPlace::Held);
  y.held[site.residual->number] = moved.data();
  std::vector<Matrix> weights = {*readMatrix(map, *fixture.archive)};
  std::vector<TokenRange> ranges = {{2, 31}, {40, 57}};
  StageMoments moments(*runner, fixture.maps.maps, 0, 3, weights);
  moments.add(&x, y, ranges);
  moments.finish();
  Matrix expected(map.rows, map.columns);
  int64_t count = countTokens(ranges);
  for (const TokenRange &range : ranges)
    for (int64_t t = range.first; t < range.last; ++t)
      for (int64_t r = 0; r < map.rows; ++r) {
        double out = double(x.of(*site.residual)[t * map.rows + r]) - 0.5;
        for (int64_t c = 0; c < map.columns; ++c)
          out += weights[0].at(r, c) *
                 double(x.of(site.input)[t * map.columns + c]);
        for (int64_t c = 0; c < map.columns; ++c)
          expected.at(r, c) += out *
                               double(y.of(site.input)[t * map.columns + c]) /
                               double(count);
      }
  EXPECT_LT(norm(moments.takeTarget(0) - expected), 1e-5 * norm(expected));
}

/// Nats against sums in f64 over the fixture's logits, for all and for some of
/// the windows; a model agrees with itself.
TEST(Judge, ScoresTheNextTokens) {
  Fixture fixture("hf/llama");
  Result<TapRunner> runner = fixture.runner();
  ASSERT_TRUE(bool(runner));
  const Windows &windows = fixture.windows;
  HiddenStates states = statesBehind(*runner, windows);
  Result<std::unique_ptr<Judge>> judge = Judge::create(*runner);
  ASSERT_TRUE(bool(judge));
  EXPECT_STREQ((*judge)->scoreName(), "nats");
  int64_t size =
      int64_t(fixture.logits.size()) / (windows.batch * windows.length);
  for (int64_t counted : {windows.batch, int64_t(1)}) {
    double sum = 0;
    for (int64_t w = 0; w < counted; ++w)
      for (int64_t t = 0; t + 1 < windows.length; ++t) {
        int64_t row = w * windows.length + t;
        const double *at = fixture.logits.data() + row * size;
        double total = 0;
        for (int64_t v = 0; v < size; ++v)
          total += std::exp(at[v]);
        sum += std::log(total) - at[windows.ids[size_t(row + 1)]];
      }
    Windows some = windows;
    some.counts = {counted, 0, 0};
    int64_t scored = counted * (windows.length - 1);
    Result<double> nats = (*judge)->score(states, states, some, Part::Fitted);
    ASSERT_TRUE(bool(nats));
    EXPECT_NEAR(*nats, sum / double(scored), 1e-5);
    Result<CompressComparison> compared =
        (*judge)->compare(states, states, some, Part::Fitted);
    ASSERT_TRUE(bool(compared));
    EXPECT_EQ(compared->tokens, scored);
    EXPECT_DOUBLE_EQ(compared->natsBefore, compared->natsAfter);
    EXPECT_NEAR(compared->natsBefore, *nats, 1e-9);
    EXPECT_NEAR(compared->divergence, 0, 1e-9);
    EXPECT_EQ(compared->agreement, 1);
    EXPECT_GE(compared->worstToken, *nats);
  }
  // Parts without windows have nothing to say.
  Result<CompressComparison> none =
      (*judge)->compare(states, states, windows, Part::Evaluated);
  ASSERT_TRUE(bool(none));
  EXPECT_EQ(none->tokens, 0);
}

//===----------------------------------------------------------------------===//
// Encoders
//===----------------------------------------------------------------------===//

/// The rows of each window that are no padding, by the evaluator.
std::vector<std::vector<double>> evaluate(const Fixture &fixture) {
  const Windows &windows = fixture.windows;
  HostTensor tokens = HostTensor::filled({windows.batch, windows.length}),
             types = tokens, mask = tokens;
  for (size_t i = 0; i < windows.ids.size(); ++i) {
    tokens.values[i] = windows.ids[i];
    mask.values[i] = int64_t(i) % windows.length <
                     windows.lengthOf(int64_t(i) / windows.length);
  }
  auto evaluator = Evaluator::create(*fixture.module, &*fixture.archive);
  EXPECT_TRUE(bool(evaluator));
  auto hidden =
      evaluator->run("forward", {tokens, HostTensor::scalar(0), types, mask});
  EXPECT_TRUE(bool(hidden));
  size_t stride = (*hidden)[0].values.size() / size_t(windows.batch);
  std::vector<std::vector<double>> rows;
  for (int64_t w = 0; w < windows.batch; ++w) {
    auto at = (*hidden)[0].values.begin() + w * int64_t(stride);
    rows.emplace_back(at, at + windows.lengthOf(w) * int64_t(stride) /
                                   windows.length);
  }
  return rows;
}

std::vector<double> meanOf(const std::vector<double> &rows, size_t width) {
  std::vector<double> mean(width);
  for (size_t i = 0; i < rows.size(); ++i)
    mean[i % width] += rows[i];
  return mean;
}

double cosine(const std::vector<double> &a, const std::vector<double> &b) {
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    ab += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  return ab / std::sqrt(aa * bb);
}

/// What is behind the layers where there is padding, and what is seen of it.
TEST(TapRunner, RunsEncoders) {
  Fixture fixture("hf/bert");
  fixture.windows.lengths = {23, 1};
  std::vector<std::vector<double>> expected = evaluate(fixture);
  Result<TapRunner> runner = fixture.runner();
  ASSERT_TRUE(bool(runner)) << runner.error().str();
  EXPECT_TRUE(runner->isEncoder());
  Result<std::vector<float>> hidden = runLayers(*runner, fixture.windows);
  ASSERT_TRUE(bool(hidden)) << hidden.error().str();
  size_t stride = hidden->size() / 2;
  for (size_t w = 0; w < 2; ++w) {
    auto at = hidden->begin() + int64_t(w * stride);
    std::vector<float> seen(at, at + int64_t(expected[w].size()));
    EXPECT_LT(distance(seen, expected[w]), 1e-5) << w;
  }
}

/// Cosines of means against the evaluator's, padding left out.
TEST(Judge, ComparesEncoders) {
  Fixture fixture("hf/bert");
  fixture.windows.lengths = {23, 37};
  std::vector<std::vector<double>> before = evaluate(fixture);
  Result<TapRunner> runner = fixture.runner();
  ASSERT_TRUE(bool(runner));
  const Windows &windows = fixture.windows;
  const LinearMap &map = fixture.maps.maps.front();
  HiddenStates original = statesBehind(*runner, windows);
  Result<Matrix> w = readMatrix(map, *fixture.archive);
  ASSERT_TRUE(bool(w));
  HiddenStates changed = statesBehind(*runner, windows, {{map.name, 8.0 * *w}});
  size_t width = before[0].size() / 23, stride = windows.length * width;
  double sum = 0, worst = 1, difference = 0, all = 0;
  for (size_t k = 0; k < 2; ++k) {
    auto at = changed.carried[0].begin() + int64_t(k * stride);
    std::vector<double> after(at, at + int64_t(before[k].size()));
    double found = cosine(meanOf(before[k], width), meanOf(after, width));
    sum += found / 2;
    worst = std::min(worst, found);
    for (size_t i = 0; i < after.size(); ++i) {
      difference += (after[i] - before[k][i]) * (after[i] - before[k][i]);
      all += before[k][i] * before[k][i];
    }
  }
  ASSERT_LT(worst, 0.999);
  Result<std::unique_ptr<Judge>> judge = Judge::create(*runner);
  ASSERT_TRUE(bool(judge));
  EXPECT_STREQ((*judge)->scoreName(), "cosine_loss");
  Result<CompressComparison> compared =
      (*judge)->compare(original, changed, windows, Part::Fitted);
  ASSERT_TRUE(bool(compared));
  EXPECT_EQ(compared->sequences, 2);
  EXPECT_EQ(compared->tokens, 60);
  EXPECT_NEAR(compared->cosine, sum, 1e-6);
  EXPECT_NEAR(compared->worstCosine, worst, 1e-6);
  EXPECT_NEAR(compared->outputError, std::sqrt(difference / all), 1e-5);
  Result<double> score =
      (*judge)->score(original, changed, windows, Part::Fitted);
  ASSERT_TRUE(bool(score));
  EXPECT_NEAR(*score, 1 - sum, 1e-6);
  EXPECT_NEAR(*(*judge)->score(original, original, windows, Part::Fitted), 0,
              1e-12);
  EXPECT_EQ(
      (*judge)->compare(original, changed, windows, Part::HeldOut)->sequences,
      0);
}

/// What is no number is the worst, whatever comes before and after it, and is
/// nothing that a report compares.
TEST(Judge, HidesNoNaN) {
  constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
  for (const char *name : {"hf/bert", "hf/llama"}) {
    Fixture fixture(name);
    ASSERT_EQ(fixture.windows.batch, 2);
    Result<TapRunner> runner = fixture.runner();
    ASSERT_TRUE(bool(runner));
    Windows &windows = fixture.windows;
    HiddenStates states = statesBehind(*runner, windows);
    Result<std::unique_ptr<Judge>> judge = Judge::create(*runner);
    ASSERT_TRUE(bool(judge));
    size_t stride = states.carried[0].size() / 2;
    for (size_t window : {0, 1}) {
      HiddenStates broken = states;
      broken.carried[0][window * stride + 3] = kNaN;
      Result<CompressComparison> compared =
          (*judge)->compare(states, broken, windows, Part::Fitted);
      ASSERT_TRUE(bool(compared));
      if (runner->isEncoder()) {
        EXPECT_TRUE(std::isnan(compared->cosine));
        EXPECT_TRUE(std::isnan(compared->worstCosine)) << window;
        EXPECT_TRUE(std::isnan(compared->outputError));
      } else {
        EXPECT_TRUE(std::isnan(compared->natsAfter));
        EXPECT_TRUE(std::isnan(compared->worstToken)) << window;
        EXPECT_LT(compared->agreement, 1);
      }
      Windows heldOut = windows;
      heldOut.counts = {0, 2, 0};
      EXPECT_TRUE(std::isnan(hiddenError(*runner, states, broken, heldOut)));
      EXPECT_EQ(hiddenError(*runner, states, states, heldOut), 0);
      CompressReport report;
      Status status = compareModels(*runner, states, broken, heldOut, report);
      ASSERT_FALSE(bool(status));
      EXPECT_EQ(status.error().str(),
                "expected finite outputs on the held-out windows, but got NaN "
                "or infinity");
      EXPECT_TRUE(
          bool(compareModels(*runner, states, states, heldOut, report)));
    }
  }
}

TEST(TapLayers, RefusesOtherModels) {
  Fixture fixture("hf/llama");
  (*fixture.module)->removeAttr(mlir::linnet::kModelAttr);
  Result<TapRunner> runner = fixture.runner();
  ASSERT_FALSE(bool(runner));
  EXPECT_EQ(runner.error().str(),
            "expected a causal-lm or an encoder for a calibration, but got no "
            "model");
}

} // namespace
} // namespace linnet::compress
