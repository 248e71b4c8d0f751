//===- FitMaps.cpp - fits by a plan ---------------------------------------===//

#include "linnet/Compress/Stages.h"
#include "passes/Compress/ApplyStructures.h"
#include "passes/Compress/Passes.h"
#include "passes/Compress/Stage.h"

namespace mlir::linnet {
#define GEN_PASS_DEF_FITMAPS
#include "passes/Compress/Passes.h.inc"
} // namespace mlir::linnet

using namespace mlir;
using namespace mlir::linnet;

namespace {
struct FitMaps : mlir::linnet::impl::FitMapsBase<FitMaps> {
  using FitMapsBase::FitMapsBase;

  void runOnOperation() override {
    CompressOptions options;
    options.output = output;
    options.plan = plan;
    options.evaluation = evaluation;
    options.fitTo = fitTo;
    options.refit = refit;
    options.resume = resume;
    options.force = force;
    options.calibration = calibration;
    options.calibrationTokens = calibrationTokens;
    options.window = window;
    FailureOr<CompressReport> report =
        runStage(getOperation(), std::move(options), ::linnet::fitLinearMaps,
                 getArgument());
    if (failed(report))
      return signalPassFailure();
    FailureOr<int64_t> count = applyStructures(getOperation(), output);
    if (failed(count))
      return signalPassFailure();
    fitted += unsigned(*count);
  }
};
} // namespace
