//===- Generate.cpp - linnet-run generate ---------------------------------===//

#include "Command.h"
#include "CompiledModel.h"
#include "linnet/RunTool/Tokens.h"

#include "linnet/Runtime/Sampler.h"
#include "linnet/Support/File.h"
#include "linnet/Support/Quote.h"

#include <algorithm>
#include <chrono>
#include <optional>

namespace linnet::runtool {

namespace cl = llvm::cl;

static cl::OptionCategory category("Options of generate");
static cl::SubCommand
    command("generate", "Continue a prompt: text on stdout as it comes, tokens "
                        "per second on stderr at the end");
static cl::opt<std::string>
    pathFlag(cl::Positional, cl::Required, cl::sub(command), cl::cat(category),
             cl::desc("<compiled directory or checkpoint directory>"));
static cl::opt<std::string> promptFlag("prompt", cl::sub(command),
                                       cl::cat(category),
                                       cl::value_desc("TEXT"),
                                       cl::desc("The prompt"));
static cl::opt<std::string>
    fileFlag("prompt-file", cl::sub(command), cl::cat(category),
             cl::value_desc("FILE"),
             cl::desc("A file with the prompt; - is stdin"));
static cl::opt<std::string> tokensFlag(
    "tokens", cl::sub(command), cl::cat(category), cl::value_desc("@T.npy"),
    cl::desc("The prompt's token ids, as a file or as 1,17,5; without a "
             "tokenizer the output is ids, too"));
static cl::opt<int64_t>
    countFlag("max-new-tokens", cl::sub(command), cl::cat(category),
              cl::init(64), cl::value_desc("N"),
              cl::desc("Stop after N tokens (default: 64)"));
static cl::opt<double> temperatureFlag(
    "temperature", cl::sub(command), cl::cat(category), cl::init(0),
    cl::value_desc("T"),
    cl::desc("Divide the logits by T and draw; 0 takes the likeliest token "
             "(default: 0)"));
static cl::opt<int64_t>
    topKFlag("top-k", cl::sub(command), cl::cat(category), cl::init(0),
             cl::value_desc("K"),
             cl::desc("Draw from the K likeliest (default: 0, all)"));
static cl::opt<double>
    topPFlag("top-p", cl::sub(command), cl::cat(category), cl::init(1),
             cl::value_desc("P"),
             cl::desc("Draw from the fewest tokens that reach probability P "
                      "(default: 1, all)"));
static cl::opt<uint64_t>
    seedFlag("seed", cl::sub(command), cl::cat(category), cl::init(0),
             cl::value_desc("S"),
             cl::desc("The same seed draws the same text (default: 0)"));
static cl::opt<bool> echoFlag(
    "echo", cl::sub(command), cl::cat(category), cl::init(true),
    cl::desc("Print the prompt first (default); --echo=false: do not"));
static cl::opt<bool>
    ignoreEosFlag("ignore-eos", cl::sub(command), cl::cat(category),
                  cl::desc("Go on behind a token that ends the text"));
static cl::opt<int> threadsFlag("threads", cl::sub(command), cl::cat(category),
                                cl::init(0), cl::value_desc("N"),
                                cl::desc("Threads (default: all processors)"));

namespace {
/// The flags' values, taken before a compilation: its linker resets all flags.
struct Options {
  std::string path = pathFlag;
  std::string prompt = promptFlag;
  /// An empty prompt is one, too.
  bool promptGiven = promptFlag.getNumOccurrences() > 0;
  std::string file = fileFlag;
  std::string tokens = tokensFlag;
  int64_t count = countFlag;
  double temperature = temperatureFlag;
  int64_t topK = topKFlag;
  double topP = topPFlag;
  uint64_t seed = seedFlag;
  bool echo = echoFlag;
  bool ignoreEos = ignoreEosFlag;
  int threads = threadsFlag;
};
} // namespace

static Status checkOptions(const Options &options) {
  if (options.count < 0 || options.threads < 0)
    return makeError("expected --max-new-tokens and --threads of at least 0, "
                     "but got ",
                     options.count, " and ", options.threads);
  if (!(options.temperature >= 0) || options.topK < 0 || !(options.topP > 0))
    return makeError("expected --temperature and --top-k of at least 0 and "
                     "--top-p above 0, but got ",
                     options.temperature, ", ", options.topK, " and ",
                     options.topP);
  int prompts = int(options.promptGiven) + !options.file.empty() +
                !options.tokens.empty();
  if (prompts != 1)
    return makeError("expected one of --prompt, --prompt-file and --tokens, "
                     "but got ",
                     prompts == 0 ? "none" : "several");
  return {};
}

/// The prompt's ids; `tokenizer` may be absent for --tokens only.
static Result<Tokens> readPrompt(const Options &options,
                                 const std::optional<Tokenizer> &tokenizer,
                                 const Manifest &manifest) {
  if (!options.tokens.empty()) {
    Result<Tokens> tokens = readTokens(options.tokens);
    if (tokens && tokens->rows != 1)
      return makeError(tokens->name, ": expected one row, but got ",
                       tokens->rows);
    return tokens;
  }
  std::string text = options.prompt;
  std::string name = "prompt";
  if (!options.file.empty()) {
    name = options.file == "-" ? "/dev/stdin" : pathOf(options.file);
    Result<std::string> content = readFile(name);
    if (!content)
      return content.error();
    text = content.take();
  }
  Result<std::vector<int32_t>> ids = tokenizer->encode(text, true);
  if (!ids)
    return makeError(name, ": ", ids.error().str());
  if (ids->empty() && manifest.bos)
    ids->push_back(int32_t(*manifest.bos));
  if (ids->empty())
    return makeError(name, ": expected at least one token, but got none");
  return makeTokens(ids.take(), name);
}

namespace {

/// Ids on their way to stdout: as text, or as numbers without a tokenizer.
class Printer {
public:
  explicit Printer(const std::optional<Tokenizer> &tokenizer) {
    if (tokenizer)
      stream.emplace(*tokenizer);
  }
  Status push(int32_t id) {
    std::string text;
    if (stream)
      text = stream->push(id);
    else
      text = (first ? "" : " ") + std::to_string(id);
    first = false;
    return text.empty() ? Status() : print(text);
  }
  Status finish() {
    return print((stream ? stream->finish() : std::string()) + "\n");
  }

private:
  std::optional<Tokenizer::Stream> stream;
  bool first = true;
};

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// One text in a session that may be compiled for several: the others repeat
/// it.
class Generation {
public:
  Generation(const CompiledModel &model, Verdict &verdict)
      : model(model), verdict(verdict),
        batch(linnet_model_batch(model.handle.get())),
        width(linnet_model_output_width(model.handle.get())),
        logits(size_t(batch * width)) {}

