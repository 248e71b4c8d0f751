//===- ImportTool.h - what linnet-import does -----------------*- C++ -*-===//

#ifndef LINNET_DRIVER_IMPORTTOOL_H
#define LINNET_DRIVER_IMPORTTOOL_H

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace linnet {

struct ImportToolOptions {
  /// A checkpoint directory or an ONNX model.
  std::string input;
  /// .mlirbc is bytecode, anything else text; "-" is stdout.
  std::string output;
  bool locations = true;
  /// Checkpoints only.
  std::optional<int64_t> maxContext;
  /// ONNX only: "NAME=N" each, and where weights go (empty: beside `output`).
  std::vector<std::string> dims;
  std::string weights;
};

/// Imports, and says on stderr what went wrong. Returns the exit code.
int runImportTool(const ImportToolOptions &options);

} // namespace linnet

#endif // LINNET_DRIVER_IMPORTTOOL_H
