//===- CompiledModel.h - the C interface with owners ----------*- C++ -*-===//
//
// A path on the command line becomes an open model: a compiled directory as it
// is, anything else by way of the cache.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_LIB_RUNTOOL_COMPILEDMODEL_H
#define LINNET_LIB_RUNTOOL_COMPILEDMODEL_H

#include "Command.h"

#include "linnet/RunTool/ModelHandle.h"
#include "linnet/Runtime/Manifest.h"

#include <string>

namespace linnet::runtool {

/// The runtime's word on a call; notes a bug of the runtime in `verdict`.
Status toStatus(linnet_status status, Verdict &verdict);

struct CompiledModel {
  ModelHandle handle;
  Manifest manifest;
  /// What the user called it, and the directory it stands in.
  std::string name, directory;

  bool isEncoder() const {
    return manifest.kind == Manifest::ModelKind::Encoder;
  }
  Result<SessionHandle> createSession(Verdict &verdict) const;
  /// An error unless the model continues texts.
  Status requireCausal() const;
  /// Where the tokenizer may be, most likely first.
  std::vector<std::string> tokenizerPlaces() const;
};

/// Whether `path` is a directory that linnet-compile wrote.
bool isCompiled(const std::string &path);

/// Opens `path` with `threads` (0: all processors). A checkpoint or an MLIR
/// file is compiled into the cache first, which a line on stderr says unless
/// it is there already.
Result<CompiledModel> openModel(const std::string &path, int threads,
                                Verdict &verdict);
/// Opens a compiled directory.
Result<CompiledModel> openCompiled(const std::string &directory, int threads,
                                   Verdict &verdict);

/// Directories where the tokenizer of the model named `source` may be.
std::vector<std::string> tokenizerPlacesOf(const std::string &source);

} // namespace linnet::runtool

#endif // LINNET_LIB_RUNTOOL_COMPILEDMODEL_H