  Status start(const Tokens &prompt) {
    Result<SessionHandle> created = model.createSession(verdict);
    if (!created)
      return created.error();
    session = created.take();
    std::vector<int32_t> ids;
    for (int64_t b = 0; b < batch; ++b)
      ids.insert(ids.end(), prompt.ids.begin(), prompt.ids.end());
    Clock::time_point begin = Clock::now();
    Status status =
        toStatus(linnet_prefill(session.get(), ids.data(), prompt.length,
                                logits.data(), LINNET_ROWS_LAST),
                 verdict);
    prefillSeconds = secondsSince(begin);
    return status;
  }

  Status step(int32_t token) {
    std::vector<int32_t> ids(size_t(batch), token);
    Clock::time_point begin = Clock::now();
    Status status = toStatus(
        linnet_decode(session.get(), ids.data(), logits.data()), verdict);
    decodeSeconds += secondsSince(begin);
    ++steps;
    return status;
  }

  int32_t choose(Sampler &sampler) {
    return sampler.sample(logits.data(), width);
  }

  void reportSpeed(const Tokens &prompt, int64_t generated) const {
    char text[160];
    snprintf(text, sizeof text,
             "prompt %lld tokens, %.1f tokens/s; generated %lld tokens, "
             "%.1f tokens/s",
             static_cast<long long>(prompt.length),
             double(prompt.length) / std::max(prefillSeconds, 1e-9),
             static_cast<long long>(generated),
             double(steps) / std::max(decodeSeconds, 1e-9));
    note(text);
  }

private:
  const CompiledModel &model;
  Verdict &verdict;
  SessionHandle session;
  int64_t batch, width;
  std::vector<float> logits;
  double prefillSeconds = 0, decodeSeconds = 0;
  int64_t steps = 0;
};

} // namespace

static Status generate(const Options &options, const CompiledModel &model,
                       const Tokens &prompt,
                       const std::optional<Tokenizer> &tokenizer,
                       Verdict &verdict) {
  const std::vector<int64_t> &eos = model.manifest.eos;
  Generation generation(model, verdict);
  Printer printer(tokenizer);
  if (Status status = generation.start(prompt); !status)
    return status;
  if (options.echo)
    for (int32_t id : prompt.ids)
      if (Status status = printer.push(id); !status)
        return status;
  Sampler sampler(
      {options.temperature, options.topK, options.topP, options.seed});
  int64_t generated = 0;
  while (generated < options.count) {
    int32_t token = generation.choose(sampler);
    if (token < 0)
      return makeError("expected finite logits, but got none at position ",
                       prompt.length + generated);
    ++generated;
    if (!options.ignoreEos &&
        std::find(eos.begin(), eos.end(), token) != eos.end())
      break;
    if (Status status = printer.push(token); !status)
      return status;
    if (generated == options.count)
      break;
    if (Status status = generation.step(token); !status)
      return status;
  }
  if (Status status = printer.finish(); !status)
    return status;
  generation.reportSpeed(prompt, generated);
  return {};
}

static Status run(Verdict &verdict) {
  const Options options;
  if (Status status = checkOptions(options); !status)
    return status;
  Result<CompiledModel> model =
      openModel(options.path, options.threads, verdict);
  if (!model)
    return model.error();
  if (Status status = model->requireCausal(); !status)
    return status;
  std::optional<Tokenizer> tokenizer;
  Result<Tokenizer> found = findTokenizer(model->tokenizerPlaces());
  if (found)
    tokenizer = found.take();
  else if (options.tokens.empty())
    return found.error();
  Result<Tokens> prompt = readPrompt(options, tokenizer, model->manifest);
  if (!prompt)
    return prompt.error();
  if (Status status =
          checkTokens(*prompt, model->manifest.vocabSize, "a token");
      !status)
    return status;
  int64_t context = model->manifest.maxContext;
  // Said before anything is printed, rather than in the middle of a text. The
  // last token is never fed back.
  if (context > 0 &&
      prompt->length + std::max<int64_t>(options.count, 1) - 1 > context)
    return makeError(prompt->name, ": expected at most ", context,
                     " tokens with those to generate, the model's context, but "
                     "got ",
                     prompt->length, " + ", options.count);
  return generate(options, *model, *prompt, tokenizer, verdict);
}

Command generateCommand() { return {&command, &category, &run}; }

} // namespace linnet::runtool
