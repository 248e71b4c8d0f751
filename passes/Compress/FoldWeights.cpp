//===- FoldWeights.cpp - what changes nothing goes ------------------------===//

#include "passes/Compress/Passes.h"
#include "passes/Compress/Stage.h"

namespace mlir::linnet {
#define GEN_PASS_DEF_FOLDWEIGHTS
#include "passes/Compress/Passes.h.inc"
} // namespace mlir::linnet

using namespace mlir;
using namespace mlir::linnet;

namespace {
struct FoldWeights : mlir::linnet::impl::FoldWeightsBase<FoldWeights> {
  using FoldWeightsBase::FoldWeightsBase;

  void runOnOperation() override {
    if (folds.empty()) {
      emitError(getOperation().getLoc(),
                "expected something to fold (norms, dead)");
      return signalPassFailure();
    }
    CompressOptions options;
    options.output = output;
    options.folds.assign(folds.begin(), folds.end());
    FailureOr<CompressReport> report =
        rewriteImported(getOperation(), std::move(options), getArgument());
    if (failed(report))
      return signalPassFailure();
    folded += unsigned(report->notes.size());
  }
};
} // namespace
