//===- CpuFeatures.cpp - what this processor can run ----------------------===//

#include "linnet/Runtime/CpuFeatures.h"

#include <algorithm>
#include <cstdint>
#include <iterator>

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace linnet {
namespace {

#if defined(__x86_64__)
constexpr std::string_view kArchitecture = "x86_64";

/// The cpuid registers that features are read from.
enum Register {
  Leaf1C,
  Leaf1D,
  Leaf7B,
  Leaf7C,
  Leaf7D,
  Leaf7x1A,
  Leaf7x1D,
  LeafDx1A,
  Leaf14B,
  /// Bit v: AVX10 of version v or newer.
  Avx10Versions,
  Extended1C,
  Extended1D,
  Extended8B,
  RegisterCount
};

/// Register files the operating system must save for a feature to be usable.
enum class Saved { Always, Ymm, Zmm, Tile };

struct Feature {
  std::string_view name;
  Register where;
  int bit;
  Saved saved = Saved::Always;
};

constexpr Feature kFeatures[] = {
    {"x87", Leaf1D, 0},
    {"cx8", Leaf1D, 8},
    {"cmov", Leaf1D, 15},
    {"mmx", Leaf1D, 23},
    {"fxsr", Leaf1D, 24},
    {"sse", Leaf1D, 25},
    {"sse2", Leaf1D, 26},
    {"sse3", Leaf1C, 0},
    {"pclmul", Leaf1C, 1},
    {"ssse3", Leaf1C, 9},
    {"fma", Leaf1C, 12, Saved::Ymm},
    {"cx16", Leaf1C, 13},
    {"sse4.1", Leaf1C, 19},
    {"sse4.2", Leaf1C, 20},
    {"crc32", Leaf1C, 20},
    {"movbe", Leaf1C, 22},
    {"popcnt", Leaf1C, 23},
    {"aes", Leaf1C, 25},
    {"xsave", Leaf1C, 26, Saved::Ymm},
    {"avx", Leaf1C, 28, Saved::Ymm},
    {"f16c", Leaf1C, 29, Saved::Ymm},
    {"rdrnd", Leaf1C, 30},
    {"fsgsbase", Leaf7B, 0},
    {"sgx", Leaf7B, 2},
    {"bmi", Leaf7B, 3},
    {"avx2", Leaf7B, 5, Saved::Ymm},
    {"bmi2", Leaf7B, 8},
    {"invpcid", Leaf7B, 10},
    {"rtm", Leaf7B, 11},
    {"avx512f", Leaf7B, 16, Saved::Zmm},
    {"avx512dq", Leaf7B, 17, Saved::Zmm},
    {"rdseed", Leaf7B, 18},
    {"adx", Leaf7B, 19},
    {"avx512ifma", Leaf7B, 21, Saved::Zmm},
    {"clflushopt", Leaf7B, 23},
    {"clwb", Leaf7B, 24},
    {"avx512cd", Leaf7B, 28, Saved::Zmm},
    {"sha", Leaf7B, 29},
    {"avx512bw", Leaf7B, 30, Saved::Zmm},
    {"avx512vl", Leaf7B, 31, Saved::Zmm},
    {"avx512vbmi", Leaf7C, 1, Saved::Zmm},
    {"pku", Leaf7C, 4},
    {"waitpkg", Leaf7C, 5},
    {"avx512vbmi2", Leaf7C, 6, Saved::Zmm},
    {"shstk", Leaf7C, 7},
    {"gfni", Leaf7C, 8},
    {"vaes", Leaf7C, 9, Saved::Ymm},
    {"vpclmulqdq", Leaf7C, 10, Saved::Ymm},
    {"avx512vnni", Leaf7C, 11, Saved::Zmm},
    {"avx512bitalg", Leaf7C, 12, Saved::Zmm},
    {"avx512vpopcntdq", Leaf7C, 14, Saved::Zmm},
    {"rdpid", Leaf7C, 22},
    {"kl", Leaf7C, 23},
    {"cldemote", Leaf7C, 25},
    {"movdiri", Leaf7C, 27},
    {"movdir64b", Leaf7C, 28},
    {"enqcmd", Leaf7C, 29},
    {"uintr", Leaf7D, 5},
    {"avx512vp2intersect", Leaf7D, 8, Saved::Zmm},
    {"serialize", Leaf7D, 14},
    {"tsxldtrk", Leaf7D, 16},
    {"pconfig", Leaf7D, 18},
    {"amx-bf16", Leaf7D, 22, Saved::Tile},
    {"avx512fp16", Leaf7D, 23, Saved::Zmm},
    {"amx-tile", Leaf7D, 24, Saved::Tile},
    {"amx-int8", Leaf7D, 25, Saved::Tile},
    {"sha512", Leaf7x1A, 0},
    {"sm3", Leaf7x1A, 1},
    {"sm4", Leaf7x1A, 2},
    {"raoint", Leaf7x1A, 3},
    {"avxvnni", Leaf7x1A, 4, Saved::Ymm},
    {"avx512bf16", Leaf7x1A, 5, Saved::Zmm},
    {"cmpccxadd", Leaf7x1A, 7},
    {"amx-fp16", Leaf7x1A, 21, Saved::Tile},
    {"hreset", Leaf7x1A, 22},
    {"avxifma", Leaf7x1A, 23, Saved::Ymm},
    {"avxvnniint8", Leaf7x1D, 4, Saved::Ymm},
    {"avxneconvert", Leaf7x1D, 5, Saved::Ymm},
    {"amx-complex", Leaf7x1D, 8, Saved::Tile},
    {"avxvnniint16", Leaf7x1D, 10, Saved::Ymm},
    {"prefetchi", Leaf7x1D, 14},
    {"usermsr", Leaf7x1D, 15},
    {"xsaveopt", LeafDx1A, 0, Saved::Ymm},
    {"xsavec", LeafDx1A, 1, Saved::Ymm},
    {"xsaves", LeafDx1A, 3, Saved::Ymm},
    {"ptwrite", Leaf14B, 4},
    {"avx10.1", Avx10Versions, 1, Saved::Zmm},
    {"avx10.2", Avx10Versions, 2, Saved::Zmm},
    {"sahf", Extended1C, 0},
    {"lzcnt", Extended1C, 5},
    {"sse4a", Extended1C, 6},
    {"prfchw", Extended1C, 8},
    {"xop", Extended1C, 11, Saved::Ymm},
    {"lwp", Extended1C, 15},
    {"fma4", Extended1C, 16, Saved::Ymm},
    {"tbm", Extended1C, 21},
    {"mwaitx", Extended1C, 29},
    {"64bit", Extended1D, 29},
    {"clzero", Extended8B, 0},
    {"rdpru", Extended8B, 4},
    {"wbnoinvd", Extended8B, 9},
};

struct Processor {
  uint32_t registers[RegisterCount] = {};
  bool ymm = false;
  bool zmm = false;
  bool tile = false;

  Processor() {
    unsigned a, b, c, d;
    if (__get_cpuid(1, &a, &b, &c, &d)) {
      registers[Leaf1C] = c;
      registers[Leaf1D] = d;
    }
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
      registers[Leaf7B] = b;
      registers[Leaf7C] = c;
      registers[Leaf7D] = d;
      if (a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d)) {
        registers[Leaf7x1A] = a;
        registers[Leaf7x1D] = d;
      }
    }
    if (__get_cpuid_count(0xd, 1, &a, &b, &c, &d))
      registers[LeafDx1A] = a;
    if (__get_cpuid_count(0x14, 0, &a, &b, &c, &d))
      registers[Leaf14B] = b;
    bool hasAvx10 = registers[Leaf7x1D] >> 19 & 1;
    if (hasAvx10 && __get_cpuid_count(0x24, 0, &a, &b, &c, &d))
      registers[Avx10Versions] = (2u << std::min(b & 255, 30u)) - 1;
    if (__get_cpuid(0x80000001, &a, &b, &c, &d)) {
      registers[Extended1C] = c;
      registers[Extended1D] = d;
    }
    if (__get_cpuid(0x80000008, &a, &b, &c, &d))
      registers[Extended8B] = b;

    bool osxsave = registers[Leaf1C] >> 27 & 1;
    if (!osxsave)
      return;
    uint32_t low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    ymm = (low & 0x6) == 0x6;
    zmm = ymm && (low & 0xe0) == 0xe0;
    tile = (low & 0x60000) == 0x60000;
  }

  bool has(const Feature &feature) const {
    if (!(registers[feature.where] >> feature.bit & 1))
      return false;
    switch (feature.saved) {
    case Saved::Always:
      return true;
    case Saved::Ymm:
      return ymm;
    case Saved::Zmm:
      return zmm;
    case Saved::Tile:
      return tile;
    }
    return false;
  }
};

