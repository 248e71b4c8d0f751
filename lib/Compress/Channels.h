//===- Channels.h - narrower and fewer layers -----------------*- C++ -*-===//
//
// Channels between maps of a layer can be left out: each is an input of one map
// (the consumer) and depends on some outputs of one or more maps (producers):
// neurons of an MLP, or entries of attention's heads. What is left is a model
// of the same kind with narrower matrices, which other programs read too. So is
// one without some layers.
//
// Channels go in units of as many consecutive ones: a neuron, a head. Units may
// stand in sets, of each of which as many go: the query heads of a key head.
// Sets go with all of their units.
//
// In plans, the consumer has "kept_inputs", a producer that loses outputs
// "kept_outputs" with the number that goes with them, and all maps of a layer
// that goes are "dropped". How many sets are kept is what producers with
// outputs of sets say.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_COMPRESS_CHANNELS_H
#define LIB_COMPRESS_CHANNELS_H

#include "MapStructure.h"

#include "linnet/Support/Json.h"

#include <optional>

namespace linnet::compress {

class ChannelKind;

struct KeptUnits {
  int64_t units = 0, sets = 1;
  auto operator<=>(const KeptUnits &) const = default;
};

/// Consecutive outputs of a producer, as many of which go with each unit or
/// with each set.
struct ProducerPart {
  int64_t first = 0, count = 0;
  bool isOfSets = false;
};

struct ChannelProducer {
  /// The number of the map, and its outputs.
  size_t map = 0;
  int64_t rows = 0;
  /// Ascending, apart: queries, keys and values may be of one map. Outputs
  /// that are of none stay.
  std::vector<ProducerPart> parts;
  /// The tensor of the bias that it adds; empty if it adds none.
  std::string bias;

  /// How many outputs go with each unit, or each set, of `all`.
  int64_t perUnit(const KeptUnits &all) const;
  int64_t perSet(const KeptUnits &all) const;
};

/// A tensor beside the maps, some slices of which along the first dimension go
/// with units.
struct ChannelTensor {
  std::string name;
  /// All slices there are.
  int64_t rows = 0;
  std::vector<ProducerPart> parts;
  /// It is the weight of a norm over several units: without some of them the
  /// norm is of other numbers (TapNorms.h).
  bool isOfNorm = false;
};

struct ChannelGroup {
  const ChannelKind *kind = nullptr;
  /// The number of the map.
  size_t consumer = 0;
  std::vector<ChannelProducer> producers;
  /// Inputs of the consumer.
  int64_t width = 0;
  /// All there are.
  KeptUnits all;
  std::vector<ChannelTensor> tensors = {};

