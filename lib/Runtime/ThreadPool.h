//===- ThreadPool.h - threads that work in step --------------*- C++ -*-===//
//
// One parallel region per step: every thread of the pool runs the same function
// and they meet at barriers inside it. A decode step of a small model takes
// tens of microseconds, so threads spin for a while before they sleep; they
// yield early because the thread waited for may need this very processor.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_LIB_RUNTIME_THREADPOOL_H
#define LINNET_LIB_RUNTIME_THREADPOOL_H

#include "linnet/Support/Result.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace linnet {

/// Processors this process may run on.
int availableProcessors();

/// A counter that threads can wait on: spin, then yield, then sleep.
class StepCounter {
public:
  uint32_t value() const { return count.load(std::memory_order_acquire); }
  /// Increments and wakes all who sleep.
  void advance();
  /// Returns once the counter differs from `seen`.
  void waitWhile(uint32_t seen, bool spin);

private:
  alignas(64) std::atomic<uint32_t> count{0};
  std::atomic<uint32_t> sleepers{0};
};

/// A fixed number of threads, of which the caller of run() is number 0.
class ThreadPool {
public:
  using Function = void (*)(void *context, int64_t thread, int64_t threads);

  /// `threads` >= 1; an error if the system grants no more threads.
  static Result<std::unique_ptr<ThreadPool>> create(int threads);
  ThreadPool(const ThreadPool &) = delete;
  ThreadPool &operator=(const ThreadPool &) = delete;
  ~ThreadPool();

  int64_t threads() const { return total; }

  /// Runs `function` on all threads and returns when all have returned. Callers
  /// on several host threads queue. `function` must not throw, and must not
  /// call run() of the same pool.
  void run(Function function, void *context);

  /// The same for a callable taking (thread, threads).
  template <typename Callable>
  void run(Callable &&callable) {
    using Object = std::remove_reference_t<Callable>;
    run(
        [](void *context, int64_t thread, int64_t threads) {
          (*static_cast<Object *>(context))(thread, threads);
        },
        const_cast<void *>(static_cast<const void *>(&callable)));
  }

  /// Within run(): returns when all threads have called it. What a thread wrote
  /// before is visible to all afterwards.
  void barrier();
  /// barrier() of the pool `pool`, as LinnetInvocation::barrier.
  static void barrierOf(void *pool);

private:
  explicit ThreadPool(int threads);
  Status start();
  void work(int64_t thread);

  int64_t total;
  /// Spinning is a loss when the thread waited for needs the processor.
  bool spin;
  Function function = nullptr;
  void *context = nullptr;
  bool stopping = false;
  StepCounter jobs;
  StepCounter barriers;
  alignas(64) std::atomic<int64_t> arrived{0};
  std::mutex callers;
  std::vector<std::thread> workers;
};

} // namespace linnet

#endif // LINNET_LIB_RUNTIME_THREADPOOL_H
