//===- Usage.h - memory the process has used ------------------*- C++ -*-===//

#ifndef LINNET_RUNTIME_USAGE_H
#define LINNET_RUNTIME_USAGE_H

#include <cstdint>

namespace linnet {

/// The most bytes this process has had in memory at any time, mapped files
/// included.
int64_t peakResidentBytes();

} // namespace linnet

#endif // LINNET_RUNTIME_USAGE_H
