//===- LowerToLLVM.cpp - kernels to the LLVM dialect ----------------------===//

#include "passes/CPU/Passes.h"
#include "passes/Pipelines/Pipelines.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

void linnet::buildLowerToLLVMPipeline(OpPassManager &pm,
                                      const LowerToLLVMOptions &options) {
  // While values are still vectors and loops still loops.
  ExpandHalfOptions half;
  half.f16 = options.expandF16;
  pm.addNestedPass<func::FuncOp>(createExpandMath());
  pm.addNestedPass<func::FuncOp>(createExpandHalf(half));
  // Vectors of rank above one: unrolled to rank one.
  VectorTransferToSCFOptions unroll;
  unroll.enableFullUnroll();
  pm.addNestedPass<func::FuncOp>(createConvertVectorToSCFPass(unroll));
  pm.addNestedPass<func::FuncOp>(createLoopInvariantCodeMotionPass());
  // Structured control flow to branches.
  pm.addNestedPass<func::FuncOp>(createSCFToControlFlowPass());
  // Subviews to address arithmetic, which becomes arith.
  pm.addNestedPass<func::FuncOp>(memref::createExpandStridedMetadataPass());
  pm.addNestedPass<func::FuncOp>(createLowerAffinePass());
  // Everything to the LLVM dialect, vectors first: they use the rest.
  pm.addPass(createConvertVectorToLLVMPass());
  pm.addPass(createConvertKernelsToLLVM());
  // What the conversions left between them.
  pm.addPass(createReconcileUnrealizedCastsPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}

void linnet::registerLowerToLLVMPipeline() {
  PassPipelineRegistration<LowerToLLVMOptions>(
      "linnet-lower-to-llvm", "Lower kernels to the LLVM dialect",
      buildLowerToLLVMPipeline);
}
