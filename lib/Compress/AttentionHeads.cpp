//===- AttentionHeads.cpp - heads of attention ----------------------------===//
//
// Between the maps that make queries, keys and values and the one that takes
// what attention makes of them, every operation acts on each head alone: then a
// head can be left out with the rows and columns that are its own.
//
//===----------------------------------------------------------------------===//

#include "Channels.h"
#include "CheckOptions.h"

#include "linnet/Support/Quote.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SetVector.h"

#include <algorithm>

namespace linnet::compress {

namespace ir = mlir::linnet;
using mlir::Value;

namespace {

mlir::ShapedType typeOf(Value value) {
  return mlir::cast<mlir::ShapedType>(value.getType());
}

/// Whether `reassociation` makes two dimensions of the third, or one of them.
bool splitsThird(llvm::ArrayRef<mlir::ReassociationIndices> reassociation) {
  return reassociation.size() == 3 && reassociation[2].size() == 2;
}

/// Finds the maps around one attention.
class HeadWalk {
public:
  explicit HeadWalk(ir::AttentionOp attention) : attention(attention) {}

  /// Errors: why heads cannot be told apart.
  Status run() {
    if (attention.valuesAreKeys())
      return makeError("latent attention, whose keys are its values");
    if (attention.getBias())
      return makeError("attention with a bias of its scores");
    queryHeads = typeOf(attention.getQuery()).getDimSize(2);
    keyHeads = typeOf(attention.getKey()).getDimSize(2);
    Result<ir::LinearOp> taker =
        findConsumer(attention.getResult(), "attention");
    if (!taker)
      return taker.error();
    consumer = *taker;
    open.emplace_back(consumer.getInput(), queryHeads);
    while (!open.empty()) {
      auto [value, heads] = open.pop_back_val();
      if (Status status = visit(value, heads); !status)
        return status;
    }
    return checkUses();
  }

  ir::LinearOp consumer;
  int64_t queryHeads = 0, keyHeads = 0;
  struct Part {
    int64_t first, count, heads;
  };
  llvm::MapVector<mlir::Operation *, llvm::SmallVector<Part>> producers;

private:
  /// `value` holds `heads` heads: in dimension 2, or its parts.
  Status visit(Value value, int64_t heads) {
    mlir::Operation *op = value.getDefiningOp();
    if (!op)
      return makeError("an argument of the layer between its maps");
    auto [place, isFresh] = visited.insert({op, heads});
    if (!isFresh)
      return place->second == heads ? Status() : Status(standsBetweenMaps(op));
    if (mlir::isa<ir::LinearOp>(op))
      return addPart(op, {0, typeOf(value).getDimSize(2), heads});
    if (auto slice = mlir::dyn_cast<mlir::tensor::ExtractSliceOp>(op);
        slice && typeOf(value).getRank() == 3)
      return visitPart(slice, heads);
    if (op == attention) {
      if (heads != queryHeads)
        return standsBetweenMaps(op);
      open.emplace_back(attention.getQuery(), queryHeads);
      open.emplace_back(attention.getKey(), keyHeads);
      open.emplace_back(attention.getValue(), keyHeads);
      return {};
    }
    mlir::ShapedType type = typeOf(value);
    bool isSplit = type.getRank() == 4 && type.getDimSize(2) == heads;
    if (auto expand = mlir::dyn_cast<mlir::tensor::ExpandShapeOp>(op)) {
      if (!isSplit || !splitsThird(expand.getReassociationIndices()))
        return standsBetweenMaps(op);
      open.emplace_back(expand.getSrc(), heads);
    } else if (auto collapse =
                   mlir::dyn_cast<mlir::tensor::CollapseShapeOp>(op)) {
      Value from = collapse.getSrc();
      if (typeOf(from).getRank() != 4 || typeOf(from).getDimSize(2) != heads ||
          !splitsThird(collapse.getReassociationIndices()))
        return standsBetweenMaps(op);
      open.emplace_back(from, heads);
    } else if (isElementwise(op)) {
      for (Value operand : op->getOperands())
        open.emplace_back(operand, heads);
    } else if (auto rotary = mlir::dyn_cast<ir::RotaryOp>(op);
               rotary && isSplit) {
      open.emplace_back(rotary->getOperand(0), heads);
    } else if (auto norm = mlir::dyn_cast<ir::NormOp>(op); norm && isSplit) {
      // Its weights are of one head's width, the same for all.
      open.emplace_back(norm.getInput(), heads);
      if (norm.getGate())
        open.emplace_back(norm.getGate(), heads);
    } else if (auto slice = mlir::dyn_cast<mlir::tensor::ExtractSliceOp>(op);
               slice && isSplit &&
               typeOf(slice.getSource()).getDimSize(2) == heads) {
      open.emplace_back(slice.getSource(), heads);
    } else {
      return standsBetweenMaps(op);
    }
    return {};
  }

