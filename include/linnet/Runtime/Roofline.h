//===- Roofline.h - what this machine could do at best --------*- C++ -*-===//
//
// Decoding reads every weight once per token and so cannot beat the memory;
// prefill multiplies and so cannot beat the multipliers. Both limits are
// measured, as no data sheet knows about the neighbours on a shared machine.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_RUNTIME_ROOFLINE_H
#define LINNET_RUNTIME_ROOFLINE_H

#include "linnet/Support/Result.h"

#include <cstdint>

namespace linnet {

struct RooflineOptions {
  int threads = 1;
  /// Read per pass; several times the last-level cache.
  int64_t bufferBytes = int64_t(512) << 20;
  /// Time spent on each of the two measurements.
  double seconds = 0.4;
};

struct Roofline {
  /// Sequential reads of all threads together, the best pass.
  double bytesPerSecond = 0;
  /// f32 multiply-adds in the widest vectors of this processor, each counted
  /// as two operations, the best pass.
  double flopsPerSecond = 0;
};

/// Measures for about 2 * seconds plus the time to touch the buffer. Errors:
/// memory or threads cannot be had.
Result<Roofline> measureRoofline(const RooflineOptions &options);

} // namespace linnet

#endif // LINNET_RUNTIME_ROOFLINE_H
