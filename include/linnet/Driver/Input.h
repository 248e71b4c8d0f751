//===- Input.h - models as they come --------------------------*- C++ -*-===//

#ifndef LINNET_DRIVER_INPUT_H
#define LINNET_DRIVER_INPUT_H

#include "linnet/Support/Result.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace linnet {

enum class InputKind { HuggingFace, MlirText, MlirBytecode };

/// What `path` holds, looked at rather than guessed from its name. Errors name
/// what is supported: ONNX, GGUF, directories without config.json, directories
/// that are compiled already, ...
Result<InputKind> detectInput(const std::string &path);

/// A context with every dialect and extension registered, those of plugins
/// (Plugins.h) too.
std::unique_ptr<mlir::MLIRContext> makeContext();

/// Imports or parses `path` ("-" is standard input). `detected` says in words
/// what it was.
Result<mlir::OwningOpRef<mlir::ModuleOp>>
loadModel(mlir::MLIRContext &context, const std::string &path,
          std::optional<int64_t> maxContext, std::string &detected);

/// The archive that `module` names, resolved against the directory of `source`
/// if it is relative and not found from here; empty if it names none.
Result<std::string> archivePath(mlir::ModuleOp module,
                                const std::string &source);

} // namespace linnet

#endif // LINNET_DRIVER_INPUT_H
