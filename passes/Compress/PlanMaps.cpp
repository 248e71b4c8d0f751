//===- PlanMaps.cpp - one budget over all maps ----------------------------===//

#include "linnet/Compress/Stages.h"
#include "passes/Compress/Passes.h"
#include "passes/Compress/Stage.h"

namespace mlir::linnet {
#define GEN_PASS_DEF_PLANMAPS
#include "passes/Compress/Passes.h.inc"
} // namespace mlir::linnet

using namespace mlir;
using namespace mlir::linnet;

namespace {
struct PlanMaps : mlir::linnet::impl::PlanMapsBase<PlanMaps> {
  using PlanMapsBase::PlanMapsBase;

  void runOnOperation() override {
    CompressOptions options;
    options.output = output;
    options.analysis = analysis;
    options.budget = budget;
    options.floor = floor;
    options.layerKinds = layerKinds;
    FailureOr<CompressReport> report =
        runStage(getOperation(), std::move(options), ::linnet::planLinearMaps,
                 getArgument());
    if (failed(report))
      return signalPassFailure();
    for (const ::linnet::CompressedMap &map : report->maps)
      planned += map.structure != "dense";
  }
};
} // namespace
