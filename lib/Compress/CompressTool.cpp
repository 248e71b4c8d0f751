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

static std::string describe(const PlanNumbers &numbers) {
  std::string text;
  for (const auto &[key, number] : numbers)
    text += (text.empty() ? "" : " ") + key + " " + std::to_string(number);
  return text.empty() ? "-" : text;
}

static void print(const CompressReport &report) {
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
  for (const std::string &line : report.declined)
    printf("left alone: %s\n", line.c_str());
  for (const std::string &line : report.notes)
    printf("note: %s\n", line.c_str());
  print("held-out windows", report.heldOut);
  print("evaluation", report.evaluated);
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
  Status status = compressCheckpoint(options, report);
  clearLine();
  if (!status)
    return fail(status.error());
  if (!report.maps.empty())
    print(report);
  return fflush(stdout) == 0 ? 0 : 1;
}

} // namespace linnet
