//===- MergeAdapters.cpp - what was learned beside weights ----------------===//

#include "passes/Compress/Passes.h"
#include "passes/Compress/Stage.h"

namespace mlir::linnet {
#define GEN_PASS_DEF_MERGEADAPTERS
#include "passes/Compress/Passes.h.inc"
} // namespace mlir::linnet

using namespace mlir;
using namespace mlir::linnet;

namespace {
struct MergeAdapters : mlir::linnet::impl::MergeAdaptersBase<MergeAdapters> {
  using MergeAdaptersBase::MergeAdaptersBase;

  void runOnOperation() override {
    if (adapters.empty()) {
      emitError(getOperation().getLoc(), "expected adapters to add");
      return signalPassFailure();
    }
    CompressOptions options;
    options.output = output;
    options.adapters.assign(adapters.begin(), adapters.end());
    FailureOr<CompressReport> report =
        rewriteImported(getOperation(), std::move(options), getArgument());
    if (failed(report))
      return signalPassFailure();
  }
};
} // namespace
