//===- Bench.cpp - linnet-run bench ---------------------------------------===//

#include "Command.h"
#include "CompiledModel.h"

#include "linnet/RunTool/TimedModel.h"
#include "linnet/Runtime/Roofline.h"
#include "linnet/Runtime/Usage.h"
#include "linnet/Support/Json.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

#include <algorithm>
#include <functional>
#include <set>

namespace linnet::runtool {

namespace cl = llvm::cl;

static cl::OptionCategory category("Options of bench");
static cl::SubCommand command(
    "bench",
    "Measure prefill (logits of the last token only) and decode (greedy, "
    "behind a prompt of at most 128 tokens): medians after one warm-up, beside "
    "the memory bandwidth and multiply-add rate of this machine, measured "
    "with as many threads");
static cl::opt<std::string>
    pathFlag(cl::Positional, cl::Required, cl::sub(command), cl::cat(category),
             cl::desc("<compiled directory or checkpoint directory>"));
static cl::opt<int64_t>
    promptFlag("prompt-length", cl::sub(command), cl::cat(category),
               cl::init(512), cl::value_desc("N"),
               cl::desc("Tokens of the prompt (default: 512)"));
static cl::opt<int64_t>
    generateFlag("generate", cl::sub(command), cl::cat(category), cl::init(64),
                 cl::value_desc("N"),
                 cl::desc("Tokens to generate (default: 64)"));
static cl::opt<int> threadsFlag("threads", cl::sub(command), cl::cat(category),
                                cl::init(0), cl::value_desc("N"),
                                cl::desc("Threads (default: all processors)"));
static cl::opt<int>
    repetitionsFlag("repetitions", cl::sub(command), cl::cat(category),
                    cl::init(3), cl::value_desc("N"),
                    cl::desc("Runs of which the median counts (default: 3)"));
static cl::opt<bool> jsonFlag("json", cl::sub(command), cl::cat(category),
                              cl::desc("Print one JSON object"));

namespace {
/// The flags' values, taken before a compilation: its linker resets all flags.
struct Options {
  std::string path = pathFlag;
  int64_t prompt = promptFlag;
  int64_t generate = generateFlag;
  int threads = threadsFlag;
  int repetitions = repetitionsFlag;
  bool json = jsonFlag;
};
} // namespace

/// The prompt before decoding: long enough to be a text, and the same whatever
/// --prompt-length is.
static constexpr int64_t kDecodePrompt = 128;

namespace {

struct Speeds {
  double prefill = 0, decode = 0; // tokens per second, one sequence
};

/// Tokens per second: the median of the runs but the first, which touches
/// memory that is new.
Result<double> measure(const Options &options, Verdict &verdict, int64_t tokens,
                       const std::function<linnet_status(double &)> &run) {
  std::vector<double> times;
  for (int i = 0; i <= options.repetitions; ++i) {
    double seconds = 0;
    if (Status status = toStatus(run(seconds), verdict); !status)
      return status.error();
    if (i > 0)
      times.push_back(seconds);
  }
  return double(tokens) / medianOf(times);
}

Result<Speeds> measureSpeeds(const Options &options, linnet_model *model,
                             Verdict &verdict) {
  TimedModel timed(model);
  std::vector<int32_t> whole = timed.someTokens(options.prompt),
                       prompt = timed.someTokens(
                           std::min<int64_t>(options.prompt, kDecodePrompt));
  Speeds speeds;
  Result<double> prefill =
      measure(options, verdict, options.prompt,
              [&](double &seconds) { return timed.prefill(whole, seconds); });
  if (!prefill)
    return prefill.error();
  speeds.prefill = *prefill;
  if (options.generate == 0)
    return speeds;
  Result<double> decode =
      measure(options, verdict, options.generate, [&](double &seconds) {
        return timed.decode(prompt, options.generate, seconds);
      });
  if (!decode)
    return decode.error();
  speeds.decode = *decode;
  return speeds;
}

/// Multiplications and additions with weight matrices in a prefill of `tokens`
/// tokens of one sequence. The output matrix, of the vocabulary's size and of
/// no numbered layer, meets the last token only. What attention and scans do is
/// not counted, nor are products with seeded bases.
double matrixFlops(const Manifest &manifest, int64_t tokens) {
  double flops = 0;
  // Every phase has slots of its own for the same matrices.
  std::set<std::string> seen;
  for (const WeightSlot &slot : manifest.slots) {
    if (slot.layout.kind != WeightLayout::Kind::Panel || !slot.isStored() ||
        !seen.insert(slot.key).second)
      continue;
    bool isHead = llvm::is_contained(slot.shape, manifest.vocabSize) &&
                  llvm::none_of(slot.key, llvm::isDigit);
    flops += 2.0 * double(elementCount(slot.shape).value_or(0)) *
             double(isHead ? 1 : tokens);
  }
  return flops;
}

} // namespace

static Status checkOptions(const Options &options, const CompiledModel &model) {
  if (options.prompt < 1 || options.generate < 0 || options.repetitions < 1)
    return makeError("expected --prompt-length and --repetitions of at least 1 "
                     "and --generate of at least 0, but got ",
                     options.prompt, ", ", options.repetitions, " and ",
                     options.generate);
  int64_t context = model.manifest.maxContext;
  int64_t needed = std::max<int64_t>(
      options.prompt,
      std::min<int64_t>(options.prompt, kDecodePrompt) + options.generate);
  if (context > 0 && needed > context)
    return makeError("expected at most ", context,
                     " tokens, the model's context, but got ", needed);
  return {};
}

/// The figures as users read them.
static std::string describe(const Json &figures) {
  auto number = [&](const char *key) { return figures[key].get<double>(); };
  char text[600];
  snprintf(text, sizeof text,
           "threads      %d\n"
           "prefill      %10.1f tokens/s  %8.1f GFLOP/s, %5.1f%% of the %.1f "
           "measured\n"
           "decode       %10.1f tokens/s  %8.1f GB/s,    %5.1f%% of the %.1f "
           "measured\n"
           "weights      %10.1f MB\n"
           "peak memory  %10.1f MB\n",
           figures["threads"].get<int>(), number("prefill_tokens_per_s"),
           number("prefill_gflops"), 100 * number("prefill_share_of_peak"),
           number("fma_gflops"), number("decode_tokens_per_s"),
           number("decode_gb_per_s"), 100 * number("decode_share_of_stream"),
           number("stream_gb_per_s"), number("weight_bytes") / 1e6,
           number("peak_rss_bytes") / 1e6);
  return text;
}

static Status run(Verdict &verdict) {
  const Options options;
  if (options.threads < 0)
    return makeError("--threads: expected 0 or more, but got ",
                     options.threads);
  Result<CompiledModel> model =
      openModel(options.path, options.threads, verdict);
  if (!model)
    return model.error();
  if (Status status = model->requireCausal(); !status)
    return status;
  if (Status status = checkOptions(options, *model); !status)
    return status;
  Result<Speeds> speeds = measureSpeeds(options, model->handle.get(), verdict);
  if (!speeds)
    return speeds.error();
  // Before the roofline, whose buffer is not the model's doing.
  int64_t peak = peakResidentBytes();
  RooflineOptions machine;
  machine.threads = linnet_model_threads(model->handle.get());
  Result<Roofline> roofline = measureRoofline(machine);
  if (!roofline)
    return roofline.error();
  int64_t batch = linnet_model_batch(model->handle.get());
  int64_t stepBytes = linnet_model_step_bytes(model->handle.get());
  double decodeRate = speeds->decode * double(stepBytes);
  double prefillRate = speeds->prefill / double(options.prompt) *
                       matrixFlops(model->manifest, options.prompt) *
                       double(batch);
  Json figures = {
      {"model", model->manifest.source},
      {"model_type", model->manifest.modelType},
      {"cpu", model->manifest.cpu},
      {"threads", machine.threads},
      {"batch", batch},
      {"prompt_length", options.prompt},
      {"generate", options.generate},
      {"repetitions", options.repetitions},
      {"prefill_tokens_per_s", speeds->prefill * double(batch)},
      {"decode_tokens_per_s", speeds->decode * double(batch)},
      {"peak_rss_bytes", peak},
      {"weight_bytes", linnet_model_weight_bytes(model->handle.get())},
      {"step_bytes", stepBytes},
      {"decode_gb_per_s", decodeRate / 1e9},
      {"stream_gb_per_s", roofline->bytesPerSecond / 1e9},
      {"decode_share_of_stream", decodeRate / roofline->bytesPerSecond},
      {"fma_gflops", roofline->flopsPerSecond / 1e9},
      {"prefill_gflops", prefillRate / 1e9},
      {"prefill_share_of_peak", prefillRate / roofline->flopsPerSecond}};
  return print(options.json ? formatJson(figures) + "\n" : describe(figures));
}

Command benchCommand() { return {&command, &category, &run}; }

} // namespace linnet::runtool
