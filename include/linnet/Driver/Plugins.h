//===- Plugins.h - dialects from out of tree ------------------*- C++ -*-===//

#ifndef LINNET_DRIVER_PLUGINS_H
#define LINNET_DRIVER_PLUGINS_H

#include "linnet/Support/Result.h"

#include "llvm/Support/CommandLine.h"

#include <string>

namespace mlir {
class DialectRegistry;
}

namespace linnet {

/// Loads a dialect plugin, whose dialects every later context (makeContext)
/// has. It stays loaded. Call it before contexts are made; not thread-safe.
/// Errors: there is no such file, it is no library, it needs symbols that the
/// tool lacks, it defines no mlirGetDialectPluginInfo.
Status loadPlugin(const std::string &file);

/// Adds the dialects of the loaded plugins.
void registerPlugins(mlir::DialectRegistry &registry);

/// The option --load-dialect-plugin=FILE of a tool, spelled as mlir-opt spells
/// it. Loads while the arguments are parsed; an error is printed as an error of
/// `program` and ends the process with exit code 1.
class PluginFlag {
public:
  /// Of all subcommands, if the tool has any.
  PluginFlag(std::string program, llvm::cl::OptionCategory &category);

private:
  llvm::cl::list<std::string> files;
};

} // namespace linnet

#endif // LINNET_DRIVER_PLUGINS_H
