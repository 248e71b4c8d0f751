//===- CpuFeaturesTest.cpp ------------------------------------------------===//

#include "linnet/Runtime/CpuFeatures.h"

#include "test/unit/Support/TestFiles.h"

#include <llvm/ADT/StringMap.h>
#include <llvm/TargetParser/Host.h>

using namespace linnet;
using namespace linnet::test;

namespace {

// The compiler takes its features from LLVM; a name that this table lacks or
// judges differently would refuse a library on the machine it was made on.
TEST(CpuFeaturesTest, AgreesWithLLVM) {
  auto host = llvm::sys::getHostCPUFeatures();
  ASSERT_FALSE(host.empty());
  for (const auto &entry : host)
    if (entry.second)
      EXPECT_TRUE(cpuHasFeature(entry.first().str())) << entry.first().str();
  for (std::string_view name : knownCpuFeatures()) {
    auto entry = host.find(llvm::StringRef(name.data(), name.size()));
    if (entry != host.end() && !entry->second)
      EXPECT_FALSE(cpuHasFeature(name)) << name;
  }
}

TEST(CpuFeaturesTest, UnknownFeaturesAreMissing) {
  EXPECT_FALSE(cpuHasFeature("amx-foo"));
  EXPECT_FALSE(cpuHasFeature(""));
  EXPECT_TRUE(cpuHasFeature("sse2"));
}

TEST(CpuFeaturesTest, NamesWhatIsMissing) {
  EXPECT_TRUE(succeeds(requireCpu("x86_64-pc-linux-gnu", {"sse2", "cmov"})));
  EXPECT_TRUE(succeeds(requireCpu("x86_64", {})));
  EXPECT_TRUE(failsWith(
      requireCpu("x86_64-pc-linux-gnu", {"sse2", "amx-foo", "fma9"}),
      "expected a processor with amx-foo, fma9, but this one lacks it"));
  EXPECT_TRUE(failsWith(requireCpu("aarch64-unknown-linux-gnu", {}),
                        "expected code for x86_64, but got aarch64"));
  EXPECT_TRUE(
      failsWith(requireCpu("", {}), "expected code for x86_64, but got none"));
}

} // namespace
