//===- Memory.h - large zeroed buffers -----------------------*- C++ -*-===//
//
// Anonymous memory in huge pages where the system grants them: weights are
// streamed once per token, and 4 KB pages cost a fifth of the bandwidth.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_LIB_RUNTIME_MEMORY_H
#define LINNET_LIB_RUNTIME_MEMORY_H

#include <cstddef>
#include <cstdint>

namespace linnet {

/// Rounds up to a multiple of `alignment`, a power of two.
constexpr int64_t roundUp(int64_t value, int64_t alignment) {
  return (value + alignment - 1) & ~(alignment - 1);
}

/// Every tensor the runtime hands to generated code starts on a cache line.
inline constexpr int64_t kTensorAlignment = 64;

/// Zeroed memory, page-aligned (2 MiB-aligned from 2 MiB on), owned.
class Buffer {
public:
  Buffer() = default;
  Buffer(Buffer &&other) noexcept;
  Buffer &operator=(Buffer &&other) noexcept;
  ~Buffer();

  /// An empty result (data() null) of a positive size means that the memory
  /// cannot be had. A size of 0 gives null, too.
  static Buffer allocate(int64_t bytes);

  std::byte *data() const { return base; }
  int64_t size() const { return bytes; }
  /// Makes all of it zero again, giving the pages back where that is cheaper.
  void clear();

private:
  std::byte *base = nullptr;
  int64_t bytes = 0;
};

/// Tells the system that the whole pages within a file mapping's range are not
/// needed in memory for now; they are read again on the next access.
void releasePages(const void *begin, size_t bytes);

/// Tells the system to read a range of a file mapping soon.
void expectPages(const void *begin, size_t bytes);

} // namespace linnet

#endif // LINNET_LIB_RUNTIME_MEMORY_H
