//===- Target.cpp - the processor code is made for ------------------------===//

#include "linnet/Driver/Target.h"

#include "linnet/Runtime/CpuFeatures.h"
#include "linnet/Support/Quote.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"
#include "llvm/TargetParser/X86TargetParser.h"

namespace linnet {
namespace {

/// What code generation makes use of. Others (AES, TSX, ...) would only make
/// a library refuse machines it runs on.
constexpr std::string_view kUseful[] = {"sse3",         "ssse3",
                                        "sse4.1",       "sse4.2",
                                        "popcnt",       "avx",
                                        "avx2",         "fma",
                                        "f16c",         "bmi",
                                        "bmi2",         "lzcnt",
                                        "movbe",        "avxvnni",
                                        "avx512f",      "avx512cd",
                                        "avx512bw",     "avx512dq",
                                        "avx512vl",     "avx512vnni",
                                        "avx512bf16",   "avx512ifma",
                                        "avx512vbmi",   "avx512vbmi2",
                                        "avx512bitalg", "avx512vpopcntdq"};

Target describe(std::string cpu, std::string tune,
                const llvm::StringSet<> &available) {
  Target target;
  target.triple = llvm::Triple::normalize(llvm::sys::getDefaultTargetTriple());
  target.cpu = std::move(cpu);
  target.tune = std::move(tune);
  std::vector<std::string_view> checked = knownCpuFeatures();
  for (std::string_view feature : kUseful)
    if (available.contains(feature) && llvm::is_contained(checked, feature))
      target.features.emplace_back(feature);
  llvm::sort(target.features);

  bool wide = target.has("avx512f") && target.has("avx512bw") &&
              target.has("avx512dq") && target.has("avx512vl");
  if (wide) {
    target.vectorBits = 512;
    target.vectorRegisters = 32;
  } else {
    // Half an AVX-512 is of no use to kernels and would be demanded at run
    // time.
    llvm::erase_if(target.features, [](const std::string &feature) {
      return feature.starts_with("avx512");
    });
    if (target.has("avx2"))
      target.vectorBits = 256;
  }
  return target;
}

Target hostTarget() {
  llvm::StringSet<> available;
  for (const auto &[feature, present] : llvm::sys::getHostCPUFeatures())
    if (present && cpuHasFeature(feature))
      available.insert(feature);
  std::string name = llvm::sys::getHostCPUName().str();
  return describe(name, name, available);
}

Error unknownCpu(std::string_view mcpu) {
  llvm::SmallVector<llvm::StringRef> names;
  llvm::X86::fillValidCPUArchList(names, /*Only64Bit=*/true);
  names.push_back("native");
  names.push_back("generic");
  llvm::StringRef asked(mcpu.data(), mcpu.size());
  llvm::StringRef nearest = names.front();
  for (llvm::StringRef name : names)
    if (asked.edit_distance(name) < asked.edit_distance(nearest))
      nearest = name;
  return makeError("expected --mcpu to be 'native' or a processor known to "
                   "LLVM, but got ",
                   quoteName(mcpu), "; the nearest name is '", nearest.str(),
                   "'");
}

} // namespace

bool Target::has(std::string_view feature) const {
  return llvm::is_contained(features, feature);
}

bool Target::dotsBytes() const {
  return has(vectorBits == 512 ? "avx512vnni" : "avxvnni");
}

std::string Target::featureString() const {
  std::string text;
  for (const std::string &feature : features)
    text += (text.empty() ? "+" : ",+") + feature;
  return text;
}

Result<Target> resolveTarget(std::string_view mcpu) {
  llvm::Triple host(llvm::sys::getDefaultTargetTriple());
  if (host.getArch() != llvm::Triple::x86_64)
    return makeError("expected an x86_64 machine, but got ",
                     host.getArchName().str());
  if (mcpu == "native")
    return hostTarget();
  llvm::StringRef name(mcpu.data(), mcpu.size());
  if (mcpu == "generic")
    name = "x86-64";
  if (llvm::X86::parseArchX86(name, /*Only64Bit=*/true) == llvm::X86::CK_None)
    return unknownCpu(mcpu);
  llvm::SmallVector<llvm::StringRef> features;
  llvm::X86::getFeaturesForCPU(name, features);
  llvm::StringMap<bool> implied;
  for (llvm::StringRef feature : features) {
    implied[feature] = true;
    llvm::X86::updateImpliedFeatures(feature, /*Enabled=*/true, implied);
  }
  llvm::StringSet<> available;
  for (const auto &[feature, present] : implied)
    if (present)
      available.insert(feature);
  // The levels x86-64-v2.. are no processors to schedule for.
  std::string tune = name.starts_with("x86-64") ? "generic" : name.str();
  return describe(std::string(mcpu), tune, available);
}

} // namespace linnet
