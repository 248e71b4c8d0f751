//===- BlasKernels.h - OpenBLAS on processors it does not know *- C++ -*-===//
//
// OpenBLAS picks its kernels when it is loaded. For a processor newer than
// itself it takes the oldest ones (SSE3), which are up to 8 times slower than
// those that the processor can run. It reads OPENBLAS_CORETYPE before that.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_NUMERICS_BLASKERNELS_H
#define LINNET_NUMERICS_BLASKERNELS_H

#include <string>
#include <string_view>

namespace linnet {

/// The OPENBLAS_CORETYPE to run with in place of the kernels `core`, on a
/// processor with these features; empty if those will do.
std::string betterBlasKernels(std::string_view core, bool avx2AndFma,
                              bool avx512);

/// Starts the program again with fitting kernels, if OpenBLAS took worse ones
/// and the environment does not choose. Returns if there is nothing to do (or
/// no way). Call it first in main, with main's `argv`.
void restartForBlasKernels(char **argv);

} // namespace linnet

#endif // LINNET_NUMERICS_BLASKERNELS_H
