//===- Compress.h - a checkpoint in, a smaller one out --------*- C++ -*-===//
//
// Plans what each matrix of a checkpoint becomes (factors, codes, blocks that
// share factors, zeros), so that all together fit a budget, or which channels
// and layers go, and writes the checkpoint of what is left. The plan stands in
// a file between the two, which a person may edit.
//
// Without data, a plan keeps what singular values say of the matrices alone.
// With a calibration text it keeps what the model's outputs need, layer by
// layer, and each matrix is then fitted to what the original model computes, on
// the inputs that the matrices before it leave.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_COMPRESS_COMPRESS_H
#define LINNET_COMPRESS_COMPRESS_H

#include "linnet/Support/Result.h"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace linnet {

/// Numbers that go with a structure, by the names that plans use:
/// {"rank": 48}, {"group": 64}.
using PlanNumbers = std::map<std::string, int64_t>;

struct CompressOptions {
  /// Call exportDense() instead; then neither budget nor plan.
  bool exportDense = false;
  /// Call mergeAdapters() with these instead; then none of the others.
  std::vector<std::string> adapters;
  /// Call foldCheckpoint() instead, which does these of "norms" and "dead";
  /// then none of the others.
  std::vector<std::string> folds;
  /// Call reduceVocabulary() with this text instead; then none of the others
  /// but `evaluation`.
  std::string keepVocabulary;
  /// Call cutEmbeddings() with this width instead; then none of the others but
  /// a calibration and an evaluation.
  int64_t embeddingWidth = 0;
  /// A checkpoint directory.
  std::string input;
  /// The checkpoint directory to write.
  std::string output;
  /// "params:F", "bytes:F", "flops:F" or "latency:F": the share that is kept,
  /// above 0, at most 1, of the numbers that are not 0 in the matrices of all
  /// linear maps in layers, of their bytes as stored, of multiplications per
  /// token, or of the seconds that their kernels take for one token on the
  /// machine that plans (measured then; plans of two runs may differ). Or
  /// "state:F" for that share of what decode carries from token to token, the
  /// keys and values of attention and the states of scans (not the tails of
  /// convolutions): as many key heads and heads of scans stay in each layer as
  /// fit, and nothing else of it is a budget.
  std::string budget;
  /// A plan file instead of a budget.
  std::string plan;
  /// An analysis.json of this model to plan from: then nothing is analysed, and
  /// `structures` and their numbers are those that it was made with.
  std::string analysis;
  /// Call thresholdActivations() instead; then only a calibration and an
  /// evaluation with it. "share:F" or "error:E", see there.
  std::string thresholds;
  /// A text, or tokens as "@T.npy", that fits and plan look at; empty: none. Of
  /// an encoder, each line (or row) is a sequence of its own.
  std::string calibration;
  /// Another one, on which original and result are compared.
  std::string evaluation;
  /// At most this many tokens of the calibration are looked at, in windows of
  /// `window` tokens (an encoder's sequences are cut to so many; 0: 256, or the
  /// model's context if that is less). One window in 8 takes no part in fits
  /// but judges them.
  int64_t calibrationTokens = 65536;
  int64_t window = 0;
  /// Tokens on which is measured what cutting each matrix alone costs; 0: not
  /// measured, relative errors of outputs count the same in all matrices.
  int64_t sensitivityTokens = 8192;
  /// What matrices may become, where it loses least: "low_rank" (two factors),
  /// "pivoted_low_rank" (columns, and the others as combinations of them: r
  /// (rows + columns - r) numbers), "int8", "int4" (codes and scales),
  /// "int8_asymmetric", "int4_asymmetric" (codes, scales and zero points),
  /// "low_rank_int8", "low_rank_int4" (two factors of codes), "blast" (blocks
  /// that share their factors), "monarch" (blocks of low rank each),
  /// "low_rank_sparse" (low rank plus the blocks that it lacks most),
  /// "diag_low_rank" (low rank plus a diagonal), "toeplitz" and "circulant"
  /// (equal along diagonals, of square matrices along cyclic ones), "seeded"
  /// (coefficients of rows that follow from a seed),
  /// "block_sparse" (blocks, of which as many are kept in every row of blocks),
  /// "nm_sparse" (so many of each group of inputs), "sparse" (zeros, stored as
  /// such). Without a budget all become the only one.
  std::vector<std::string> structures = {"pivoted_low_rank"};
  /// What a calibrated fit makes small: the difference of "outputs" (low rank
  /// on whitened inputs, Wang et al. 2024; zeros by second moments, Frantar and
  /// Alistarh 2023), that of weights "scaled" by the root mean square of their
  /// inputs (as Yuan et al. 2023, ASVD, and Sun et al. 2023, Wanda), or that of
  /// "weights" alone (singular values, magnitudes).
  std::string fitTo = "outputs";
  /// Whether fits may aim at what the original computes rather than at its
  /// matrices, which makes up for errors of the maps before.
  bool refit = true;
  /// How often the maps around channels that are left out in part (of MLPs) are
  /// fitted together to what the original computes, by steps of Gauss and
  /// Newton's; 0: only the map behind them is.
  int64_t refitSteps = 4;
  /// Inputs that share a scale, of structures with codes; 0: all of a row.
  int64_t group = 64;
  /// blast, monarch: blocks along each side of a matrix.
  int64_t blocks = 4;
  /// block_sparse, low_rank_sparse: outputs (a multiple of 16) and inputs of a
  /// block.
  int64_t blockHeight = 16, blockWidth = 1;
  /// Leave out channels between maps (of MLPs), query heads of each key head,
  /// and key heads with all of their query heads (where each query head has its
  /// own, either share says how many), this share of which is kept in each
  /// layer, and so many layers: those whose absence costs least. The result is
  /// a plain checkpoint of the same kind; needs a calibration, and neither a
  /// budget nor a plan.
  double keepChannels = 1, keepHeads = 1, keepKvGroups = 1;
  /// Whether layers may keep different numbers of channels, together as many,
  /// where the model loses least: no plain checkpoint any more, its
  /// configuration has the key `linnet`. A layer keeps a multiple of
  /// `rankMultiple`, and layers at most `layerKinds` different numbers.
  bool unevenChannels = false;
  /// The same of the heads of scans behind each key head (state space layers
  /// and linear attention), with their entries of decays, gates, convolutions
  /// and norms, where the configuration can say it.
  double keepRecurrentHeads = 1;
  /// The same of the key channels of scans, the rows of the state that each
  /// head carries: those stay whose queries and keys are largest, E[q^2]
  /// E[k^2], in each group of heads as many, of its own.
  double keepStateChannels = 1;
  /// The same of experts of mixtures: those stay that add most to the tokens
  /// that take them, E[weight |f(x)|_2] (REAP, Lasby et al. 2025), as many in
  /// each layer and each group of a router, and never fewer than a token takes.
  double keepExperts = 1;
  int64_t dropLayers = 0;
  /// nm_sparse: so many of each group of inputs are kept.
  int64_t patternKept = 2, patternSize = 4;
  /// Planned ranks are multiples of this, which kernels run in full vectors.
  int64_t rankMultiple = 8;
  /// With a budget: the least share of what it counts that any one matrix
  /// keeps.
  double floor = 0;
  /// With a budget: layers that are alike before are of at most so many kinds
  /// after, each of which is compiled once; 0: of any number.
  int64_t layerKinds = 8;
  /// A directory where what a calibrated run has finished is kept, layer by
  /// layer and matrix by matrix: the same run, ended before, goes on from
  /// there. Empty: nowhere. Runs that differ do not see each other's parts.
  std::string resume;
  /// Measure how fast original and result run here, both compiled.
  bool measureSpeed = false;
  /// Replace a directory that linnet-compress wrote.
  bool force = false;
};

