//===- Hash.cpp - XXH64 ---------------------------------------------------===//
//
// Written from the published description of the XXH64 algorithm: four lanes
// over 32-byte stripes, a merge, the tail, an avalanche.
//
//===----------------------------------------------------------------------===//

#include "linnet/Support/Hash.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace linnet {
namespace {

constexpr uint64_t kPrime1 = 0x9E3779B185EBCA87;
constexpr uint64_t kPrime2 = 0xC2B2AE3D27D4EB4F;
constexpr uint64_t kPrime3 = 0x165667B19E3779F9;
constexpr uint64_t kPrime4 = 0x85EBCA77C2B2AE63;
constexpr uint64_t kPrime5 = 0x27D4EB2F165667C5;
constexpr size_t kStripe = 32;

uint64_t read64(const unsigned char *bytes) {
  uint64_t value = 0;
  for (int i = 7; i >= 0; --i)
    value = value << 8 | bytes[i];
  return value;
}

uint64_t read32(const unsigned char *bytes) {
  uint64_t value = 0;
  for (int i = 3; i >= 0; --i)
    value = value << 8 | bytes[i];
  return value;
}

uint64_t round(uint64_t lane, uint64_t input) {
  return std::rotl(lane + input * kPrime2, 31) * kPrime1;
}

void consumeStripe(std::array<uint64_t, 4> &lanes, const unsigned char *bytes) {
  for (int i = 0; i < 4; ++i)
    lanes[i] = round(lanes[i], read64(bytes + 8 * i));
}

uint64_t mixTail(uint64_t hash, const unsigned char *bytes, size_t length) {
  for (; length >= 8; bytes += 8, length -= 8)
    hash = std::rotl(hash ^ round(0, read64(bytes)), 27) * kPrime1 + kPrime4;
  if (length >= 4) {
    hash = std::rotl(hash ^ read32(bytes) * kPrime1, 23) * kPrime2 + kPrime3;
    bytes += 4;
    length -= 4;
  }
  for (; length > 0; ++bytes, --length)
    hash = std::rotl(hash ^ *bytes * kPrime5, 11) * kPrime1;
  return hash;
}

} // namespace

Hasher::Hasher(uint64_t seed)
    : lanes{seed + kPrime1 + kPrime2, seed + kPrime2, seed, seed - kPrime1},
      tail{}, seed(seed) {}

Hasher &Hasher::update(const void *data, size_t bytes) {
  auto *next = static_cast<const unsigned char *>(data);
  size_t held = total % kStripe;
  total += bytes;
  if (held > 0) {
    size_t taken = std::min(bytes, kStripe - held);
    if (taken > 0)
      std::memcpy(tail.data() + held, next, taken);
    next += taken;
    bytes -= taken;
    if (held + taken < kStripe)
      return *this;
    consumeStripe(lanes, tail.data());
  }
  for (; bytes >= kStripe; next += kStripe, bytes -= kStripe)
    consumeStripe(lanes, next);
  if (bytes > 0)
    std::memcpy(tail.data(), next, bytes);
  return *this;
}

Hasher &Hasher::update(uint64_t value) {
  unsigned char bytes[8];
  for (int i = 0; i < 8; ++i)
    bytes[i] = static_cast<unsigned char>(value >> (8 * i));
  return update(bytes, sizeof(bytes));
}

uint64_t Hasher::finish() const {
  uint64_t hash = seed + kPrime5;
  if (total >= kStripe) {
    hash = std::rotl(lanes[0], 1) + std::rotl(lanes[1], 7) +
           std::rotl(lanes[2], 12) + std::rotl(lanes[3], 18);
    for (uint64_t lane : lanes)
      hash = (hash ^ round(0, lane)) * kPrime1 + kPrime4;
  }
  hash = mixTail(hash + total, tail.data(), total % kStripe);
  hash = (hash ^ hash >> 33) * kPrime2;
  hash = (hash ^ hash >> 29) * kPrime3;
  return hash ^ hash >> 32;
}

uint64_t hashBytes(const void *data, size_t bytes, uint64_t seed) {
  return Hasher(seed).update(data, bytes).finish();
}

uint64_t hashBytes(std::string_view text) {
  return hashBytes(text.data(), text.size());
}

std::string toHex(uint64_t hash) {
  std::string text(16, '0');
  for (int i = 15; i >= 0; --i, hash >>= 4)
    text[i] = "0123456789abcdef"[hash & 15];
  return text;
}

} // namespace linnet
