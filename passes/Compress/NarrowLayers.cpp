//===- NarrowLayers.cpp - fewer channels, heads and layers ----------------===//

#include "passes/Compress/Passes.h"
#include "passes/Compress/Stage.h"

namespace mlir::linnet {
#define GEN_PASS_DEF_NARROWLAYERS
#include "passes/Compress/Passes.h.inc"
} // namespace mlir::linnet

using namespace mlir;
using namespace mlir::linnet;

namespace {
struct NarrowLayers : mlir::linnet::impl::NarrowLayersBase<NarrowLayers> {
  using NarrowLayersBase::NarrowLayersBase;

  void runOnOperation() override {
    if (keepChannels == 1 && keepHeads == 1 && keepKvGroups == 1 &&
        keepRecurrentHeads == 1 && keepStateChannels == 1 && keepExperts == 1 &&
        dropLayers == 0 && budget.empty()) {
      emitError(getOperation().getLoc(),
                "expected something to leave out (keep-channels, keep-heads, "
                "keep-kv-groups, keep-recurrent-heads, keep-state-channels, "
                "keep-experts, drop-layers or budget)");
      return signalPassFailure();
    }
    CompressOptions options;
    options.output = output;
    options.keepChannels = keepChannels;
    options.keepHeads = keepHeads;
    options.keepKvGroups = keepKvGroups;
    options.keepRecurrentHeads = keepRecurrentHeads;
    options.keepStateChannels = keepStateChannels;
    options.keepExperts = keepExperts;
    options.budget = budget;
    options.dropLayers = dropLayers;
    options.evaluation = evaluation;
    options.calibration = calibration;
    options.calibrationTokens = calibrationTokens;
    options.window = window;
    FailureOr<CompressReport> report =
        rewriteImported(getOperation(), std::move(options), getArgument());
    if (failed(report))
      return signalPassFailure();
    for (const ::linnet::CompressedMap &map : report->maps)
      narrowed += map.structure != "dense";
  }
};
} // namespace
