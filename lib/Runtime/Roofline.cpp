//===- Roofline.cpp - what this machine could do at best ------------------===//

#include "linnet/Runtime/Roofline.h"

#include "Memory.h"
#include "ThreadPool.h"

#include "linnet/Runtime/CpuFeatures.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>

namespace linnet {
namespace {

/// Streams read side by side: as the columns of a panel kernel, and enough to
/// keep several prefetchers busy.
constexpr int64_t kStreams = 4;
/// Independent chains: latency 4 times 2 units, with some to spare.
constexpr int kChains = 12;

template <int Bytes>
struct VectorOf {
  typedef float Type __attribute__((vector_size(Bytes)));
  typedef float Unaligned
      __attribute__((vector_size(Bytes), aligned(4), may_alias));
};

/// Keeps `value` alive without storing it.
template <typename Vector>
inline __attribute__((always_inline)) void keep(Vector &value) {
  __asm__ volatile("" : "+m"(value));
}

/// Reads `bytes` (a multiple of kStreams * 4 * Width) once.
template <int Width>
inline __attribute__((always_inline)) void readAll(const std::byte *data,
                                                   int64_t bytes) {
  using Vector = typename VectorOf<Width>::Type;
  using Unaligned = typename VectorOf<Width>::Unaligned;
  const int64_t stream = bytes / kStreams;
  Vector sums[kStreams] = {};
  for (int64_t offset = 0; offset < stream; offset += 4 * Width)
    for (int64_t s = 0; s < kStreams; ++s)
      for (int i = 0; i < 4; ++i)
        sums[s] += *reinterpret_cast<const Unaligned *>(data + s * stream +
                                                        offset + i * Width);
  for (Vector &sum : sums)
    keep(sum);
}

/// kChains * `rounds` multiply-adds of Width / 4 floats.
template <int Width>
inline __attribute__((always_inline)) void multiplyAdd(int64_t rounds) {
  using Vector = typename VectorOf<Width>::Type;
  // The factor is hidden from the compiler, which would otherwise simplify;
  // below one, the values stay finite.
  Vector factor = Vector{} + 0.999f, term = Vector{} + 0.001f;
  keep(factor);
  keep(term);
  Vector chains[kChains] = {};
  for (int64_t round = 0; round < rounds; ++round)
#pragma clang loop unroll(full)
    for (int i = 0; i < kChains; ++i) {
#pragma clang fp contract(fast)
      chains[i] = chains[i] * factor + term;
    }
  for (Vector &chain : chains)
    keep(chain);
}

struct Kernels {
  int width;
  void (*read)(const std::byte *, int64_t);
  void (*multiplyAdd)(int64_t);
};

#if defined(__x86_64__)
__attribute__((target("avx512f"))) void read512(const std::byte *data,
                                                int64_t bytes) {
  readAll<64>(data, bytes);
}
__attribute__((target("avx512f"))) void multiplyAdd512(int64_t rounds) {
  multiplyAdd<64>(rounds);
}
__attribute__((target("avx2,fma"))) void read256(const std::byte *data,
                                                 int64_t bytes) {
  readAll<32>(data, bytes);
}
__attribute__((target("avx2,fma"))) void multiplyAdd256(int64_t rounds) {
  multiplyAdd<32>(rounds);
}
#endif
void read128(const std::byte *data, int64_t bytes) { readAll<16>(data, bytes); }
void multiplyAdd128(int64_t rounds) { multiplyAdd<16>(rounds); }

Kernels bestKernels() {
#if defined(__x86_64__)
  if (cpuHasFeature("avx512f"))
    return {64, read512, multiplyAdd512};
  if (cpuHasFeature("avx2") && cpuHasFeature("fma"))
    return {32, read256, multiplyAdd256};
#endif
  return {16, read128, multiplyAdd128};
}

double now() {
  using namespace std::chrono;
  return duration<double>(steady_clock::now().time_since_epoch()).count();
}

/// The shortest of the passes that fit into `seconds`, at least three.
template <typename Pass>
double bestTime(ThreadPool &pool, double seconds, Pass pass) {
  double best = 1e30, start = now();
  for (int count = 0; count < 3 || now() - start < seconds; ++count) {
    double begin = now();
    pool.run(pass);
    best = std::min(best, now() - begin);
  }
  return best;
}

} // namespace

Result<Roofline> measureRoofline(const RooflineOptions &options) {
  auto created = ThreadPool::create(options.threads);
  if (!created)
    return created.error();
  ThreadPool &pool = **created;
  const Kernels kernels = bestKernels();

  const int64_t step = kStreams * 4 * kernels.width;
  const int64_t share =
      std::max(options.bufferBytes / pool.threads() / step, int64_t(1)) * step;
  Buffer buffer = Buffer::allocate(share * pool.threads());
  if (!buffer.data())
    return makeError("cannot allocate ", share * pool.threads(),
                     " bytes to read");
  // Written once: untouched pages are all the same page of zeros.
  pool.run([&](int64_t thread, int64_t) {
    std::memset(buffer.data() + thread * share, 1, share);
  });

  Roofline roofline;
  double time = bestTime(pool, options.seconds, [&](int64_t thread, int64_t) {
    kernels.read(buffer.data() + thread * share, share);
  });
  roofline.bytesPerSecond = double(buffer.size()) / time;

  // About ten milliseconds a pass: long beside a barrier, short beside the
  // time slices of other processes.
  constexpr int64_t kRounds = 1 << 20;
  time = bestTime(pool, options.seconds,
                  [&](int64_t, int64_t) { kernels.multiplyAdd(kRounds); });
  roofline.flopsPerSecond = double(kRounds) * kChains * 2 *
                            (kernels.width / 4) * double(pool.threads()) / time;
  return roofline;
}

} // namespace linnet