/// What became of one linear map.
struct CompressedMap {
  /// The name of its matrix.
  std::string name;
  int64_t rows = 0, columns = 0;
  std::string structure = "dense";
  PlanNumbers numbers;
  /// Stored numbers that are not 0 of themselves (an order of columns and
  /// scales are not counted), and bytes of all that is stored, before and
  /// after.
  int64_t parameters = 0, bytes = 0, bytesBefore = 0;
  /// With what is stored: |W - W1| / |W| in the Frobenius norm, or with a
  /// calibration |(W - W1) x| / |W x| over the inputs x of the held-out
  /// windows, root mean square.
  double error = 0;
  /// Fitted to what the original model computes, which was better on held-out
  /// windows than W's own nearest matrix.
  bool isRefit = false;
};

/// A mixture that lost experts.
struct CompressedMixture {
  /// The name of its router's matrix.
  std::string router;
  int64_t experts = 0;
  /// The numbers of those that are left, which are the first now.
  std::vector<int64_t> kept;
  /// Numbers in tensors of theirs, beside the router's matrix, after and
  /// before.
  int64_t parameters = 0, before = 0;
};

/// A scan that lost key channels.
struct CompressedState {
  /// The name of the matrix that makes its queries.
  std::string name;
  int64_t channels = 0;
  /// The channels of each group of heads that are left.
  std::vector<std::vector<int64_t>> kept;
};

