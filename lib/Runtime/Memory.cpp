//===- Memory.cpp - large zeroed buffers, peak memory ---------------------===//

#include "Memory.h"

#include "linnet/Runtime/Usage.h"

#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include <utility>

namespace linnet {
namespace {

constexpr int64_t kHugePage = int64_t(2) << 20;

int64_t pageSize() {
  static const int64_t size = sysconf(_SC_PAGESIZE);
  return size;
}

} // namespace

Buffer::Buffer(Buffer &&other) noexcept
    : base(std::exchange(other.base, nullptr)),
      bytes(std::exchange(other.bytes, 0)) {}

Buffer &Buffer::operator=(Buffer &&other) noexcept {
  std::swap(base, other.base);
  std::swap(bytes, other.bytes);
  return *this;
}

Buffer::~Buffer() {
  if (base)
    munmap(base, roundUp(bytes, pageSize()));
}

Buffer Buffer::allocate(int64_t bytes) {
  Buffer buffer;
  if (bytes <= 0)
    return buffer;
  int64_t length = roundUp(bytes, pageSize());
  bool huge = bytes >= kHugePage;
  int64_t reserve = huge ? length + kHugePage : length;
  void *mapping = mmap(nullptr, reserve, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED)
    return buffer;
  auto *begin = static_cast<std::byte *>(mapping);
  if (huge) {
    // Keep the aligned part of the reservation only.
    auto address = reinterpret_cast<intptr_t>(begin);
    int64_t skip = roundUp(address, kHugePage) - address;
    if (skip)
      munmap(begin, skip);
    if (kHugePage - skip)
      munmap(begin + skip + length, kHugePage - skip);
    begin += skip;
    madvise(begin, length, MADV_HUGEPAGE);
  }
  buffer.base = begin;
  buffer.bytes = bytes;
  return buffer;
}

void Buffer::clear() {
  if (!base)
    return;
  if (bytes < kHugePage ||
      madvise(base, roundUp(bytes, pageSize()), MADV_DONTNEED) != 0)
    std::memset(base, 0, bytes);
}

void releasePages(const void *begin, size_t bytes) {
  auto first = roundUp(reinterpret_cast<intptr_t>(begin), pageSize());
  auto last =
      (reinterpret_cast<intptr_t>(begin) + intptr_t(bytes)) & ~(pageSize() - 1);
  if (last > first)
    madvise(reinterpret_cast<void *>(first), last - first, MADV_DONTNEED);
}

void expectPages(const void *begin, size_t bytes) {
  auto address = reinterpret_cast<intptr_t>(begin);
  auto first = address & ~(pageSize() - 1);
  madvise(reinterpret_cast<void *>(first), address - first + bytes,
          MADV_WILLNEED);
}

int64_t peakResidentBytes() {
  // The process's own peak; ru_maxrss starts from the parent's at exec.
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    long long kibibytes = 0;
    if (std::sscanf(line.c_str(), "VmHWM: %lld kB", &kibibytes) == 1)
      return kibibytes * 1024;
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return int64_t(usage.ru_maxrss) * 1024;
}

} // namespace linnet
