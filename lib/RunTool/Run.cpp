//===- Run.cpp - linnet-run run -------------------------------------------===//

#include "Command.h"
#include "Compare.h"
#include "Engine.h"
#include "FunctionRun.h"

#include "linnet/Checkpoint/Npy.h"
#include "linnet/Support/Quote.h"

#include <algorithm>

namespace linnet::runtool {

namespace cl = llvm::cl;

static cl::OptionCategory category("Options of run");
static cl::SubCommand
    command("run",
            "Run a model on tokens, or a function of an MLIR file on tensors, "
            "and compare the outcome with a file or the f64 evaluator");
static cl::opt<std::string> pathFlag(
    cl::Positional, cl::Required, cl::sub(command), cl::cat(category),
    cl::desc("<compiled directory, checkpoint directory or MLIR file>"));
static cl::opt<std::string> tokensFlag(
    "tokens", cl::sub(command), cl::cat(category), cl::value_desc("@T.npy"),
    cl::desc("Integers [B, T] or [T], or ids such as 1,17,5; the output is the "
             "logits [B, T, V], of an encoder the hidden states [B, T, D]"));
static cl::opt<std::string>
    tokenTypesFlag("token-types", cl::sub(command), cl::cat(category),
                   cl::value_desc("@S.npy"),
                   cl::desc("Token types of an encoder [B, T] (default: 0)"));
static cl::opt<std::string> maskFlag(
    "attention-mask", cl::sub(command), cl::cat(category),
    cl::value_desc("@M.npy"),
    cl::desc("Which tokens of an encoder's input are seen [B, T]; hidden "
             "states of others are not compared (default: 1, all)"));
static cl::opt<int64_t>
    prefillFlag("prefill", cl::sub(command), cl::cat(category),
                cl::value_desc("N"),
                cl::desc("Feed N tokens at once and the others one by one"));
static cl::opt<std::string>
    functionFlag("function", cl::sub(command), cl::cat(category),
                 cl::value_desc("NAME"),
                 cl::desc("Compile and run this function of the file"));
static cl::list<std::string> inputsFlag(
    "input", cl::sub(command), cl::cat(category), cl::value_desc("@A.npy"),
    cl::desc("An argument of the function, in order: @FILE.npy; "
             "random:2x5x33:SEED, normal numbers; random:2x5:BOUND:SEED, "
             "integers; or one number, also for a whole tensor"));
static cl::opt<std::string>
    archiveFlag("archive", cl::sub(command), cl::cat(category),
                cl::value_desc("DIR"),
                cl::desc("Take the function's weights from here"));
static cl::list<std::string> outputsFlag(
    "output", cl::sub(command), cl::cat(category), cl::value_desc("@O.npy"),
    cl::desc("Write the result here (f32; f64 with --reference); once per "
             "result of a function"));
static cl::list<std::string> expectedFlag(
    "expected", cl::sub(command), cl::cat(category), cl::value_desc("@E.npy"),
    cl::desc("Print the relative RMS error |a - e| / |e| and fail above the "
             "tolerance, on another shape and on anything not finite. An "
             "expected [B, R, V] with R < T stands for the last R tokens. "
             "Once per result of a function"));
static cl::opt<double> toleranceFlag(
    "tolerance", cl::sub(command), cl::cat(category), cl::init(1e-5),
    cl::value_desc("E"),
    cl::desc("Largest relative RMS error allowed (default: 1e-5)"));
static cl::opt<bool> referenceFlag(
    "reference", cl::sub(command), cl::cat(category),
    cl::desc("Run the f64 evaluator on the imported model instead"));
static cl::opt<bool> compareFlag(
    "compare-reference", cl::sub(command), cl::cat(category),
    cl::desc("Run compiled code and the evaluator and compare the two"));
static cl::opt<int64_t>
    repeatFlag("repeat", cl::sub(command), cl::cat(category),
               cl::value_desc("N"),
               cl::desc("Run the compiled function N times more and print the "
                        "median time of a run"));
static cl::opt<int> threadsFlag("threads", cl::sub(command), cl::cat(category),
                                cl::init(0), cl::value_desc("N"),
                                cl::desc("Threads (default: all processors)"));

namespace {
/// The flags' values, taken before a compilation: its linker resets all flags.
struct Options {
  std::string path = pathFlag;
  std::string tokens = tokensFlag;
  std::string tokenTypes = tokenTypesFlag;
  std::string mask = maskFlag;
  std::optional<int64_t> prefill = prefillFlag.getNumOccurrences()
                                       ? std::optional<int64_t>(prefillFlag)
                                       : std::nullopt;
  std::string function = functionFlag;
  std::vector<std::string> inputs{inputsFlag.begin(), inputsFlag.end()};
  std::string archive = archiveFlag;
  std::vector<std::string> outputs{outputsFlag.begin(), outputsFlag.end()};
  std::vector<std::string> expectations{expectedFlag.begin(),
                                        expectedFlag.end()};
  double tolerance = toleranceFlag;
  bool reference = referenceFlag;
  bool compare = compareFlag;
  int threads = threadsFlag;
  int64_t repeat = repeatFlag;
};
} // namespace

/// Results with what messages call them.
struct Results {
  std::vector<HostTensor> tensors;
  std::vector<std::string> names;
};

static Status requireCounts(const Options &options, size_t results) {
  size_t given = std::max(options.outputs.size(), options.expectations.size());
  if (given > results)
    return makeError("expected --output and --expected at most once per "
                     "result, of which there are ",
                     results, ", but got ", given);
  return {};
}

/// Blanks the rows at masked positions on both sides.
static void blank(HostTensor &tensor, const Tokens &mask) {
  int64_t width = tensor.shape.back();
  for (int64_t i = 0; i < mask.rows * mask.length; ++i)
    if (mask.ids[i] == 0)
      std::fill_n(tensor.values.begin() + i * width, width, 0.0);
}

/// Writes, compares or prints the results.
static Status deliver(const Options &options, const Results &results,
                      const std::optional<Tokens> &mask) {
  if (Status status = requireCounts(options, results.tensors.size()); !status)
    return status;
  for (size_t i = 0; i < options.outputs.size(); ++i) {
    const HostTensor &tensor = results.tensors[i];
    NpyArray array =
        options.reference
            ? NpyArray::fromF64(tensor.shape, tensor.values)
            : NpyArray::fromF32(tensor.shape,
                                std::vector<float>(tensor.values.begin(),
                                                   tensor.values.end()));
    if (Status status = writeNpy(pathOf(options.outputs[i]), array); !status)
      return status;
  }
  for (size_t i = 0; i < options.expectations.size(); ++i) {
    Result<NpyArray> array = readNpy(pathOf(options.expectations[i]));
    if (!array)
      return array.error();
    HostTensor expected = HostTensor::fromNpy(*array);
    HostTensor actual = results.tensors[i];
    if (mask && actual.shape == expected.shape) {
      blank(actual, *mask);
      blank(expected, *mask);
    }
    if (options.function.empty() && expected.rank() == 3 &&
        actual.rank() == 3 && expected.shape[0] == actual.shape[0] &&
        expected.shape[1] > 0 && expected.shape[1] < actual.shape[1])
      actual = lastRows(actual, expected.shape[1]);
    if (Status status =
            compare(results.names[i], actual, expected, options.tolerance);
        !status)
      return status;
  }
  if (!options.outputs.empty() || !options.expectations.empty() ||
      options.compare)
    return {};
  std::string text;
  for (size_t i = 0; i < results.tensors.size(); ++i)
    text += results.names[i] + " " + summarize(results.tensors[i]) + "\n";
  return print(text);
}

static Status compareAll(const Options &options, const Results &results,
                         const std::vector<HostTensor> &reference) {
  for (size_t i = 0; i < reference.size(); ++i)
    if (Status status = compare(results.names[i], results.tensors[i],
                                reference[i], options.tolerance);
        !status)
      return status;
  return {};
}

static Status runFunction(const Options &options, Verdict &verdict) {
  FunctionRunOptions what;
  what.file = options.path;
  what.function = options.function;
  what.inputs = options.inputs;
  what.archive = options.archive;
  what.threads = options.threads;
  what.repeat = options.repeat;
  if (isCompiled(options.path))
    return makeError(quoteName(options.path),
                     ": expected an MLIR file with --function, but got a "
                     "compiled directory");
  Result<FunctionRun> function = FunctionRun::create(what);
  if (!function)
    return function.error();
  auto computed = options.reference ? function->runReference()
                                    : function->runCompiled(verdict);
  if (!computed)
    return computed.error();
  Results results{computed.take(), {}};
  for (size_t i = 0; i < results.tensors.size(); ++i)
    results.names.push_back("result " + std::to_string(i));
  if (Status status = deliver(options, results, std::nullopt); !status)
    return status;
  if (!options.compare)
    return {};
  auto reference = function->runReference();
  return reference ? compareAll(options, results, *reference)
                   : Status(reference.error());
}

static Result<HostTensor> runEngine(const Options &options, Engine &engine,
                                    const Tokens &tokens,
                                    const EncoderInputs &more) {
  if (!engine.facts().encoder) {
    if (more.tokenTypes || more.attentionMask)
      return makeError("expected an encoder for --token-types and "
                       "--attention-mask, but got a causal-lm");
    return engine.causal(tokens, options.prefill);
  }
  if (options.prefill)
    return makeError("expected a causal-lm for --prefill, but got an encoder");
  return engine.encode(tokens, more);
}

static Status runTokens(const Options &options, Verdict &verdict) {
  Result<Tokens> tokens = readTokens(options.tokens);
  if (!tokens)
    return tokens.error();
  EncoderInputs more;
  auto readMore = [](const std::string &option,
                     std::optional<Tokens> &into) -> Status {
    if (option.empty())
      return {};
    Result<Tokens> read = readTokens(option);
    if (!read)
      return read.error();
    into = read.take();
    return {};
  };
  if (Status status = readMore(options.tokenTypes, more.tokenTypes); !status)
    return status;
  if (Status status = readMore(options.mask, more.attentionMask); !status)
    return status;
  auto engine =
      options.reference
          ? openReferenceEngine(options.path, options.threads)
          : openCompiledEngine(options.path, options.threads, verdict);
  if (!engine)
    return engine.error();
  Result<HostTensor> computed = runEngine(options, **engine, *tokens, more);
  if (!computed)
    return computed.error();
  Results results;
  results.tensors.push_back(computed.take());
  results.names.push_back((*engine)->facts().encoder ? "hidden" : "logits");
  if (Status status = deliver(options, results, more.attentionMask); !status)
    return status;
  if (!options.compare)
    return {};
  auto other = openReferenceEngine(options.path, options.threads);
  if (!other)
    return other.error();
  Result<HostTensor> reference = runEngine(options, **other, *tokens, more);
  if (!reference)
    return reference.error();
  return compareAll(options, results, {*reference});
}

static Status run(Verdict &verdict) {
  const Options options;
  if (options.threads < 0)
    return makeError("--threads: expected 0 or more, but got ",
                     options.threads);
  if (options.repeat < 0)
    return makeError("--repeat: expected 0 or more, but got ", options.repeat);
  if (options.repeat > 0 && (options.function.empty() || options.reference))
    return makeError("--repeat: expected --function=NAME and compiled code, "
                     "but got ",
                     options.reference ? "--reference" : "--tokens");
  if (options.reference && options.compare)
    return makeError("expected --reference or --compare-reference, but got "
                     "both");
  if (!options.function.empty() && options.tokens.empty())
    return runFunction(options, verdict);
  if (options.function.empty() && !options.tokens.empty())
    return runTokens(options, verdict);
  return makeError("expected --tokens=@T.npy or --function=NAME, but got ",
                   options.tokens.empty() ? "neither" : "both");
}

Command runCommand() { return {&command, &category, &run}; }

} // namespace linnet::runtool
