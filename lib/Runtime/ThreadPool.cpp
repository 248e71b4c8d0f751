//===- ThreadPool.cpp - threads that work in step -------------------------===//

#include "ThreadPool.h"

#include <cerrno>
#include <chrono>
#include <climits>
#include <csignal>
#include <cstring>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <string>
#include <sys/syscall.h>
#include <system_error>
#include <unistd.h>

namespace linnet {
namespace {

/// How long a waiting thread only spins, and how long it stays awake in all.
/// The gap between two decode steps (sampling, the caller's own work) is tens
/// of microseconds; a time slice of another process is milliseconds.
constexpr std::chrono::microseconds kSpinTime{10};
constexpr std::chrono::microseconds kAwakeTime{100};

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static_assert(sizeof(std::atomic<uint32_t>) == sizeof(uint32_t),
              "the kernel waits on the counter's own bytes");

void sleepWhile(std::atomic<uint32_t> &word, uint32_t seen) {
  syscall(SYS_futex, reinterpret_cast<uint32_t *>(&word), FUTEX_WAIT_PRIVATE,
          seen, nullptr, nullptr, 0);
}

void wakeAll(std::atomic<uint32_t> &word) {
  syscall(SYS_futex, reinterpret_cast<uint32_t *>(&word), FUTEX_WAKE_PRIVATE,
          INT_MAX, nullptr, nullptr, 0);
}

} // namespace

int availableProcessors() {
  // The fixed-size set holds 1024 processors; beyond that the call fails.
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0)
    return CPU_COUNT(&set);
  return std::max(1u, std::thread::hardware_concurrency());
}

void StepCounter::advance() {
  // Sequentially consistent on both sides: either the sleeper's futex call
  // sees the new count, or this thread sees the sleeper.
  count.fetch_add(1, std::memory_order_seq_cst);
  if (sleepers.load(std::memory_order_seq_cst) != 0)
    wakeAll(count);
}

void StepCounter::waitWhile(uint32_t seen, bool spin) {
  using Clock = std::chrono::steady_clock;
  if (value() != seen)
    return;
  if (spin) {
    Clock::time_point start = Clock::now();
    for (Clock::duration waited{}; waited < kAwakeTime;
         waited = Clock::now() - start) {
      if (waited < kSpinTime) {
        for (int i = 0; i < 32; ++i) {
          if (value() != seen)
            return;
          relax();
        }
      } else {
        sched_yield();
        if (value() != seen)
          return;
      }
    }
  } else {
    // Somebody else may need this processor in order to arrive at all.
    for (int i = 0; i < 2; ++i) {
      sched_yield();
      if (value() != seen)
        return;
    }
  }
  sleepers.fetch_add(1, std::memory_order_seq_cst);
  while (count.load(std::memory_order_seq_cst) == seen)
    sleepWhile(count, seen);
  sleepers.fetch_sub(1, std::memory_order_relaxed);
}

ThreadPool::ThreadPool(int threads)
    : total(threads), spin(threads <= availableProcessors()) {}

Result<std::unique_ptr<ThreadPool>> ThreadPool::create(int threads) {
  if (threads < 1)
    return makeError("expected at least 1 thread, but got ", threads);
  std::unique_ptr<ThreadPool> pool(new ThreadPool(threads));
  if (Status status = pool->start(); !status)
    return status.error();
  return pool;
}

Status ThreadPool::start() {
  // Signals belong to the host's own threads.
  sigset_t all, previous;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &previous);
  std::string problem;
  try {
    for (int64_t thread = 1; thread < total; ++thread) {
      workers.emplace_back([this, thread] { work(thread); });
      std::string name = "linnet-" + std::to_string(thread);
      pthread_setname_np(workers.back().native_handle(), name.c_str());
    }
  } catch (const std::system_error &error) {
    problem = error.code().message();
  }
  pthread_sigmask(SIG_SETMASK, &previous, nullptr);
  if (!problem.empty())
    return makeError("cannot start thread ", workers.size() + 1, " of ", total,
                     ": ", problem);
  return {};
}

ThreadPool::~ThreadPool() {
  stopping = true;
  jobs.advance();
  for (std::thread &worker : workers)
    worker.join();
}

void ThreadPool::work(int64_t thread) {
  for (uint32_t seen = 0;; ++seen) {
    jobs.waitWhile(seen, spin);
    if (stopping)
      return;
    function(context, thread, total);
    barrier();
  }
}

void ThreadPool::run(Function newFunction, void *newContext) {
  std::lock_guard lock(callers);
  function = newFunction;
  context = newContext;
  if (total > 1)
    jobs.advance();
  newFunction(newContext, 0, total);
  barrier();
}

void ThreadPool::barrier() {
  if (total == 1)
    return;
  // Read before arriving: from then on the others may pass.
  uint32_t seen = barriers.value();
  if (arrived.fetch_add(1, std::memory_order_acq_rel) + 1 == total) {
    arrived.store(0, std::memory_order_relaxed);
    barriers.advance();
  } else {
    barriers.waitWhile(seen, spin);
  }
}

void ThreadPool::barrierOf(void *pool) {
  static_cast<ThreadPool *>(pool)->barrier();
}

} // namespace linnet
