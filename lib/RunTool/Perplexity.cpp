//===- Perplexity.cpp - linnet-run perplexity -----------------------------===//

#include "Command.h"
#include "Engine.h"

#include "linnet/Support/Quote.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace linnet::runtool {

namespace cl = llvm::cl;

static cl::OptionCategory category("Options of perplexity");
static cl::SubCommand command(
    "perplexity",
    "Print how well a model predicts a text: mean nats per token over "
    "consecutive windows that do not overlap, the first token of each window "
    "unscored. A last, shorter window counts, too");
static cl::opt<std::string> pathFlag(
    cl::Positional, cl::Required, cl::sub(command), cl::cat(category),
    cl::desc("<compiled directory, checkpoint directory or MLIR file>"));
static cl::opt<std::string>
    textFlag("text", cl::sub(command), cl::cat(category),
             cl::value_desc("FILE"),
             cl::desc("The text, encoded without special tokens; - is stdin"));
static cl::opt<std::string> tokensFlag(
    "tokens", cl::sub(command), cl::cat(category), cl::value_desc("@T.npy"),
    cl::desc("Token ids instead of a text; each row starts a new window"));
static cl::opt<int64_t>
    contextFlag("context", cl::sub(command), cl::cat(category), cl::init(256),
                cl::value_desc("N"),
                cl::desc("Tokens per window (default: 256)"));
static cl::opt<int64_t>
    windowsFlag("windows", cl::sub(command), cl::cat(category), cl::init(0),
                cl::value_desc("N"),
                cl::desc("Only the first N windows (default: all)"));
static cl::opt<bool> referenceFlag(
    "reference", cl::sub(command), cl::cat(category),
    cl::desc("Run the f64 evaluator on the imported model instead"));
static cl::opt<int> threadsFlag("threads", cl::sub(command), cl::cat(category),
                                cl::init(0), cl::value_desc("N"),
                                cl::desc("Threads (default: all processors)"));

namespace {
/// The flags' values, taken before a compilation: its linker resets all flags.
struct Options {
  std::string path = pathFlag;
  std::string text = textFlag;
  std::string tokens = tokensFlag;
  int64_t context = contextFlag;
  int64_t windows = windowsFlag;
  bool reference = referenceFlag;
  int threads = threadsFlag;
};
} // namespace

namespace {
struct Window {
  int64_t row, begin, length;
};

/// The text's tokens and, if they stem from a text, its bytes.
struct Source {
  Tokens tokens;
  int64_t bytes = 0;
};
} // namespace

static Result<Source> readSource(const Options &options,
                                 const ModelFacts &facts) {
  Source source;
  if (!options.tokens.empty()) {
    Result<Tokens> tokens = readTokens(options.tokens);
    if (!tokens)
      return tokens.error();
    source.tokens = tokens.take();
    return source;
  }
  std::string file = options.text == "-" ? "/dev/stdin" : pathOf(options.text);
  Result<Tokens> tokens =
      encodeFile(file, facts.tokenizerPlaces, &source.bytes);
  if (!tokens)
    return tokens.error();
  source.tokens = tokens.take();
  return source;
}

static std::vector<Window> cut(const Tokens &tokens, const Options &options) {
  std::vector<Window> windows;
  for (int64_t row = 0; row < tokens.rows; ++row)
    for (int64_t begin = 0; begin < tokens.length; begin += options.context)
      // One token alone has nothing to score.
      if (int64_t length = std::min(options.context, tokens.length - begin);
          length > 1)
        windows.push_back({row, begin, length});
  if (options.windows > 0 && int64_t(windows.size()) > options.windows)
    windows.resize(options.windows);
  return windows;
}

/// -log p of each token of the window `row` of `tokens` behind the first.
static double score(const HostTensor &logits, const Tokens &tokens,
                    int64_t row) {
  int64_t vocabulary = logits.shape[2];
  double sum = 0;
  for (int64_t t = 0; t + 1 < tokens.length; ++t) {
    const double *at =
        logits.values.data() + (row * tokens.length + t) * vocabulary;
    double largest = *std::max_element(at, at + vocabulary);
    double total = 0;
    for (int64_t v = 0; v < vocabulary; ++v)
      total += std::exp(at[v] - largest);
    sum += std::log(total) + largest - at[tokens.at(row, t + 1)];
  }
  return sum;
}

static Status report(double sum, int64_t scored, const Source &source) {
  double nats = sum / double(scored);
  if (!std::isfinite(nats))
    return makeError("expected finite logits, but got ", nats,
                     " nats per token");
  char text[200];
  int used = snprintf(text, sizeof text, "%.5f nats/token, perplexity %.4f",
                      nats, std::exp(nats));
  if (source.bytes > 0)
    // The whole text says how many bytes a token stands for.
    used += snprintf(text + used, sizeof text - used, ", %.5f bits/byte",
                     nats * double(source.tokens.length) /
                         double(source.bytes) / std::numbers::ln2);
  snprintf(text + used, sizeof text - used, ", %lld tokens scored\n",
           static_cast<long long>(scored));
  return print(text);
}

static Status run(Verdict &verdict) {
  const Options options;
  if (options.text.empty() == options.tokens.empty())
    return makeError("expected --text=FILE or --tokens=@T.npy, but got ",
                     options.text.empty() ? "neither" : "both");
  if (options.context < 2 || options.windows < 0 || options.threads < 0)
    return makeError("expected --context of at least 2, --windows and "
                     "--threads of at least 0, but got ",
                     options.context, ", ", options.windows, " and ",
                     options.threads);
  auto engine =
      options.reference
          ? openReferenceEngine(options.path, options.threads)
          : openCompiledEngine(options.path, options.threads, verdict);
  if (!engine)
    return engine.error();
  const ModelFacts &facts = (*engine)->facts();
  if (facts.maxContext > 0 && options.context > facts.maxContext)
    return makeError("--context: expected at most ", facts.maxContext,
                     ", the model's context, but got ", options.context);
  Result<Source> source = readSource(options, facts);
  if (!source)
    return source.error();
  if (Status status = checkTokens(source->tokens, facts.vocabSize, "a token");
      !status)
    return status;
  std::vector<Window> windows = cut(source->tokens, options);
  if (windows.empty())
    return makeError(quoteName(source->tokens.name),
                     ": expected at least 2 tokens, but got ",
                     source->tokens.length);
  double sum = 0;
  int64_t scored = 0;
  for (size_t first = 0; first < windows.size();) {
    // Windows of one length go together.
    Tokens group;
    group.length = windows[first].length;
    group.name = source->tokens.name;
    while (first < windows.size() && group.rows < (*engine)->preferredRows() &&
           windows[first].length == group.length) {
      const Window &window = windows[first++];
      auto at = source->tokens.ids.begin() +
                window.row * source->tokens.length + window.begin;
      group.ids.insert(group.ids.end(), at, at + window.length);
      ++group.rows;
    }
    Result<HostTensor> logits = (*engine)->causal(group);
    if (!logits)
      return logits.error();
    for (int64_t row = 0; row < group.rows; ++row)
      sum += score(*logits, group, row);
    scored += group.rows * (group.length - 1);
  }
  return report(sum, scored, *source);
}

Command perplexityCommand() { return {&command, &category, &run}; }

} // namespace linnet::runtool
