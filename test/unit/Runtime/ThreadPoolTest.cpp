//===- ThreadPoolTest.cpp -------------------------------------------------===//

#include "lib/Runtime/ThreadPool.h"

#include "test/unit/Support/TestFiles.h"

#include <chrono>
#include <numeric>
#include <pthread.h>
#include <sched.h>
#include <set>
#include <thread>

using namespace linnet;
using namespace linnet::test;

namespace {

std::unique_ptr<ThreadPool> makePool(int threads) {
  auto pool = ThreadPool::create(threads);
  EXPECT_TRUE(succeeds(pool));
  return pool.take();
}

TEST(ThreadPoolTest, RunsEveryThreadOnceWithTheCallerFirst) {
  auto pool = makePool(4);
  std::vector<std::thread::id> ids(4);
  std::vector<int> calls(4);
  pool->run([&](int64_t thread, int64_t threads) {
    EXPECT_EQ(threads, 4);
    ids[thread] = std::this_thread::get_id();
    ++calls[thread];
  });
  EXPECT_EQ(calls, std::vector<int>(4, 1));
  EXPECT_EQ(ids[0], std::this_thread::get_id());
  EXPECT_EQ(std::set(ids.begin(), ids.end()).size(), 4u);
}

TEST(ThreadPoolTest, RefusesNoThreads) {
  EXPECT_TRUE(failsWith(ThreadPool::create(0), "expected at least 1 thread"));
}

/// Every thread writes its place, meets the others and reads a neighbour's:
/// a thread that passes a barrier early reads a stale value.
void stressBarriers(int threads, int jobs, int rounds) {
  auto pool = makePool(threads);
  std::vector<int64_t> place(threads * 16);
  std::atomic<int64_t> wrong{0};
  for (int job = 0; job < jobs; ++job)
    pool->run([&](int64_t thread, int64_t count) {
      for (int round = 0; round < rounds; ++round) {
        place[thread * 16] = int64_t(job) * rounds + round;
        pool->barrier();
        int64_t neighbour = (thread + 1) % count;
        if (place[neighbour * 16] != int64_t(job) * rounds + round)
          ++wrong;
        pool->barrier();
      }
    });
  EXPECT_EQ(wrong, 0);
}

TEST(ThreadPoolTest, BarriersKeepThreadsInStep) {
  stressBarriers(1, 10, 1000);
  stressBarriers(2, 2000, 10);
  stressBarriers(2, 10, 5000);
}

// Far more threads than processors: those that wait must let the others run.
TEST(ThreadPoolTest, MoreThreadsThanProcessorsMakeProgress) {
  auto start = std::chrono::steady_clock::now();
  stressBarriers(3, 200, 10);
  stressBarriers(16, 50, 20);
  stressBarriers(64, 10, 10);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
}

// Other processes hold the processors: a pool that believes it has them to
// itself must still get through its barriers. All threads share one processor
// here, though the pool was made when two were free.
TEST(ThreadPoolTest, SurvivesLosingItsProcessors) {
  if (availableProcessors() < 2)
    GTEST_SKIP() << "one processor only";
  cpu_set_t before, one;
  sched_getaffinity(0, sizeof(before), &before);
  CPU_ZERO(&one);
  for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++i)
    if (CPU_ISSET(i, &before))
      CPU_SET(i, &one);
  auto pool = makePool(2);
  pool->run([&](int64_t, int64_t) {
    pthread_setaffinity_np(pthread_self(), sizeof(one), &one);
  });
  auto start = std::chrono::steady_clock::now();
  std::atomic<int64_t> count{0};
  for (int job = 0; job < 100; ++job)
    pool->run([&](int64_t, int64_t) {
      for (int round = 0; round < 10; ++round)
        pool->barrier();
      ++count;
    });
  auto time = std::chrono::steady_clock::now() - start;
  sched_setaffinity(0, sizeof(before), &before);
  EXPECT_EQ(count, 200);
  // A thousand barriers at a time slice of 4 ms each would be 4 s.
  EXPECT_LT(time, std::chrono::seconds(2));
}

TEST(ThreadPoolTest, WakesSleepingWorkers) {
  auto pool = makePool(2);
  std::atomic<int> count{0};
  for (int i = 0; i < 20; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    pool->run([&](int64_t, int64_t) { ++count; });
  }
  EXPECT_EQ(count, 40);
}

TEST(ThreadPoolTest, CallersOnManyThreadsQueue) {
  auto pool = makePool(2);
  int64_t unguarded = 0;
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i)
    callers.emplace_back([&] {
      for (int job = 0; job < 300; ++job)
        pool->run([&](int64_t thread, int64_t) {
          if (thread == 1)
            ++unguarded;
          pool->barrier();
          if (thread == 0)
            ++unguarded;
        });
    });
  for (std::thread &caller : callers)
    caller.join();
  EXPECT_EQ(unguarded, 4 * 300 * 2);
}

// Signal handlers of the host must not run on threads it does not know.
TEST(ThreadPoolTest, WorkersTakeNoSignals) {
  auto pool = makePool(2);
  bool blocked = false;
  pool->run([&](int64_t thread, int64_t) {
    if (thread != 1)
      return;
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    blocked = sigismember(&mask, SIGINT) && sigismember(&mask, SIGUSR1);
  });
  EXPECT_TRUE(blocked);
}

} // namespace
