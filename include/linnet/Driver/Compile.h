//===- Compile.h - a model in, a compiled directory out -------*- C++ -*-===//
//
// The stages of a compilation, in one process: import, fold, thread-state,
// specialise, lower-cpu, llvm, link, package.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_DRIVER_COMPILE_H
#define LINNET_DRIVER_COMPILE_H

#include "linnet/Support/Interrupt.h"
#include "linnet/Support/Result.h"

#include "mlir/IR/BuiltinOps.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace linnet {

/// What a compilation ends with.
enum class Emit {
  /// The model as imported: the linnet dialect.
  Mlir,
  /// One clone per phase, before kernels.
  Linalg,
  /// Optimised LLVM IR as text.
  Llvm,
  /// One object file.
  Object,
  /// A compiled directory.
  Shared
};

struct CompileOptions {
  /// 0..3.
  int optLevel = 3;
  /// See resolveTarget().
  std::string mcpu = "native";
  /// Sequences per step.
  int64_t batch = 1;
  /// Tokens a session can hold; without it the model's limit.
  std::optional<int64_t> maxContext;
  /// Most tokens of one prefill step.
  int64_t blockTokens = 256;
  /// Prefill gives the same bits as decoding its tokens one by one.
  bool exactDecode = false;
  Emit emit = Emit::Shared;
  /// Copy the weight files into the directory rather than refer to them.
  bool bundle = false;
  /// Slow paths are errors rather than warnings.
  bool failOnFallback = false;
  /// Replace an existing compiled directory.
  bool force = false;
  /// Threads of the compiler; 0: one per processor.
  unsigned threads = 0;

  /// Errors: values out of range, an unknown processor.
  Status check() const;
};

/// What a compilation did, filled in as it goes, also when it fails.
struct CompileReport {
  /// "Hugging Face checkpoint (llama)".
  std::string detected;
  /// One line each.
  std::vector<std::string> warnings;
  /// Stages in order, with seconds.
  std::vector<std::pair<std::string, double>> stages;
  /// The failure is a bug of the compiler, not of the input.
  bool internal = false;
  /// Where the input of the failing stage was written, if it is one.
  std::string reproducer;
  /// Called at the start of each stage.
  std::function<void(std::string_view stage)> progress;

  /// 0: ok, 1: the user's error, 2: an internal error.
  int exitCode(const Status &status) const;
};

/// Compiles `input`, a Hugging Face checkpoint directory, an MLIR file (text or
/// bytecode), or "-" for one on standard input, into the directory `out`.
/// Nothing appears there unless all went well.
Status compileToDirectory(const std::string &input, const std::string &out,
                          const CompileOptions &options, CompileReport &report);

/// Compiles up to `options.emit` (other than Shared) and writes one file,
/// atomically; "-" is standard output.
Status compileToFile(const std::string &input, const std::string &out,
                     const CompileOptions &options, CompileReport &report);

/// Compiles a module that is already loaded; `source` is what manifests and
/// relative archive paths refer to. The module is consumed.
Status compileModule(mlir::ModuleOp module, const std::string &source,
                     const std::string &out, const CompileOptions &options,
                     CompileReport &report);

/// An argument of a function to compile.
struct FunctionInput {
  std::vector<int64_t> shape;
  /// The value of an argument of type index, whose shape is empty: it becomes
  /// part of the code.
  std::optional<int64_t> index;
};

/// A compiled directory that is removed with the object.
class CompiledFunction {
public:
  explicit CompiledFunction(std::string directory)
      : path(std::move(directory)), cleanup(path) {}
  CompiledFunction(CompiledFunction &&other) noexcept
      : path(std::exchange(other.path, {})), cleanup(std::move(other.cleanup)) {
  }
  CompiledFunction &operator=(CompiledFunction &&other) noexcept {
    std::swap(path, other.path);
    std::swap(cleanup, other.cleanup);
    return *this;
  }
  ~CompiledFunction();
  /// Opens as a model of kind function.
  const std::string &directory() const { return path; }

private:
  std::string path;
  InterruptCleanup cleanup;
};

/// Compiles the function `name` of `module` (unchanged) for inputs of these
/// shapes. Errors: no such function; arguments that are not tensors; shapes
/// that do not fit its type.
Result<CompiledFunction>
compileFunction(mlir::ModuleOp module, const std::string &name,
                const std::vector<FunctionInput> &inputs,
                const std::string &source, const CompileOptions &options,
                CompileReport &report);

} // namespace linnet

#endif // LINNET_DRIVER_COMPILE_H
