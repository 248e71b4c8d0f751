//===- Windows.cpp - the text that compression looks at -------------------===//

#include "Windows.h"

#include "linnet/RunTool/Tokens.h"
#include "linnet/Support/Quote.h"

#include <algorithm>

namespace linnet::compress {
namespace {

constexpr int64_t kDefaultWindow = 256;
/// Tokens of a step, over its windows: enough for matrix products to be fast.
constexpr int64_t kStepTokens = 4096;
/// One window in this many judges fits rather than takes part in them.
constexpr int64_t kHeldOutShare = 8;

using Sequences = std::vector<std::vector<int32_t>>;

/// Text as sequences, and what messages call it.
struct Text {
  std::string name;
  Sequences sequences;

  int64_t longest() const {
    size_t most = 0;
    for (const std::vector<int32_t> &ids : sequences)
      most = std::max(most, ids.size());
    return int64_t(most);
  }
};

/// Whole windows of the rows of `tokens`.
Sequences cutWindows(const runtool::Tokens &tokens, int64_t length) {
  Sequences windows;
  for (int64_t row = 0; row < tokens.rows; ++row)
    for (int64_t begin = 0; begin + length <= tokens.length; begin += length) {
      auto at = tokens.ids.begin() + row * tokens.length + begin;
      windows.emplace_back(at, at + length);
    }
  return windows;
}

/// The rows of `tokens`, of which at most `most` tokens are kept.
Sequences takeRows(const runtool::Tokens &tokens, int64_t most) {
  Sequences rows;
  for (int64_t row = 0; row < tokens.rows; ++row) {
    auto at = tokens.ids.begin() + row * tokens.length;
    rows.emplace_back(at, at + std::min(tokens.length, most));
  }
  return rows;
}

/// The first of `sequences`, of together at most `most` tokens.
void keepTokens(Sequences &sequences, int64_t most) {
  size_t kept = 0;
  for (int64_t tokens = 0; kept < sequences.size(); ++kept)
    if ((tokens += int64_t(sequences[kept].size())) > most)
      break;
  sequences.resize(kept);
}

void append(Windows &windows, const Sequences &sequences) {
  for (const std::vector<int32_t> &ids : sequences) {
    windows.lengths.push_back(int64_t(ids.size()));
    windows.ids.insert(windows.ids.end(), ids.begin(), ids.end());
    windows.ids.resize(windows.lengths.size() * size_t(windows.length));
  }
}

/// Repeats the first window until batches are full.
void fillBatches(Windows &windows) {
  const Windows first = windows;
  int64_t count = int64_t(windows.ids.size()) / windows.length;
  for (; count % windows.batch; ++count)
    windows.append(first, 0);
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

Result<Text> readText(const std::string &file, const CompressOptions &options,
                      const WindowsModel &model) {
  bool isArray = file.starts_with("@") || file.ends_with(".npy");
  Text text;
  if (model.isEncoder && !isArray) {
    Result<std::vector<runtool::Tokens>> lines =
        runtool::encodeLines(file, {options.input}, options.window);
    if (!lines)
      return lines.error();
    text.name = file;
    for (runtool::Tokens &line : *lines) {
      if (Status status =
              runtool::checkTokens(line, model.vocabularySize, "a token");
          !status)
        return status.error();
      text.sequences.push_back(std::move(line.ids));
    }
    return text;
  }
  Result<runtool::Tokens> tokens =
      isArray ? runtool::readTokens(file)
              : runtool::encodeFile(file, {options.input});
  if (!tokens)
    return tokens.error();
  if (Status status =
          runtool::checkTokens(*tokens, model.vocabularySize, "a token");
      !status)
    return status.error();
  text.name = tokens->name;
  text.sequences = model.isEncoder ? takeRows(*tokens, options.window)
                                   : cutWindows(*tokens, options.window);
  return text;
}

Error tooFew(const Text &text, int64_t least, const char *purpose,
             const CompressOptions &options, const WindowsModel &model) {
  std::string of = model.isEncoder
                       ? ", one to a line,"
                       : " of " + std::to_string(options.window) + " tokens";
  return makeError(quoteName(text.name), ": expected at least ", least,
                   model.isEncoder ? " sequence" : " window",
                   least == 1 ? "" : "s", of, " to ", purpose, ", but got ",
                   text.sequences.size());
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

std::vector<TokenRange> Windows::tokensOf(Part part, int64_t number) const {
  auto [first, last] = rangeOf(part, number);
  std::vector<TokenRange> ranges;
  for (int64_t w = first; w < last; ++w) {
    int64_t begin = w * length, end = begin + lengthOf(number * batch + w);
    if (!ranges.empty() && ranges.back().last == begin)
      ranges.back().last = end;
    else
      ranges.push_back({begin, end});
  }
  return ranges;
}

void Windows::append(const Windows &other, int64_t number) {
  auto at = other.ids.begin() + number * length;
  ids.insert(ids.end(), at, at + length);
  if (!other.lengths.empty())
    lengths.push_back(other.lengths[size_t(number)]);
}

Windows Windows::sample(int64_t tokens) const {
  Windows chosen;
  chosen.length = length;
  chosen.batch = batch;
  int64_t all = counts[0];
  int64_t wanted = std::clamp<int64_t>(tokens / length, 1, all);
  for (int64_t i = 0; i < wanted; ++i)
    chosen.append(*this, i * all / wanted);
  chosen.counts[0] = wanted;
  fillBatches(chosen);
  return chosen;
}

Result<Windows> readWindows(const CompressOptions &given,
                            const WindowsModel &model) {
  CompressOptions options = given;
  if (options.window == 0)
    options.window = model.maxContext > 0
                         ? std::min(kDefaultWindow, model.maxContext)
                         : kDefaultWindow;
  if (model.maxContext > 0 && options.window > model.maxContext)
    return makeError("--window: expected at most ", model.maxContext,
                     ", the model's context, but got ", options.window);
  Result<Text> text = readText(options.calibration, options, model);
  if (!text)
    return text.error();
  keepTokens(text->sequences, options.calibrationTokens);
  int64_t count = int64_t(text->sequences.size());
  if (count < kHeldOutShare)
    return tooFew(*text, kHeldOutShare, "calibrate with", options, model);
  Windows windows;
  windows.counts[size_t(Part::HeldOut)] = count / kHeldOutShare;
  windows.counts[size_t(Part::Fitted)] = count - count / kHeldOutShare;
  Text other;
  if (!options.evaluation.empty()) {
    Result<Text> read = readText(options.evaluation, options, model);
    if (!read)
      return read.error();
    other = read.take();
    if (other.sequences.empty())
      return tooFew(other, 1, "evaluate", options, model);
    windows.counts[size_t(Part::Evaluated)] = int64_t(other.sequences.size());
  }
  windows.length = model.isEncoder ? std::max(text->longest(), other.longest())
                                   : options.window;
  append(windows, text->sequences);
  append(windows, other.sequences);
  chooseBatch(windows, options.sensitivityTokens);
  fillBatches(windows);
  return windows;
}

} // namespace linnet::compress
