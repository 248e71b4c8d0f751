//===- CompileFlags.h - compilation options on a command line -*- C++ -*-===//

#ifndef LINNET_DRIVER_COMPILEFLAGS_H
#define LINNET_DRIVER_COMPILEFLAGS_H

#include "linnet/Driver/Compile.h"

#include "llvm/Support/CommandLine.h"

#include <string>

namespace linnet {

/// The flags every tool that compiles takes. Make one before the command line
/// is parsed; `options` holds what was given afterwards.
class CompileFlags {
  using Category = llvm::cl::OptionCategory;

public:
  explicit CompileFlags(Category &category)
      : level("O", llvm::cl::Prefix, llvm::cl::value_desc("0..3"),
              llvm::cl::cat(category), llvm::cl::location(options.optLevel),
              llvm::cl::init(3),
              llvm::cl::desc("Optimisation level (default 3)")),
        mcpu("mcpu", llvm::cl::value_desc("CPU"), llvm::cl::cat(category),
             llvm::cl::location(options.mcpu), llvm::cl::init("native"),
             llvm::cl::desc("Processor: native (default), generic, x86-64-v3, "
                            "znver4, ...")),
        batch("batch", llvm::cl::value_desc("N"), llvm::cl::cat(category),
              llvm::cl::location(options.batch), llvm::cl::init(1),
              llvm::cl::desc("Sequences per step (default 1)")),
        maxContext(
            "max-context", llvm::cl::value_desc("N"), llvm::cl::cat(category),
            llvm::cl::desc(
                "Tokens a session can hold (default: the model's limit)"),
            llvm::cl::callback(
                [this](const int64_t &n) { options.maxContext = n; })),
        blockTokens(
            "block-tokens", llvm::cl::value_desc("N"), llvm::cl::cat(category),
            llvm::cl::location(options.blockTokens), llvm::cl::init(256),
            llvm::cl::desc("Most tokens of one prefill step (default 256)")),
        exactDecode(
            "exact-decode", llvm::cl::cat(category),
            llvm::cl::location(options.exactDecode),
            llvm::cl::desc("Prefill gives the same bits, logits and states, as "
                           "decoding its tokens one by one")),
        failOnFallback("fail-on-fallback", llvm::cl::cat(category),
                       llvm::cl::location(options.failOnFallback),
                       llvm::cl::desc("Slow paths are errors")) {}

  CompileOptions options;

private:
  llvm::cl::opt<int, true> level;
  llvm::cl::opt<std::string, true> mcpu;
  llvm::cl::opt<int64_t, true> batch;
  llvm::cl::opt<int64_t> maxContext;
  llvm::cl::opt<int64_t, true> blockTokens;
  llvm::cl::opt<bool, true> exactDecode;
  llvm::cl::opt<bool, true> failOnFallback;
};

} // namespace linnet

#endif // LINNET_DRIVER_COMPILEFLAGS_H
