//===- MeasureSpeed.h - original and result against the clock -*- C++ -*-===//

#ifndef LIB_COMPRESS_MEASURESPEED_H
#define LIB_COMPRESS_MEASURESPEED_H

#include "linnet/Compress/Compress.h"

namespace linnet::compress {

/// Compiles the checkpoints in directories `before` and `after` for this
/// machine and runs them in turns, one sequence at a time on all processors.
/// Both are in memory. Errors: one that cannot be compiled.
Result<SpeedComparison> measureSpeed(const std::string &before,
                                     const std::string &after);

} // namespace linnet::compress

#endif // LIB_COMPRESS_MEASURESPEED_H
