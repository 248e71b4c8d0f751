//===- TargetTest.cpp - processors by name --------------------------------===//

#include "linnet/Driver/Target.h"

#include "linnet/Runtime/CpuFeatures.h"

#include <gtest/gtest.h>

namespace linnet {
namespace {

Target get(const char *name) {
  Result<Target> target = resolveTarget(name);
  EXPECT_TRUE(bool(target)) << (target ? "" : target.error().str());
  return target ? *target : Target();
}

TEST(Target, NamedProcessors) {
  EXPECT_EQ(get("generic").vectorBits, 128);
  EXPECT_TRUE(get("generic").features.empty());
  Target v3 = get("x86-64-v3");
  EXPECT_EQ(v3.vectorBits, 256);
  EXPECT_EQ(v3.vectorRegisters, 16);
  EXPECT_TRUE(v3.has("avx2") && v3.has("fma") && v3.has("f16c"));
  EXPECT_FALSE(v3.has("avx512f"));
  for (const char *name :
       {"x86-64-v4", "znver4", "skylake-avx512", "sapphirerapids"}) {
    Target target = get(name);
    EXPECT_EQ(target.vectorBits, 512) << name;
    EXPECT_EQ(target.vectorRegisters, 32) << name;
    EXPECT_TRUE(target.has("avx512vl")) << name;
  }
  EXPECT_TRUE(get("znver4").has("avx512bf16"));
  EXPECT_FALSE(get("skylake-avx512").has("avx512bf16"));
}

TEST(Target, HalfAnAvx512IsNone) {
  // Knights Landing has AVX-512F without BW, DQ and VL.
  Target target = get("knl");
  EXPECT_EQ(target.vectorBits, 256);
  EXPECT_FALSE(target.has("avx512f"));
}

TEST(Target, NativeRunsHere) {
  Target native = get("native");
  EXPECT_TRUE(bool(requireCpu(native.triple, native.features)));
  EXPECT_EQ(native.has("avx2"), cpuHasFeature("avx2"));
}

TEST(Target, UnknownNameSuggestsAnother) {
  Result<Target> target = resolveTarget("znver44");
  ASSERT_FALSE(bool(target));
  EXPECT_NE(target.error().str().find("'znver4'"), std::string::npos)
      << target.error().str();
  EXPECT_FALSE(bool(resolveTarget("")));
}

} // namespace
} // namespace linnet
