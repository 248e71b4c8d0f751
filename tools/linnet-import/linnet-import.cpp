//===- linnet-import.cpp - checkpoints and ONNX models to model IR --------===//

#include "linnet/Driver/ImportTool.h"
#include "linnet/Frontend/HuggingFace.h"
#include "linnet/Onnx/Import.h"
#include "linnet/Support/Interrupt.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CommandLine.h"

using namespace llvm;

static cl::OptionCategory group("linnet-import options");
static cl::opt<std::string>
    input(cl::Positional, cl::Required, cl::cat(group),
          cl::desc("<directory with config.json and *.safetensors, or ONNX "
                   "model>"));
static cl::opt<std::string> output(
    "o", cl::init("-"), cl::value_desc("FILE"), cl::cat(group),
    cl::desc("Output: .mlirbc is bytecode, anything else text; - is stdout"));
static cl::opt<int64_t> maxContext(
    "max-context", cl::value_desc("N"), cl::cat(group),
    cl::desc("Tokens a session can hold (default: the model's limit)"));
static cl::opt<bool> locations(
    "locations", cl::init(true), cl::cat(group),
    cl::desc("Keep in text which tensor an operation comes from (default)"));
static cl::list<std::string>
    dims("dim", cl::value_desc("NAME=N"), cl::cat(group),
         cl::desc("ONNX: fix the symbolic dimension NAME"));
static cl::opt<std::string> weights(
    "weights", cl::value_desc("FILE"), cl::cat(group),
    cl::desc("ONNX: the safetensors file to write weights to (default: FILE of "
             "-o with .safetensors)"));

int main(int argc, char **argv) {
  linnet::installInterruptCleanup();
  cl::HideUnrelatedOptions(group);
  cl::ParseCommandLineOptions(
      argc, argv,
      "Imports a Hugging Face checkpoint, whose weights are referred to, or an "
      "ONNX model as linnet IR\n\nmodel_type: " +
          join(linnet::supportedModelTypes(), " ") +
          "\n\nONNX: " + join(linnet::supportedOnnxOperators(), " ") + "\n");
  linnet::ImportToolOptions options{input, output, locations, {}, {}, weights};
  if (maxContext.getNumOccurrences())
    options.maxContext = maxContext;
  options.dims.assign(dims.begin(), dims.end());
  return linnet::runImportTool(options);
}
