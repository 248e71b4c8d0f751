//===- BlasKernelsTest.cpp - OpenBLAS on processors it does not know ------===//

#include "linnet/Numerics/BlasKernels.h"

#include <cstdlib>
#include <gtest/gtest.h>

namespace linnet {
namespace {

TEST(BlasKernels, OldOnesOnANewProcessor) {
  EXPECT_EQ(betterBlasKernels("Prescott", true, true), "SkylakeX");
  EXPECT_EQ(betterBlasKernels("Prescott", true, false), "Haswell");
  EXPECT_EQ(betterBlasKernels("Generic", true, true), "SkylakeX");
}

TEST(BlasKernels, WhatFitsStays) {
  EXPECT_EQ(betterBlasKernels("Prescott", false, false), "");
  EXPECT_EQ(betterBlasKernels("SkylakeX", true, true), "");
  EXPECT_EQ(betterBlasKernels("Haswell", true, true), "");
  EXPECT_EQ(betterBlasKernels("Zen", true, true), "");
}

/// Who chose in the environment is not overruled: a restart would run this
/// test for ever.
TEST(BlasKernels, TheEnvironmentDecides) {
  setenv("OPENBLAS_CORETYPE", "Prescott", 1);
  char *none = nullptr;
  restartForBlasKernels(&none);
  EXPECT_STREQ(getenv("OPENBLAS_CORETYPE"), "Prescott");
}

} // namespace
} // namespace linnet
