//===- MeasureSpeed.cpp - original and result against the clock -----------===//

#include "MeasureSpeed.h"

#include "Scratch.h"

#include "linnet/Driver/Compile.h"
#include "linnet/RunTool/TimedModel.h"

#include <algorithm>

namespace linnet::compress {
namespace {

/// Tokens of a prefill, tokens that are decoded behind so many others, and how
/// often: a model of shorter context takes fewer of each.
constexpr int64_t kPrefillTokens = 256, kDecodedTokens = 32, kPromptTokens = 32;
constexpr int kPasses = 5;

Status checked(linnet_status status) {
  return status == LINNET_OK ? Status() : Status(Error(linnet_last_error()));
}

/// A checkpoint that is compiled and open.
struct OpenModel {
  AtomicDirectory scratch;
  runtool::ModelHandle handle;
  runtool::TimedModel timed;
};

Result<OpenModel> openCheckpoint(const std::string &checkpoint) {
  Result<AtomicDirectory> scratch = createScratch("speed");
  if (!scratch)
    return scratch.error();
  std::string directory = scratch->file("model");
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
  return OpenModel{scratch.take(), runtool::ModelHandle(model),
                   runtool::TimedModel(model)};
}

} // namespace

Result<SpeedComparison> measureSpeed(const std::string &before,
                                     const std::string &after) {
  std::vector<OpenModel> models;
  for (const std::string &checkpoint : {before, after}) {
    Result<OpenModel> opened = openCheckpoint(checkpoint);
    if (!opened)
      return opened.error();
    models.push_back(opened.take());
  }
  SpeedComparison speed;
  speed.threads = linnet_model_threads(models[0].handle.get());
  int64_t context = linnet_model_max_context(models[0].handle.get());
  auto fitting = [&](int64_t count) {
    return context > 0 ? std::min(count, context) : count;
  };
  speed.prefillTokens = fitting(kPrefillTokens);
  int64_t both = models[0].timed.isEncoder() ? 0 : fitting(2 * kPromptTokens);
  speed.decodedTokens = std::min(both / 2, kDecodedTokens);
  std::vector<int32_t> whole = models[0].timed.someTokens(speed.prefillTokens),
                       prompt = models[0].timed.someTokens(both -
                                                           speed.decodedTokens);
  std::vector<double> prefill[2], decode[2];
  for (int pass = 0; pass <= kPasses; ++pass)
    for (int m = 0; m < 2; ++m) {
      double seconds = 0;
      if (Status status = checked(models[m].timed.prefill(whole, seconds));
          !status)
        return status.error();
      // The first pass touches memory that is new.
      if (pass > 0)
        prefill[m].push_back(seconds);
      if (speed.decodedTokens == 0)
        continue;
      if (Status status = checked(
              models[m].timed.decode(prompt, speed.decodedTokens, seconds));
          !status)
        return status.error();
      if (pass > 0)
        decode[m].push_back(seconds);
    }
  auto rate = [](int64_t tokens, const std::vector<double> &seconds) {
    return double(tokens) / runtool::medianOf(seconds);
  };
  speed.prefillBefore = rate(speed.prefillTokens, prefill[0]);
  speed.prefillAfter = rate(speed.prefillTokens, prefill[1]);
  if (speed.decodedTokens > 0) {
    speed.decodeBefore = rate(speed.decodedTokens, decode[0]);
    speed.decodeAfter = rate(speed.decodedTokens, decode[1]);
  }
  return speed;
}

} // namespace linnet::compress
