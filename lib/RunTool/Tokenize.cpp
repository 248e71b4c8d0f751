//===- Tokenize.cpp - linnet-run tokenize ---------------------------------===//

#include "Command.h"
#include "CompiledModel.h"
#include "linnet/RunTool/Tokens.h"

#include "linnet/Support/File.h"
#include "linnet/Support/Json.h"

namespace linnet::runtool {

namespace cl = llvm::cl;

static cl::OptionCategory category("Options of tokenize");
static cl::SubCommand command("tokenize",
                              "Print the token ids of a text as a JSON list, "
                              "with the special tokens the tokenizer adds");
static cl::opt<std::string>
    pathFlag(cl::Positional, cl::Required, cl::sub(command), cl::cat(category),
             cl::desc("<directory with tokenizer.json>"));
static cl::opt<std::string> textFlag("text", cl::Required, cl::sub(command),
                                     cl::cat(category), cl::value_desc("FILE"),
                                     cl::desc("The text; - is stdin"));
static cl::opt<bool> specialFlag(
    "special", cl::sub(command), cl::cat(category), cl::init(true),
    cl::desc("Add special tokens (default); --special=false: do not"));

namespace {
/// The flags' values, taken before a compilation: its linker resets all flags.
struct Options {
  std::string path = pathFlag;
  std::string text = textFlag;
  bool special = specialFlag;
};
} // namespace

static Status run(Verdict &) {
  const Options options;
  Result<Tokenizer> tokenizer = Tokenizer::fromDirectory(options.path);
  if (!tokenizer)
    return tokenizer.error();
  Result<std::string> text =
      readFile(options.text == "-" ? "/dev/stdin" : pathOf(options.text));
  if (!text)
    return text.error();
  Result<std::vector<int32_t>> ids = tokenizer->encode(*text, options.special);
  if (!ids)
    return ids.error();
  return print(formatJson(Json(*ids), -1) + "\n");
}

Command tokenizeCommand() { return {&command, &category, &run}; }

} // namespace linnet::runtool
