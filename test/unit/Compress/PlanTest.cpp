//===- PlanTest.cpp - plans with layers that become alike -----------------===//

#include "lib/Compress/Plan.h"

#include "gtest/gtest.h"

#include <set>

using namespace linnet;
using namespace linnet::compress;

namespace {

/// Layers of two maps each, all of one function.
std::vector<LinearMap> someMaps(int64_t layers) {
  std::vector<LinearMap> maps;
  for (int64_t layer = 0; layer < layers; ++layer)
    for (int64_t columns : {40, 24}) {
      LinearMap map;
      map.name = "l." + std::to_string(layer) + "." + std::to_string(columns);
      map.rows = 32;
      map.columns = columns;
      map.layer = layer;
      map.function = "layer";
      maps.push_back(map);
    }
  return maps;
}

/// Losses of ranks fall as 1 / rank; layers count as `weights` say.
std::vector<MapAnalysis> someAnalysis(const std::vector<LinearMap> &maps,
                                      const std::vector<double> &weights) {
  std::vector<MapAnalysis> analysis(maps.size());
  for (size_t i = 0; i < maps.size(); ++i) {
    analysis[i].weight = weights[size_t(maps[i].layer)];
    for (int64_t rank = 1; rank <= 12; ++rank)
      analysis[i].choices.push_back(
          {MapPlan(lowRankStructure(), {{"rank", rank}}), 1.0 / double(rank)});
  }
  return analysis;
}

std::vector<int64_t> ranksOf(const PlannedMaps &planned) {
  std::vector<int64_t> ranks;
  for (const MapPlan &plan : planned.plans)
    ranks.push_back(plan.numbers.count("rank") ? plan.numbers.at("rank") : 0);
  return ranks;
}

double costOf(const Budget &budget, const std::vector<LinearMap> &maps,
              const PlannedMaps &planned) {
  double cost = 0;
  for (size_t i = 0; i < maps.size(); ++i)
    cost += budget.costOf(maps[i], *planned.plans[i].structure,
                          planned.plans[i].numbers);
  return cost;
}

class PlanTest : public ::testing::Test {
protected:
  std::vector<LinearMap> maps = someMaps(4);
  std::vector<MapAnalysis> analysis = someAnalysis(maps, {1, 9, 1.2, 8});
  Budget budget{Budget::Kind::Parameters, 2600, 0, nullptr};

  PlannedMaps plan(const TiedMaps &tied) {
    Result<PlannedMaps> planned = planMaps(maps, analysis, budget, tied);
    EXPECT_TRUE(bool(planned)) << planned.error().str();
    return planned.take();
  }
};

TEST_F(PlanTest, FreeLayersTakeWhatTheyNeed) {
  PlannedMaps planned = plan(tieNothing(maps.size()));
  std::vector<int64_t> ranks = ranksOf(planned);
  EXPECT_GT(ranks[2], ranks[0]);
  EXPECT_LE(costOf(budget, maps, planned), budget.amount);
  double damage = 0;
  for (size_t i = 0; i < maps.size(); ++i)
    damage += ranks[i] ? analysis[i].weight / double(ranks[i]) : 0;
  EXPECT_NEAR(planned.damage, damage, 1e-12);
}

TEST_F(PlanTest, TiedLayersAreAlike) {
  std::vector<double> costs;
  for (const LinearMap &map : maps)
    costs.push_back(map.layer % 2 ? 900 + map.layer : 200 + map.layer);
  TiedMaps tied = tieLayers(maps, costs, 2);
  ASSERT_EQ(tied.size(), 4u);
  EXPECT_EQ(tied[0], (std::vector<size_t>{0, 4}));
  EXPECT_EQ(tied[1], (std::vector<size_t>{1, 5}));
  EXPECT_EQ(tied[2], (std::vector<size_t>{2, 6}));
  EXPECT_EQ(tied[3], (std::vector<size_t>{3, 7}));
  PlannedMaps planned = plan(tied);
  std::vector<int64_t> ranks = ranksOf(planned);
  for (size_t i : {0, 1, 2, 3})
    EXPECT_EQ(ranks[i], ranks[i + 4]);
  EXPECT_GT(ranks[2], ranks[0]);
  EXPECT_LE(costOf(budget, maps, planned), budget.amount);
}

TEST_F(PlanTest, FewerKindsLoseMore) {
  std::vector<double> costs;
  for (const LinearMap &map : maps)
    costs.push_back(double(map.layer));
  double before = plan(tieNothing(maps.size())).damage;
  for (int64_t kinds : {4, 2, 1}) {
    double damage = plan(tieLayers(maps, costs, kinds)).damage;
    // Up to the step that did not fit.
    EXPECT_GE(damage, before - 0.2) << kinds;
    before = damage;
  }
}

TEST_F(PlanTest, OtherFunctionsAreNotTied) {
  maps[4].function = maps[5].function = "other";
  std::vector<double> costs(maps.size(), 1.0);
  std::set<size_t> sizes;
  for (const std::vector<size_t> &list : tieLayers(maps, costs, 1))
    sizes.insert(list.size());
  EXPECT_EQ(sizes, (std::set<size_t>{1, 3}));
}

TEST_F(PlanTest, AnyNumberOfKindsTiesNothing) {
  std::vector<double> costs(maps.size(), 1.0);
  EXPECT_EQ(tieLayers(maps, costs, 0), tieNothing(maps.size()));
}

} // namespace