  int64_t unit() const { return width / all.units; }
  /// How many outputs of `producer` are needed for `kept`.
  int64_t keptOf(const ChannelProducer &producer, const KeptUnits &kept) const;
  /// Which, for the inputs `kept` of the consumer; both ascend.
  std::vector<int64_t> outputsFor(const ChannelProducer &producer,
                                  const std::vector<int64_t> &kept) const;
  /// The same of another tensor's slices.
  std::vector<int64_t> slicesFor(const ChannelTensor &tensor,
                                 const std::vector<int64_t> &kept) const;
  /// Whether it stands behind a norm over several units.
  bool isNormed() const;
  /// What makes such norms those of the inputs `kept` alone, by maskOf() of
  /// their weights.
  std::map<std::string, Matrix>
  normFactors(const std::vector<int64_t> &kept) const;
};

/// Finds the maps of one layer.
class LayerMaps {
public:
  LayerMaps(mlir::func::FuncOp layer, int64_t number, const LinearMaps &found);
  mlir::func::FuncOp layer() const { return function; }
  int64_t number() const { return layerNumber; }
  /// The number of the map that `linear` is; nothing if it is none.
  std::optional<size_t> numberOf(mlir::linnet::LinearOp linear) const;
  /// The map as a producer of these outputs; without parts all go with units.
  /// Nothing: no map, or a bias that others use too.
  std::optional<ChannelProducer>
  producer(mlir::linnet::LinearOp linear,
           std::vector<ProducerPart> parts = {}) const;

private:
  mlir::func::FuncOp function;
  int64_t layerNumber;
  const LinearMaps &found;
  std::map<std::string, size_t> numbers;
};

/// Of heads, or other units: why what `op` does between maps keeps them from
/// being told apart.
Error standsBetweenMaps(mlir::Operation *op, const char *unit = "head");
/// The one map that takes what becomes of `value`, the result of `what`, of
/// which every operation makes one result. Errors: others use it too.
Result<mlir::linnet::LinearOp> findConsumer(mlir::Value value,
                                            std::string_view what);

struct ChannelGroups {
  std::vector<ChannelGroup> groups;
  /// What is of a kind but cannot be left out, and why: "layer 0: ...".
  std::map<const ChannelKind *, std::string> obstacles;
};

/// Entries of a configuration, as JSON pointers, and what they become.
using ConfigEdit = std::vector<std::pair<std::string, Json>>;

/// What channels are.
class ChannelKind {
public:
  virtual ~ChannelKind() = default;
  /// Those of a layer.
  virtual void find(const LayerMaps &layer, ChannelGroups &found) const = 0;
  /// The flags that say how many are kept, and whether they say so.
  virtual std::string_view flags() const = 0;
  virtual bool isAsked(const CompressOptions &options) const = 0;
  /// Whether decode carries a state for each of its sets, or units.
  virtual bool hasState() const { return false; }
  /// Whether layers may keep different numbers: a configuration says so by the
  /// outputs of producers (lib/Frontend/Outputs.cpp).
  virtual bool mayDiffer() const { return false; }
  /// What is looked for: "channels between two maps".
  virtual std::string_view noun() const = 0;
  /// How many are kept of a group. Errors: a share that leaves out none.
  virtual Result<KeptUnits> plan(const ChannelGroup &group,
                                 const CompressOptions &options) const = 0;
  /// "352 kept inputs".
  virtual std::string describe(const KeptUnits &kept) const = 0;
  /// Changes sizes in a configuration, which `file` names. Errors: sizes that
  /// are not there.
  virtual Status configure(const ChannelGroup &group, const KeptUnits &kept,
                           Json &config, const std::string &file) const = 0;
  /// Ways in which a configuration may say it beside that, the shortest first:
  /// the first with which the importer takes the result is the one. Nothing:
  /// configure() says it all.
  virtual std::optional<std::vector<ConfigEdit>>
  edits(const ChannelGroup &group, const KeptUnits &kept,
        const Json &config) const {
    return std::nullopt;
  }
  /// What other programs may not take of that configuration; empty if all do.
  virtual std::string note(const KeptUnits &kept, const Json &config) const {
    return {};
  }
};

/// Channels of MLPs, each by itself: outputs of maps that an elementwise
/// function makes inputs of another.
const ChannelKind &mlpChannels();
/// Query heads, which stand in sets by their key heads. With key heads go those
/// of keys and values.
const ChannelKind &attentionHeads();
/// Heads of scans, by the groups of their keys. With them go entries of decays,
/// gates and convolutions.
const ChannelKind &recurrentHeads();

/// `share` of `count`, at least 1; with 1 all. Errors: all of a smaller share.
Result<int64_t> keepShare(double share, int64_t count, const char *flag,
                          const char *noun);
/// The most of `count` within `share` of their state. Errors: none.
Result<int64_t> fitState(double share, int64_t count, const char *noun);

/// Replaces `before` under each of `keys` that has it in a configuration.
/// Whether one had.
bool replaceNumber(Json &config, llvm::ArrayRef<const char *> keys,
                   int64_t before, int64_t after);

/// What of `module`'s layers may be left out, in order.
ChannelGroups findChannelGroups(mlir::ModuleOp module, const LinearMaps &maps);

/// Plans that keep what `options` ask for, as many in each layer; other maps
/// stay. Errors: no groups, or of several widths; with a budget of the state,
/// none with one.
Result<std::vector<MapPlan>> planChannels(const ChannelGroups &found,
                                          size_t maps,
                                          const CompressOptions &options);

/// Adds to plans of consumers what they need to know of their groups: channels
/// in a unit, sets, and how many of these are kept. Errors: a map of a group
/// that leaves out channels which the others keep, groups that keep different
/// numbers, a layer that is dropped in part, or all layers.
Status resolveNarrowing(const std::vector<LinearMap> &maps,
                        std::vector<MapPlan> &plans,
                        const std::vector<ChannelGroup> &groups);

/// What the resolved plan of its consumer keeps of a group; nothing if all.
std::optional<KeptUnits> keptUnits(const ChannelGroup &group,
                                   const std::vector<MapPlan> &plans);

/// `matrix`, all of whose columns but `kept` are zeros.
std::unique_ptr<FittedMap> keepInputs(Matrix matrix, std::vector<int64_t> kept);

const MapStructure &keptInputsStructure();
const MapStructure &keptOutputsStructure();
const MapStructure &droppedStructure();

} // namespace linnet::compress

#endif // LIB_COMPRESS_CHANNELS_H