const Processor &processor() {
  static const Processor instance;
  return instance;
}

/// Tile registers are off until a process asks for them (Linux 5.16).
bool requestTiles() {
#if defined(SYS_arch_prctl)
  constexpr int kRequestPermission = 0x1023;
  constexpr int kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

#else // other architectures have no compiled libraries yet

#if defined(__aarch64__)
constexpr std::string_view kArchitecture = "aarch64";
#else
constexpr std::string_view kArchitecture = "unknown";
#endif

struct Feature {
  std::string_view name;
};
constexpr Feature kFeatures[] = {{""}};
struct Processor {
  bool has(const Feature &) const { return false; }
};
Processor processor() { return {}; }
bool requestTiles() { return false; }
#endif

} // namespace

bool cpuHasFeature(std::string_view feature) {
  for (const Feature &known : kFeatures)
    if (known.name == feature)
      return processor().has(known);
  return false;
}

std::vector<std::string_view> knownCpuFeatures() {
  std::vector<std::string_view> names;
  for (const Feature &known : kFeatures)
    names.push_back(known.name);
  return names;
}

Status requireCpu(std::string_view triple,
                  const std::vector<std::string> &features) {
  std::string_view architecture = triple.substr(0, triple.find('-'));
  if (architecture != kArchitecture)
    return makeError("expected code for ", kArchitecture, ", but got ",
                     architecture.empty() ? "none" : architecture);
  std::string missing;
  bool tiles = false;
  for (const std::string &feature : features) {
    if (!cpuHasFeature(feature))
      missing += (missing.empty() ? "" : ", ") + feature;
    tiles |= feature == "amx-tile";
  }
  if (!missing.empty())
    return makeError("expected a processor with ", missing,
                     ", but this one lacks it; compile the model for this "
                     "processor");
  if (tiles && !requestTiles())
    return makeError("expected a system that grants amx-tile registers, but "
                     "the request was refused");
  return {};
}

} // namespace linnet
