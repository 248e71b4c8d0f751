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
    given.folds.assign(fold.begin(), fold.end());
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
                           "(bytes), of multiplications (flops), or of the "
                           "time that decoding takes here (latency). state:F "
                           "keeps as many key heads and heads of scans as fit "
                           "that share of the state that decode carries")),
        plan("plan", llvm::cl::value_desc("FILE"), llvm::cl::cat(category),
             llvm::cl::location(options.plan),
             llvm::cl::desc(
                 "Carry out this plan.json, as written before and edited")),
        analysis("analysis", llvm::cl::value_desc("FILE"),
                 llvm::cl::cat(category), llvm::cl::location(options.analysis),
                 llvm::cl::desc("Plan by this analysis.json, as written before "
                                "and edited: nothing is analysed")),
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
                "int8_asymmetric, int4_asymmetric  codes, scales and zero "
                "points\n"
                "low_rank_int8, low_rank_int4  two factors of codes\n"
                "blast             N x N blocks that share factors\n"
                "monarch           N x N blocks of two factors each\n"
                "low_rank_sparse   low rank plus blocks of --block-size\n"
                "diag_low_rank     low rank plus a diagonal\n"
                "toeplitz          equal along diagonals\n"
                "circulant         equal along cyclic diagonals, if square\n"
                "seeded            coefficients of random rows of one seed\n"
                "block_sparse      blocks of --block-size, as many in every "
                "row\n"
                "sparse            zeros anywhere, stored as such\n"
                "nm_sparse         some of each group of inputs, by --pattern\n"
                "Without a budget all become the only one")),
        fitTo("fit-to", llvm::cl::value_desc("GOAL"), llvm::cl::cat(category),
              llvm::cl::location(options.fitTo), llvm::cl::init("outputs"),
              llvm::cl::desc("What a calibrated fit makes small:\n"
                             "outputs  the difference of outputs (default)\n"
                             "scaled   of weights times the size of their "
                             "inputs\n"
                             "weights  of weights")),
        refit("refit", llvm::cl::cat(category),
              llvm::cl::location(options.refit), llvm::cl::init(true),
              llvm::cl::desc("Let matrices make up for errors of those before "
                             "them (default: true)")),
        steps("refit-steps", llvm::cl::value_desc("N"), llvm::cl::cat(category),
              llvm::cl::location(options.refitSteps), llvm::cl::init(4),
              llvm::cl::desc("--keep-channels: fit the matrices before and "
                             "behind the channels together N times (default: "
                             "4); 0: only those behind them")),
        group(
            "group", llvm::cl::value_desc("N"), llvm::cl::cat(category),
            llvm::cl::location(options.group), llvm::cl::init(64),
            llvm::cl::desc("Codes: inputs that share a scale, and a zero point "
                           "(default: 64); 0: all of a row")),
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
        uneven("uneven-channels", llvm::cl::cat(category),
               llvm::cl::location(options.unevenChannels),
               llvm::cl::init(false),
               llvm::cl::desc("--keep-channels: of all layers together, where "
                              "the model loses least. Only Linnet reads the "
                              "result")),
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
        recurrentHeads(
            "keep-recurrent-heads", llvm::cl::value_desc("F"),
            llvm::cl::cat(category),
            llvm::cl::location(options.keepRecurrentHeads), llvm::cl::init(1),
            llvm::cl::desc("Keep this share of the heads of state space layers "
                           "and linear attention, of each group of them; the "
                           "others make up for the rest")),
        stateChannels(
            "keep-state-channels", llvm::cl::value_desc("F"),
            llvm::cl::cat(category),
            llvm::cl::location(options.keepStateChannels), llvm::cl::init(1),
            llvm::cl::desc("Keep this share of the key channels of the state "
                           "that each head of a state space layer or of linear "
                           "attention carries: those whose queries and keys "
                           "are largest")),
        experts("keep-experts", llvm::cl::value_desc("F"),
                llvm::cl::cat(category),
                llvm::cl::location(options.keepExperts), llvm::cl::init(1),
                llvm::cl::desc("Keep this share of the experts of each "
                               "mixture: those that add most to the tokens "
                               "that take them")),
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
                  llvm::cl::desc("block_sparse, low_rank_sparse: outputs (a "
                                 "multiple of 16) and inputs of a block "
                                 "(default: 16x1)")),
        multiple("rank-multiple", llvm::cl::value_desc("N"),
                 llvm::cl::cat(category),
                 llvm::cl::location(options.rankMultiple), llvm::cl::init(8),
                 llvm::cl::desc("Planned ranks are multiples of N (default: "
                                "8)")),
        floor("floor", llvm::cl::value_desc("F"), llvm::cl::cat(category),
              llvm::cl::location(options.floor), llvm::cl::init(0),
              llvm::cl::desc("With a budget: no matrix keeps less than this "
                             "share of what the budget counts (default: 0)")),
        kinds("layer-kinds", llvm::cl::value_desc("N"), llvm::cl::cat(category),
              llvm::cl::location(options.layerKinds), llvm::cl::init(8),
              llvm::cl::desc("Plan layers that are alike in at most N ways, "
                             "each of which is compiled once (default: 8); 0: "
                             "each on its own")),
        thresholds("threshold-activations", llvm::cl::value_desc("share:F"),
                   llvm::cl::cat(category),
                   llvm::cl::location(options.thresholds),
                   llvm::cl::desc(
                       "Only let small inputs of each layer's linear maps "
                       "count as zero, so that decode skips their weights: a "
                       "share of all inputs (share:F), or as many as change "
                       "each map's output by E at most (error:E)")),
        merge("merge", llvm::cl::value_desc("DIR[:C],..."),
              llvm::cl::cat(category), llvm::cl::CommaSeparated,
              llvm::cl::desc("Only add to the weights what others learned "
                             "beside them, times C (1): a LoRA adapter, or "
                             "another checkpoint's difference")),
        fold("fold", llvm::cl::value_desc("NAME,..."), llvm::cl::cat(category),
             llvm::cl::CommaSeparated,
             llvm::cl::desc(
                 "Only leave out what changes nothing. The result is a plain "
                 "checkpoint:\n"
                 "norms  weights of norms become part of the next maps\n"
                 "dead   channels that are constant, or that nothing takes")),
        embedding("embedding-width", llvm::cl::value_desc("K"),
                  llvm::cl::cat(category),
                  llvm::cl::location(options.embeddingWidth), llvm::cl::init(0),
                  llvm::cl::desc(
                      "Only cut the outputs of an encoder to K entries: the "
                      "first (for models trained so), or with --calibration "
                      "those directions that keep cosines best")),
        vocabulary("keep-vocabulary", llvm::cl::value_desc("FILE"),
                   llvm::cl::cat(category),
                   llvm::cl::location(options.keepVocabulary),
                   llvm::cl::desc(
                       "Only leave out the tokens that do not occur in this "
                       "text (or tokens, @T.npy), from tables, head and "
                       "tokenizer. Texts of the others become the same tokens "
                       "and give the same logits")),
        resume("resume", llvm::cl::value_desc("DIR"), llvm::cl::cat(category),
               llvm::cl::location(options.resume),
               llvm::cl::desc("Keep there what a calibrated run has finished, "
                              "and go on from it")),
        speed("measure-speed", llvm::cl::cat(category),
              llvm::cl::location(options.measureSpeed),
              llvm::cl::desc("Compile original and result and measure how fast "
                             "they run on this machine")),
        dense("export-dense", llvm::cl::cat(category),
              llvm::cl::location(options.exportDense),
              llvm::cl::desc("Multiply out the factors of a checkpoint that "
                             "linnet-compress wrote, for other programs")),
        force(
            "force", llvm::cl::cat(category), llvm::cl::location(options.force),
            llvm::cl::desc("Replace a directory that linnet-compress wrote")) {}

private:
  Option<std::string> input, output, budget, plan, analysis, calibration,
      evaluation;
  Option<int64_t> tokens, window, sensitivity;
  llvm::cl::list<std::string> structure;
  Option<std::string> fitTo;
  Option<bool> refit;
  Option<int64_t> steps;
  Option<int64_t> group, blocks;
  Option<double> channels;
  Option<bool> uneven;
  Option<double> heads, kvGroups, recurrentHeads, stateChannels, experts;
  Option<int64_t> layers;
  llvm::cl::opt<std::string> pattern, blockSize;
  Option<int64_t> multiple;
  Option<double> floor;
  Option<int64_t> kinds;
  Option<std::string> thresholds;
  llvm::cl::list<std::string> merge, fold;
  Option<int64_t> embedding;
  Option<std::string> vocabulary, resume;
  Option<bool> speed, dense, force;
};

} // namespace linnet

#endif // LINNET_COMPRESS_COMPRESSFLAGS_H
