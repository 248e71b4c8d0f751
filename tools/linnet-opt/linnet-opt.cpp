//===- linnet-opt.cpp - the pass driver -----------------------------------===//

#include "linnet/Numerics/BlasKernels.h"
#include "linnet/Support/Interrupt.h"
#include "passes/Compress/Passes.h"
#include "passes/RegisterAll.h"

#include "dialects/Linnet/Linnet.h"

#include "mlir/IR/DialectRegistry.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "llvm/Support/CommandLine.h"

using namespace mlir;

static llvm::cl::opt<bool> showTransitions(
    "show-transitions",
    llvm::cl::desc("Print the known transitions, their operands and legal "
                   "forms as a Markdown table, those of loaded plugins too"));

int main(int argc, char **argv) {
  ::linnet::restartForBlasKernels(argv);
  ::linnet::installInterruptCleanup();
  DialectRegistry registry;
  mlir::linnet::registerAllDialects(registry);
  mlir::linnet::registerAllPasses();
  mlir::linnet::registerLinnetCompressPasses();
  auto [input, output] =
      registerAndParseCLIOptions(argc, argv, "linnet pass driver\n", registry);
  if (!showTransitions)
    return asMainReturnCode(MlirOptMain(argc, argv, input, output, registry));
  MLIRContext context(registry);
  context.loadAllAvailableDialects();
  auto *dialect = context.getLoadedDialect<mlir::linnet::LinnetDialect>();
  mlir::linnet::printTransitionTable(dialect->getTransitions(), llvm::outs());
  return 0;
}
