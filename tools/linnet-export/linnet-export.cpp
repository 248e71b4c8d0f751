//===- linnet-export.cpp - a function of recurrences to ONNX --------------===//

#include "linnet/Driver/ExportTool.h"
#include "linnet/Support/Interrupt.h"

#include "llvm/Support/CommandLine.h"

using namespace llvm;

static cl::OptionCategory group("linnet-export options");
static linnet::ExportToolOptions tool;
static cl::opt<std::string, true> input(cl::Positional, cl::Required,
                                        cl::cat(group),
                                        cl::location(tool.input),
                                        cl::desc("<MLIR file>"));
static cl::opt<std::string, true>
    output("o", cl::Required, cl::value_desc("FILE"), cl::cat(group),
           cl::location(tool.output),
           cl::desc("The ONNX model to write; - is stdout"));
static cl::opt<std::string, true>
    function("function", cl::value_desc("NAME"), cl::cat(group),
             cl::location(tool.function),
             cl::desc("The function to export (default: the only public one)"));

int main(int argc, char **argv) {
  linnet::installInterruptCleanup();
  cl::HideUnrelatedOptions(group);
  cl::ParseCommandLineOptions(
      argc, argv,
      "Exports a function as an ONNX model of opset 27: linnet.scan as "
      "LinearAttention, linnet.short_conv as CausalConvWithState; other "
      "operations than these and views are errors\n");
  return linnet::runExportTool(tool);
}
