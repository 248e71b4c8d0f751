//===- AllocationTest.cpp -------------------------------------------------===//

#include "linnet/Numerics/Allocation.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <random>

using namespace linnet;

namespace {

using Items = std::vector<std::vector<AllocationChoice>>;

struct Total {
  double cost = 0, loss = 0;
};

Total totalOf(const Items &items, const std::vector<size_t> &chosen) {
  Total total;
  for (size_t i = 0; i < items.size(); ++i) {
    total.cost += items[i][chosen[i]].cost;
    total.loss += items[i][chosen[i]].loss;
  }
  return total;
}

/// The least loss within the budget, by trying everything.
double exhaustive(const Items &items, double budget) {
  double best = std::numeric_limits<double>::infinity();
  std::vector<size_t> chosen(items.size(), 0);
  for (;;) {
    Total total = totalOf(items, chosen);
    if (total.cost <= budget)
      best = std::min(best, total.loss);
    size_t i = 0;
    while (i < items.size() && ++chosen[i] == items[i].size())
      chosen[i++] = 0;
    if (i == items.size())
      return best;
  }
}

TEST(Allocation, SpendsWhereItHelpsMost) {
  Items items = {{{1, 10}, {2, 9}}, {{1, 10}, {2, 2}}};
  Result<std::vector<size_t>> chosen = allocateBudget(items, 3);
  ASSERT_TRUE(bool(chosen));
  EXPECT_EQ(*chosen, (std::vector<size_t>{0, 1}));
}

/// The middle choice lies above the line between its neighbours.
TEST(Allocation, SkipsChoicesOffTheHull) {
  Items items = {{{0, 10}, {5, 9}, {10, 0}}};
  EXPECT_EQ((*allocateBudget(items, 10))[0], 2u);
  EXPECT_EQ((*allocateBudget(items, 9))[0], 0u);
}

TEST(Allocation, NeverPaysForMoreLoss) {
  Items items = {{{4, 1}, {9, 3}, {1, 2}}};
  EXPECT_EQ((*allocateBudget(items, 100))[0], 0u);
}

/// Convex choices: unless a step was too large for what was left, there is
/// nothing better at what was spent.
TEST(Allocation, AgreesWithExhaustiveSearch) {
  std::mt19937 engine(5);
  for (int round = 0; round < 200; ++round) {
    Items items(1 + engine() % 4);
    for (auto &item : items) {
      // Steps of cost 1 that gain less and less.
      double loss = 100, gain = 30;
      for (unsigned n = 0; n < 2 + engine() % 4; ++n) {
        item.push_back({double(n), loss});
        gain = std::min(gain, double(engine() % 30));
        loss -= gain;
      }
      std::swap(item.front(), item.back());
    }
    for (double budget : {0.0, 2.0, 5.0, 100.0}) {
      Result<std::vector<size_t>> chosen = allocateBudget(items, budget);
      ASSERT_TRUE(bool(chosen));
      Total total = totalOf(items, *chosen);
      EXPECT_LE(total.cost, budget);
      EXPECT_EQ(total.loss, exhaustive(items, budget));
    }
  }
}

TEST(Allocation, BudgetTooSmall) {
  Result<std::vector<size_t>> chosen = allocateBudget({{{3, 1}}, {{4, 1}}}, 6);
  ASSERT_FALSE(bool(chosen));
  EXPECT_EQ(chosen.error().str(), "expected a budget of at least 7, but got 6");
}

TEST(Allocation, UnusableChoices) {
  EXPECT_EQ(allocateBudget({{}}, 6).error().str(),
            "item 0: expected choices, but got none");
  EXPECT_EQ(allocateBudget({{{1, NAN}}}, 6).error().str(),
            "item 0: expected a finite cost of at least 0 and a finite loss, "
            "but got 1 and nan");
  EXPECT_FALSE(bool(allocateBudget({{{-1, 0}}}, 6)));
}

} // namespace
