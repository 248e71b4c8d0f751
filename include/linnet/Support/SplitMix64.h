//===- SplitMix64.h - numbers that follow from a seed ---------*- C++ -*-===//
//
// SplitMix64 (Steele, Lea and Flood 2014): a counter through a mixing function.
// The same numbers everywhere, which the standard library's distributions do
// not promise.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_SUPPORT_SPLITMIX64_H
#define LINNET_SUPPORT_SPLITMIX64_H

#include <cstdint>

namespace linnet {

/// The next number of the stream at `state`.
inline uint64_t nextSplitMix64(uint64_t &state) {
  uint64_t z = state += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

/// Its upper 53 bits as a number in [0, 1).
inline double nextUniform(uint64_t &state) {
  return double(nextSplitMix64(state) >> 11) * 0x1p-53;
}

} // namespace linnet

#endif // LINNET_SUPPORT_SPLITMIX64_H
