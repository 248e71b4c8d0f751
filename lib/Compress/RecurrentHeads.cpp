//===- RecurrentHeads.cpp - heads of scans --------------------------------===//
//
// What belongs to a head is found from the map that takes what the scan reads
// out (EntryWalk.h). A norm over several heads is rescaled when some go; taps
// show what it makes of the others then (TapNorms.h).
//
//===----------------------------------------------------------------------===//

#include "CheckOptions.h"
#include "ConfigEdits.h"
#include "EntryWalk.h"
#include "TapNorms.h"

#include "linnet/Support/Quote.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <set>

namespace linnet::compress {

namespace ir = mlir::linnet;
using mlir::Value;

namespace {

/// Finds what belongs to the heads of one scan.
class ScanWalk : public EntryWalk {
public:
  explicit ScanWalk(ir::ScanOp scan)
      : EntryWalk(typeOf(scan.getResult()).getDimSize(2), "head"),
        heads(period), scan(scan) {}

  /// Errors: why heads cannot be told apart.
  Status run() {
    int64_t keys = typeOf(scan.getQuery()).getDimSize(2);
    if (heads == 1)
      return makeError("a scan of one head");
    if (scan.getBonus() || scan.getInitial())
      return makeError("a scan with a bonus or a first state");
    if (keys != heads)
      sets = keys;
    Result<ir::LinearOp> taker = findConsumer(scan.getResult(), "a scan");
    if (!taker)
      return taker.error();
    consumer = *taker;
    width = typeOf(consumer.getInput()).getShape().back();
    if (mlir::ShapedType::isDynamic(width) || width % heads)
      return makeError("a map of ", width, " inputs behind ", heads, " heads");
    Labels labels;
    for (int64_t i = 0; i < width; ++i)
      labels.push_back(i / (width / heads));
    if (Status status = visit(consumer.getInput(), labels); !status)
      return status;
    if (!labelsOf(scan.getResult()))
      return makeError("a scan that its result does not come from alone");
    return checkUses();
  }

  ir::LinearOp consumer;
  int64_t heads = 0, sets = 1, width = 0;
  llvm::SmallVector<ir::NormOp> norms;

private:
  Status step(mlir::Operation *op, Value value, const Labels &labels) override {
    if (op == scan)
      return stepScan(value, labels);
    if (auto rotary = mlir::dyn_cast<ir::RotaryOp>(op))
      return typeOf(value).getRank() == 4 ? visit(rotary->getOperand(0), labels)
                                          : Status(standsBetweenMaps(op));
    if (auto norm = mlir::dyn_cast<ir::NormOp>(op))
      return stepNorm(norm, labels);
    return EntryWalk::step(op, value, labels);
  }

  bool isEnd(mlir::OpOperand &use) const override {
    return use.getOwner() == consumer;
  }

  Status stepScan(Value value, llvm::ArrayRef<int64_t> labels) {
    if (value != scan.getResult())
      return standsBetweenMaps(scan);
    int64_t entries = int64_t(labels.size()) / heads;
    for (int64_t i = 0; i < int64_t(labels.size()); ++i)
      if (labels[size_t(i)] != i / entries)
        return standsBetweenMaps(scan);
    llvm::SmallVector<Value> values{scan.getValue()};
    llvm::append_range(values, scan.getParameters());
    if (sets == 1 && typeOf(scan.getQuery()).getDimSize(2) == heads) {
      values.push_back(scan.getQuery());
      values.push_back(scan.getKey());
    }
    for (Value operand : values) {
      mlir::ShapedType type = typeOf(operand);
      // What key heads have, several heads share.
      if (type.getRank() < 3 || type.getDimSize(2) != heads)
        continue;
      Labels own;
      int64_t each = 1;
      for (int64_t extent : type.getShape().drop_front(3))
        each *= extent;
      for (int64_t head = 0; head < heads; ++head)
        own.insert(own.end(), size_t(each), head);
      if (Status status = visit(operand, own); !status)
        return status;
    }
    return {};
  }

  Status stepNorm(ir::NormOp op, const Labels &labels) {
    llvm::SmallVector<Value> values{op.getInput()};
    if (op.getGate())
      values.push_back(op.getGate());
    int64_t row = typeOf(op.getInput()).getShape().back();
    bool isOverSeveral = false;
    for (size_t at = 0; at < labels.size(); at += size_t(row))
      isOverSeveral |=
          !llvm::all_equal(llvm::ArrayRef(labels).slice(at, size_t(row)));
    if (isOverSeveral) {
      if (!canMask(op) || int64_t(labels.size()) != row)
        return makeError("a norm over several heads that is not rms with a "
                         "weight alone");
      // As many heads of each of its groups.
      int64_t groups = int64_t(op.getGroups()), more = std::max(sets, groups);
      if (more % std::min(sets, groups) || heads % more)
        return makeError("a norm of ", groups, " groups over ", heads,
                         " heads in ", sets, " groups");
      sets = more;
      norms.push_back(op);
      if (Status status = visit(op.getWeight(), labels); !status)
        return status;
    }
    return visitAll(values, labels);
  }

