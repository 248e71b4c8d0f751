//===- Allocation.cpp - one budget over many choices ----------------------===//

#include "linnet/Numerics/Allocation.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace linnet {
namespace {

using Choices = std::vector<AllocationChoice>;

/// The choices on the lower convex hull, by rising cost and falling loss.
std::vector<size_t> lowerHull(const Choices &choices) {
  std::vector<size_t> order(choices.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](size_t x, size_t y) {
    return std::pair(choices[x].cost, choices[x].loss) <
           std::pair(choices[y].cost, choices[y].loss);
  });
  std::vector<size_t> hull;
  for (size_t next : order) {
    const AllocationChoice &point = choices[next];
    if (!hull.empty() && point.loss >= choices[hull.back()].loss)
      continue;
    // The last point is left out where it lies above the line from the
    // one before it to the next.
    while (hull.size() >= 2) {
      const AllocationChoice &before = choices[hull[hull.size() - 2]],
                             &last = choices[hull.back()];
      if ((last.loss - before.loss) * (point.cost - before.cost) <=
          (point.loss - before.loss) * (last.cost - before.cost))
        break;
      hull.pop_back();
    }
    hull.push_back(next);
  }
  return hull;
}

struct Step {
  double gain;
  size_t item, number;
};

} // namespace

Result<std::vector<size_t>>
allocateBudget(const std::vector<std::vector<AllocationChoice>> &items,
               double budget) {
  std::vector<std::vector<size_t>> hulls;
  std::vector<Step> steps;
  double spent = 0;
  for (size_t i = 0; i < items.size(); ++i) {
    if (items[i].empty())
      return makeError("item ", i, ": expected choices, but got none");
    for (const AllocationChoice &choice : items[i])
      if (!std::isfinite(choice.cost) || !std::isfinite(choice.loss) ||
          choice.cost < 0)
        return makeError("item ", i,
                         ": expected a finite cost of at least 0 and a finite "
                         "loss, but got ",
                         choice.cost, " and ", choice.loss);
    hulls.push_back(lowerHull(items[i]));
    const std::vector<size_t> &hull = hulls.back();
    spent += items[i][hull[0]].cost;
    for (size_t n = 1; n < hull.size(); ++n) {
      const AllocationChoice &from = items[i][hull[n - 1]],
                             &to = items[i][hull[n]];
      steps.push_back({(from.loss - to.loss) / (to.cost - from.cost), i, n});
    }
  }
  if (spent > budget)
    return makeError("expected a budget of at least ", spent, ", but got ",
                     budget);
  // Within a hull gains fall, so that its steps keep their order.
  std::stable_sort(
      steps.begin(), steps.end(),
      [](const Step &x, const Step &y) { return x.gain > y.gain; });
  std::vector<size_t> at(items.size(), 0);
  for (const Step &step : steps) {
    const std::vector<size_t> &hull = hulls[step.item];
    double more = items[step.item][hull[step.number]].cost -
                  items[step.item][hull[at[step.item]]].cost;
    // A step whose forerunner did not fit starts further down.
    if (spent + more > budget)
      continue;
    spent += more;
    at[step.item] = step.number;
  }
  for (size_t i = 0; i < items.size(); ++i)
    at[i] = hulls[i][at[i]];
  return at;
}

} // namespace linnet
