//===- linnet-report.cpp - a compression on one page ----------------------===//

#include "linnet/Compress/HtmlReport.h"
#include "linnet/Support/Interrupt.h"

#include "llvm/Support/CommandLine.h"

#include <cstdio>

int main(int argc, char **argv) {
  namespace cl = llvm::cl;
  linnet::installInterruptCleanup();
  cl::OptionCategory group("linnet-report options");
  cl::opt<std::string> input(
      cl::Positional, cl::Required, cl::cat(group),
      cl::desc("<directory that linnet-compress wrote>"));
  cl::opt<std::string> output("o", cl::Required, cl::value_desc("FILE.html"),
                              cl::cat(group), cl::desc("The page to write"));
  cl::HideUnrelatedOptions(group);
  cl::ParseCommandLineOptions(
      argc, argv,
      "Shows what linnet-compress found and did as one HTML file: sizes, nats, "
      "what became of each matrix, spectra and sensitivities\n");
  linnet::Status status = linnet::writeHtmlReport(input, output);
  if (!status) {
    fprintf(stderr, "linnet-report: error: %s\n", status.error().str().c_str());
    return 1;
  }
  return 0;
}
