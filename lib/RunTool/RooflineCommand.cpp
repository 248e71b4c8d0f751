//===- RooflineCommand.cpp - linnet-run roofline --------------------------===//

#include "Command.h"

#include "linnet/Runtime/Roofline.h"
#include "linnet/Support/Json.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Threading.h"

namespace linnet::runtool {

namespace cl = llvm::cl;

static cl::OptionCategory category("Options of roofline");
static cl::SubCommand command(
    "roofline",
    "Measure what this machine could do at best: sequential reads of memory "
    "and f32 multiply-adds (each counts 2) in its widest vectors");
static cl::opt<int> threadsFlag("threads", cl::sub(command), cl::cat(category),
                                cl::init(0), cl::value_desc("N"),
                                cl::desc("Threads (default: all processors)"));
static cl::opt<bool> jsonFlag("json", cl::sub(command), cl::cat(category),
                              cl::desc("Print one JSON object"));

static Status run(Verdict &) {
  if (threadsFlag < 0)
    return makeError("--threads: expected 0 or more, but got ",
                     int(threadsFlag));
  RooflineOptions options;
  options.threads =
      threadsFlag ? int(threadsFlag)
                  : int(llvm::hardware_concurrency().compute_thread_count());
  Result<Roofline> measured = measureRoofline(options);
  if (!measured)
    return measured.error();
  if (jsonFlag)
    return print(formatJson(Json{{"threads", options.threads},
                                 {"bytes_per_s", measured->bytesPerSecond},
                                 {"flops_per_s", measured->flopsPerSecond}}) +
                 "\n");
  return print(llvm::formatv("threads {0}: {1:f1} GB/s, {2:f1} GFLOP/s\n",
                             options.threads, measured->bytesPerSecond / 1e9,
                             measured->flopsPerSecond / 1e9)
                   .str());
}

Command rooflineCommand() { return {&command, &category, &run}; }

} // namespace linnet::runtool
