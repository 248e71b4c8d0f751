//===- CompiledCheckpoint.h - compiled checkpoints ------------*- C++ -*-===//

#ifndef TEST_UNIT_KERNELS_COMPILEDCHECKPOINT_H
#define TEST_UNIT_KERNELS_COMPILEDCHECKPOINT_H

#include "Program.h"

#include "linnet/Driver/Compile.h"
#include "linnet/Runtime/linnet.h"

#include <filesystem>
#include <gtest/gtest.h>
#include <map>
#include <memory>

namespace linnet::test {

/// Tokens per sequence, which is also the context of models that have one: no
/// multiple of any block, and where the model allows more than one chunk of a
/// recurrence.
inline int64_t tokensOf(const std::string &name) {
  return name == "gpt2" || name == "bert" ? 61
         : name.starts_with("mamba")      ? 150
                                          : 121;
}

/// Of the oracle: a path in it, or a name in its hf.
inline std::string checkpoint(const std::string &name) {
  bool isPath = name.find('/') != std::string::npos;
  return std::string(LINNET_ORACLE_DIR) + (isPath ? "/" : "/hf/") + name;
}

/// A compiled checkpoint that is removed with the object.
class Compiled {
public:
  Compiled(const std::string &name, int64_t blockTokens, int64_t batch = 1,
           const std::string &mcpu = "native", bool exactDecode = false) {
    path = testing::TempDir() + "/linnet-session-XXXXXX";
    path = mkdtemp(path.data());
    CompileOptions options;
    options.optLevel = rounds() > 1 ? 3 : 1;
    options.blockTokens = blockTokens;
    options.batch = batch;
    options.mcpu = mcpu;
    options.exactDecode = exactDecode;
    if (!name.starts_with("mamba"))
      options.maxContext = tokensOf(name);
    CompileReport report;
    Status status =
        compileToDirectory(checkpoint(name), path + "/out", options, report);
    EXPECT_TRUE(bool(status)) << status.error().str();
  }
  Compiled(const Compiled &) = delete;
  Compiled &operator=(const Compiled &) = delete;
  ~Compiled() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  std::string directory() const { return path + "/out"; }
  std::string file(const std::string &name) const { return path + "/" + name; }

private:
  std::string path;
};

/// One compilation for all tests that want it.
inline const Compiled &compile(const std::string &name, int64_t blockTokens,
                               int64_t batch = 1,
                               const std::string &mcpu = "native") {
  static std::map<std::string, std::unique_ptr<Compiled>> known;
  auto &entry = known[name + "/" + std::to_string(blockTokens) + "/" +
                      std::to_string(batch) + "/" + mcpu];
  if (!entry)
    entry = std::make_unique<Compiled>(name, blockTokens, batch, mcpu);
  return *entry;
}

using Model = std::unique_ptr<linnet_model, void (*)(linnet_model *)>;

inline Model open(const Compiled &compiled, int threads) {
  linnet_options options = {threads};
  linnet_model *model = nullptr;
  EXPECT_EQ(linnet_model_open(compiled.directory().c_str(), &options, &model),
            LINNET_OK)
      << linnet_last_error();
  return {model, linnet_model_close};
}

} // namespace linnet::test

#endif // TEST_UNIT_KERNELS_COMPILEDCHECKPOINT_H
