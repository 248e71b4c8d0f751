//===- Package.h - the files of a compiled directory ----------*- C++ -*-===//
//
// OUT/model.so, OUT/model.h, OUT/manifest.json; OUT/weights.safetensors where
// weights changed; the tokenizer and configuration files of the checkpoint.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_DRIVER_PACKAGE_H
#define LINNET_DRIVER_PACKAGE_H

#include "linnet/Checkpoint/Archive.h"
#include "linnet/Driver/Compile.h"
#include "linnet/Driver/Target.h"
#include "linnet/Runtime/Manifest.h"
#include "linnet/Support/File.h"
#include "linnet/Support/Result.h"

#include "mlir/IR/BuiltinOps.h"

#include <string>

namespace linnet {

/// What the attributes of a lowered module (`linnet.model`, `linnet.slots`,
/// `linnet.states`, and those of the functions with `linnet.phase`) say,
/// checked against `archive` (null: the module has no weights). Weight files
/// are those the slots read, with absolute paths; `id` is empty. Errors name
/// the tensor that is missing or of another type or shape.
Result<Manifest> describeModule(mlir::ModuleOp module, const Archive *archive,
                                const Target &target, const std::string &source,
                                const CompileOptions &options);

/// Hash of the code and of everything in the manifest that the code depends
/// on, so not of paths.
std::string identify(const Manifest &manifest,
                     const std::vector<std::string> &objects,
                     const CompileOptions &options);

/// The text of model.h.
std::string headerText(const Manifest &manifest);

/// Brings the weights to where the manifest says: writes the overlay of
/// `archive` to weights.safetensors, copies weight files if `bundle`. Adjusts
/// the paths in `manifest`.
Status packageWeights(const AtomicDirectory &directory, Archive *archive,
                      bool bundle, Manifest &manifest);

/// Copies what text generation needs of the checkpoint at `archivePath` (a
/// directory or a file in it): tokenizer and configuration files, if present.
Status packageTokenizer(const AtomicDirectory &directory,
                        const std::string &archivePath);

} // namespace linnet

#endif // LINNET_DRIVER_PACKAGE_H
