//===- linnet-import.cpp - checkpoint directory to model IR ---------------===//

#include "linnet/Frontend/HuggingFace.h"
#include "linnet/Support/File.h"
#include "linnet/Support/Interrupt.h"

#include "mlir/Bytecode/BytecodeWriter.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CommandLine.h"

using namespace llvm;

static cl::OptionCategory options("linnet-import options");
static cl::opt<std::string>
    directory(cl::Positional, cl::Required, cl::cat(options),
              cl::desc("<directory with config.json and *.safetensors>"));
static cl::opt<std::string> output(
    "o", cl::init("-"), cl::value_desc("FILE"), cl::cat(options),
    cl::desc("Output: .mlirbc is bytecode, anything else text; - is stdout"));
static cl::opt<int64_t> maxContext(
    "max-context", cl::value_desc("N"), cl::cat(options),
    cl::desc("Tokens a session can hold (default: the model's limit)"));
static cl::opt<bool> locations(
    "locations", cl::init(true), cl::cat(options),
    cl::desc("Keep in text which tensor an operation comes from (default)"));

static int fail(const linnet::Error &error) {
  errs() << "linnet-import: error: " << error.str() << '\n';
  return 1;
}

int main(int argc, char **argv) {
  linnet::installInterruptCleanup();
  cl::HideUnrelatedOptions(options);
  cl::ParseCommandLineOptions(
      argc, argv,
      "Imports a Hugging Face checkpoint as linnet IR; weights are "
      "referred to, not copied\n\nmodel_type: " +
          join(linnet::supportedModelTypes(), " ") + "\n");
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  linnet::ImportOptions importOptions;
  if (maxContext.getNumOccurrences())
    importOptions.maxContext = maxContext;
  auto module = linnet::importHuggingFace(context, directory, importOptions);
  if (!module)
    return fail(module.error());

  std::string content;
  raw_string_ostream stream(content);
  if (!StringRef(output).ends_with(".mlirbc"))
    (*module)->print(stream,
                     mlir::OpPrintingFlags().enableDebugInfo(locations));
  else if (failed(mlir::writeBytecodeToFile(module->get(), stream)))
    return fail(linnet::makeError("cannot encode ", output.getValue()));
  std::string path = output == "-" ? "/dev/stdout" : output.getValue();
  linnet::Status status = linnet::writeFileAtomically(path, content);
  return status ? 0 : fail(status.error());
}
