//===- ReduceVocabulary.cpp - tokens that a text does not need ------------===//

#include "passes/Compress/Passes.h"
#include "passes/Compress/Stage.h"

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
    FailureOr<CompressReport> report =
        rewriteImported(getOperation(), std::move(options), getArgument());
    if (failed(report))
      return signalPassFailure();
  }
};
} // namespace
