//===- linnet-compile.cpp - a model in, a native library out --------------===//

#include "linnet/Driver/CompileFlags.h"
#include "linnet/Driver/CompileTool.h"
#include "linnet/Driver/Plugins.h"
#include "linnet/Support/Interrupt.h"

using namespace llvm;
using linnet::Emit;

static cl::OptionCategory group("linnet-compile options");
static linnet::CompileToolOptions tool;
static linnet::CompileFlags flags(group);
static linnet::PluginFlag plugins("linnet-compile", group);

static cl::opt<std::string, true>
    input(cl::Positional, cl::Required, cl::cat(group),
          cl::location(tool.input),
          cl::desc("<checkpoint directory, .mlir, .mlirbc, or - for stdin>"));
static cl::opt<std::string, true>
    output("o", cl::Required, cl::value_desc("OUT"), cl::cat(group),
           cl::location(tool.output),
           cl::desc("The directory to make (with --emit a file; - is stdout)"));
static cl::opt<Emit, true>
    emit("emit", cl::cat(group), cl::location(flags.options.emit),
         cl::init(Emit::Shared), cl::desc("What to write:"),
         cl::values(clEnumValN(Emit::Mlir, "mlir", "the model as imported"),
                    clEnumValN(Emit::Linalg, "linalg", "one clone per phase"),
                    clEnumValN(Emit::Llvm, "llvm", "optimised LLVM IR"),
                    clEnumValN(Emit::Object, "obj", "an object file"),
                    clEnumValN(Emit::Shared, "shared",
                               "a compiled directory (default)")));
static cl::opt<bool, true> bundle("bundle", cl::cat(group),
                                  cl::location(flags.options.bundle),
                                  cl::desc("Copy the weights into OUT"));
static cl::opt<bool, true>
    force("force", cl::cat(group), cl::location(flags.options.force),
          cl::desc("Replace a compiled directory at OUT"));
static cl::opt<bool, true> times("print-stage-times", cl::cat(group),
                                 cl::location(tool.printStageTimes),
                                 cl::desc("Print the seconds of each stage"));
static cl::opt<bool, true> verbose("v", cl::cat(group),
                                   cl::location(tool.verbose),
                                   cl::desc("Say what is done"));

int main(int argc, char **argv) {
  linnet::installInterruptCleanup();
  cl::HideUnrelatedOptions(group);
  cl::SetVersionPrinter(linnet::printCompilerVersion);
  cl::ParseCommandLineOptions(argc, argv,
                              "Compiles a model to a native library\n");
  return linnet::runCompileTool(tool, flags.options);
}
