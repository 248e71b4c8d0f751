//===- CutEmbeddings.cpp - narrower outputs of encoders -------------------===//

#include "passes/Compress/Passes.h"
#include "passes/Compress/Stage.h"

namespace mlir::linnet {
#define GEN_PASS_DEF_CUTEMBEDDINGS
#include "passes/Compress/Passes.h.inc"
} // namespace mlir::linnet

using namespace mlir;
using namespace mlir::linnet;

namespace {
struct CutEmbeddings : mlir::linnet::impl::CutEmbeddingsBase<CutEmbeddings> {
  using CutEmbeddingsBase::CutEmbeddingsBase;

  void runOnOperation() override {
    if (width < 1) {
      emitError(getOperation().getLoc(),
                "expected a width of at least 1, but got ")
          << width.getValue();
      return signalPassFailure();
    }
    CompressOptions options;
    options.output = output;
    options.embeddingWidth = width;
    options.evaluation = evaluation;
    options.calibration = calibration;
    options.calibrationTokens = calibrationTokens;
    options.window = window;
    FailureOr<CompressReport> report =
        rewriteImported(getOperation(), std::move(options), getArgument());
    if (failed(report))
      return signalPassFailure();
  }
};
} // namespace
