//===- linnet-compress.cpp - checkpoints of fewer numbers -----------------===//

#include "linnet/Compress/CompressFlags.h"
#include "linnet/Compress/CompressTool.h"
#include "linnet/Numerics/BlasKernels.h"
#include "linnet/Support/Interrupt.h"

int main(int argc, char **argv) {
  linnet::restartForBlasKernels(argv);
  linnet::installInterruptCleanup();
  llvm::cl::OptionCategory group("linnet-compress options");
  linnet::CompressFlags flags(group);
  llvm::cl::HideUnrelatedOptions(group);
  llvm::cl::ParseCommandLineOptions(
      argc, argv,
      "Replaces matrices of a checkpoint by such of low rank, of few bits or "
      "with zeros, within a budget that goes where the model needs it\n");
  return linnet::runCompressTool(flags.take());
}
