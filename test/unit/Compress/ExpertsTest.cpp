//===- ExpertsTest.cpp - mixtures with fewer experts ----------------------===//

#include "TapFixture.h"

#include "lib/Compress/Channels.h"
#include "lib/Compress/ExpertScores.h"
#include "lib/Compress/LayerPass.h"
#include "lib/Compress/Plan.h"

#include "dialects/Linnet/Linnet.h"
#include "linnet/Reference/Evaluator.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <gtest/gtest.h>

namespace linnet::compress {
namespace {

using Numbers = std::vector<int64_t>;

/// An archive's tensor in f64.
std::vector<double> valuesOf(const Archive &archive, const std::string &name) {
  const Archive::Tensor *tensor = archive.find(name);
  EXPECT_TRUE(tensor) << name;
  std::vector<double> values(tensor->bytes / dataTypeSize(tensor->dtype));
  convertToF64(tensor->data, tensor->dtype, values.data(), values.size());
  return values;
}

/// W x for the rows of W.
std::vector<double> times(const std::vector<double> &w, const double *x,
                          size_t columns) {
  std::vector<double> y(w.size() / columns);
  for (size_t i = 0; i < w.size(); ++i)
    y[i / columns] += w[i] * x[i % columns];
  return y;
}

//===----------------------------------------------------------------------===//
// What they add
//===----------------------------------------------------------------------===//

/// The inputs of layer `layer`'s experts, [tokens, width], in f32.
Activations inputsOfExperts(Fixture &fixture, TapRunner &runner, size_t layer,
                            size_t router) {
  Result<HiddenStates> states = runner.begin(fixture.windows);
  EXPECT_TRUE(bool(states));
  for (size_t before = 0; before < layer; ++before) {
    Result<OpenTap> whole = runner.openWhole(before, {});
    EXPECT_TRUE(whole && runner.advance(before, *whole, *states));
  }
  for (size_t s = 0; s < runner.layer(layer).stages.size(); ++s)
    for (const TapSite &site : runner.layer(layer).stages[s].sites)
      if (runner.mapOf(layer, site) == router) {
        LayerPass pass(runner, layer, *states);
        StepValues values;
        EXPECT_TRUE(bool(pass.open(s, {})));
        EXPECT_TRUE(bool(pass.run(values)));
        const float *x = values.of(site.input);
        return {x, x + runner.stepTokens() * fixture.maps.maps[router].columns};
      }
  ADD_FAILURE() << "no router";
  return {};
}

/// Layer by layer, of mixtral: two of softmax, whose weights sum to 1, and
/// down (silu(gate x) * up x).
TEST(ExpertScoresTest, AreMeanNormsOfWeighedOutputs) {
  Fixture fixture("hf/mixtral");
  Result<TapRunner> runner = fixture.runner();
  ASSERT_TRUE(bool(runner)) << runner.error().str();
  Mixtures found = findMixtures(*fixture.module, fixture.maps);
  ASSERT_EQ(found.mixtures.size(), 2u) << found.obstacle;
  CompressReport report;
  Result<std::vector<ExpertScores>> scores = scoreExperts(
      *runner, found.mixtures, fixture.maps.maps, fixture.windows, report);
  ASSERT_TRUE(bool(scores)) << scores.error().str();
  for (const Mixture &mixture : found.mixtures) {
    auto layer = size_t(mixture.layer);
    Activations x = inputsOfExperts(fixture, *runner, layer, mixture.router);
    size_t width = size_t(fixture.maps.maps[mixture.router].columns);
    std::string prefix =
        "model.layers." + std::to_string(layer) + ".block_sparse_moe.";
    std::vector<double> router =
        valuesOf(*fixture.archive, prefix + "gate.weight");
    std::vector<double> sums(4);
    Numbers counts(4);
    for (size_t at = 0; at < x.size(); at += width) {
      std::vector<double> token(x.begin() + long(at),
                                x.begin() + long(at + width));
      std::vector<double> l = times(router, token.data(), width);
      Numbers order{0, 1, 2, 3};
      std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
        return l[size_t(a)] > l[size_t(b)];
      });
      double all =
          std::exp(l[size_t(order[0])]) + std::exp(l[size_t(order[1])]);
      for (int64_t e : {order[0], order[1]}) {
        std::string own = prefix + "experts." + std::to_string(e);
        std::vector<double> h =
            times(valuesOf(*fixture.archive, own + ".w1.weight"), token.data(),
                  width);
        std::vector<double> up =
            times(valuesOf(*fixture.archive, own + ".w3.weight"), token.data(),
                  width);
        for (size_t i = 0; i < h.size(); ++i)
          h[i] *= up[i] / (1 + std::exp(-h[i]));
        double norm = 0;
        for (double y : times(valuesOf(*fixture.archive, own + ".w2.weight"),
                              h.data(), h.size()))
          norm += y * y;
        sums[size_t(e)] += std::exp(l[size_t(e)]) / all * std::sqrt(norm);
        ++counts[size_t(e)];
      }
    }
    const ExpertScores &own =
        (*scores)[size_t(&mixture - found.mixtures.data())];
    EXPECT_EQ(own.tokens, counts);
    for (size_t e = 0; e < 4; ++e)
      EXPECT_NEAR(own.scores[e], counts[e] ? sums[e] / double(counts[e]) : 0,
                  1e-5 * own.scores[e])
          << layer << " " << e;
  }
}

