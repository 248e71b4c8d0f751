//===- ImportTool.cpp - what linnet-import does ---------------------------===//

#include "linnet/Driver/ImportTool.h"

#include "linnet/Frontend/HuggingFace.h"
#include "linnet/Onnx/Import.h"
#include "linnet/Support/File.h"
#include "linnet/Support/Quote.h"

#include "mlir/Bytecode/BytecodeWriter.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/raw_ostream.h"

#include <filesystem>

namespace linnet {
namespace {

using Module = mlir::OwningOpRef<mlir::ModuleOp>;

Result<OnnxImportOptions> onnxOptions(const ImportToolOptions &tool) {
  OnnxImportOptions options;
  for (const std::string &spec : tool.dims) {
    auto [name, size] = llvm::StringRef(spec).rsplit('=');
    int64_t number = 0;
    if (name.empty() || size.getAsInteger(10, number) || number < 1)
      return makeError("--dim: expected NAME=N with N of at least 1, but got ",
                       quoteName(spec));
    options.dims[name.str()] = number;
  }
  options.weights = tool.weights;
  if (options.weights.empty() && tool.output != "-")
    options.weights =
        std::filesystem::path(tool.output).replace_extension("safetensors");
  return options;
}

Result<Module> import(mlir::MLIRContext &context,
                      const ImportToolOptions &tool) {
  std::error_code ignored;
  bool isDirectory = std::filesystem::is_directory(tool.input, ignored);
  if (isDirectory && (!tool.dims.empty() || !tool.weights.empty()))
    return makeError("expected --dim and --weights with an ONNX model only, "
                     "but got a directory");
  if (!isDirectory && tool.maxContext)
    return makeError("expected --max-context with a checkpoint directory only, "
                     "but got a file");
  if (isDirectory) {
    ImportOptions options;
    options.maxContext = tool.maxContext;
    return importHuggingFace(context, tool.input, options);
  }
  Result<OnnxImportOptions> options = onnxOptions(tool);
  if (!options)
    return options.error();
  return importOnnx(context, tool.input, *options);
}

Status importAndWrite(const ImportToolOptions &tool) {
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  Result<Module> module = import(context, tool);
  if (!module)
    return module.error();
  std::string content;
  llvm::raw_string_ostream stream(content);
  if (!llvm::StringRef(tool.output).ends_with(".mlirbc"))
    (*module)->print(stream,
                     mlir::OpPrintingFlags().enableDebugInfo(tool.locations));
  else if (mlir::failed(mlir::writeBytecodeToFile(module->get(), stream)))
    return makeError("cannot encode ", tool.output);
  return writeFileAtomically(tool.output == "-" ? "/dev/stdout" : tool.output,
                             content);
}

} // namespace

int runImportTool(const ImportToolOptions &options) {
  Status status = importAndWrite(options);
  if (!status)
    llvm::errs() << "linnet-import: error: " << status.error().str() << '\n';
  return status ? 0 : 1;
}

} // namespace linnet
