//===- NarrowLayers.cpp - fewer channels, heads and layers ----------------===//

#include "passes/Compress/Passes.h"
#include "passes/Compress/Stage.h"

#include "dialects/Linnet/Linnet.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

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
        keepRecurrentHeads == 1 && keepExperts == 1 && dropLayers == 0 &&
        budget.empty()) {
      emitError(getOperation().getLoc(),
                "expected something to leave out (keep-channels, keep-heads, "
                "keep-kv-groups, keep-recurrent-heads, keep-experts, "
                "drop-layers or budget)");
      return signalPassFailure();
    }
    CompressOptions options;
    options.output = output;
    options.keepChannels = keepChannels;
    options.keepHeads = keepHeads;
    options.keepKvGroups = keepKvGroups;
    options.keepRecurrentHeads = keepRecurrentHeads;
    options.keepExperts = keepExperts;
    options.budget = budget;
    options.dropLayers = dropLayers;
    options.evaluation = evaluation;
    options.calibration = calibration;
    options.calibrationTokens = calibrationTokens;
    options.window = window;
    CompressReport report;
    if (failed(rewriteImported(getOperation(), std::move(options), report)))
      return signalPassFailure();
    remarkMaps(getOperation(), report, "linnet-narrow-layers");
    for (const ::linnet::CompressedMap &map : report.maps)
      narrowed += map.structure != "dense";
  }
};
} // namespace
