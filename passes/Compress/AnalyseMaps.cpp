//===- AnalyseMaps.cpp - what each map can do without ---------------------===//

#include "linnet/Compress/Stages.h"
#include "passes/Compress/Passes.h"
#include "passes/Compress/Stage.h"

namespace mlir::linnet {
#define GEN_PASS_DEF_ANALYSEMAPS
#include "passes/Compress/Passes.h.inc"
} // namespace mlir::linnet

using namespace mlir;
using namespace mlir::linnet;

namespace {
struct AnalyseMaps : mlir::linnet::impl::AnalyseMapsBase<AnalyseMaps> {
  using AnalyseMapsBase::AnalyseMapsBase;

  void runOnOperation() override {
    CompressOptions options;
    options.output = output;
    if (!structures.empty())
      options.structures.assign(structures.begin(), structures.end());
    options.group = group;
    options.blocks = blocks;
    options.blockHeight = blockHeight;
    options.blockWidth = blockWidth;
    options.patternKept = patternKept;
    options.patternSize = patternSize;
    options.rankMultiple = rankMultiple;
    options.sensitivityTokens = sensitivityTokens;
    options.fitTo = fitTo;
    options.resume = resume;
    options.calibration = calibration;
    options.calibrationTokens = calibrationTokens;
    options.window = window;
    FailureOr<CompressReport> report =
        runStage(getOperation(), std::move(options),
                 ::linnet::analyseLinearMaps, getArgument());
    if (failed(report))
      return signalPassFailure();
    analysed += unsigned(report->maps.size());
  }
};
} // namespace