  /// A part of a map's outputs.
  Status visitPart(mlir::tensor::ExtractSliceOp slice, int64_t heads) {
    mlir::Operation *linear = slice.getSource().getDefiningOp<ir::LinearOp>();
    int64_t first = slice.getStaticOffsets()[2],
            count = slice.getStaticSizes()[2];
    if (!linear || mlir::ShapedType::isDynamic(first) ||
        mlir::ShapedType::isDynamic(count) || slice.getStaticStrides()[2] != 1)
      return standsBetweenMaps(slice);
    return addPart(linear, {first, count, heads});
  }

  Status addPart(mlir::Operation *linear, const Part &part) {
    for (const Part &other : producers[linear])
      if (part.first < other.first + other.count &&
          other.first < part.first + part.count)
        return makeError("parts of a map's outputs that overlap");
    producers[linear].push_back(part);
    return {};
  }

  /// What is followed goes nowhere else.
  Status checkUses() const {
    if (!visited.contains(attention))
      return makeError("attention that its result does not come from alone");
    llvm::SetVector<mlir::Operation *> ops;
    for (auto [op, heads] : visited)
      ops.insert(op);
    for (const auto &[op, parts] : producers)
      ops.insert(op);
    for (mlir::Operation *op : ops)
      for (mlir::Operation *user : op->getUsers())
        if (user != consumer && !ops.contains(user) &&
            !mlir::isa<mlir::tensor::DimOp>(user))
          return makeError("'", op->getName().getStringRef().str(),
                           "' between its maps, which '",
                           user->getName().getStringRef().str(), "' uses too");
    return {};
  }

