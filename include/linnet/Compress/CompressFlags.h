//===- CompressFlags.h - compression options on a command line *- C++ -*-===//

#ifndef LINNET_COMPRESS_COMPRESSFLAGS_H
#define LINNET_COMPRESS_COMPRESSFLAGS_H

#include "linnet/Compress/Compress.h"

#include "llvm/Support/CommandLine.h"

#include <string>

namespace linnet {

/// The flags of linnet-compress. Make one before the command line is parsed and
/// take() the options afterwards.
class CompressFlags {
  using Category = llvm::cl::OptionCategory;
  template <typename T>
  using Option = llvm::cl::opt<T, true>;
  CompressOptions options;

public:
  /// What was given. Errors: a pattern or a size that is none.
  Result<CompressOptions> take() const {
    CompressOptions given = options;
    if (!structure.empty())
      given.structures.assign(structure.begin(), structure.end());
    given.adapters.assign(merge.begin(), merge.end());
    auto [kept, size] = llvm::StringRef(pattern).split(':');
    if (kept.getAsInteger(10, given.patternKept) ||
        size.getAsInteger(10, given.patternSize))
      return makeError("--pattern: expected N:M, but got '", pattern.getValue(),
                       "'");
    auto [high, wide] = llvm::StringRef(blockSize).split('x');
    if (high.getAsInteger(10, given.blockHeight) ||
        wide.getAsInteger(10, given.blockWidth))
      return makeError("--block-size: expected HxW, but got '",
                       blockSize.getValue(), "'");
    return given;
  }

