//===- Stages.h - running the stages of a compilation ---------*- C++ -*-===//
//
// A stage is timed, its crashes are caught, and when it fails for a bug its
// input is written to a file.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_DRIVER_STAGES_H
#define LIB_DRIVER_STAGES_H

#include "Diagnostics.h"

#include "linnet/Driver/Compile.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"

namespace linnet {

class StageRunner {
public:
  explicit StageRunner(CompileReport &report);
  ~StageRunner();

  /// A stage whose failures are the user's.
  Status run(std::string_view name, llvm::function_ref<Status()> body);
  /// A stage that works on `module`; a failure is a bug.
  Status runInternal(std::string_view name, mlir::ModuleOp module,
                     llvm::function_ref<Status()> body);
  /// A sequence of passes on `module`. An error that a pass reports on valid IR
  /// is the user's; anything else is a bug.
  Status runPasses(std::string_view name, mlir::ModuleOp module,
                   llvm::function_ref<void(mlir::OpPassManager &)> build);

private:
  enum class Outcome { Done, Failed, Crashed };
  Outcome time(std::string_view name, Status &status,
               llvm::function_ref<Status()> body);
  Status internal(std::string_view name, mlir::ModuleOp before,
                  const std::string &pipeline, const std::string &problem);

  CompileReport &report;
};

} // namespace linnet

#endif // LIB_DRIVER_STAGES_H
