//===- Interrupt.cpp - remove temporary paths on Ctrl-C -------------------===//
//
// A signal handler may call only async-signal-safe functions, so the registry
// is a fixed table of character arrays and directories are listed by the raw
// system call (opendir allocates).
//
//===----------------------------------------------------------------------===//

#include "linnet/Support/Interrupt.h"

#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>

namespace linnet {
namespace {

enum State : int { kFree, kFilling, kReady };

struct Slot {
  std::atomic<int> state{kFree};
  /// A forked child must not remove what its parent is still writing.
  pid_t owner = 0;
  char path[PATH_MAX];
};

constexpr int kSlots = 64;
constexpr int kMaxDepth = 16;
Slot slots[kSlots];
static_assert(std::atomic<int>::is_always_lock_free);

/// What getdents64 writes; the name follows the fixed part.
struct DirectoryEntry {
  uint64_t inode;
  int64_t offset;
  unsigned short length;
  unsigned char type;
  char name[1];
};

void removeAt(int parent, const char *name, int depth);

/// Removes the entries of an open directory once over; returns how many it met.
int removeEntries(int directory, int depth) {
  alignas(DirectoryEntry) char buffer[4096];
  int met = 0;
  long got;
  while ((got = ::syscall(SYS_getdents64, directory, buffer, sizeof(buffer))) >
         0) {
    for (long at = 0; at < got;) {
      auto *entry = reinterpret_cast<DirectoryEntry *>(buffer + at);
      const char *name = entry->name;
      at += entry->length;
      if (std::strcmp(name, ".") == 0 || std::strcmp(name, "..") == 0)
        continue;
      ++met;
      removeAt(directory, name, depth + 1);
    }
  }
  return met;
}

void removeAt(int parent, const char *name, int depth) {
  if (::unlinkat(parent, name, 0) == 0 || errno == ENOENT || depth > kMaxDepth)
    return;
  int directory =
      ::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (directory < 0)
    return;
  // Removal while listing can skip entries, and other threads may still be
  // adding files: list again until nothing is left.
  for (int pass = 0; pass < 16 && removeEntries(directory, depth) > 0; ++pass)
    ::lseek(directory, 0, SEEK_SET);
  ::close(directory);
  ::unlinkat(parent, name, AT_REMOVEDIR);
}

void onInterrupt(int signal) {
  int saved = errno;
  for (Slot &slot : slots)
    if (slot.state.load(std::memory_order_acquire) == kReady &&
        slot.owner == ::getpid())
      removeAt(AT_FDCWD, slot.path, 0);
  errno = saved;
  // SA_RESETHAND restored the default action; it takes effect when the handler
  // returns and the signal is unblocked.
  ::raise(signal);
}

} // namespace

void installInterruptCleanup() {
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction action = {};
    if (::sigaction(signal, nullptr, &action) != 0 ||
        action.sa_handler == SIG_IGN)
      continue;
    action = {};
    action.sa_handler = onInterrupt;
    action.sa_flags = SA_RESETHAND;
    ::sigfillset(&action.sa_mask);
    ::sigaction(signal, &action, nullptr);
  }
  std::signal(SIGXFSZ, SIG_IGN);
}

InterruptCleanup::InterruptCleanup(const std::string &path) {
  // The working directory may change before the signal comes.
  std::string absolute = path;
  if (!path.empty() && path[0] != '/') {
    char directory[PATH_MAX];
    if (::getcwd(directory, sizeof(directory)))
      absolute = std::string(directory) + "/" + path;
  }
  if (absolute.size() >= PATH_MAX)
    return;
  for (int i = 0; i < kSlots; ++i) {
    int expected = kFree;
    if (!slots[i].state.compare_exchange_strong(expected, kFilling))
      continue;
    std::memcpy(slots[i].path, absolute.c_str(), absolute.size() + 1);
    slots[i].owner = ::getpid();
    slots[i].state.store(kReady, std::memory_order_release);
    slot = i;
    return;
  }
}

InterruptCleanup::InterruptCleanup(InterruptCleanup &&other) noexcept
    : slot(std::exchange(other.slot, -1)) {}

InterruptCleanup &
InterruptCleanup::operator=(InterruptCleanup &&other) noexcept {
  if (this != &other) {
    release();
    slot = std::exchange(other.slot, -1);
  }
  return *this;
}

void InterruptCleanup::release() {
  if (slot >= 0)
    slots[slot].state.store(kFree, std::memory_order_release);
  slot = -1;
}

} // namespace linnet
