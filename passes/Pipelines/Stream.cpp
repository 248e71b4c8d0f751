//===- Stream.cpp - a causal function as a step ---------------------------===//

#include "passes/Form/Passes.h"
#include "passes/Lower/Passes.h"
#include "passes/Pipelines/Pipelines.h"

#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace mlir::linnet;

void linnet::buildStreamPipeline(OpPassManager &pm,
                                 const StreamOptions &options) {
  // States become arguments and results; what cannot stream is an error.
  ThreadStateOptions threadState;
  threadState.function = options.function;
  threadState.maxContext = options.maxContext;
  pm.addPass(createThreadState(threadState));
  // One token.
  SpecializePhasesOptions specialize;
  specialize.function = options.function;
  specialize.phase = "step";
  specialize.tokens = 1;
  specialize.batch = options.batch;
  pm.addPass(createSpecializePhases(specialize));
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}

void linnet::registerStreamPipeline() {
  PassPipelineRegistration<StreamOptions>(
      "linnet-stream",
      "Turn a causal function into a step of one token with explicit state",
      buildStreamPipeline);
}
