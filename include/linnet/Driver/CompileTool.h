//===- CompileTool.h - what linnet-compile does ---------------*- C++ -*-===//

#ifndef LINNET_DRIVER_COMPILETOOL_H
#define LINNET_DRIVER_COMPILETOOL_H

#include "linnet/Driver/Compile.h"

#include <string>

namespace llvm {
class raw_ostream;
}

namespace linnet {

struct CompileToolOptions {
  std::string input;
  std::string output;
  bool printStageTimes = false;
  bool verbose = false;
};

/// Compiles and says on stderr what happened: progress on a terminal only,
/// warnings, one line per error. Returns the exit code. The options are copies
/// because lld resets what flags hold.
int runCompileTool(CompileToolOptions tool, CompileOptions options);

/// The same lines for other tools that compile on the way: sets up
/// `report.progress`, and prints warnings and reproducer afterwards.
void showProgress(CompileReport &report, const std::string &program);
void printReport(const CompileReport &report, const std::string &program,
                 bool stageTimes);

/// "linnet 0.1.0 (LLVM 22.1.8), host znver3".
void printCompilerVersion(llvm::raw_ostream &out);

} // namespace linnet

#endif // LINNET_DRIVER_COMPILETOOL_H
