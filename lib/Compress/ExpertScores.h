//===- ExpertScores.h - what experts add to their tokens ------*- C++ -*-===//

#ifndef LIB_COMPRESS_EXPERTSCORES_H
#define LIB_COMPRESS_EXPERTSCORES_H

#include "Experts.h"
#include "TapRunner.h"

namespace linnet::compress {

/// Of the experts of one mixture, over the fitted windows.
struct ExpertScores {
  /// The mean of weight times |f_e(x)|_2 over the tokens x that take expert e,
  /// f_e being its output (router-weighted activation, Lasby et al. 2025); 0
  /// for those that none takes.
  std::vector<double> scores;
  /// How many tokens take it.
  std::vector<int64_t> tokens;
};

/// Of each of `mixtures`, as the original model runs. Errors: outputs that are
/// not finite.
Result<std::vector<ExpertScores>>
scoreExperts(TapRunner &runner, const std::vector<Mixture> &mixtures,
             const std::vector<LinearMap> &maps, const Windows &windows,
             const CompressReport &report);

} // namespace linnet::compress

#endif // LIB_COMPRESS_EXPERTSCORES_H
