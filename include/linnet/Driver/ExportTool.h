//===- ExportTool.h - what linnet-export does -----------------*- C++ -*-===//

#ifndef LINNET_DRIVER_EXPORTTOOL_H
#define LINNET_DRIVER_EXPORTTOOL_H

#include <string>

namespace linnet {

struct ExportToolOptions {
  /// An MLIR file, and its function; empty: the only one that is public.
  std::string input, function;
  /// The ONNX model; "-" is stdout.
  std::string output;
};

/// Exports, and says on stderr what went wrong. Returns the exit code.
int runExportTool(const ExportToolOptions &options);

} // namespace linnet

#endif // LINNET_DRIVER_EXPORTTOOL_H
