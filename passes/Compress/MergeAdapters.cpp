//===- MergeAdapters.cpp - what was learned beside weights ----------------===//

#include "passes/Compress/Passes.h"
#include "passes/Compress/Stage.h"

#include "dialects/Linnet/Linnet.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace mlir::linnet {
#define GEN_PASS_DEF_MERGEADAPTERS
#include "passes/Compress/Passes.h.inc"
} // namespace mlir::linnet

using namespace mlir;
using namespace mlir::linnet;

namespace {
struct MergeAdapters : mlir::linnet::impl::MergeAdaptersBase<MergeAdapters> {
  using MergeAdaptersBase::MergeAdaptersBase;

  void runOnOperation() override {
    if (adapters.empty()) {
      emitError(getOperation().getLoc(), "expected adapters to add");
      return signalPassFailure();
    }
    CompressOptions options;
    options.output = output;
    options.adapters.assign(adapters.begin(), adapters.end());
    CompressReport report;
    if (failed(rewriteImported(getOperation(), std::move(options), report)))
      return signalPassFailure();
    remarkMaps(getOperation(), report, "linnet-merge-adapters");
  }
};
} // namespace
