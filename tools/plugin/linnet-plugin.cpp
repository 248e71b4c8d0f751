//===- linnet-plugin.cpp - dialect and passes for stock mlir-opt ----------===//
//
//   mlir-opt-22 --load-dialect-plugin=build/lib/linnet-plugin.so
//               --load-pass-plugin=build/lib/linnet-plugin.so
//               --pass-pipeline='builtin.module(linnet-thread-state)' FILE
//
//===----------------------------------------------------------------------===//

#include "passes/RegisterAll.h"

#include "dialects/Linnet/Linnet.h"

#include "mlir/IR/DialectRegistry.h"
#include "mlir/Tools/Plugins/DialectPlugin.h"
#include "mlir/Tools/Plugins/PassPlugin.h"

#define LINNET_PLUGIN_API extern "C" __attribute__((visibility("default")))

static const char *const name = "linnet";
static const char *const version = "0.1.0";

LINNET_PLUGIN_API mlir::DialectPluginLibraryInfo mlirGetDialectPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, name, version,
          [](mlir::DialectRegistry *registry) {
            registry->insert<mlir::linnet::LinnetDialect>();
          }};
}

LINNET_PLUGIN_API mlir::PassPluginLibraryInfo mlirGetPassPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, name, version,
          [] { mlir::linnet::registerLinnetPasses(); }};
}
