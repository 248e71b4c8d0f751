//===- TapFixture.h - a fixture's model, for taps -------------*- C++ -*-===//

#ifndef TEST_UNIT_COMPRESS_TAPFIXTURE_H
#define TEST_UNIT_COMPRESS_TAPFIXTURE_H

#include "lib/Compress/TapRunner.h"

#include "linnet/Checkpoint/Npy.h"
#include "linnet/Driver/Input.h"

#include <gtest/gtest.h>
#include <optional>

namespace linnet::compress {

/// A fixture's model and its tokens as windows, and what its logits should be.
class Fixture {
public:
  explicit Fixture(const std::string &name,
                   const std::string &root = LINNET_ORACLE_DIR "/")
      : path(root + name), context(makeContext()) {
    Result<Archive> opened = Archive::open(path);
    std::string detected;
    auto loaded = loadModel(*context, path, std::nullopt, detected);
    Result<NpyArray> tokens = readNpy(path + "/tokens.npy");
    Result<NpyArray> expected = readNpy(path + "/logits.npy");
    if (!opened || !loaded || !tokens) {
      ADD_FAILURE() << "cannot read " << path;
      abort();
    }
    archive.emplace(opened.take());
    module = loaded.take();
    maps = findLinearMaps(*module, *archive);
    std::vector<int64_t> ids = *tokens->toI64();
    windows.batch = tokens->shape[0];
    windows.length = tokens->shape[1];
    windows.ids.assign(ids.begin(), ids.end());
    windows.counts = {windows.batch, 0, 0};
    if (expected) // not an encoder's
      logits = expected->toF64();
  }

  Result<TapRunner> runner() {
    return TapRunner::create(*module, *archive, maps, windows.batch,
                             windows.length);
  }

  std::string path;
  std::unique_ptr<mlir::MLIRContext> context;
  std::optional<Archive> archive;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  LinearMaps maps;
  Windows windows;
  std::vector<double> logits;
};

} // namespace linnet::compress

#endif // TEST_UNIT_COMPRESS_TAPFIXTURE_H
