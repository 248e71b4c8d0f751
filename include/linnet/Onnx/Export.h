//===- Export.h - IR to ONNX models ---------------------------*- C++ -*-===//
//
// Writes a function of recurrences as an ONNX model: linnet.scan as
// LinearAttention and linnet.short_conv as CausalConvWithState (opset 27), one
// node each, with reshapes and transpositions around them only where the IR
// has others than these operators imply.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_ONNX_EXPORT_H
#define LINNET_ONNX_EXPORT_H

#include "linnet/Checkpoint/Archive.h"
#include "linnet/Support/Result.h"

#include "mlir/IR/BuiltinOps.h"

#include <string>

namespace linnet {

struct OnnxExportOptions {
  /// The function to export; empty: the only one that is public.
  std::string function;
  /// The weights that the module refers to, or null.
  const Archive *archive = nullptr;
};

/// The bytes of the model. What importOnnx makes of them is the same function,
/// and of a model that importOnnx read and that has these two operators only
/// the result has the same nodes.
///
/// Errors name the operation: others than the two, constants, weights, casts
/// between floats and views; transitions, readouts, activations and shapes that
/// the ONNX operators do not have; weights without an archive; models beyond
/// protobuf's 2 GiB.
Result<std::string> exportOnnx(mlir::ModuleOp module,
                               const OnnxExportOptions &options);

} // namespace linnet

#endif // LINNET_ONNX_EXPORT_H
