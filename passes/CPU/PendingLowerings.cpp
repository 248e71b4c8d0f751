#include "passes/CPU/FunctionLowering.h"
namespace mlir::linnet {
#define PENDING(X) __attribute__((weak)) void X(OpLoweringMap &) {}
PENDING(addNormLowering) PENDING(addActivationLowering) PENDING(addRotaryLowering) PENDING(addEmbeddingLowering)
PENDING(addShortConvLowering) PENDING(addScanLowering) PENDING(addElementwiseLowering)
} // namespace mlir::linnet
