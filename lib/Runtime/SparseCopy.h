//===- SparseCopy.h - copying mostly empty memory ------------*- C++ -*-===//
//
// A cache has room for the whole context but is mostly unused; pages never
// written stay zero and need no memory, nor room in a file.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_LIB_RUNTIME_SPARSECOPY_H
#define LINNET_LIB_RUNTIME_SPARSECOPY_H

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace linnet {

inline constexpr int64_t kSparseBlock = 4096;

/// Whether `bytes` >= 1 bytes at `data` are all zero.
inline bool isZero(const std::byte *data, int64_t bytes) {
  // Equal to itself shifted by one: memcmp is as fast as the machine allows.
  return data[0] == std::byte(0) && std::memcmp(data, data + 1, bytes - 1) == 0;
}

/// Calls `write(offset, bytes)` for the blocks of `data` that are not zero.
template <typename Write>
void forEachBlock(const std::byte *data, int64_t bytes, Write write) {
  for (int64_t offset = 0; offset < bytes; offset += kSparseBlock) {
    int64_t count = std::min(kSparseBlock, bytes - offset);
    if (!isZero(data + offset, count))
      write(offset, count);
  }
}

/// Copies into memory that is zero.
inline void copySparse(std::byte *to, const std::byte *from, int64_t bytes) {
  forEachBlock(from, bytes, [&](int64_t offset, int64_t count) {
    std::memcpy(to + offset, from + offset, count);
  });
}

} // namespace linnet

#endif // LINNET_LIB_RUNTIME_SPARSECOPY_H
