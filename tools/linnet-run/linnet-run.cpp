//===- linnet-run.cpp - run, measure and question models ------------------===//

#include "linnet/RunTool/RunTool.h"
#include "linnet/Support/Interrupt.h"

int main(int argc, char **argv) {
  linnet::installInterruptCleanup();
  return linnet::runTool(argc, argv);
}
