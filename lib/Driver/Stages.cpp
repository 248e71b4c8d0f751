//===- Stages.cpp - running the stages of a compilation -------------------===//

#include "Stages.h"

#include "linnet/Support/File.h"

#include "mlir/IR/OwningOpRef.h"
#include "mlir/IR/Verifier.h"

#include "llvm/Support/CrashRecoveryContext.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/raw_ostream.h"

#include <chrono>
#include <filesystem>
#include <mutex>
#include <unistd.h>

namespace linnet {
namespace {

/// LLVM ends the process on a fatal error unless told otherwise.
std::mutex handlerMutex;
int handlerUsers = 0;

void recoverFromFatalError(void *, const char *reason, bool) {
  if (llvm::CrashRecoveryContext *current =
          llvm::CrashRecoveryContext::GetCurrent())
    current->HandleExit(70);
}

std::string reproducerName(std::string_view stage) {
  std::error_code code;
  std::string directory = std::filesystem::temp_directory_path(code).string();
  if (code)
    directory = "/tmp";
  return directory + "/linnet-" + std::string(stage) + "-" +
         std::to_string(getpid()) + ".mlir";
}

} // namespace

StageRunner::StageRunner(CompileReport &report) : report(report) {
  std::lock_guard<std::mutex> lock(handlerMutex);
  if (handlerUsers++ == 0) {
    llvm::install_fatal_error_handler(recoverFromFatalError);
    llvm::CrashRecoveryContext::Enable();
  }
}

StageRunner::~StageRunner() {
  std::lock_guard<std::mutex> lock(handlerMutex);
  if (--handlerUsers == 0) {
    llvm::CrashRecoveryContext::Disable();
    llvm::remove_fatal_error_handler();
  }
}

StageRunner::Outcome StageRunner::time(std::string_view name, Status &status,
                                       llvm::function_ref<Status()> body) {
  if (report.progress)
    report.progress(name);
  auto start = std::chrono::steady_clock::now();
  llvm::CrashRecoveryContext recovery;
  bool returned = recovery.RunSafely([&] { status = body(); });
  std::chrono::duration<double> seconds =
      std::chrono::steady_clock::now() - start;
  report.stages.emplace_back(name, seconds.count());
  if (!returned)
    return Outcome::Crashed;
  return status ? Outcome::Done : Outcome::Failed;
}

Status StageRunner::internal(std::string_view name, mlir::ModuleOp before,
                             const std::string &pipeline,
                             const std::string &problem) {
  report.internal = true;
  if (before) {
    std::string text;
    llvm::raw_string_ostream stream(text);
    stream << "// linnet " << name << ": " << problem << "\n";
    if (!pipeline.empty())
      stream << "// linnet-opt --pass-pipeline='" << pipeline << "'\n";
    before->print(stream, mlir::OpPrintingFlags().enableDebugInfo());
    stream << "\n";
    std::string path = reproducerName(name);
    if (writeFileAtomically(path, text))
      report.reproducer = path;
  }
  return makeError("internal error in stage ", name, ": ", problem);
}

Status StageRunner::run(std::string_view name,
                        llvm::function_ref<Status()> body) {
  Status status;
  if (time(name, status, body) == Outcome::Crashed)
    return internal(name, {}, "", "crashed");
  return status;
}

Status StageRunner::runInternal(std::string_view name, mlir::ModuleOp module,
                                llvm::function_ref<Status()> body) {
  mlir::OwningOpRef<mlir::ModuleOp> before = module.clone();
  Status status;
  DiagnosticCollector diagnostics(*module.getContext());
  switch (time(name, status, body)) {
  case Outcome::Done:
    return {};
  case Outcome::Crashed:
    return internal(name, *before, "", "crashed");
  case Outcome::Failed:
    break;
  }
  return internal(name, *before, "",
                  diagnostics.error(status.error().str()).str());
}

Status
StageRunner::runPasses(std::string_view name, mlir::ModuleOp module,
                       llvm::function_ref<void(mlir::OpPassManager &)> build) {
  mlir::OwningOpRef<mlir::ModuleOp> before = module.clone();
  mlir::PassManager passes(module.getContext());
  build(passes);
  std::string pipeline;
  llvm::raw_string_ostream stream(pipeline);
  passes.printAsTextualPipeline(stream);

  Status status;
  std::string problem;
  bool reported = false;
  Outcome outcome;
  {
    DiagnosticCollector diagnostics(*module.getContext());
    outcome = time(name, status, [&]() -> Status {
      if (mlir::failed(passes.run(module)))
        return makeError("the passes failed");
      return {};
    });
    for (const std::string &warning : diagnostics.warningLines())
      report.warnings.push_back(warning);
    reported = diagnostics.hasError();
    if (outcome == Outcome::Failed)
      problem = diagnostics.error(status.error().str()).str();
  }
  if (outcome == Outcome::Done)
    return {};
  if (outcome == Outcome::Crashed)
    return internal(name, *before, pipeline, "crashed");
  // A pass that leaves invalid IR behind has a bug; one that reports an error
  // on valid IR has found one in the input.
  DiagnosticCollector silent(*module.getContext());
  if (reported && mlir::succeeded(mlir::verify(module)))
    return Error(problem);
  return internal(name, *before, pipeline, problem);
}

} // namespace linnet
