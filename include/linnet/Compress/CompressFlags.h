//===- CompressFlags.h - compression options on a command line *- C++ -*-===//

#ifndef LINNET_COMPRESS_COMPRESSFLAGS_H
#define LINNET_COMPRESS_COMPRESSFLAGS_H

#include "linnet/Compress/Compress.h"

#include "llvm/Support/CommandLine.h"

#include <string>

namespace linnet {

/// The flags of linnet-compress. Make one before the command line is parsed;
/// `options` holds what was given afterwards.
class CompressFlags {
  using Category = llvm::cl::OptionCategory;
  template <typename T>
  using Option = llvm::cl::opt<T, true>;

public:
  CompressOptions options;

  explicit CompressFlags(Category &category)
      : input(llvm::cl::Positional, llvm::cl::Required, llvm::cl::cat(category),
              llvm::cl::location(options.input),
              llvm::cl::desc("<directory with config.json and *.safetensors>")),
        output("o", llvm::cl::Required, llvm::cl::value_desc("DIR"),
               llvm::cl::cat(category), llvm::cl::location(options.output),
               llvm::cl::desc("The checkpoint directory to write")),
        budget("budget", llvm::cl::value_desc("params:F"),
               llvm::cl::cat(category), llvm::cl::location(options.budget),
               llvm::cl::desc("The share of the parameters of the layers' "
                              "linear maps to keep")),
        plan("plan", llvm::cl::value_desc("FILE"), llvm::cl::cat(category),
             llvm::cl::location(options.plan),
             llvm::cl::desc(
                 "Carry out this plan.json, as written before and edited")),
        calibration("calibration", llvm::cl::value_desc("FILE"),
                    llvm::cl::cat(category),
                    llvm::cl::location(options.calibration),
                    llvm::cl::desc("A text (or tokens, @T.npy): matrices are "
                                   "fitted to what the model computes on it")),
        evaluation("evaluation", llvm::cl::value_desc("FILE"),
                   llvm::cl::cat(category),
                   llvm::cl::location(options.evaluation),
                   llvm::cl::desc("Another text, on which original and result "
                                  "are compared")),
        tokens("calibration-tokens", llvm::cl::value_desc("N"),
               llvm::cl::cat(category),
               llvm::cl::location(options.calibrationTokens),
               llvm::cl::init(65536),
               llvm::cl::desc("Tokens of it to look at (default: 65536)")),
        window("window", llvm::cl::value_desc("N"), llvm::cl::cat(category),
               llvm::cl::location(options.window), llvm::cl::init(256),
               llvm::cl::desc("Tokens per window (default: 256)")),
        sensitivity("sensitivity-tokens", llvm::cl::value_desc("N"),
                    llvm::cl::cat(category),
                    llvm::cl::location(options.sensitivityTokens),
                    llvm::cl::init(8192),
                    llvm::cl::desc(
                        "Tokens on which cutting each matrix alone is measured "
                        "(default: 8192); 0: all matrices count the same")),
        structure(
            "structure", llvm::cl::cat(category),
            llvm::cl::location(options.structure),
            llvm::cl::init(MapStructure::PivotedLowRank),
            llvm::cl::desc("What matrices become:"),
            llvm::cl::values(
                clEnumValN(MapStructure::LowRank, "low_rank", "two factors"),
                clEnumValN(MapStructure::PivotedLowRank, "pivoted_low_rank",
                           "columns and what the others are made of: fewer "
                           "numbers for the same rank (default)"),
                clEnumValN(MapStructure::Int8, "int8",
                           "codes of 8 bits, all matrices"),
                clEnumValN(MapStructure::Int4, "int4",
                           "codes of 4 bits, all matrices"))),
        group("group", llvm::cl::value_desc("N"), llvm::cl::cat(category),
              llvm::cl::location(options.group), llvm::cl::init(64),
              llvm::cl::desc("int8, int4: inputs that share a scale (default: "
                             "64); 0: all of a row")),
        multiple("rank-multiple", llvm::cl::value_desc("N"),
                 llvm::cl::cat(category),
                 llvm::cl::location(options.rankMultiple), llvm::cl::init(8),
                 llvm::cl::desc("Planned ranks are multiples of N (default: "
                                "8)")),
        dense("export-dense", llvm::cl::cat(category),
              llvm::cl::location(options.exportDense),
              llvm::cl::desc("Multiply out the factors of a checkpoint that "
                             "linnet-compress wrote, for other programs")),
        force(
            "force", llvm::cl::cat(category), llvm::cl::location(options.force),
            llvm::cl::desc("Replace a directory that linnet-compress wrote")) {}

private:
  Option<std::string> input, output, budget, plan, calibration, evaluation;
  Option<int64_t> tokens, window, sensitivity;
  Option<MapStructure> structure;
  Option<int64_t> group, multiple;
  Option<bool> dense, force;
};

} // namespace linnet

#endif // LINNET_COMPRESS_COMPRESSFLAGS_H
