//===- CompileTool.cpp - what linnet-compile does -------------------------===//

#include "linnet/Driver/CompileTool.h"

#include "linnet/Driver/Target.h"
#include "linnet/Runtime/Manifest.h"
#include "linnet/Runtime/Usage.h"
#include "linnet/Support/Quote.h"

#include "llvm/Config/llvm-config.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdio>
#include <unistd.h>

namespace linnet {
namespace {

/// Erases the progress line, which has no newline.
void clearProgress() {
  if (isatty(STDERR_FILENO))
    fputs("\r\033[K", stderr);
}

} // namespace

void showProgress(CompileReport &report, const std::string &program) {
  if (!isatty(STDERR_FILENO))
    return;
  report.progress = [program](std::string_view stage) {
    fprintf(stderr, "\r\033[K%s: %.*s ...", program.c_str(), int(stage.size()),
            stage.data());
    fflush(stderr);
  };
}

void printReport(const CompileReport &report, const std::string &program,
                 bool stageTimes) {
  clearProgress();
  for (const std::string &warning : report.warnings)
    fprintf(stderr, "%s: warning: %s\n", program.c_str(), warning.c_str());
  if (stageTimes) {
    double total = 0;
    for (const auto &[stage, seconds] : report.stages) {
      fprintf(stderr, "%-12s %8.3f s\n", stage.c_str(), seconds);
      total += seconds;
    }
    fprintf(stderr, "%-12s %8.3f s\n", "total", total);
    fprintf(stderr, "%-12s %8.1f MiB\n", "peak memory",
            double(peakResidentBytes()) / (1 << 20));
  }
  if (!report.reproducer.empty())
    fprintf(stderr, "%s: the input of the failing stage is in %s\n",
            program.c_str(), report.reproducer.c_str());
}

int runCompileTool(CompileToolOptions tool, CompileOptions options) {
  const std::string program = "linnet-compile";
  CompileReport report;
  showProgress(report, program);
  Status status =
      options.emit == Emit::Shared
          ? compileToDirectory(tool.input, tool.output, options, report)
          : compileToFile(tool.input, tool.output, options, report);
  clearProgress();
  if (tool.verbose && !report.detected.empty())
    fprintf(stderr, "%s: %s: %s\n", program.c_str(),
            quoteName(tool.input).c_str(), report.detected.c_str());
  printReport(report, program, tool.printStageTimes);
  if (!status)
    fprintf(stderr, "%s: error: %s\n", program.c_str(),
            status.error().str().c_str());
  else if (tool.verbose)
    fprintf(stderr, "%s: wrote %s\n", program.c_str(),
            quoteName(tool.output).c_str());
  return report.exitCode(status);
}

void printCompilerVersion(llvm::raw_ostream &out) {
  out << "linnet " << kLinnetVersion << " (LLVM " << LLVM_VERSION_STRING << ")";
  if (Result<Target> host = resolveTarget("native"))
    out << ", native processor " << host->cpu << ", " << host->vectorBits
        << "-bit vectors";
  out << "\n";
}

} // namespace linnet
