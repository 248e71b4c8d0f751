//===- Hash.h - content hash ----------------------------------*- C++ -*-===//
//
// XXH64: fast, the same on every machine, with published test vectors. It
// detects change, not malice.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_SUPPORT_HASH_H
#define LINNET_SUPPORT_HASH_H

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace linnet {

/// Streaming XXH64: the result does not depend on how the input is cut.
class Hasher {
public:
  explicit Hasher(uint64_t seed = 0);

  Hasher &update(const void *data, size_t bytes);
  Hasher &update(std::string_view text) {
    return update(text.data(), text.size());
  }
  /// Hashes `value` as eight little-endian bytes.
  Hasher &update(uint64_t value);
  /// The hash of everything so far; more may follow.
  uint64_t finish() const;

private:
  std::array<uint64_t, 4> lanes;
  std::array<unsigned char, 32> tail;
  uint64_t seed;
  uint64_t total = 0;
};

uint64_t hashBytes(const void *data, size_t bytes, uint64_t seed = 0);
uint64_t hashBytes(std::string_view text);

/// Sixteen lower-case hexadecimal digits.
std::string toHex(uint64_t hash);

} // namespace linnet

#endif // LINNET_SUPPORT_HASH_H
