//===- Judge.h - how well the model predicts ------------------*- C++ -*-===//

#ifndef LIB_COMPRESS_JUDGE_H
#define LIB_COMPRESS_JUDGE_H

#include "TapRunner.h"

namespace linnet::compress {

/// Mean nats per token of the windows of `part`, whose last carried values
/// `states` are; the first token of each window is not scored.
Result<double> meanNats(const TapRunner &runner, const OpenTap &end,
                        const HiddenStates &states, const Windows &windows,
                        Part part);

/// The same windows with the original and with the result.
Result<CompressComparison> compareModels(const TapRunner &runner,
                                         const OpenTap &end,
                                         const HiddenStates &original,
                                         const HiddenStates &result,
                                         const Windows &windows, Part part);

} // namespace linnet::compress

#endif // LIB_COMPRESS_JUDGE_H
