//===- MakeSafetensors.h - files built byte by byte -----------*- C++ -*-===//
//
// Tests of the reader must not rely on the writer.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_TEST_UNIT_CHECKPOINT_MAKESAFETENSORS_H
#define LINNET_TEST_UNIT_CHECKPOINT_MAKESAFETENSORS_H

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace linnet::test {

/// A length field of this value, this header and this data.
inline std::string rawSafetensors(uint64_t length, std::string_view header,
                                  std::string_view data) {
  std::string bytes(8, '\0');
  for (int i = 0; i < 8; ++i)
    bytes[i] = static_cast<char>(length >> (8 * i));
  bytes += header;
  bytes += data;
  return bytes;
}

/// The same with the right length.
inline std::string makeSafetensors(std::string_view header,
                                   std::string_view data) {
  return rawSafetensors(header.size(), header, data);
}

/// The bytes of some values.
template <typename T>
std::vector<std::byte> bytesOf(const std::vector<T> &values) {
  std::vector<std::byte> bytes(values.size() * sizeof(T));
  if (!bytes.empty())
    std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

/// The values in some bytes.
template <typename T>
std::vector<T> valuesOf(const std::byte *data, size_t bytes) {
  std::vector<T> values(bytes / sizeof(T));
  if (bytes > 0)
    std::memcpy(values.data(), data, bytes);
  return values;
}

} // namespace linnet::test

#endif // LINNET_TEST_UNIT_CHECKPOINT_MAKESAFETENSORS_H
