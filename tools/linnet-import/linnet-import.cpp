//===- linnet-import.cpp - checkpoint directory to model IR ---------------===//

#include "linnet/Frontend/HuggingFace.h"
#include "linnet/Support/File.h"

#include "mlir/Bytecode/BytecodeWriter.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/raw_ostream.h"

namespace cl = llvm::cl;

static cl::OptionCategory category("linnet-import options");
static cl::opt<std::string> directory(
    cl::Positional, cl::Required, cl::value_desc("DIR"), cl::cat(category),
    cl::desc("<directory with config.json and *.safetensors>"));
static cl::opt<std::string> output(
    "o", cl::init("-"), cl::value_desc("FILE"), cl::cat(category),
    cl::desc("Output: .mlirbc is bytecode, anything else text; - is stdout"));
static cl::opt<int64_t> maxContext(
    "max-context", cl::value_desc("N"), cl::cat(category),
    cl::desc("Tokens a session can hold (default: the model's limit)"));
static cl::opt<bool> locations(
    "locations", cl::init(true), cl::cat(category),
    cl::desc("Keep in text which tensor an operation comes from (default)"));

static int fail(const linnet::Error &error) {
  llvm::errs() << "linnet-import: error: " << error.str() << '\n';
  return 1;
}

int main(int argc, char **argv) {
  cl::HideUnrelatedOptions(category);
  std::string overview = "Imports a Hugging Face checkpoint as linnet IR; "
                         "weights are referred to, not copied\n\nmodel_type:";
  for (const std::string &name : linnet::supportedModelTypes())
    overview += " " + name;
  cl::ParseCommandLineOptions(argc, argv, overview + "\n");

  linnet::ImportOptions options;
  if (maxContext.getNumOccurrences())
    options.maxContext = maxContext;
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  auto module = linnet::importHuggingFace(context, directory, options);
  if (!module)
    return fail(module.error());

  std::string content;
  llvm::raw_string_ostream stream(content);
  if (llvm::StringRef(output).ends_with(".mlirbc")) {
    if (failed(mlir::writeBytecodeToFile(module->get(), stream)))
      return fail(linnet::makeError("cannot encode ", output.getValue()));
  } else {
    (*module)->print(stream, mlir::OpPrintingFlags().enableDebugInfo(locations));
    stream << '\n';
  }
  std::string path = output == "-" ? "/dev/stdout" : output.getValue();
  linnet::Status status = linnet::writeFileAtomically(path, content);
  return status ? 0 : fail(status.error());
}