/// A linear map whose small inputs count as zero, and what that does on tokens
/// of the held-out windows that run through the original model.
struct ThresholdedMap {
  /// The name of its matrix W.
  std::string name;
  /// x_j counts as zero where |x_j| |W[:, j]| is at most this.
  double threshold = 0;
  /// The shares of inputs that are zero without it and with it.
  double zerosBefore = 0, zeros = 0;
  /// |W x - W x'| / |W x|, root mean square, with x' what is left of x.
  double error = 0;
};

/// Original and result, both in f32 but with the result's weights as stored, on
/// windows of text that no fit looked at.
struct CompressComparison {
  int64_t tokens = 0;
  /// Of an encoder: how many sequences, the mean and the least cosine between
  /// the mean of a sequence's outputs and the original's, and the root mean
  /// square of the difference of outputs relative to the original's.
  int64_t sequences = 0;
  double cosine = 0, worstCosine = 0, outputError = 0;
  /// The others are of a causal-lm, and means over `tokens`.
  /// Nats per token.
  double natsBefore = 0, natsAfter = 0;
  /// Kullback and Leibler's divergence of the result's distribution from the
  /// original's, nats per token.
  double divergence = 0;
  /// The share of tokens for which both expect the same most.
  double agreement = 0;
  /// Nats of the token that the result predicts worst.
  double worstToken = 0;
};

/// Tokens per second of one sequence, original and result in alternating runs
/// (medians), compiled for the machine that measures.
struct SpeedComparison {
  /// 0: not measured.
  int threads = 0;
  /// Of a prefill (an encoder's whole sequence), and how many are decoded one
  /// by one (an encoder's: 0).
  int64_t prefillTokens = 0, decodedTokens = 0;
  double prefillBefore = 0, prefillAfter = 0;
  double decodeBefore = 0, decodeAfter = 0;
};

/// Maps around channels some of which are left out, fitted together.
struct RefittedChannels {
  /// The name of the consumer's matrix.
  std::string map;
  /// How far what it adds is from what makes the hidden state the original's,
  /// root mean square relative to that, on the held-out windows.
  double errorBefore = 0, errorAfter = 0;
  /// False: undone, as it was no better there.
  bool isTaken = false;
};

struct CompressReport {
  std::vector<CompressedMap> maps;
  std::vector<RefittedChannels> channels;
  std::vector<CompressedMixture> mixtures;
  std::vector<CompressedState> states;
  std::vector<ThresholdedMap> thresholds;
  /// With a budget, what the analysis expects the model to lose by the plan,
  /// and by one in which all layers may differ: relative losses of matrices, or
  /// nats (cosines of an encoder) where sensitivities were measured.
  double plannedDamage = 0, freeDamage = 0;
  /// How far the hidden state behind each layer is from the original's on the
  /// held-out windows, root mean square relative to it; without a calibration
  /// empty.
  std::vector<double> layerErrors;
  /// Of the calibration's held-out windows and of the evaluation text; without
  /// them, of 0 tokens.
  CompressComparison heldOut, evaluated;
  /// If the options ask for it.
  SpeedComparison speed;
  /// Maps left alone and why, one line each.
  std::vector<std::string> declined;
  /// What else was done, and what other programs may not take of it, one line
  /// each.
  std::vector<std::string> notes;
  /// Called before a calibration with its tokens and about how many bytes its
  /// hidden states, weights and moments take.
  std::function<void(int64_t tokens, int64_t bytes)> announce;
  /// Called for each map with what is done to it.
  std::function<void(std::string_view stage, std::string_view name)> progress;
};

