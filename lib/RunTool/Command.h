//===- Command.h - what a subcommand is -----------------------*- C++ -*-===//

#ifndef LINNET_LIB_RUNTOOL_COMMAND_H
#define LINNET_LIB_RUNTOOL_COMMAND_H

#include "linnet/Support/Result.h"

#include "llvm/Support/CommandLine.h"

#include <string>

namespace linnet::runtool {

/// Set by whoever meets a bug of Linnet rather than an error of the user's:
/// the exit code becomes 2.
struct Verdict {
  bool internal = false;
  /// Where the input that shows the bug was written, if it was.
  std::string reproducer;
};

/// A subcommand. Its options are statics of its file.
struct Command {
  llvm::cl::SubCommand *parser;
  llvm::cl::OptionCategory *options;
  Status (*run)(Verdict &verdict);
};

Command runCommand();
Command generateCommand();
Command perplexityCommand();
Command benchCommand();
Command rooflineCommand();
Command tokenizeCommand();

/// A line on stderr: "linnet-run: TEXT".
void note(const std::string &text);

/// Writes to stdout and flushes. Errors: the disk is full, the pipe closed.
Status print(const std::string &text);

} // namespace linnet::runtool

#endif // LINNET_LIB_RUNTOOL_COMMAND_H
