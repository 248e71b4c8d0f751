//===- Target.h - the processor code is made for --------------*- C++ -*-===//

#ifndef LINNET_DRIVER_TARGET_H
#define LINNET_DRIVER_TARGET_H

#include "linnet/Support/Result.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace linnet {

struct Target {
  /// "x86_64-pc-linux-gnu".
  std::string triple;
  /// What was asked for, with "native" resolved to the processor's name.
  std::string cpu;
  /// The processor LLVM schedules for.
  std::string tune;
  /// LLVM names, without '+', of the instruction sets that generated code may
  /// use beyond plain x86-64, sorted. A machine needs all of them.
  std::vector<std::string> features;
  /// Width of the widest registers worth using.
  int64_t vectorBits = 128;
  int64_t vectorRegisters = 16;

  bool has(std::string_view feature) const;
  /// Whether an instruction multiplies vectors of bytes, one unsigned and one
  /// signed, and adds four products each to a lane of 32 bits (VNNI).
  bool dotsBytes() const;
  /// "+avx,+avx2,...", as LLVM takes it.
  std::string featureString() const;
};

/// The target called `mcpu`: "native" (this machine, as cpuid describes it;
/// what its name promises does not matter), "generic" (any x86-64), or a name
/// LLVM knows ("x86-64-v3", "znver4", "sapphirerapids"). Errors: an unknown
/// name, with the nearest known one; another architecture.
Result<Target> resolveTarget(std::string_view mcpu);

} // namespace linnet

#endif // LINNET_DRIVER_TARGET_H
