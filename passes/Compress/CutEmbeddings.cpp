//===- CutEmbeddings.cpp - narrower outputs of encoders -------------------===//

#include "passes/Compress/Passes.h"
#include "passes/Compress/Stage.h"

#include "dialects/Linnet/Linnet.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

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
    CompressReport report;
    if (failed(rewriteImported(getOperation(), std::move(options), report)))
      return signalPassFailure();
    remarkMaps(getOperation(), report, "linnet-cut-embeddings");
  }
};
} // namespace
