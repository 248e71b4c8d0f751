//===- Pipelines.h - named sequences of passes ----------------*- C++ -*-===//

#ifndef PASSES_PIPELINES_PIPELINES_H
#define PASSES_PIPELINES_PIPELINES_H

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassOptions.h"

namespace mlir::linnet {

struct LowerToLLVMOptions : PassPipelineOptions<LowerToLLVMOptions> {
  Option<bool> expandF16{*this, "expand-f16",
                         llvm::cl::desc("the target lacks F16C"),
                         llvm::cl::init(false)};
};

/// Appends the passes that take kernels (func, scf, vector, memref, arith,
/// math, llvm) to the LLVM dialect. Memrefs at function boundaries are bare
/// pointers. Registered as `linnet-lower-to-llvm`.
void buildLowerToLLVMPipeline(OpPassManager &pm,
                              const LowerToLLVMOptions &options);

struct CpuPipelineOptions : PassPipelineOptions<CpuPipelineOptions> {
  Option<int64_t> maxContext{
      *this, "max-context",
      llvm::cl::desc("tokens a growing state holds (0: the model's)"),
      llvm::cl::init(0)};
  Option<int64_t> batch{*this, "batch", llvm::cl::desc("rows of the batch"),
                        llvm::cl::init(1)};
  Option<int64_t> blockTokens{*this, "block-tokens",
                              llvm::cl::desc("most tokens per prefill call"),
                              llvm::cl::init(256)};
  Option<bool> exactDecode{
      *this, "exact-decode",
      llvm::cl::desc("prefill gives the bits of as many decode steps"),
      llvm::cl::init(false)};
  Option<int64_t> vectorBits{*this, "vector-bits",
                             llvm::cl::desc("width of a vector register"),
                             llvm::cl::init(256)};
  Option<int64_t> vectorRegisters{*this, "vector-registers",
                                  llvm::cl::desc("number of vector registers"),
                                  llvm::cl::init(16)};
  Option<bool> byteDots{*this, "byte-dots",
                        llvm::cl::desc("products of bytes are summed in lanes "
                                       "of 32 bits (VNNI)"),
                        llvm::cl::init(false)};
};

/// The stages of a compilation for the CPU, in order; each appends to `pm`.
/// `linnet-cpu` is their concatenation: a stateless model becomes kernels.
void buildThreadStateStage(OpPassManager &pm,
                           const CpuPipelineOptions &options);
void buildSpecializeStage(OpPassManager &pm, const CpuPipelineOptions &options);
/// The same for one function of a module, with its open sizes.
void buildFunctionStage(OpPassManager &pm, StringRef function, int64_t batch,
                        int64_t tokens, bool exactDecode);
void buildLowerCpuStage(OpPassManager &pm, const CpuPipelineOptions &options);
void buildCpuPipeline(OpPassManager &pm, const CpuPipelineOptions &options);

struct StreamOptions : PassPipelineOptions<StreamOptions> {
  Option<std::string> function{*this, "function",
                               llvm::cl::desc("the function to stream"),
                               llvm::cl::init("forward")};
  Option<int64_t> maxContext{
      *this, "max-context",
      llvm::cl::desc("tokens a growing state holds (0: the model's)"),
      llvm::cl::init(0)};
  Option<int64_t> batch{*this, "batch", llvm::cl::desc("rows of the batch"),
                        llvm::cl::init(1)};
};

/// A causal function becomes one of a single token, `@linnet_step`, with its
/// state as arguments and results. Registered as `linnet-stream`.
void buildStreamPipeline(OpPassManager &pm, const StreamOptions &options);

void registerStreamPipeline();
void registerLowerToLLVMPipeline();
void registerCpuPipeline();

} // namespace mlir::linnet

#endif // PASSES_PIPELINES_PIPELINES_H
