//===- CompressTool.cpp - what linnet-compress does -----------------------===//

#include "linnet/Compress/CompressTool.h"

#include <cstdio>
#include <unistd.h>

namespace linnet {

static void clearLine() {
  if (isatty(STDERR_FILENO))
    fputs("\r\033[K", stderr);
}

static void print(const char *name, const CompressComparison &comparison) {
  if (comparison.tokens == 0)
    return;
  if (comparison.sequences) {
    printf("%s: cosine %.4f to the original's means, at least %.4f, over %lld "
           "sequences of together %lld tokens; outputs differ by %.4f\n",
           name, comparison.cosine, comparison.worstCosine,
           static_cast<long long>(comparison.sequences),
           static_cast<long long>(comparison.tokens), comparison.outputError);
    return;
  }
  printf("%s: %.4f nats/token, originally %.4f, over %lld tokens; divergence "
         "%.4f, same first choice %.1f %%, worst token %.1f nats\n",
         name, comparison.natsAfter, comparison.natsBefore,
         static_cast<long long>(comparison.tokens), comparison.divergence,
         100 * comparison.agreement, comparison.worstToken);
}

static void print(const SpeedComparison &speed) {
  if (speed.threads == 0)
    return;
  printf("speed on %d threads: %lld tokens at once %.2fx (%.0f tokens/s, "
         "originally %.0f)",
         speed.threads, static_cast<long long>(speed.prefillTokens),
         speed.prefillAfter / speed.prefillBefore, speed.prefillAfter,
         speed.prefillBefore);
  if (speed.decodedTokens)
    printf(", one by one %.2fx (%.0f tokens/s, originally %.0f)",
           speed.decodeAfter / speed.decodeBefore, speed.decodeAfter,
           speed.decodeBefore);
  printf("\n");
}

static std::string describe(const PlanNumbers &numbers) {
  std::string text;
  for (const auto &[key, number] : numbers)
    text += (text.empty() ? "" : " ") + key + " " + std::to_string(number);
  return text.empty() ? "-" : text;
}

static void printMaps(const CompressReport &report) {
  int64_t before = 0, after = 0, bytes = 0, bytesBefore = 0;
  printf("%-52s %12s %-16s %-14s %12s %8s\n", "map", "parameters", "structure",
         "numbers", "kept", "error");
  for (const CompressedMap &map : report.maps) {
    int64_t dense = map.rows * map.columns;
    before += dense;
    after += map.parameters;
    bytes += map.bytes;
    bytesBefore += map.bytesBefore;
    printf("%-52s %12lld %-16s %-14s %12lld %8.4f\n", map.name.c_str(),
           static_cast<long long>(dense), map.structure.c_str(),
           describe(map.numbers).c_str(),
           static_cast<long long>(map.parameters), map.error);
  }
  printf("%-52s %12lld %-16s %-14s %12lld\n", "all",
         static_cast<long long>(before), "", "", static_cast<long long>(after));
  printf("bytes of these: %lld, originally %lld\n",
         static_cast<long long>(bytes), static_cast<long long>(bytesBefore));
}

static void print(const CompressedMixture &mixture) {
  std::string kept;
  for (int64_t expert : mixture.kept)
    kept += " " + std::to_string(expert);
  printf("experts of %s: %lld of %lld are left (%s), with %lld of %lld "
         "parameters\n",
         mixture.router.c_str(), static_cast<long long>(mixture.kept.size()),
         static_cast<long long>(mixture.experts), kept.c_str() + 1,
         static_cast<long long>(mixture.parameters),
         static_cast<long long>(mixture.before));
}

static void print(const CompressedState &state) {
  printf("state of %s: %lld of %lld key channels of each head are left\n",
         state.name.c_str(), static_cast<long long>(state.kept.front().size()),
         static_cast<long long>(state.channels));
}

static void printThresholds(const CompressReport &report) {
  printf("%-52s %12s %12s %8s %8s\n", "map", "threshold", "zeros before",
         "zeros", "error");
  for (const ThresholdedMap &map : report.thresholds)
    printf("%-52s %12.4g %12.4f %8.4f %8.4f\n", map.name.c_str(), map.threshold,
           map.zerosBefore, map.zeros, map.error);
}

static void print(const CompressReport &report) {
  if (!report.maps.empty())
    printMaps(report);
  for (const CompressedMixture &mixture : report.mixtures)
    print(mixture);
  for (const CompressedState &state : report.states)
    print(state);
  if (!report.thresholds.empty())
    printThresholds(report);
  for (const std::string &line : report.declined)
    printf("left alone: %s\n", line.c_str());
  print("held-out windows", report.heldOut);
  print("evaluation", report.evaluated);
  print(report.speed);
}

static int fail(const Error &error) {
  fprintf(stderr, "linnet-compress: error: %s\n", error.str().c_str());
  return 1;
}

int runCompressTool(const Result<CompressOptions> &given) {
  if (!given)
    return fail(given.error());
  const CompressOptions &options = *given;
  CompressReport report;
  if (isatty(STDERR_FILENO))
    report.progress = [](std::string_view stage, std::string_view name) {
      fprintf(stderr, "\r\033[Klinnet-compress: %.*s %.*s ...",
              int(stage.size()), stage.data(), int(name.size()), name.data());
      fflush(stderr);
    };
  report.announce = [](int64_t tokens, int64_t bytes) {
    printf("calibration: %lld tokens; hidden states, weights and moments take "
           "about %.2f GB\n",
           static_cast<long long>(tokens), double(bytes) / 1e9);
    fflush(stdout);
  };
  Status status = compressCheckpoint(options, report);
  clearLine();
  if (!status)
    return fail(status.error());
  print(report);
  for (const std::string &line : report.notes)
    printf("%s\n", line.c_str());
  return fflush(stdout) == 0 ? 0 : 1;
}

} // namespace linnet
