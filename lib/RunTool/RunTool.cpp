//===- RunTool.cpp - choosing a subcommand, reporting its outcome ---------===//

#include "linnet/RunTool/RunTool.h"

#include "Command.h"

#include "linnet/Driver/Plugins.h"
#include "linnet/Runtime/Manifest.h"
#include "linnet/Support/File.h"
#include "linnet/Support/Quote.h"

#include <cerrno>
#include <csignal>
#include <cstdio>

namespace linnet {
namespace runtool {

void note(const std::string &text) {
  fprintf(stderr, "linnet-run: %s\n", text.c_str());
}

Status print(const std::string &text) {
  if (fwrite(text.data(), 1, text.size(), stdout) != text.size() ||
      fflush(stdout) != 0)
    return systemError("write", "standard output", errno);
  return {};
}

} // namespace runtool

using namespace runtool;

static std::string namesOf(const std::vector<Command> &commands) {
  std::string names;
  for (const Command &command : commands)
    names += (names.empty() ? "" : ", ") + command.parser->getName().str();
  return names;
}

/// The parser reads arguments from the file of a bare "@FILE"; as the value of
/// an option, "--tokens @FILE", it is ours, so it is joined to the option.
static std::vector<std::string> joinFileValues(int argc, char **argv) {
  std::vector<std::string> joined;
  for (int i = 0; i < argc; ++i) {
    bool isValue = i > 0 && argv[i][0] == '@' &&
                   llvm::StringRef(argv[i - 1]).starts_with("--") &&
                   !llvm::StringRef(argv[i - 1]).contains('=');
    if (isValue)
      joined.back() += std::string("=") + argv[i];
    else
      joined.push_back(argv[i]);
  }
  return joined;
}

int runTool(int argc, char **argv) {
  const std::vector<Command> commands = {
      runCommand(),   generateCommand(), perplexityCommand(),
      benchCommand(), rooflineCommand(), tokenizeCommand()};
  // A closed pipe is a write error to report, not a death by signal.
  signal(SIGPIPE, SIG_IGN);
  // The parser would take an unknown word for an argument of no command.
  if (argc < 2 || argv[1][0] != '-') {
    bool known = false;
    for (const Command &command : commands)
      known |= argc >= 2 && command.parser->getName() == argv[1];
    if (!known) {
      note("error: expected a command (" + namesOf(commands) + "), but got " +
           (argc < 2 ? std::string("none") : quoteName(argv[1])) +
           "; see linnet-run --help");
      return 1;
    }
  }
  llvm::cl::OptionCategory general("Options of all commands");
  PluginFlag plugins("linnet-run", general);
  llvm::cl::HideUnrelatedOptions(general);
  for (const Command &command : commands)
    llvm::cl::HideUnrelatedOptions({command.options, &general},
                                   *command.parser);
  llvm::cl::SetVersionPrinter([](llvm::raw_ostream &out) {
    out << "linnet-run " << std::string(kLinnetVersion) << "\n";
  });
  std::vector<std::string> joined = joinFileValues(argc, argv);
  std::vector<const char *> arguments;
  for (const std::string &argument : joined)
    arguments.push_back(argument.c_str());
  llvm::cl::ParseCommandLineOptions(
      int(arguments.size()), arguments.data(),
      "Runs models that linnet-compile made, or checkpoints, which it compiles "
      "on first use.\nEach command has its own help: linnet-run COMMAND "
      "--help\n");
  for (const Command &command : commands) {
    if (!*command.parser)
      continue;
    Verdict verdict;
    Status status = command.run(verdict);
    if (status)
      return 0;
    note((verdict.internal ? "internal error: " : "error: ") +
         status.error().str());
    if (!verdict.reproducer.empty())
      note("the input that shows it is in '" + verdict.reproducer + "'");
    return verdict.internal ? 2 : 1;
  }
  note("error: expected a command (" + namesOf(commands) +
       ") before the options; see linnet-run --help");
  return 1;
}

} // namespace linnet
