//===- Layout.h - what a narrower model calls its tensors -----*- C++ -*-===//

#ifndef LIB_COMPRESS_LAYOUT_H
#define LIB_COMPRESS_LAYOUT_H

#include "Channels.h"
#include "Experts.h"
#include "StateChannels.h"
#include "TapRunner.h"

#include <set>

namespace linnet::compress {

/// Where the tensors of a model go when layers are dropped, and channels and
/// experts left out.
class Layout {
public:
  /// The model's own: nothing changes.
  Layout() = default;
  Layout(mlir::ModuleOp module, const std::vector<LinearMap> &maps,
         const std::vector<MapPlan> &plans,
         const std::vector<ChannelGroup> &groups,
         const std::vector<Mixture> &mixtures, const KeptExperts &experts,
         const std::vector<ScanState> &states, const KeptChannels &channels);

  bool isChanged() const {
    return !dropped.empty() || !narrowed.empty() || !fewer.empty() ||
           !narrowStates.empty();
  }
  bool isDropped(int64_t layer) const { return dropped.count(layer); }
  /// What tensor `name` is called; empty if its layer is dropped, or its
  /// expert.
  std::string nameOf(const std::string &name) const;
  /// How many slices along its first dimension the tensor `name`, a bias or
  /// another that goes with channels, keeps; nothing if all.
  std::optional<int64_t> keptOfTensor(const std::string &name) const;
  /// Which slices the tensor `name` keeps, of experts or of channels of a
  /// state; null if all.
  const SliceLabels *keptSlices(const std::string &name) const;
  /// The same of the outputs of map `number`.
  const std::vector<int64_t> *keptOutputs(size_t number) const;
  /// What closes the experts of a layer that are left out (maskOf()), and masks
  /// channels of states (stateMaskOf()).
  Replacements masksOf(int64_t layer) const;
  /// Whether map `number` is a producer that loses outputs.
  bool isProduced(size_t number) const;
  /// The group whose channels are left out that map `number` is the consumer
  /// of; null if there is none.
  const ChannelGroup *consumedGroup(size_t number) const;

  /// Ways in which a configuration may say what configure() does not know to
  /// say, most likely ones first; one that changes nothing if there is nothing.
  /// Which one does is the importer's to say: setEdit() before configure().
  std::vector<ConfigEdit> edits(const Json &config) const;
  void setEdit(ConfigEdit chosen) { edit = std::move(chosen); }
  /// What they are to say: "4 experts, now 2".
  std::string saidByEdits() const;
  /// Errors: other numbers of units than are kept in what was imported.
  Status checkImported(const ChannelGroups &imported,
                       const ScanStates &states) const;
  /// Changes sizes in a configuration, which `file` names. Errors: sizes that
  /// are not there.
  Status configure(Json &config, const std::string &file) const;
  /// What other programs may not take of that configuration.
  std::vector<std::string> notes(const Json &config) const;

private:
  /// Whether layers keep different numbers of a kind.
  bool isUneven(const ChannelKind *kind) const;
  std::vector<ConfigEdit> expertEdits(const Json &config) const;

  std::set<int64_t> dropped;
  int64_t layers = 0;
  /// What stands before a layer's number in names of its tensors.
  std::set<std::string> prefixes;
  /// Groups that lose channels, and what they keep; of a kind as many, unless
  /// it is one of `uneven`.
  struct Narrowed {
    ChannelGroup group;
    KeptUnits kept;
  };
  std::vector<Narrowed> narrowed;
  std::set<const ChannelKind *> uneven;
  /// What is left of such producers, by what they are called.
  std::map<std::string, int64_t> unevenOutputs;
  /// Mixtures that lose experts, by the name of their router; all keep as many.
  struct Fewer {
    Mixture mixture;
    std::vector<int64_t> kept;
  };
  std::map<std::string, Fewer> fewer;
  /// States that lose channels; all keep as many.
  struct NarrowState {
    ScanState state;
    std::vector<int64_t> kept;

    int64_t channels() const { return int64_t(kept.size()) / state.groups; }
  };
  std::vector<NarrowState> narrowStates;
  /// The slices that tensors keep, and the outputs that maps keep.
  std::map<std::string, SliceLabels> slices;
  std::map<size_t, std::vector<int64_t>> outputs;
  ConfigEdit edit;
  /// What tensors of one expert are called; empty if it is left out.
  std::map<std::string, std::string> members;
};

/// The rows or columns `kept` of a stored matrix [rows, columns] of elements of
/// `size` bytes.
std::vector<std::byte> sliceRows(const std::vector<std::byte> &matrix,
                                 int64_t columns, size_t size,
                                 const std::vector<int64_t> &kept);
std::vector<std::byte> sliceColumns(const std::vector<std::byte> &matrix,
                                    int64_t columns, size_t size,
                                    const std::vector<int64_t> &kept);

} // namespace linnet::compress

#endif // LIB_COMPRESS_LAYOUT_H
