//===- Stages.h - the stages of a compression, one by one -----*- C++ -*-===//
//
// compressCheckpoint() in three steps that exchange files, for a model that is
// there as IR: as imported, or written by hand in the same frame (@forward, one
// linnet.stack of layers, weights by name). Its weights are those of
// `options.input`, a checkpoint directory or weight file; a model that is not
// imported from there may get other locations. A run of the three
// gives the bytes that one run of compressCheckpoint() gives (where it measures
// sensitivities on fewer than 4096 tokens, to the last bits of sums).
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_COMPRESS_STAGES_H
#define LINNET_COMPRESS_STAGES_H

#include "linnet/Compress/Compress.h"

#include "mlir/IR/BuiltinOps.h"

namespace linnet {

/// Writes analysis.json to the file `options.output`: what each matrix may
/// become by `options.structures` and their numbers, and what the model loses
/// by it, on `options.calibration` or without a text.
Status analyseLinearMaps(mlir::ModuleOp module, const CompressOptions &options,
                         CompressReport &report);

/// Writes plan.json to the file `options.output`: what each matrix becomes
/// within `options.budget` by `options.analysis`.
Status planLinearMaps(mlir::ModuleOp module, const CompressOptions &options,
                      CompressReport &report);

/// Carries out `options.plan`: fits on `options.calibration` if there is one,
/// compares on it and on `options.evaluation`, and writes the directory
/// `options.output`, in whose config.json the key `linnet` names the
/// structures. `module` keeps its dense maps.
Status fitLinearMaps(mlir::ModuleOp module, const CompressOptions &options,
                     CompressReport &report);

} // namespace linnet

#endif // LINNET_COMPRESS_STAGES_H
