//===- ExportTool.cpp - what linnet-export does ---------------------------===//

#include "linnet/Driver/ExportTool.h"

#include "linnet/Checkpoint/Archive.h"
#include "linnet/Driver/Input.h"
#include "linnet/Onnx/Export.h"
#include "linnet/Support/File.h"

#include "llvm/Support/raw_ostream.h"

namespace linnet {

static Status loadAndExport(const ExportToolOptions &tool) {
  std::unique_ptr<mlir::MLIRContext> context = makeContext();
  std::string detected;
  auto module = loadModel(*context, tool.input, std::nullopt, detected);
  if (!module)
    return module.error();
  Result<std::string> weights = archivePath(**module, tool.input);
  if (!weights)
    return weights.error();
  std::optional<Archive> archive;
  if (!weights->empty()) {
    Result<Archive> opened = Archive::open(*weights);
    if (!opened)
      return opened.error();
    archive = opened.take();
  }
  OnnxExportOptions options;
  options.function = tool.function;
  options.archive = archive ? &*archive : nullptr;
  Result<std::string> bytes = exportOnnx(**module, options);
  if (!bytes)
    return makeError("cannot export ", tool.input, ": ", bytes.error().str());
  return writeFileAtomically(tool.output == "-" ? "/dev/stdout" : tool.output,
                             *bytes);
}

int runExportTool(const ExportToolOptions &options) {
  Status status = loadAndExport(options);
  if (!status)
    llvm::errs() << "linnet-export: error: " << status.error().str() << '\n';
  return status ? 0 : 1;
}

} // namespace linnet
