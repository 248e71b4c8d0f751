//===- Stage.h - stages of a compression on IR ----------------*- C++ -*-===//

#ifndef PASSES_COMPRESS_STAGE_H
#define PASSES_COMPRESS_STAGE_H

#include "linnet/Compress/Compress.h"

// The dialects that an import loads, and passes that import depend on.
#include "dialects/Linnet/Linnet.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/STLFunctionalExtras.h"

#include <string>

namespace mlir::linnet {

using ::linnet::CompressOptions;
using ::linnet::CompressReport;

/// What one stage does; the module is the stage's own.
using Stage = llvm::function_ref<::linnet::Status(
    ModuleOp, const CompressOptions &, CompressReport &)>;

/// The weights of `module`, whose pass writes to `output`. Emits an error and
/// fails if it names none that are there, or nothing says where to write.
FailureOr<std::string> openStage(ModuleOp module, const std::string &output);

/// Runs `stage` on a copy of `module` in a context of its own (it compiles and
/// runs functions), with `options` whose input is the module's archive, and
/// remarks on it as pass `category`. Emits an error and fails if it does.
FailureOr<CompressReport> runStage(ModuleOp module, CompressOptions options,
                                   Stage stage, StringRef category);

/// Makes a checkpoint of the one that `module` was imported from by what
/// `options` ask for (compressCheckpoint), and puts its import in the place of
/// `module`, with the same remarks. Emits an error and fails also if `module`
/// is not what an import makes of it.
FailureOr<CompressReport>
rewriteImported(ModuleOp module, CompressOptions options, StringRef category);

} // namespace mlir::linnet

#endif // PASSES_COMPRESS_STAGE_H
