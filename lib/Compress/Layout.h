//===- Layout.h - what a narrower model calls its tensors -----*- C++ -*-===//

#ifndef LIB_COMPRESS_LAYOUT_H
#define LIB_COMPRESS_LAYOUT_H

#include "Channels.h"
#include "Experts.h"
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
         const std::vector<Mixture> &mixtures, const KeptExperts &experts);

  bool isChanged() const {
    return !dropped.empty() || !narrowed.empty() || !fewer.empty();
  }
  bool isDropped(int64_t layer) const { return dropped.count(layer); }
  /// What tensor `name` is called; empty if its layer is dropped, or its
  /// expert.
  std::string nameOf(const std::string &name) const;
  /// How many entries the bias `name` keeps; nothing if all.
  std::optional<int64_t> keptOfBias(const std::string &name) const;
  /// Which slices the tensor `name` keeps along its first dimension, one for
  /// each expert; null if all.
  const std::vector<int64_t> *keptSlices(const std::string &name) const;
  /// The same of map `number`, a router.
  const std::vector<int64_t> *keptOutputs(size_t number) const;
  /// What closes the experts of a layer that are left out (maskOf()).
  Replacements masksOf(int64_t layer) const;
  /// Whether map `number` is a producer that loses outputs.
  bool isProduced(size_t number) const;
  /// The group whose channels are left out that map `number` is the consumer
  /// of; null if there is none.
  const ChannelGroup *consumedGroup(size_t number) const;

  /// The entries of a configuration that may say how many experts there are,
  /// most likely ones first, as JSON pointers; nothing if all stay. Which one
  /// does is the importer's to say: setExpertsKey() before configure().
  std::vector<std::string> expertsKeys(const Json &config) const;
  void setExpertsKey(std::string pointer) { expertsKey = std::move(pointer); }
  /// How many there are, and are left.
  std::pair<int64_t, int64_t> expertCounts() const;
  /// Changes sizes in a configuration, which `file` names. Errors: sizes that
  /// are not there.
  Status configure(Json &config, const std::string &file) const;
  /// What other programs may not take of that configuration.
  std::vector<std::string> notes(const Json &config) const;

private:
  std::set<int64_t> dropped;
  int64_t layers = 0;
  /// What stands before a layer's number in names of its tensors.
  std::set<std::string> prefixes;
  /// Groups that lose channels, and what they keep; of a kind as many.
  struct Narrowed {
    ChannelGroup group;
    KeptUnits kept;
  };
  std::vector<Narrowed> narrowed;
  /// Mixtures that lose experts, by the name of their router; all keep as many.
  struct Fewer {
    Mixture mixture;
    std::vector<int64_t> kept;
  };
  std::map<std::string, Fewer> fewer;
  std::string expertsKey;
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