/// Only fitted windows count.
TEST(ExpertScoresTest, LeaveOutHeldOutWindows) {
  Fixture fixture("hf/mixtral");
  fixture.windows.counts = {fixture.windows.batch - 1, 1, 0};
  Result<TapRunner> runner = fixture.runner();
  ASSERT_TRUE(bool(runner));
  Mixtures found = findMixtures(*fixture.module, fixture.maps);
  CompressReport report;
  Result<std::vector<ExpertScores>> scores = scoreExperts(
      *runner, found.mixtures, fixture.maps.maps, fixture.windows, report);
  ASSERT_TRUE(bool(scores));
  int64_t tokens = 0;
  for (int64_t count : (*scores)[0].tokens)
    tokens += count;
  EXPECT_EQ(tokens, 2 * (fixture.windows.batch - 1) * fixture.windows.length);
}

//===----------------------------------------------------------------------===//
// What is left without some
//===----------------------------------------------------------------------===//

/// A directory that is removed with it.
class Scratch {
public:
  Scratch() {
    std::string name = testing::TempDir() + "/linnet-experts-XXXXXX";
    EXPECT_TRUE(mkdtemp(name.data()));
    path = name;
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  std::string path;
};

/// A fixture with these entries of its configuration changed, in `path`.
void copyChanged(const std::string &fixture, const Json &changes,
                 const std::string &path) {
  std::string from = std::string(LINNET_ORACLE_DIR) + "/" + fixture;
  std::filesystem::copy(from, path);
  Result<Json> config = readJsonFile(from + "/config.json");
  ASSERT_TRUE(bool(config));
  config->update(changes);
  std::filesystem::remove(path + "/config.json");
  ASSERT_TRUE(
      bool(writeFileAtomically(path + "/config.json", formatJson(*config))));
}

struct Without {
  const char *fixture;
  Json changes;
  Numbers kept;
};

class ClosedExperts : public ::testing::TestWithParam<Without> {};

/// With the experts closed in taps, the whole model is the one without them, as
/// the reference evaluator runs what is written.
TEST_P(ClosedExperts, AreAsGoodAsGone) {
  const auto &[name, changes, kept] = GetParam();
  Scratch scratch;
  std::string input = scratch.path + "/whole";
  copyChanged(name, changes, input);
  Fixture fixture(input, "");
  Mixtures found = findMixtures(*fixture.module, fixture.maps);
  ASSERT_FALSE(found.mixtures.empty()) << found.obstacle;
  Json plan = {{"model", fingerprintOf(*fixture.archive)},
               {"maps", Json::object()}};
  Replacements masks;
  for (const Mixture &mixture : found.mixtures) {
    const std::string &router = fixture.maps.maps[mixture.router].name;
    plan["experts"][router] = kept;
    Matrix mask(1, mixture.experts);
    for (int64_t e = 0; e < mixture.experts; ++e)
      if (std::find(kept.begin(), kept.end(), e) == kept.end())
        mask.at(0, e) = kClosed;
    masks[maskOf(router)] = mask;
  }
  CompressOptions options;
  options.input = input;
  options.output = scratch.path + "/narrow";
  options.plan = scratch.path + "/plan.json";
  ASSERT_TRUE(bool(writeFileAtomically(options.plan, formatJson(plan))));
  CompressReport report;
  Status written = compressCheckpoint(options, report);
  ASSERT_TRUE(bool(written)) << written.error().str();
  EXPECT_EQ(report.mixtures.size(), found.mixtures.size());
  Fixture narrow(options.output, "");

  Result<TapRunner> runner = fixture.runner();
  ASSERT_TRUE(bool(runner)) << runner.error().str();
  Result<HiddenStates> states = runner->begin(fixture.windows);
  ASSERT_TRUE(bool(states));
  for (size_t layer = 0; layer < runner->layers(); ++layer) {
    Result<OpenTap> whole = runner->openWhole(layer, masks);
    ASSERT_TRUE(whole && runner->advance(layer, *whole, *states));
  }
  Result<std::optional<OpenTap>> end = runner->openEnd();
  ASSERT_TRUE(bool(end));
  std::vector<Activations> buffer;
  Result<llvm::ArrayRef<float>> closed =
      runner->outputOf(*end, *states, 0, buffer);
  ASSERT_TRUE(bool(closed));

  const Windows &windows = fixture.windows;
  HostTensor tokens{{windows.batch, windows.length},
                    {windows.ids.begin(), windows.ids.end()}};
  auto evaluator = Evaluator::create(*narrow.module, &*narrow.archive);
  ASSERT_TRUE(bool(evaluator));
  auto expected = evaluator->run("forward", {tokens, HostTensor::scalar(0)});
  ASSERT_TRUE(bool(expected)) << expected.error().str();
  HostTensor ours{(*expected)[0].shape, {closed->begin(), closed->end()}};
  EXPECT_LT(*relativeRms(ours, (*expected)[0]), 1e-5);
  // And not what it was.
  HostTensor before{(*expected)[0].shape, fixture.logits};
  EXPECT_GT(*relativeRms(before, (*expected)[0]), 1e-2);
}

INSTANTIATE_TEST_SUITE_P(
    Models, ClosedExperts,
    ::testing::Values(
        // A softmax over all whose chosen sum to 1, one whose do not, one over
        // the chosen, sigmoids with a bias of the choice, and groups.
        Without{"hf/mixtral", Json::object(), {1, 3}},
        Without{"hf/jamba", Json::object(), {0, 2, 3}},
        Without{"hf/granitemoehybrid", Json::object(), {0, 3}},
        Without{"hf/kimi_linear", Json::object(), {0, 2, 4, 5}},
        Without{"hf/deepseek_v2",
                {{"n_group", 2}, {"topk_group", 2}},
                {0, 2, 4, 5}},
        Without{"hf/deepseek_v3",
                {{"n_group", 2}, {"topk_group", 1}},
                {0, 1, 3, 5, 6, 7}}));

//===----------------------------------------------------------------------===//
// How many, and which
//===----------------------------------------------------------------------===//

TEST(MixtureTest, KeepsAsManyOfEachGroup) {
  Mixture mixture{.experts = 8};
  std::vector<double> scores{1, 5, 5, 2, 9, 8, 7, 6};
  EXPECT_EQ(keepBestExperts(mixture, scores, 4), (Numbers{4, 5, 6, 7}));
  EXPECT_EQ(keepBestExperts(mixture, scores, 5), (Numbers{1, 4, 5, 6, 7}));
  mixture.groups = 2;
  EXPECT_EQ(keepBestExperts(mixture, scores, 2), (Numbers{1, 4}));
  EXPECT_EQ(keepBestExperts(mixture, scores, 6), (Numbers{1, 2, 3, 4, 5, 6}));
}

TEST(MixtureTest, NeedsAsManyAsATokenTakes) {
  EXPECT_EQ((Mixture{.experts = 8, .chosen = 3}).least(), 3);
  // 3 of 2 of 4 groups are 2 of each; of one group all 3.
  EXPECT_EQ((Mixture{.experts = 16, .chosen = 3, .groups = 4, .openGroups = 2})
                .least(),
            8);
  EXPECT_EQ((Mixture{.experts = 16, .chosen = 3, .groups = 4}).least(), 12);
  // What a group is worth takes two.
  EXPECT_EQ((Mixture{.experts = 16,
                     .chosen = 1,
                     .groups = 4,
                     .openGroups = 4,
                     .judged = 2})
                .least(),
            8);
}

std::string countOf(std::vector<Mixture> mixtures, double share) {
  CompressOptions options;
  options.keepExperts = share;
  Result<int64_t> count = countExperts({std::move(mixtures), {}}, options);
  return count ? std::to_string(*count) : count.error().str();
}

TEST(MixtureTest, CountsByShares) {
  Mixture mixture{.experts = 16, .chosen = 2};
  EXPECT_EQ(countOf({mixture, mixture}, 0.5), "8");
  EXPECT_EQ(countOf({mixture}, 0.4), "6");
  EXPECT_EQ(countOf({mixture}, 0.125), "2");
  Mixture grouped{.experts = 16, .chosen = 2, .groups = 4, .openGroups = 2};
  // 2 or 3 of each of 4.
  EXPECT_EQ(countOf({grouped}, 0.6), "8");
  EXPECT_EQ(countOf({grouped}, 0.7), "12");
}

TEST(MixtureTest, DeclinesShares) {
  Mixture mixture{.experts = 16, .chosen = 2}, other{.experts = 8};
  EXPECT_EQ(countOf({mixture}, 0.05),
            "--keep-experts: expected at least 0.125, 2 of 16 experts, as each "
            "token takes 2, but got 0.05");
  EXPECT_EQ(countOf({mixture}, 0.98),
            "--keep-experts: expected a share that leaves out one or more of "
            "16 experts, but got 0.98");
  EXPECT_EQ(countOf({mixture, other}, 0.5),
            "--keep-experts: expected as many experts in all layers, but got "
            "16 and 8");
  EXPECT_EQ(countOf({}, 0.5), "--keep-experts: expected layers with mixtures "
                              "of experts, but there are none");
  Mixture grouped{.experts = 8, .chosen = 3, .groups = 4, .openGroups = 2};
  EXPECT_EQ(countOf({grouped}, 0.5),
            "--keep-experts: expected a router that can do without some "
            "experts, but each token takes 3 of 2 of 4 groups of 2");
}

//===----------------------------------------------------------------------===//
// Plans
//===----------------------------------------------------------------------===//

/// What is wrong with keeping these of two mixtures of 4 in 2 groups.
std::string resolve(const KeptExperts &kept,
                    std::vector<MapPlan> plans = std::vector<MapPlan>(3)) {
  Mixture one{.layer = 0, .router = 0, .experts = 4, .groups = 2},
      two{.layer = 1, .router = 1, .experts = 4, .groups = 2};
  std::vector<LinearMap> maps(3);
  maps[0].name = "a";
  maps[1].name = "b";
  maps[2].name = "c";
  Status status = resolveExperts({{one, two}, {}}, kept, maps, plans);
  if (!status)
    return status.error().str();
  std::string text;
  for (const MapPlan &plan : plans) {
    text += std::string(plan.structure->name());
    for (const auto &[key, number] : plan.numbers)
      text += " " + std::to_string(number);
    text += ";";
  }
  return text;
}

TEST(ExpertPlanTest, GoesToRouters) {
  EXPECT_EQ(resolve({{}, {}}), "dense;dense;dense;");
  EXPECT_EQ(resolve({{0, 2}, {1, 3}}), "kept_experts 2;kept_experts 2;dense;");
  EXPECT_EQ(resolve({{0, 1, 2, 3}, {}}), "dense;dense;dense;");
  // A layer that goes keeps what it likes.
  EXPECT_EQ(resolve({{0, 2}, {}}, {{}, droppedStructure(), {}}),
            "kept_experts 2;dropped;dense;");
}

TEST(ExpertPlanTest, DeclinesWhatDisagrees) {
  EXPECT_EQ(resolve({{0, 2}, {}}),
            "'b': expected 2 kept experts, as 'a' has (configurations have one "
            "number for all layers), but got 4");
  EXPECT_EQ(resolve({{0}, {0}}), "'a': expected at least 2 kept experts, as "
                                 "each token takes 1, but got 1");
  EXPECT_EQ(resolve({{0, 1}, {0, 1}}),
            "'a': expected as many kept experts in each of 2 groups, but got 2 "
            "and 0");
  EXPECT_EQ(resolve({{0, 2}, {0, 2}}, {int8Structure(), {}, {}}),
            "'a': expected 'dense' or 'kept_experts', as its experts are "
            "listed, but got 'int8'");
  EXPECT_EQ(resolve({{}, {}}, {{}, {}, keptExpertsStructure()}),
            "'c': expected a list of kept experts of this router for "
            "'kept_experts', but there is none");
}

} // namespace
} // namespace linnet::compress
