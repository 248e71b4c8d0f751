//===- ConvolutionForm.h - a scan as a convolution ------------*- C++ -*-===//

#ifndef PASSES_FORM_CONVOLUTIONFORM_H
#define PASSES_FORM_CONVOLUTIONFORM_H

#include "dialects/Linnet/Linnet.h"

#include <string>

namespace mlir::linnet {

/// Why `op` is no convolution of its values with one filter; empty if it is.
std::string getConvolutionObstacle(ScanOp op);

/// Replaces `op`, which has no obstacle and at most `tokens` tokens, by the
/// filter of its recurrence and the convolution with it.
void rewriteAsConvolution(ScanOp op, int64_t tokens);

} // namespace mlir::linnet

#endif // PASSES_FORM_CONVOLUTIONFORM_H
