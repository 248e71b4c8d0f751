//===- Perplexity.cpp - linnet-run perplexity -----------------------------===//

#include "Command.h"
#include "Engine.h"

#include "linnet/Numerics/Predictions.h"
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
static cl::opt<std::string> againstFlag(
    "against", cl::sub(command), cl::cat(category), cl::value_desc("MODEL"),
    cl::desc("Another model of the same tokens, such as the original of a "
             "compressed one: also print what it says of the text, and how far "
             "apart the two are"));
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
  std::string against = againstFlag;
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

/// What the text is to one model, or to two.
class Scores {
public:
  int64_t tokens() const { return alone + compared.tokens(); }
  double nats() const {
    return alone ? sum / double(alone) : compared.natsAfter();
  }
  const PredictionComparison &comparison() const { return compared; }

  /// Adds the windows of `group`; `original` may be null.
  void add(const HostTensor &logits, const HostTensor *original,
           const Tokens &group) {
    int64_t vocabulary = logits.shape[2];
    for (int64_t row = 0; row < group.rows; ++row)
      for (int64_t t = 0; t + 1 < group.length; ++t) {
        int64_t at = (row * group.length + t) * vocabulary,
                next = group.at(row, t + 1);
        const double *own = logits.values.data() + at;
        if (original) {
          compared.add(original->values.data() + at, own, vocabulary, next);
          continue;
        }
        sum += natsOf(own, vocabulary, next);
        ++alone;
      }
  }

private:
  /// Of tokens with one model.
  double sum = 0;
  int64_t alone = 0;
  PredictionComparison compared;
};

static Status report(const Scores &scores, const Source &source,
                     const Options &options) {
  double nats = scores.nats();
  if (!std::isfinite(nats))
    return makeError("expected finite logits, but got ", nats,
                     " nats per token");
  char text[400];
  int used = snprintf(text, sizeof text, "%.5f nats/token, perplexity %.4f",
                      nats, std::exp(nats));
  if (source.bytes > 0)
    // The whole text says how many bytes a token stands for.
    used += snprintf(text + used, sizeof text - used, ", %.5f bits/byte",
                     nats * double(source.tokens.length) /
                         double(source.bytes) / std::numbers::ln2);
  used += snprintf(text + used, sizeof text - used, ", %lld tokens scored\n",
                   static_cast<long long>(scores.tokens()));
  if (const PredictionComparison &compared = scores.comparison();
      compared.tokens() > 0) {
    if (!std::isfinite(compared.natsBefore()))
      return makeError(quoteName(options.against),
                       ": expected finite logits, but got ",
                       compared.natsBefore(), " nats per token");
    snprintf(text + used, sizeof text - used,
             "against it %.5f nats/token; divergence %.5f, same first choice "
             "%.2f %%, worst token %.2f nats\n",
             compared.natsBefore(), compared.divergence(),
             100 * compared.agreement(), compared.worstToken());
  }
  return print(text);
}

static Result<std::unique_ptr<Engine>>
openEngine(const std::string &path, const Options &options, Verdict &verdict) {
  return options.reference ? openReferenceEngine(path, options.threads)
                           : openCompiledEngine(path, options.threads, verdict);
}

/// Nothing without --against. Errors: a model of other tokens.
static Result<std::unique_ptr<Engine>> openOriginal(const ModelFacts &facts,
                                                    const Options &options,
                                                    Verdict &verdict) {
  if (options.against.empty())
    return std::unique_ptr<Engine>();
  auto original = openEngine(options.against, options, verdict);
  if (original && (*original)->facts().vocabSize != facts.vocabSize)
    return makeError("--against: expected a model of ", facts.vocabSize,
                     " tokens, but got one of ",
                     (*original)->facts().vocabSize);
  return original;
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
  auto engine = openEngine(options.path, options, verdict);
  if (!engine)
    return engine.error();
  const ModelFacts &facts = (*engine)->facts();
  auto original = openOriginal(facts, options, verdict);
  if (!original)
    return original.error();
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
  Scores scores;
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
    std::optional<HostTensor> other;
    if (*original) {
      Result<HostTensor> found = (*original)->causal(group);
      if (!found)
        return found.error();
      other = found.take();
    }
    scores.add(*logits, other ? &*other : nullptr, group);
  }
  return report(scores, *source, options);
}

Command perplexityCommand() { return {&command, &category, &run}; }

} // namespace linnet::runtool
