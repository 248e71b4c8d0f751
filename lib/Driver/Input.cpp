//===- Input.cpp - models as they come ------------------------------------===//

#include "linnet/Driver/Input.h"

#include "Diagnostics.h"

#include "dialects/Linnet/Linnet.h"
#include "linnet/Driver/Plugins.h"
#include "linnet/Frontend/HuggingFace.h"
#include "linnet/Support/File.h"
#include "linnet/Support/Quote.h"
#include "passes/RegisterAll.h"

#include "mlir/Bytecode/BytecodeReader.h"
#include "mlir/Parser/Parser.h"

#include "llvm/Support/SourceMgr.h"

#include <filesystem>

namespace linnet {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSupported =
    "a Hugging Face checkpoint directory, .mlir or .mlirbc";
constexpr std::string_view kBytecodeMagic = "ML\xefR";

Error unsupported(const std::string &path, std::string_view got) {
  return makeError("cannot compile ", quoteName(path), ": expected ",
                   kSupported, ", but got ", got);
}

Result<InputKind> detectDirectory(const std::string &path) {
  std::error_code ignored;
  if (fs::exists(path + "/config.json", ignored) &&
      !fs::exists(path + "/model.so", ignored))
    return InputKind::HuggingFace;
  if (fs::exists(path + "/manifest.json", ignored))
    return unsupported(path, "a directory that is compiled already");
  return unsupported(path, "a directory without config.json");
}

/// Other formats a user may try, by what they begin with or are called.
std::string_view foreignFormat(const std::string &path,
                               std::string_view bytes) {
  if (bytes.starts_with("GGUF"))
    return "a GGUF file";
  if (path.ends_with(".onnx"))
    return "an ONNX file (linnet-import makes IR of it)";
  if (path.ends_with(".safetensors"))
    return "a weight file (give its directory)";
  if (path.ends_with(".json"))
    return "a JSON file (give its directory)";
  if (bytes.starts_with("PK\x03\x04"))
    return "a zip archive (a PyTorch file?)";
  if (bytes.starts_with("\x7f"
                        "ELF"))
    return "an ELF file";
  return {};
}

InputKind kindOfText(std::string_view bytes) {
  return bytes.starts_with(kBytecodeMagic) ? InputKind::MlirBytecode
                                           : InputKind::MlirText;
}

Result<std::string> readInput(const std::string &path) {
  return readFile(path == "-" ? "/dev/stdin" : path);
}

Result<mlir::OwningOpRef<mlir::ModuleOp>> parse(mlir::MLIRContext &context,
                                                const std::string &bytes,
                                                const std::string &path) {
  std::string name = path == "-" ? "<stdin>" : path;
  DiagnosticCollector diagnostics(context);
  mlir::OwningOpRef<mlir::ModuleOp> module;
  // Memory buffers are parsed up to a terminator; bytecode wants alignment.
  auto buffer = llvm::MemoryBuffer::getMemBufferCopy(bytes, name);
  auto manager = std::make_shared<llvm::SourceMgr>();
  manager->AddNewSourceBuffer(std::move(buffer), llvm::SMLoc());
  mlir::ParserConfig config(&context);
  module = mlir::parseSourceFile<mlir::ModuleOp>(manager, config);
  if (!module)
    return diagnostics.error("cannot read " + quoteName(name));
  return module;
}

} // namespace

Result<InputKind> detectInput(const std::string &path) {
  std::error_code code;
  if (path != "-") {
    fs::file_status status = fs::status(path, code);
    if (status.type() == fs::file_type::not_found)
      return systemError("read", path, ENOENT);
    if (status.type() == fs::file_type::directory)
      return detectDirectory(path);
  }
  Result<std::string> bytes = readInput(path);
  if (!bytes)
    return bytes.error();
  if (std::string_view format = foreignFormat(path, *bytes); !format.empty())
    return unsupported(path, format);
  return kindOfText(*bytes);
}

std::unique_ptr<mlir::MLIRContext> makeContext() {
  mlir::DialectRegistry registry;
  mlir::linnet::registerAllDialects(registry);
  registerPlugins(registry);
  return std::make_unique<mlir::MLIRContext>(registry);
}

Result<mlir::OwningOpRef<mlir::ModuleOp>>
loadModel(mlir::MLIRContext &context, const std::string &path,
          std::optional<int64_t> maxContext, std::string &detected) {
  std::error_code ignored;
  if (path != "-" && fs::is_directory(path, ignored)) {
    Result<InputKind> kind = detectInput(path);
    if (!kind)
      return kind.error();
    ImportOptions options;
    options.maxContext = maxContext;
    DiagnosticCollector diagnostics(context);
    auto module = importHuggingFace(context, path, options);
    if (!module)
      return module.error();
    detected = "Hugging Face checkpoint";
    if (auto model = (**module)->getAttrOfType<mlir::DictionaryAttr>(
            mlir::linnet::kModelAttr))
      if (auto type = model.getAs<mlir::StringAttr>("model_type"))
        detected += " (" + type.str() + ")";
    return module;
  }
  // Standard input can be read once only.
  Result<std::string> bytes = readInput(path);
  if (!bytes)
    return bytes.error();
  if (std::string_view format = foreignFormat(path, *bytes); !format.empty())
    return unsupported(path, format);
  detected = kindOfText(*bytes) == InputKind::MlirBytecode ? "MLIR bytecode"
                                                           : "MLIR text";
  return parse(context, *bytes, path);
}

Result<std::string> archivePath(mlir::ModuleOp module,
                                const std::string &source) {
  auto named =
      module->getAttrOfType<mlir::StringAttr>(mlir::linnet::kArchiveAttr);
  if (!named)
    return std::string();
  std::error_code ignored;
  fs::path path = named.str();
  if (path.is_relative() && !fs::exists(path, ignored) && source != "-") {
    fs::path beside = fs::path(source).parent_path() / path;
    if (fs::exists(beside, ignored))
      return beside.string();
  }
  if (!fs::exists(path, ignored))
    return makeError(quoteName(source), ": expected the weights at ",
                     quoteName(named.str()), " (",
                     mlir::linnet::kArchiveAttr.str(),
                     "), but there is no such file or directory");
  return path.string();
}

} // namespace linnet