/// Plans, fits and writes. The output holds config.json, in which the key
/// `linnet` names the structures, model.safetensors, plan.json, analysis.json
/// (unless a plan was given), report.json, and the other files of the input;
/// the input is not changed. Approximate: report.json says by how much.
///
/// Memory: the matrices and moments of one layer in f64, and with a calibration
/// 8 bytes per token of it and entry of the hidden state, and the layers'
/// weights in f32 while sensitivities are measured.
///
/// Errors: an input that is no checkpoint directory or has no such maps; a
/// structure with which no matrix needs less of what the budget counts; a
/// budget that is malformed or below what the structures need (the message says
/// the least); a plan that is malformed, of another model, names other maps, or
/// has numbers that a matrix cannot have; channels, experts or layers that
/// cannot be left out, or whose loss the configuration cannot say; a
/// calibration of a model that is neither causal-lm nor encoder, of fewer than
/// 8 windows, or with tokens outside of the vocabulary; entries that are not
/// finite; an output that exists. Nothing is left of the output then.
Status compressCheckpoint(const CompressOptions &options,
                          CompressReport &report);

/// Writes the checkpoint of `options.input` with one more tensor for each
/// linear map W of a layer, `.thresholds` behind the name of its matrix: how
/// small an input x_j has to be to count as zero. config.json names the maps in
/// the key `linnet.thresholds`. Decode then reads only the weights of inputs
/// that are left (linnet.threshold, linnet-skip-zeros); prefill computes the
/// same function.
///
/// x_j is left out where |x_j| |W[:, j]| <= t. t is chosen for each map on the
/// calibration's fitted windows as the original model runs on them:
/// `options.thresholds` is "share:F" for a t that makes a share F of inputs
/// zero and hardly more (those that are zero anyway count), "error:E" for the
/// largest, in steps of a 64th of the inputs, with |W x - W x'| <= E |W x|,
/// root mean square. Maps that need none, or allow none, are left alone.
///
/// A threshold is a step: an input that rounding moves across it counts in one
/// phase, or on one machine, and not in another.
///
/// Approximate: report.json states for each map what it does on the held-out
/// windows, and what all of them do to the hidden states and the outputs.
///
/// Memory: the inputs of the maps of one stage at no more than 4096 fitted and
/// 4096 held-out tokens, one matrix, and two copies of its largest input, in
/// f64, and 8 bytes per token of the calibration and entry of the hidden state.
///
/// Errors: as of compressCheckpoint(), and an encoder, which has no decode; a
/// checkpoint with thresholds.
Status thresholdActivations(const CompressOptions &options,
                            CompressReport &report);

/// Writes the checkpoint in `input`, which compressCheckpoint() wrote, as one
/// that other programs read: every matrix that follows from factors is
/// multiplied out, in f32 (the factors' own type would round the products).
/// The same function of tokens, as many numbers as the original; exact up to
/// the rounding to f32. Errors: an input without such matrices; an output that
/// exists; a checkpoint with thresholds, which other programs would not apply.
Status exportDense(const std::string &input, const std::string &output);

