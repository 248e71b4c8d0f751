//===- ActivationMath.h - pointwise activations in kernels ----*- C++ -*-===//

#ifndef PASSES_CPU_ACTIVATIONMATH_H
#define PASSES_CPU_ACTIVATIONMATH_H

#include "passes/CPU/KernelBuilder.h"

#include "dialects/Linnet/Linnet.h"

namespace mlir::linnet {

/// act(x) for an f32 scalar or vector, in terms of the math dialect.
Value emitActivation(KernelBuilder &k, Activation kind, Value x);

} // namespace mlir::linnet

#endif // PASSES_CPU_ACTIVATIONMATH_H