  explicit CompressFlags(Category &category)
      : input(llvm::cl::Positional, llvm::cl::Required, llvm::cl::cat(category),
              llvm::cl::location(options.input),
              llvm::cl::desc("<directory with config.json and *.safetensors>")),
        output("o", llvm::cl::Required, llvm::cl::value_desc("DIR"),
               llvm::cl::cat(category), llvm::cl::location(options.output),
               llvm::cl::desc("The checkpoint directory to write")),
        budget(
            "budget", llvm::cl::value_desc("params:F"), llvm::cl::cat(category),
            llvm::cl::location(options.budget),
            llvm::cl::desc("The share of the layers' linear maps to keep: of "
                           "their parameters (params), of what is stored "
                           "(bytes) or of multiplications (flops)")),
        plan("plan", llvm::cl::value_desc("FILE"), llvm::cl::cat(category),
             llvm::cl::location(options.plan),
             llvm::cl::desc(
                 "Carry out this plan.json, as written before and edited")),
        calibration(
            "calibration", llvm::cl::value_desc("FILE"),
            llvm::cl::cat(category), llvm::cl::location(options.calibration),
            llvm::cl::desc("A text (or tokens, @T.npy): matrices are "
                           "fitted to what the model computes on it. Each "
                           "line is a sequence of its own if the model "
                           "is an encoder")),
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
               llvm::cl::location(options.window), llvm::cl::init(0),
               llvm::cl::desc("Tokens per window (default: 256, or the model's "
                              "context if that is less)")),
        sensitivity("sensitivity-tokens", llvm::cl::value_desc("N"),
                    llvm::cl::cat(category),
                    llvm::cl::location(options.sensitivityTokens),
                    llvm::cl::init(8192),
                    llvm::cl::desc(
                        "Tokens on which cutting each matrix alone is measured "
                        "(default: 8192); 0: all matrices count the same")),
        structure(
            "structure", llvm::cl::value_desc("NAME,..."),
            llvm::cl::cat(category), llvm::cl::CommaSeparated,
            llvm::cl::desc(
                "What matrices may become, each where it loses least:\n"
                "pivoted_low_rank  r columns and what the others are made "
                "of (default)\n"
                "low_rank          two factors\n"
                "int8, int4        codes of so many bits and scales\n"
                "low_rank_int8, low_rank_int4  two factors of codes\n"
                "blast             N x N blocks that share factors\n"
                "monarch           N x N blocks of two factors each\n"
                "block_sparse      blocks of --block-size, as many in every "
                "row\n"
                "sparse            zeros anywhere, stored as such\n"
                "nm_sparse         some of each group of inputs, by --pattern\n"
                "Without a budget all become the only one")),
        group("group", llvm::cl::value_desc("N"), llvm::cl::cat(category),
              llvm::cl::location(options.group), llvm::cl::init(64),
              llvm::cl::desc("int8, int4: inputs that share a scale (default: "
                             "64); 0: all of a row")),
        blocks(
            "blocks", llvm::cl::value_desc("N"), llvm::cl::cat(category),
            llvm::cl::location(options.blocks), llvm::cl::init(4),
            llvm::cl::desc("blast, monarch: blocks along each side of a matrix "
                           "(default: 4)")),
        channels("keep-channels", llvm::cl::value_desc("F"),
                 llvm::cl::cat(category),
                 llvm::cl::location(options.keepChannels), llvm::cl::init(1),
                 llvm::cl::desc("Keep this share of the channels of each "
                                "layer's MLP; others make up for the rest. "
                                "The result is a plain checkpoint")),
        heads("keep-heads", llvm::cl::value_desc("F"), llvm::cl::cat(category),
              llvm::cl::location(options.keepHeads), llvm::cl::init(1),
              llvm::cl::desc("Keep this share of the query heads of each key "
                             "head; the others make up for the rest. With a "
                             "key head for each they go together")),
        kvGroups("keep-kv-groups", llvm::cl::value_desc("F"),
                 llvm::cl::cat(category),
                 llvm::cl::location(options.keepKvGroups), llvm::cl::init(1),
                 llvm::cl::desc("Keep this share of the key heads, with their "
                                "values and all of their query heads")),
        layers("drop-layers", llvm::cl::value_desc("N"),
               llvm::cl::cat(category), llvm::cl::location(options.dropLayers),
               llvm::cl::init(0),
               llvm::cl::desc("Drop the N layers whose absence costs least")),
        pattern("pattern", llvm::cl::value_desc("N:M"), llvm::cl::cat(category),
                llvm::cl::init("2:4"),
                llvm::cl::desc("nm_sparse: N of each M inputs are kept "
                               "(default: 2:4)")),
        blockSize("block-size", llvm::cl::value_desc("HxW"),
                  llvm::cl::cat(category), llvm::cl::init("16x1"),
                  llvm::cl::desc("block_sparse: outputs (a multiple of 16) and "
                                 "inputs of a block (default: 16x1)")),
        multiple("rank-multiple", llvm::cl::value_desc("N"),
                 llvm::cl::cat(category),
                 llvm::cl::location(options.rankMultiple), llvm::cl::init(8),
                 llvm::cl::desc("Planned ranks are multiples of N (default: "
                                "8)")),
        merge("merge", llvm::cl::value_desc("DIR[:C],..."),
              llvm::cl::cat(category), llvm::cl::CommaSeparated,
              llvm::cl::desc("Only add to the weights what others learned "
                             "beside them, times C (1): a LoRA adapter, or "
                             "another checkpoint's difference")),
        resume("resume", llvm::cl::value_desc("DIR"), llvm::cl::cat(category),
               llvm::cl::location(options.resume),
               llvm::cl::desc("Keep there what a calibrated run has finished, "
                              "and go on from it")),
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
  llvm::cl::list<std::string> structure;
  Option<int64_t> group, blocks;
  Option<double> channels, heads, kvGroups;
  Option<int64_t> layers;
  llvm::cl::opt<std::string> pattern, blockSize;
  Option<int64_t> multiple;
  llvm::cl::list<std::string> merge;
  Option<std::string> resume;
  Option<bool> dense, force;
};

} // namespace linnet

#endif // LINNET_COMPRESS_COMPRESSFLAGS_H
