//===- FoldWeights.cpp - what changes nothing goes ------------------------===//

#include "passes/Compress/Passes.h"
#include "passes/Compress/Stage.h"

#include "dialects/Linnet/Linnet.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

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
    CompressReport report;
    if (failed(rewriteImported(getOperation(), std::move(options), report)))
      return signalPassFailure();
    remarkMaps(getOperation(), report, "linnet-fold-weights");
    folded += unsigned(report.notes.size());
  }
};
} // namespace
