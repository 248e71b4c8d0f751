//===- Allocation.h - one budget over many choices ------------*- C++ -*-===//
//
// Each of several items is had at one of several costs, each with a loss. The
// sum of costs must not exceed a budget; the sum of losses should be least. On
// the lower convex hull of each item's choices, taking the steps of most loss
// avoided per cost, wherever they are, is the optimum of the Lagrangian
// relaxation (Everett 1963): exact but for the last step that does not fit,
// whose place smaller steps take.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_NUMERICS_ALLOCATION_H
#define LINNET_NUMERICS_ALLOCATION_H

#include "linnet/Support/Result.h"

#include <cstdint>
#include <vector>

namespace linnet {

struct AllocationChoice {
  /// At least 0, in the budget's unit.
  double cost = 0;
  /// Any finite number; less is better.
  double loss = 0;
};

/// The number of the choice of each item. Errors: an item without choices,
/// numbers that are not finite, a budget below the sum of least costs, which
/// the message names.
Result<std::vector<size_t>>
allocateBudget(const std::vector<std::vector<AllocationChoice>> &items,
               double budget);

} // namespace linnet

#endif // LINNET_NUMERICS_ALLOCATION_H
