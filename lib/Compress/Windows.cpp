//===- Windows.cpp - the text that compression looks at -------------------===//

#include "Windows.h"

#include "linnet/RunTool/Tokens.h"
#include "linnet/Support/Quote.h"

#include <algorithm>

namespace linnet::compress {
namespace {

/// Tokens of a step, over its windows: enough for matrix products to be fast.
constexpr int64_t kStepTokens = 4096;
/// One window in this many judges fits rather than takes part in them.
constexpr int64_t kHeldOutShare = 8;

/// Appends at most `most` whole windows of `tokens`. Returns how many.
int64_t cut(const runtool::Tokens &tokens, int64_t length, int64_t most,
            std::vector<int32_t> &ids) {
  int64_t count = 0;
  for (int64_t row = 0; row < tokens.rows; ++row)
    for (int64_t begin = 0; begin + length <= tokens.length && count < most;
         begin += length, ++count) {
      auto at = tokens.ids.begin() + row * tokens.length + begin;
      ids.insert(ids.end(), at, at + length);
    }
  return count;
}

/// Repeats the first window until batches are full.
void fillBatches(Windows &windows) {
  int64_t count = int64_t(windows.ids.size()) / windows.length;
  for (; count % windows.batch; ++count)
    for (int64_t t = 0; t < windows.length; ++t)
      windows.ids.push_back(windows.ids[size_t(t)]);
}

/// As large as a step may be, with as few copies as possible; no larger than
/// the sample that sensitivities are measured on.
void chooseBatch(Windows &windows, int64_t sampleTokens) {
  int64_t count = int64_t(windows.ids.size()) / windows.length;
  int64_t tokens =
      sampleTokens > 0 ? std::min(kStepTokens, sampleTokens) : kStepTokens;
  int64_t most = std::clamp<int64_t>(tokens / windows.length, 1, count);
  int64_t steps = (count + most - 1) / most;
  windows.batch = (count + steps - 1) / steps;
}

Result<runtool::Tokens> readText(const std::string &file,
                                 const std::string &model,
                                 int64_t vocabularySize) {
  bool isArray = file.starts_with("@") || file.ends_with(".npy");
  Result<runtool::Tokens> tokens =
      isArray ? runtool::readTokens(file) : runtool::encodeFile(file, {model});
  if (!tokens)
    return tokens.error();
  if (Status status = runtool::checkTokens(*tokens, vocabularySize, "a token");
      !status)
    return status.error();
  return tokens;
}

} // namespace

std::pair<int64_t, int64_t> Windows::rangeOf(Part part, int64_t number) const {
  int64_t begin = 0;
  for (int p = 0; p < int(part); ++p)
    begin += counts[size_t(p)];
  int64_t end = begin + counts[size_t(part)], here = number * batch;
  return {std::clamp(begin - here, int64_t(0), batch),
          std::clamp(end - here, int64_t(0), batch)};
}

Windows Windows::sample(int64_t tokens) const {
  Windows chosen;
  chosen.length = length;
  chosen.batch = batch;
  int64_t all = counts[0];
  int64_t wanted = std::clamp<int64_t>(tokens / length, 1, all);
  for (int64_t i = 0; i < wanted; ++i) {
    auto at = ids.begin() + i * all / wanted * length;
    chosen.ids.insert(chosen.ids.end(), at, at + length);
  }
  chosen.counts[0] = wanted;
  fillBatches(chosen);
  return chosen;
}

Result<Windows> readWindows(const CompressOptions &options,
                            int64_t vocabularySize, int64_t maxContext) {
  Windows windows;
  windows.length = options.window;
  if (maxContext > 0 && windows.length > maxContext)
    return makeError("--window: expected at most ", maxContext,
                     ", the model's context, but got ", windows.length);
  Result<runtool::Tokens> text =
      readText(options.calibration, options.input, vocabularySize);
  if (!text)
    return text.error();
  int64_t count = cut(*text, windows.length,
                      options.calibrationTokens / windows.length, windows.ids);
  if (count < kHeldOutShare)
    return makeError(quoteName(text->name), ": expected at least ",
                     kHeldOutShare, " windows of ", windows.length,
                     " tokens to calibrate with, but got ", count);
  windows.counts[size_t(Part::HeldOut)] = count / kHeldOutShare;
  windows.counts[size_t(Part::Fitted)] = count - count / kHeldOutShare;
  if (!options.evaluation.empty()) {
    Result<runtool::Tokens> other =
        readText(options.evaluation, options.input, vocabularySize);
    if (!other)
      return other.error();
    int64_t evaluated =
        cut(*other, windows.length, other->length * other->rows, windows.ids);
    if (evaluated == 0)
      return makeError(quoteName(other->name),
                       ": expected at least one window "
                       "of ",
                       windows.length, " tokens to evaluate, but got ",
                       other->length, " tokens");
    windows.counts[size_t(Part::Evaluated)] = evaluated;
  }
  chooseBatch(windows, options.sensitivityTokens);
  fillBatches(windows);
  return windows;
}

} // namespace linnet::compress
