//===- MeasureSpeed.cpp - original and result against the clock -----------===//

#include "MeasureSpeed.h"

#include "Scratch.h"

#include "linnet/Driver/Compile.h"
#include "linnet/Runtime/linnet.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>

namespace linnet::compress {
namespace {

/// Tokens of a prefill, tokens that are decoded behind so many others, and how
/// often: a model of shorter context takes fewer of each.
constexpr int64_t kPrefillTokens = 256, kDecodedTokens = 32, kPromptTokens = 32;
constexpr int kPasses = 5;

struct CloseModel {
  void operator()(linnet_model *model) const { linnet_model_close(model); }
};
struct DestroySession {
  void operator()(linnet_session *session) const {
    linnet_session_destroy(session);
  }
};

Status checked(linnet_status status) {
  return status == LINNET_OK ? Status() : Status(Error(linnet_last_error()));
}

/// A model that is open, and what its runs took.
class TimedModel {
public:
  static Result<TimedModel> open(const std::string &checkpoint) {
    Result<AtomicDirectory> scratch = createScratch("speed");
    if (!scratch)
      return scratch.error();
    TimedModel timed(scratch.take());
    std::string directory = timed.scratch.file("model");
    CompileReport report;
    if (Status status =
            compileToDirectory(checkpoint, directory, CompileOptions(), report);
        !status)
      return status.error();
    linnet_model *model = nullptr;
    if (Status status =
            checked(linnet_model_open(directory.c_str(), nullptr, &model));
        !status)
      return status.error();
    timed.model.reset(model);
    if (timed.isEncoder())
      return timed;
    linnet_session *session = nullptr;
    if (Status status = checked(linnet_session_create(model, &session));
        !status)
      return status.error();
    timed.session.reset(session);
    return timed;
  }

  bool isEncoder() const {
    return linnet_model_kind(model.get()) == LINNET_KIND_ENCODER;
  }
  int threads() const { return linnet_model_threads(model.get()); }
  int64_t context() const { return linnet_model_max_context(model.get()); }
  int64_t vocabularySize() const {
    return linnet_model_vocab_size(model.get());
  }

  /// Seconds for all tokens at once.
  Status prefill(const std::vector<int32_t> &tokens,
                 std::vector<double> &seconds) {
    auto count = int64_t(tokens.size());
    int64_t rows = isEncoder() ? count : 1;
    outputs.resize(size_t(rows * linnet_model_output_width(model.get())));
    if (isEncoder())
      return timed(seconds, [&] {
        return linnet_encode(model.get(), tokens.data(), nullptr, nullptr,
                             count, outputs.data());
      });
    if (Status status = checked(linnet_session_reset(session.get())); !status)
      return status;
    return timed(seconds, [&] {
      return linnet_prefill(session.get(), tokens.data(), count, outputs.data(),
                            LINNET_ROWS_LAST);
    });
  }

  /// Seconds for the tokens behind the first `prompt`, one by one.
  Status decode(const std::vector<int32_t> &tokens, int64_t prompt,
                std::vector<double> &seconds) {
    std::vector<double> ignored;
    if (Status status =
            prefill({tokens.begin(), tokens.begin() + prompt}, ignored);
        !status)
      return status;
    return timed(seconds, [&] {
      linnet_status status = LINNET_OK;
      for (size_t i = size_t(prompt); i < tokens.size() && status == LINNET_OK;
           ++i)
        status = linnet_decode(session.get(), &tokens[i], outputs.data());
      return status;
    });
  }

private:
  explicit TimedModel(AtomicDirectory scratch) : scratch(std::move(scratch)) {}

  Status timed(std::vector<double> &seconds,
               const std::function<linnet_status()> &work) {
    auto start = std::chrono::steady_clock::now();
    linnet_status status = work();
    seconds.push_back(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
            .count());
    return checked(status);
  }

  AtomicDirectory scratch;
  std::unique_ptr<linnet_model, CloseModel> model;
  std::unique_ptr<linnet_session, DestroySession> session;
  std::vector<float> outputs;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// Tokens that are spread over the vocabulary.
std::vector<int32_t> someTokens(int64_t count, int64_t vocabularySize) {
  std::vector<int32_t> tokens;
  uint32_t state = 1;
  for (int64_t i = 0; i < count; ++i) {
    state = state * 1664525u + 1013904223u;
    tokens.push_back(int32_t((state >> 8) % uint32_t(vocabularySize)));
  }
  return tokens;
}

} // namespace

Result<SpeedComparison> measureSpeed(const std::string &before,
                                     const std::string &after) {
  std::vector<TimedModel> models;
  for (const std::string &checkpoint : {before, after}) {
    Result<TimedModel> opened = TimedModel::open(checkpoint);
    if (!opened)
      return opened.error();
    models.push_back(opened.take());
  }
  SpeedComparison speed;
  speed.threads = models[0].threads();
  int64_t context = models[0].context();
  auto fitting = [&](int64_t count) {
    return context > 0 ? std::min(count, context) : count;
  };
  speed.prefillTokens = fitting(kPrefillTokens);
  int64_t both = models[0].isEncoder() ? 0 : fitting(2 * kPromptTokens);
  int64_t prompt = both - std::min(both / 2, kDecodedTokens);
  speed.decodedTokens = both - prompt;
  std::vector<int32_t> tokens = someTokens(std::max(speed.prefillTokens, both),
                                           models[0].vocabularySize());
  std::vector<int32_t> whole(tokens.begin(),
                             tokens.begin() + speed.prefillTokens),
      continued(tokens.begin(), tokens.begin() + both);
  std::vector<double> prefill[2], decode[2];
  for (int pass = 0; pass <= kPasses; ++pass)
    for (int m = 0; m < 2; ++m) {
      // The first pass touches memory that is new.
      if (pass == 1) {
        prefill[m].clear();
        decode[m].clear();
      }
      if (Status status = models[m].prefill(whole, prefill[m]); !status)
        return status.error();
      if (speed.decodedTokens == 0)
        continue;
      if (Status status = models[m].decode(continued, prompt, decode[m]);
          !status)
        return status.error();
    }
  speed.prefillBefore = double(speed.prefillTokens) / median(prefill[0]);
  speed.prefillAfter = double(speed.prefillTokens) / median(prefill[1]);
  if (speed.decodedTokens > 0) {
    speed.decodeBefore = double(speed.decodedTokens) / median(decode[0]);
    speed.decodeAfter = double(speed.decodedTokens) / median(decode[1]);
  }
  return speed;
}

} // namespace linnet::compress
