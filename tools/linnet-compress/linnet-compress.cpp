//===- linnet-compress.cpp - checkpoints of fewer numbers -----------------===//

#include "linnet/Compress/CompressTool.h"
#include "linnet/Support/Interrupt.h"

#include "llvm/Support/CommandLine.h"

using namespace llvm;

static cl::OptionCategory group("linnet-compress options");
static linnet::CompressOptions tool;
static cl::opt<std::string, true>
    input(cl::Positional, cl::Required, cl::cat(group),
          cl::location(tool.input),
          cl::desc("<directory with config.json and *.safetensors>"));
static cl::opt<std::string, true>
    output("o", cl::Required, cl::value_desc("DIR"), cl::cat(group),
           cl::location(tool.output),
           cl::desc("The checkpoint directory to write"));
static cl::opt<std::string, true> budget(
    "budget", cl::value_desc("params:F"), cl::cat(group),
    cl::location(tool.budget),
    cl::desc("The share of the parameters of the layers' linear maps to keep"));
static cl::opt<std::string, true>
    plan("plan", cl::value_desc("FILE"), cl::cat(group),
         cl::location(tool.plan),
         cl::desc("Carry out this plan.json, as written before and edited"));
static cl::opt<int64_t, true>
    multiple("rank-multiple", cl::value_desc("N"), cl::cat(group),
             cl::location(tool.rankMultiple), cl::init(8),
             cl::desc("Planned ranks are multiples of N (default: 8)"));
static cl::opt<bool, true>
    force("force", cl::cat(group), cl::location(tool.force),
          cl::desc("Replace a directory that linnet-compress wrote"));

int main(int argc, char **argv) {
  linnet::installInterruptCleanup();
  cl::HideUnrelatedOptions(group);
  cl::ParseCommandLineOptions(
      argc, argv,
      "Replaces matrices of a checkpoint by products of two narrow ones, where "
      "singular values say that least is lost\n");
  return linnet::runCompressTool(tool);
}
