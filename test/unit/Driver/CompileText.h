//===- CompileText.h - kernels from text, loaded into the test -*- C++ -*-===//

#ifndef TEST_UNIT_DRIVER_COMPILETEXT_H
#define TEST_UNIT_DRIVER_COMPILETEXT_H

#include "linnet/Driver/Codegen.h"
#include "linnet/Driver/Link.h"
#include "passes/RegisterAll.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

namespace linnet {

/// A directory that is removed with its files.
class ScratchDirectory {
public:
  ScratchDirectory() {
    std::string name = testing::TempDir() + "/linnet-driver-XXXXXX";
    path = mkdtemp(name.data());
  }
  ~ScratchDirectory() {
    std::string command = "rm -rf '" + path + "'";
    if (system(command.c_str()) != 0)
      perror("rm");
  }
  std::string path;
};

/// Objects of the module `text`, whose functions with linnet.phase are
/// exported.
inline Result<std::vector<ObjectCode>>
compileText(const std::string &text, const Target &target,
            const CodegenOptions &options = {},
            std::vector<std::string> *exported = nullptr) {
  static mlir::DialectRegistry *registry = [] {
    auto *all = new mlir::DialectRegistry;
    mlir::linnet::registerAllDialects(*all);
    return all;
  }();
  mlir::MLIRContext context(*registry);
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  if (!module)
    return makeError("the test's text does not parse");
  std::vector<std::string> names = exportedFunctions(*module);
  if (exported)
    *exported = names;
  if (Status status = lowerToLLVMDialect(*module, target); !status)
    return status.error();
  return compileToObjects(*module, target, names, options);
}

/// A library made of `text`, loaded.
class LoadedText {
public:
  LoadedText(const std::string &text, const std::string &mcpu = "native",
             int optLevel = 3) {
    Result<Target> target = resolveTarget(mcpu);
    if (!target) {
      ADD_FAILURE() << target.error().str();
      return;
    }
    CodegenOptions options;
    options.optLevel = optLevel;
    std::vector<std::string> exported;
    auto objects = compileText(text, *target, options, &exported);
    if (!objects) {
      ADD_FAILURE() << objects.error().str();
      return;
    }
    std::string path = directory.path + "/model.so";
    if (Status status = linkSharedLibrary(*objects, path); !status) {
      ADD_FAILURE() << status.error().str();
      return;
    }
    if (Status status = checkLibrary(path, exported); !status)
      ADD_FAILURE() << status.error().str();
    handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!handle)
      ADD_FAILURE() << dlerror();
  }
  ~LoadedText() {
    if (handle)
      dlclose(handle);
  }
  template <typename Function>
  Function *find(const char *name) {
    void *symbol = handle ? dlsym(handle, name) : nullptr;
    EXPECT_NE(symbol, nullptr) << name;
    return reinterpret_cast<Function *>(symbol);
  }

private:
  ScratchDirectory directory;
  void *handle = nullptr;
};

} // namespace linnet

#endif // TEST_UNIT_DRIVER_COMPILETEXT_H