  ir::AttentionOp attention;
  llvm::SmallVector<std::pair<Value, int64_t>> open;
  /// And by how many heads their results stand.
  llvm::MapVector<mlir::Operation *, int64_t> visited;
};

class AttentionHeads : public ChannelKind {
public:
  void find(const LayerMaps &layer, ChannelGroups &found) const override;
  std::string_view flags() const override {
    return "--keep-heads and --keep-kv-groups";
  }
  bool isAsked(const CompressOptions &options) const override {
    return options.keepHeads < 1 || options.keepKvGroups < 1;
  }
  bool hasState() const override { return true; }
  std::string_view noun() const override {
    return "heads of attention between maps of their own";
  }
  Result<KeptUnits> plan(const ChannelGroup &group,
                         const CompressOptions &options) const override;
  std::string describe(const KeptUnits &kept) const override {
    return std::to_string(kept.units) + " query and " +
           std::to_string(kept.sets) + " key heads";
  }
  Status configure(const ChannelGroup &group, const KeptUnits &kept,
                   Json &config, const std::string &file) const override;
  std::string note(const KeptUnits &kept, const Json &config) const override;
};

/// The heads around `attention` as a group. Errors: why there is none.
Result<ChannelGroup> findHeads(ir::AttentionOp attention,
                               const LayerMaps &layer) {
  HeadWalk walk(attention);
  if (Status status = walk.run(); !status)
    return status.error();
  auto isNone = [](ir::LinearOp linear) {
    auto name = mlir::dyn_cast<mlir::NameLoc>(linear.getLoc());
    return makeError(name ? quoteName(name.getName().str()) : "a map",
                     ", which is not a matrix of the layer's own");
  };
  std::optional<size_t> consumer = layer.numberOf(walk.consumer);
  if (!consumer)
    return isNone(walk.consumer);
  ChannelGroup group{&attentionHeads(),
                     *consumer,
                     {},
                     typeOf(walk.consumer.getInput()).getShape().back(),
                     {walk.queryHeads, walk.keyHeads}};
  for (auto &[op, found] : walk.producers) {
    auto linear = mlir::cast<ir::LinearOp>(op);
    llvm::sort(found,
               [](const auto &a, const auto &b) { return a.first < b.first; });
    std::vector<ProducerPart> parts;
    for (auto [first, count, heads] : found)
      parts.push_back({first, count, heads == walk.keyHeads});
    std::optional<ChannelProducer> producer =
        layer.producer(linear, std::move(parts));
    if (!producer)
      return isNone(linear);
    group.producers.push_back(std::move(*producer));
  }
  llvm::sort(group.producers,
             [](const auto &a, const auto &b) { return a.map < b.map; });
  return group;
}

} // namespace

void AttentionHeads::find(const LayerMaps &layer, ChannelGroups &found) const {
  layer.layer().walk([&](ir::AttentionOp attention) {
    Result<ChannelGroup> group = findHeads(attention, layer);
    if (group)
      found.groups.push_back(group.take());
    else
      found.obstacles.try_emplace(this, "layer " +
                                            std::to_string(layer.number()) +
                                            ": " + group.error().str());
  });
}

Result<KeptUnits> AttentionHeads::plan(const ChannelGroup &group,
                                       const CompressOptions &options) const {
  int64_t heads = group.all.units / group.all.sets;
  double state = stateShare(options);
  // With a key head for each query head they go together.
  bool isGrouped = heads > 1 || options.keepKvGroups < 1 || state < 1;
  Result<int64_t> sets =
      state < 1   ? fitState(state, group.all.sets, "key heads")
      : isGrouped ? keepShare(options.keepKvGroups, group.all.sets,
                              "--keep-kv-groups", "key heads")
                  : keepShare(options.keepHeads, group.all.sets, "--keep-heads",
                              "heads");
  if (!sets)
    return sets.error();
  Result<int64_t> kept =
      isGrouped ? keepShare(options.keepHeads, heads, "--keep-heads",
                            "query heads of each key head")
                : Result<int64_t>(heads);
  if (!kept)
    return kept.error();
  return KeptUnits{*kept * *sets, *sets};
}

Status AttentionHeads::configure(const ChannelGroup &group,
                                 const KeptUnits &kept, Json &config,
                                 const std::string &file) const {
  if (kept == group.all)
    return {};
  if (!replaceNumber(config, {"num_attention_heads"}, group.all.units,
                     kept.units))
    return makeError(file, ": key 'num_attention_heads': expected ",
                     group.all.units,
                     ", the heads that are left out, but it is not there");
  // Keys that said nothing until now.
  config["num_key_value_heads"] = kept.sets;
  config["head_dim"] = group.unit();
  return {};
}

std::string AttentionHeads::note(const KeptUnits &kept,
                                 const Json &config) const {
  auto hidden = config.find("hidden_size");
  if (hidden == config.end() || !hidden->is_number_integer() ||
      hidden->get<int64_t>() % kept.units == 0)
    return {};
  return std::to_string(kept.units) + " heads do not divide hidden_size " +
         std::to_string(hidden->get<int64_t>()) +
         ", as transformers wants of some families in spite of head_dim "
         "(llama, gemma2)";
}

const ChannelKind &attentionHeads() {
  static const AttentionHeads kind;
  return kind;
}

} // namespace linnet::compress
