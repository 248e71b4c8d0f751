//===- RegisterAll.cpp - every dialect, pass and pipeline -----------------===//

#include "passes/RegisterAll.h"

#include "dialects/Linnet/Linnet.h"
#include "passes/CPU/Passes.h"
#include "passes/Form/Passes.h"
#include "passes/Linearize/Passes.h"
#include "passes/Lower/Passes.h"
#include "passes/Pipelines/Pipelines.h"

#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"

using namespace mlir;

void linnet::registerAllDialects(DialectRegistry &registry) {
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  registry.insert<linnet::LinnetDialect>();
}

void linnet::registerAllPasses() {
  mlir::registerAllPasses();
  registerLinnetPasses();
}

void linnet::registerLinnetPasses() {
  registerLinnetLinearizePasses();
  registerLinnetFormPasses();
  registerLinnetLowerPasses();
  registerLinnetCPUPasses();
  registerLowerToLLVMPipeline();
  registerCpuPipeline();
  registerStreamPipeline();
}
