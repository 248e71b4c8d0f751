//===- CpuFeatures.h - what this processor can run ------------*- C++ -*-===//
//
// Asked before code of a compiled library is mapped: an illegal instruction
// would be a crash, and must be a message instead.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_RUNTIME_CPUFEATURES_H
#define LINNET_RUNTIME_CPUFEATURES_H

#include "linnet/Support/Result.h"

#include <string>
#include <string_view>
#include <vector>

namespace linnet {

/// Whether the processor and the operating system support the instruction set
/// that LLVM calls `feature` ("avx2", "avx512bf16", "amx-tile"). Names that
/// are not instruction sets (tuning hints) and unknown ones are not supported.
bool cpuHasFeature(std::string_view feature);

/// All names cpuHasFeature knows, supported or not.
std::vector<std::string_view> knownCpuFeatures();

/// An error that names the missing features, or the architecture when `triple`
/// is for another one. Where amx-tile is needed, its registers are requested
/// from the system for the whole process.
Status requireCpu(std::string_view triple,
                  const std::vector<std::string> &features);

} // namespace linnet

#endif // LINNET_RUNTIME_CPUFEATURES_H
