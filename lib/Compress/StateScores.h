//===- StateScores.h - what key channels of scans count -------*- C++ -*-===//

#ifndef LIB_COMPRESS_STATESCORES_H
#define LIB_COMPRESS_STATESCORES_H

#include "StateChannels.h"
#include "TapRunner.h"

namespace linnet::compress {

/// Of each of `states`, by unit, E[q_n^2] E[k_n^2] over the tokens of the
/// fitted windows, as the original model runs: what channel n adds to what is
/// read has the size of q_n and of the keys that were written (the activations
/// of Muralidharan et al. 2024, section 2.2, of two factors). Heads that share
/// their channels add up. Errors: numbers that are not finite.
Result<std::vector<std::vector<double>>>
scoreChannels(TapRunner &runner, const std::vector<ScanState> &states,
              const Windows &windows, const CompressReport &report);

} // namespace linnet::compress

#endif // LIB_COMPRESS_STATESCORES_H
