//===- Plugins.cpp - dialects from out of tree ----------------------------===//

#include "linnet/Driver/Plugins.h"

#include "linnet/Support/Quote.h"

#include "mlir/IR/DialectRegistry.h"
#include "mlir/Tools/Plugins/DialectPlugin.h"

#include <cstdio>
#include <cstdlib>
#include <vector>

namespace linnet {

static std::vector<mlir::DialectPlugin> &loadedPlugins() {
  static std::vector<mlir::DialectPlugin> plugins;
  return plugins;
}

Status loadPlugin(const std::string &file) {
  llvm::Expected<mlir::DialectPlugin> plugin = mlir::DialectPlugin::load(file);
  if (!plugin)
    return makeError("cannot load plugin ", quoteName(file), ": ",
                     llvm::toString(plugin.takeError()));
  loadedPlugins().push_back(*plugin);
  return {};
}

void registerPlugins(mlir::DialectRegistry &registry) {
  for (const mlir::DialectPlugin &plugin : loadedPlugins())
    plugin.registerDialectRegistryCallbacks(registry);
}

PluginFlag::PluginFlag(std::string program, llvm::cl::OptionCategory &category)
    : files("load-dialect-plugin", llvm::cl::value_desc("FILE.so"),
            llvm::cl::sub(llvm::cl::SubCommand::getAll()),
            llvm::cl::cat(category),
            llvm::cl::desc("Load dialects from a plugin (repeatable)")) {
  files.setCallback([program = std::move(program)](const std::string &file) {
    Status status = loadPlugin(file);
    if (status)
      return;
    fprintf(stderr, "%s: error: %s\n", program.c_str(),
            status.error().str().c_str());
    exit(1);
  });
}

} // namespace linnet
