//===- CpuPipeline.cpp - a model to kernels for the CPU -------------------===//

#include "passes/CPU/Passes.h"
#include "passes/Form/Passes.h"
#include "passes/Lower/Passes.h"
#include "passes/Pipelines/Pipelines.h"

#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace mlir::linnet;

void linnet::buildThreadStateStage(OpPassManager &pm,
                                   const CpuPipelineOptions &options) {
  // States become arguments and results.
  ThreadStateOptions threadState;
  threadState.maxContext = options.maxContext;
  pm.addPass(createThreadState(threadState));
}

static void buildSpecialization(OpPassManager &pm,
                                const SpecializePhasesOptions &options,
                                bool exactDecode) {
  // Structures without a kernel of their own become ones that have it.
  pm.addPass(createExpandStructures());
  // Maps of inputs that are mostly zero know it, while the glue is plain.
  pm.addPass(createSkipZeros());
  // One recurrence only.
  pm.addPass(createExpandStep());
  pm.addPass(createSimplifyTransitions());
  // Prefill and decode (or encode, or run), each with its shapes.
  pm.addPass(createSpecializePhases(options));
  // How recurrences are computed: prefill and decode differ, unless they may
  // not.
  SelectFormOptions form;
  form.exactDecode = exactDecode;
  pm.addPass(createSelectForm(form));
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  // Chains of pointwise glue become one loop: a barrier and a pass over the
  // activations less each.
  pm.addNestedPass<func::FuncOp>(createConvertElementwiseToLinalgPass());
  pm.addPass(createLinalgElementwiseOpFusionPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}

void linnet::buildSpecializeStage(OpPassManager &pm,
                                  const CpuPipelineOptions &options) {
  SpecializePhasesOptions specialize;
  specialize.batch = options.batch;
  specialize.blockTokens = options.blockTokens;
  buildSpecialization(pm, specialize, options.exactDecode);
}

void linnet::buildFunctionStage(OpPassManager &pm, StringRef function,
                                int64_t batch, int64_t tokens,
                                bool exactDecode) {
  SpecializePhasesOptions specialize;
  specialize.batch = batch;
  specialize.function = function.str();
  specialize.tokens = tokens;
  buildSpecialization(pm, specialize, exactDecode);
}

void linnet::buildLowerCpuStage(OpPassManager &pm,
                                const CpuPipelineOptions &options) {
  // Tensors to workspace, operations to kernels.
  LowerCpuOptions lower;
  lower.vectorBits = options.vectorBits;
  lower.vectorRegisters = options.vectorRegisters;
  lower.byteDots = options.byteDots;
  pm.addPass(createLowerCpu(lower));
  // Here, where a function without expansion is still an error in the model.
  pm.addNestedPass<func::FuncOp>(createExpandMath());
}

void linnet::buildCpuPipeline(OpPassManager &pm,
                              const CpuPipelineOptions &options) {
  buildThreadStateStage(pm, options);
  buildSpecializeStage(pm, options);
  buildLowerCpuStage(pm, options);
}

void linnet::registerCpuPipeline() {
  PassPipelineRegistration<CpuPipelineOptions>(
      "linnet-cpu", "Lower a model to kernels for the CPU", buildCpuPipeline);
}
