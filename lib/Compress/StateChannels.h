//===- StateChannels.h - scans with a narrower state ----------*- C++ -*-===//
//
// A scan reads q^T S of a state S of key channels by value channels, for each
// head: what it reads is a sum over key channels, of which some can be left
// out, with the rows that make their queries and keys, with their entries of
// convolutions and decays. As many stay in each group of heads, of which each
// has channels of its own, and in each layer. Other heads of a state go by
// RecurrentHeads.cpp.
//
// In plans, maps that lose such rows have "kept_state", and the key
// "state_channels" lists, by the name of the matrix that makes a scan's
// queries, which channels of each group stay.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_COMPRESS_STATECHANNELS_H
#define LIB_COMPRESS_STATECHANNELS_H

#include "Channels.h"
#include "EntryWalk.h"

namespace linnet::compress {

/// One scan in the IR of a layer. Channel n of group g is unit g * channels +
/// n.
struct ScanChannels {
  mlir::linnet::ScanOp scan;
  int64_t groups = 1, channels = 0;
  /// Of results of maps, in the order of what makes queries first, and of
  /// tensors.
  llvm::MapVector<mlir::Value, Labels> producers, tensors;
  /// What has to be 0 of a channel for it to be as good as not there: the
  /// scan's query first.
  llvm::SmallVector<std::pair<mlir::OpOperand *, Labels>, 0> masked;

  /// The key of the matrix that makes the queries, or the first that does.
  std::string key() const;
  /// The layer's number, with which that is read.
  mlir::Value layerNumber() const;
};
/// Errors: why key channels cannot be told apart.
Result<ScanChannels> findChannels(mlir::linnet::ScanOp scan);

/// The key channels of one scan of a model.
struct ScanState {
  int64_t layer = 0;
  /// What plans call it.
  std::string name;
  int64_t groups = 1, channels = 0;
  int64_t heads = 1, queryHeads = 1, keyHeads = 1;
  /// Value channels of a head.
  int64_t values = 0;
  /// The factor of what is read, and whether it is that of so many channels,
  /// 1 / sqrt(channels).
  double scale = 1;
  bool isScaled = false;
  /// The number of a map, the tensor of its bias or nothing, and its outputs.
  struct Rows {
    size_t map = 0;
    std::string bias;
    Labels labels;
  };
  std::vector<Rows> rows;
  struct Slices {
    std::string tensor;
    SliceLabels labels;
  };
  std::vector<Slices> slices;
  /// Of the values that taps can mask.
  std::vector<Labels> masks;

  int64_t units() const { return groups * channels; }
  /// Which of `labels` are of no unit, or of one of `kept`.
  static std::vector<int64_t> pick(const Labels &labels,
                                   const std::vector<int64_t> &kept);
};

struct ScanStates {
  /// In order.
  std::vector<ScanState> states;
  /// Why there are others that nothing can be left out of: "layer 0: ...".
  std::string obstacle;
};

/// Which units stay, ascending, for each of some states; empty: all.
using KeptChannels = std::vector<std::vector<int64_t>>;

ScanStates findScanStates(mlir::ModuleOp module, const LinearMaps &found);

/// How many channels `options` keep in each group. Errors: no scans, or of
/// several widths; a share that leaves out none, or all but one.
Result<int64_t> countChannels(const ScanStates &states,
                              const CompressOptions &options);

/// The `count` channels of highest score of each group; of equal ones the
/// first.
std::vector<int64_t> keepBestChannels(const ScanState &state,
                                      llvm::ArrayRef<double> scores,
                                      int64_t count);

/// What the plan at `path` keeps, by its key "state_channels". Errors: names of
/// no scan, lists that do not ascend or are not as many as groups.
Result<KeptChannels> readChannels(const std::string &path,
                                  const ScanStates &states);
/// The same as in plans: for each group its channels.
Json writeChannels(const ScanState &state, const std::vector<int64_t> &kept);

/// Gives maps their plan. Errors: a map that is planned otherwise; other
/// numbers in some layers or groups.
Status resolveChannels(const ScanStates &states, const KeptChannels &kept,
                       const std::vector<LinearMap> &maps,
                       std::vector<MapPlan> &plans);

/// Ways in which a configuration may say that `kept` of `channels` are left.
std::vector<ConfigEdit> channelEdits(const ScanState &state, int64_t kept,
                                     const Json &config);

/// A matrix without the outputs that make some channels of a state.
const MapStructure &keptStateStructure();

} // namespace linnet::compress

#endif // LIB_COMPRESS_STATECHANNELS_H
