//===- HuggingFace.h - import of checkpoint directories -------*- C++ -*-===//
//
// Reads a directory of config.json and safetensors files and writes the model
// as IR of the linnet dialect. No weight data is read, only the headers.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_FRONTEND_HUGGINGFACE_H
#define LINNET_FRONTEND_HUGGINGFACE_H

#include "linnet/Support/Result.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace linnet {

struct ImportOptions {
  /// Tokens a session can hold; without it the configuration's limit. Beyond
  /// that limit it is an error where positions are a learned table.
  std::optional<int64_t> maxContext;
};

/// Imports the model in `dir`. The module has a function @forward from tokens
/// `[B, T]` and the position of the first one to logits `[B, T, V]` (encoders:
/// to the hidden states `[B, T, D]`); its size does not depend on the number
/// of layers. Loads the dialects it needs into `context`.
///
/// Errors: unreadable or malformed files; a model_type outside
/// supportedModelTypes(); configuration values that are missing, out of range,
/// contradictory or not implemented; tensors that are missing, misshapen, not
/// floating-point, or that the model does not use.
Result<mlir::OwningOpRef<mlir::ModuleOp>>
importHuggingFace(mlir::MLIRContext &context, const std::string &dir,
                  const ImportOptions &options);

/// The accepted values of `model_type`, in the order of registration.
std::vector<std::string> supportedModelTypes();

} // namespace linnet

#endif // LINNET_FRONTEND_HUGGINGFACE_H
