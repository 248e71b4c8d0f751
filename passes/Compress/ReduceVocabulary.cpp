//===- ReduceVocabulary.cpp - tokens that a text does not need ------------===//

#include "passes/Compress/Passes.h"
#include "passes/Compress/Stage.h"

#include "dialects/Linnet/Linnet.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace mlir::linnet {
#define GEN_PASS_DEF_REDUCEVOCABULARY
#include "passes/Compress/Passes.h.inc"
} // namespace mlir::linnet

using namespace mlir;
using namespace mlir::linnet;

namespace {
struct ReduceVocabulary
    : mlir::linnet::impl::ReduceVocabularyBase<ReduceVocabulary> {
  using ReduceVocabularyBase::ReduceVocabularyBase;

  void runOnOperation() override {
    if (text.empty()) {
      emitError(getOperation().getLoc(), "expected a text whose tokens stay");
      return signalPassFailure();
    }
    CompressOptions options;
    options.output = output;
    options.keepVocabulary = text;
    options.evaluation = evaluation;
    CompressReport report;
    if (failed(rewriteImported(getOperation(), std::move(options), report)))
      return signalPassFailure();
    remarkMaps(getOperation(), report, "linnet-reduce-vocabulary");
  }
};
} // namespace