  ir::ScanOp scan;
};

/// `labels` as runs of as many entries of each of `heads`. Errors: others.
Result<std::vector<ProducerPart>> partsOf(const Labels &labels, int64_t heads) {
  std::vector<ProducerPart> parts;
  for (size_t at = 0; at < labels.size();) {
    if (labels[at] == kNone) {
      ++at;
      continue;
    }
    size_t end = at;
    while (end < labels.size() && labels[end] == labels[at])
      ++end;
    size_t each = end - at, count = each * size_t(heads);
    for (size_t i = 0; i < count; ++i)
      if (at + i >= labels.size() || labels[at + i] != int64_t(i / each))
        return makeError("a map whose outputs are not in the order of heads");
    parts.push_back({int64_t(at), int64_t(count), false});
    at += count;
  }
  return parts;
}

class RecurrentHeads : public ChannelKind {
public:
  void find(const LayerMaps &layer, ChannelGroups &found) const override;
  std::string_view flags() const override { return "--keep-recurrent-heads"; }
  bool isAsked(const CompressOptions &options) const override {
    return options.keepRecurrentHeads < 1;
  }
  bool hasState() const override { return true; }
  std::string_view noun() const override {
    return "heads of scans between maps of their own";
  }
  Result<KeptUnits> plan(const ChannelGroup &group,
                         const CompressOptions &options) const override {
    int64_t heads = group.all.units / group.all.sets;
    const char *noun = group.all.sets > 1 ? "heads of each group" : "heads";
    double state = stateShare(options);
    Result<int64_t> kept = state < 1
                               ? fitState(state, heads, noun)
                               : keepShare(options.keepRecurrentHeads, heads,
                                           "--keep-recurrent-heads", noun);
    if (!kept)
      return kept.error();
    return KeptUnits{*kept * group.all.sets, group.all.sets};
  }
  std::string describe(const KeptUnits &kept) const override {
    return std::to_string(kept.units) + " heads of scans";
  }
  Status configure(const ChannelGroup &, const KeptUnits &, Json &,
                   const std::string &) const override {
    return {};
  }
  std::optional<std::vector<ConfigEdit>>
  edits(const ChannelGroup &group, const KeptUnits &kept,
        const Json &config) const override;
};

Result<ChannelGroup> findHeads(ir::ScanOp scan, const LayerMaps &layer) {
  ScanWalk walk(scan);
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
  ChannelGroup group{
      &recurrentHeads(), *consumer, {}, walk.width, {walk.heads, walk.sets}};
  for (auto &[value, labels] : walk.producers) {
    auto linear = mlir::cast<ir::LinearOp>(value.getDefiningOp());
    Result<std::vector<ProducerPart>> parts = partsOf(labels, walk.heads);
    if (!parts)
      return parts.error();
    std::optional<ChannelProducer> producer =
        layer.producer(linear, parts.take());
    if (!producer)
      return isNone(linear);
    group.producers.push_back(std::move(*producer));
  }
  llvm::sort(group.producers,
             [](const auto &a, const auto &b) { return a.map < b.map; });
  for (auto &[value, labels] : walk.tensors) {
    auto weight = mlir::cast<ir::WeightOp>(value.getDefiningOp());
    std::string name = ir::resolveWeightKey(weight.getKey(), layer.number());
    if (!weight.getLayer() || !weight->hasOneUse() || weight.isStacked())
      return makeError(quoteName(name), ", which is not of its heads alone");
    std::optional<SliceLabels> slices =
        slicesOf(labels, typeOf(value).getShape());
    if (!slices || slices->dimension != 0)
      return makeError(quoteName(name),
                       ", which has heads along another dimension than its "
                       "first");
    Result<std::vector<ProducerPart>> parts =
        partsOf(slices->labels, walk.heads);
    if (!parts)
      return parts.error();
    group.tensors.push_back({name, int64_t(slices->labels.size()), parts.take(),
                             llvm::any_of(walk.norms, [&](ir::NormOp norm) {
                               return findWeight(norm.getWeight()) == weight;
                             })});
  }
  return group;
}

} // namespace

void RecurrentHeads::find(const LayerMaps &layer, ChannelGroups &found) const {
  layer.layer().walk([&](ir::ScanOp scan) {
    Result<ChannelGroup> group = findHeads(scan, layer);
    if (group)
      found.groups.push_back(group.take());
    else
      found.obstacles.try_emplace(this, "layer " +
                                            std::to_string(layer.number()) +
                                            ": " + group.error().str());
  });
}

std::optional<std::vector<ConfigEdit>>
RecurrentHeads::edits(const ChannelGroup &group, const KeptUnits &kept,
                      const Json &config) const {
  // Beside the heads, a width of all of them may be said.
  std::set<int64_t> widths{group.width};
  for (const ChannelProducer &producer : group.producers)
    for (const ProducerPart &part : producer.parts)
      if (part.count != group.all.units)
        widths.insert(part.count);
  std::vector<ConfigEdit> all;
  for (auto &heads :
       entriesOf(config, double(group.all.units), double(kept.units)))
    all.push_back({heads});
  return withWidths(std::move(all), config, widths,
                    double(kept.units) / double(group.all.units));
}

const ChannelKind &recurrentHeads() {
  static const RecurrentHeads kind;
  return kind;
}

std::vector<ir::NormOp> normsOverHeads(mlir::func::FuncOp layer) {
  std::vector<ir::NormOp> norms;
  layer.walk([&](ir::ScanOp scan) {
    ScanWalk walk(scan);
    if (walk.run())
      llvm::append_range(norms, walk.norms);
  });
  return norms;
}

} // namespace linnet::compress
