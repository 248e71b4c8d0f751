//===- ThresholdActivations.cpp - small inputs count as zero --------------===//

#include "passes/Compress/Passes.h"
#include "passes/Compress/Stage.h"

namespace mlir::linnet {
#define GEN_PASS_DEF_THRESHOLDACTIVATIONS
#include "passes/Compress/Passes.h.inc"
} // namespace mlir::linnet

using namespace mlir;
using namespace mlir::linnet;

namespace {
struct ThresholdActivations
    : mlir::linnet::impl::ThresholdActivationsBase<ThresholdActivations> {
  using ThresholdActivationsBase::ThresholdActivationsBase;

  void runOnOperation() override {
    if (thresholds.empty()) {
      emitError(getOperation().getLoc(),
                "expected thresholds, share:F or error:E");
      return signalPassFailure();
    }
    CompressOptions options;
    options.output = output;
    options.thresholds = thresholds;
    options.evaluation = evaluation;
    options.calibration = calibration;
    options.calibrationTokens = calibrationTokens;
    options.window = window;
    FailureOr<CompressReport> report =
        rewriteImported(getOperation(), std::move(options), getArgument());
    if (failed(report))
      return signalPassFailure();
    thresholded += unsigned(report->thresholds.size());
  }
};
} // namespace
