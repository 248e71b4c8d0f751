//===- linnet-opt.cpp - the pass driver -----------------------------------===//

#include "passes/RegisterAll.h"

#include "mlir/IR/DialectRegistry.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  mlir::linnet::registerAllDialects(registry);
  mlir::linnet::registerAllPasses();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "linnet pass driver\n", registry));
}
