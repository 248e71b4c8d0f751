//===- Import.h - ONNX models to IR ---------------------------*- C++ -*-===//
//
// Reads an ONNX model and writes its graph as the function @main. Weights go
// to a safetensors file that the module refers to, so that the IR does not
// grow with them.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_ONNX_IMPORT_H
#define LINNET_ONNX_IMPORT_H

#include "linnet/Support/Result.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace linnet {

struct OnnxImportOptions {
  /// Sizes of symbolic dimensions, by name. The others stay open.
  std::map<std::string, int64_t> dims;
  /// The safetensors file to write weights to; without it a model with weights
  /// is an error.
  std::string weights;
};

/// Imports the model at `path`. Inputs, outputs and their symbolic dimensions
/// keep their names (`linnet.name`, `linnet.dims`). Activations are f32:
/// narrower inputs are widened first and outputs narrowed last.
///
/// Errors: files that are unreadable or no ONNX; values that are computed twice
/// or read before they are computed; operators, opsets, types and attributes
/// outside lib/Onnx/Operators.def; shapes that do not fit; tensors whose data
/// do not match their shape. They name the node.
Result<mlir::OwningOpRef<mlir::ModuleOp>>
importOnnx(mlir::MLIRContext &context, const std::string &path,
           const OnnxImportOptions &options);

/// The operators that are imported, each once, for help texts.
std::vector<std::string> supportedOnnxOperators();

} // namespace linnet

#endif // LINNET_ONNX_IMPORT_H