/// Adds to the weights of the checkpoint in `input` what others learned beside
/// it, each of `addends` a directory or "DIR:C" with a coefficient C (1):
///
/// - an adapter of low rank as PEFT stores it (adapter_config.json, and factors
///   A [rank, in] and B [out, rank] by the names of base_model.model's
///   modules): C alpha / rank B A, with `use_rslora` alpha / sqrt(rank); with
///   `fan_in_fan_out` its transpose (Hu et al. 2022);
/// - another checkpoint of the same shapes: C (W' - W), a task vector (Ilharco
///   et al. 2023).
///
/// Exact: sums are f64 and rounded once, to the tensor's type. Everything else
/// is copied. Errors: an output that exists; an adapter of another kind (DoRA,
/// biases, an alpha for each module); tensors that the checkpoint lacks or has
/// in another shape.
Status mergeAdapters(const std::string &input,
                     const std::vector<std::string> &addends,
                     const std::string &output);

/// Writes the checkpoint in `input` as a plain one that computes the same with
/// less. Of `folds`,
///
/// - "norms": where all uses of a norm's output are dense linear maps (also
///   heads joined before), W (x w + b) + c becomes (W diag(w)) x + (c + W b),
///   and the norm keeps ones and zeros (with `unit_offset` the weight keeps
///   zeros: 1 + w is folded);
/// - "dead": a channel between maps goes whose value is a constant whatever the
///   input is, or which no output takes. Rows of zeros are constant, and so is
///   relu of what cannot be positive: |x| <= sqrt(n) for the n entries of rms
///   and layer norms, so W (x w + b) + c is at most c + W b + sqrt(n) |W diag
///   w| (of layer norms, less its mean), with 1e-5 of all terms to spare for
///   roundings. What a constant adds goes to the next bias. Layers keep as many
///   channels as the one with fewest dead ones, as configurations have one
///   width.
///
/// Exact but for one rounding per entry, which `notes` says: f64 and f32 stay,
/// narrower tensors that are multiplied become f32, which holds products of two
/// of them. What is left alone goes to `declined`: also maps one behind the
/// other, with what their product would hold. Errors: nothing to fold; entries
/// that are not finite; an output that exists.
Status foldCheckpoint(const CompressOptions &options, CompressReport &report);

/// Writes the checkpoint in `input` with the tokens that occur in the text (or
/// array of ids, "@T.npy") `keepVocabulary` and no others but those that are
/// needed: added tokens, those that the configuration names, bytes (of word
/// pieces, single characters), and what merges make on the way to another.
/// Tokens get new ids, in the old order; kept_tokens.npy says which each was.
/// Embeddings, heads, tokenizer.json and configurations follow. Prints what
/// became of each to `notes`, and with `evaluation` how many tokens that text
/// becomes.
///
/// Exact: a text of kept tokens becomes the same tokens (which is checked on
/// the given one), and their logits and hidden states are the same numbers.
/// Probabilities are shared by fewer tokens; other texts become more and
/// smaller ones.
///
/// Errors: a text without tokens, or a tokenizer that cannot be read; ids
/// outside of the vocabulary; nothing that can go; a model whose tables cannot
/// be told (findVocabularyTensors). With ids, a tokenizer that cannot be read
/// is left out.
Status reduceVocabulary(const CompressOptions &options, CompressReport &report);

/// Writes the checkpoint in `input`, an encoder, with outputs of
/// `embeddingWidth` entries: those of before times a matrix P, which becomes a
/// tensor that the key `linnet.output_projection` of config.json names (other
/// programs leave it unread and see the outputs of before).
///
/// Without a calibration P takes the first entries, as models want that were
/// trained so (Matryoshka: Kusupati et al. 2022). With one, P is that or the
/// leading eigenvectors of the second moment of sentence vectors of length 1
/// (which keeps most of all products between them), whichever keeps the
/// order of cosines between the held-out sentences better (their correlation).
/// A sentence vector is the mean of outputs, or the first if
/// 1_Pooling/config.json says so. `notes` say by how much cosines differ, there
/// and on the evaluation: they also grow, since what is cut away is what
/// vectors differ in.
///
/// Errors: no encoder; a width that is not below that of the outputs; outputs
/// that were cut before; fewer than 16 sentences to calibrate with; an output
/// that exists.
Status cutEmbeddings(const CompressOptions &options, CompressReport &report);

} // namespace linnet

#endif // LINNET_COMPRESS_COMPRESS_H
