//===- Stage.h - stages of a compression on IR ----------------*- C++ -*-===//

#ifndef PASSES_COMPRESS_STAGE_H
#define PASSES_COMPRESS_STAGE_H

#include "linnet/Compress/Compress.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/STLFunctionalExtras.h"

#include <string>

namespace mlir::linnet {

using ::linnet::CompressOptions;
using ::linnet::CompressReport;

/// What one stage does; the module is the stage's own.
using Stage = llvm::function_ref<::linnet::Status(
    ModuleOp, const CompressOptions &, CompressReport &)>;

/// Runs `stage` on a copy of `module` in a context of its own (it compiles and
/// runs functions), with `options` whose input is the module's archive. Emits
/// an error and fails if it does.
LogicalResult runStage(ModuleOp module, CompressOptions options, Stage stage,
                       CompressReport &report);

/// Makes a checkpoint of the one that `module` was imported from by what
/// `options` ask for (compressCheckpoint), and puts its import in the place of
/// `module`. Emits an error and fails also if `module` is not what an import
/// makes of it.
LogicalResult rewriteImported(ModuleOp module, CompressOptions options,
                              CompressReport &report);

/// Remarks of pass `category` on each map of `report`, and on what was left
/// alone.
void remarkMaps(ModuleOp module, const CompressReport &report,
                StringRef category);

} // namespace mlir::linnet

#endif // PASSES_COMPRESS_STAGE_H
