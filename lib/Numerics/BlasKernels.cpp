//===- BlasKernels.cpp - OpenBLAS on processors it does not know ----------===//

#include "linnet/Numerics/BlasKernels.h"

#include <cstdlib>
#include <unistd.h>

/// Not there in other implementations of BLAS.
extern "C" char *openblas_get_corename() __attribute__((weak));

namespace linnet {

constexpr const char *kChoice = "OPENBLAS_CORETYPE";

std::string betterBlasKernels(std::string_view core, bool avx2AndFma,
                              bool avx512) {
  if (core != "Prescott" && core != "Core2" && core != "Generic")
    return {};
  return avx512 ? "SkylakeX" : avx2AndFma ? "Haswell" : "";
}

void restartForBlasKernels(char **argv) {
  if (!openblas_get_corename || getenv(kChoice))
    return;
#if defined(__x86_64__)
  bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  bool avx512 =
      __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
  std::string kernels =
      betterBlasKernels(openblas_get_corename(), avx2, avx512 && avx2);
  // The name is set also where the restart fails: it must not be tried twice.
  if (!kernels.empty() && setenv(kChoice, kernels.c_str(), 1) == 0)
    execv("/proc/self/exe", argv);
#else
  (void)argv;
#endif
}

} // namespace linnet
