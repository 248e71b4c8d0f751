//===- RecurrentHeads.cpp - heads of scans --------------------------------===//
//
// Before the map that takes what a scan reads out, every entry of every value
// belongs to one head of the scan, or to none: walking back, entries are
// labelled by heads until maps and tensors are reached, whose slices go with
// the heads. A norm over several heads is rescaled when some go; taps show what
// it makes of the others then (TapNorms.h).
//
//===----------------------------------------------------------------------===//

#include "Channels.h"
#include "CheckOptions.h"
#include "TapNorms.h"

#include "linnet/Support/Quote.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"

#include <algorithm>
#include <set>

namespace linnet::compress {

namespace ir = mlir::linnet;
using mlir::Value;

namespace {

/// The head of each index along a dimension; kNone: of none.
using Labels = std::vector<int64_t>;
constexpr int64_t kNone = -1;

bool isFree(llvm::ArrayRef<int64_t> labels) {
  return llvm::all_of(labels, [](int64_t label) { return label == kNone; });
}

mlir::ShapedType typeOf(Value value) {
  return mlir::cast<mlir::ShapedType>(value.getType());
}

/// Finds what belongs to the heads of one scan.
class ScanWalk {
public:
  explicit ScanWalk(ir::ScanOp scan) : scan(scan) {}

  /// Errors: why heads cannot be told apart.
  Status run() {
    heads = typeOf(scan.getResult()).getDimSize(2);
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
    if (Status status = visit(consumer.getInput(), 2, labels); !status)
      return status;
    return check();
  }

  ir::LinearOp consumer;
  int64_t heads = 0, sets = 1, width = 0;
  /// Of results of maps, and of tensors along their first dimension.
  llvm::MapVector<Value, Labels> producers, tensors;
  llvm::SmallVector<ir::NormOp> norms;

private:
  /// Entries of `value` along `dimension` belong to these heads.
  Status visit(Value value, int64_t dimension, const Labels &labels) {
    if (isFree(labels))
      return {};
    auto [place, isFresh] = known.insert({value, {dimension, labels}});
    if (!isFresh) {
      auto &[before, merged] = place->second;
      if (before != dimension)
        return makeError("heads along two dimensions of one value");
      bool isChanged = false;
      for (size_t i = 0; i < labels.size(); ++i) {
        if (labels[i] == kNone || labels[i] == merged[i])
          continue;
        if (merged[i] != kNone)
          return makeError("entries of one value that two heads share");
        merged[i] = labels[i];
        isChanged = true;
      }
      if (!isChanged)
        return {};
    }
    Labels merged = known[value].second;
    mlir::Operation *op = value.getDefiningOp();
    if (!op)
      return makeError("an argument of the layer between its maps");
    return step(op, value, dimension, merged);
  }

  Status visitAll(mlir::ValueRange values, int64_t dimension,
                  const Labels &labels) {
    for (Value value : values)
      if (Status status = visit(value, dimension, labels); !status)
        return status;
    return {};
  }

  Status step(mlir::Operation *op, Value value, int64_t dimension,
              const Labels &labels) {
    if (mlir::isa<mlir::tensor::EmptyOp>(op))
      return {};
    if (auto constant = mlir::dyn_cast<mlir::arith::ConstantOp>(op))
      return mlir::isa<mlir::SplatElementsAttr>(constant.getValue())
                 ? Status()
                 : makeError("constants that heads have by their number");
    if (auto linear = mlir::dyn_cast<ir::LinearOp>(op)) {
      // Of a head's entries, or with these as outputs.
      if (dimension + 1 < typeOf(value).getRank())
        return visit(linear.getInput(), dimension, labels);
      producers[value] = labels;
      return dimension == 2 ? Status() : Status(standsBetweenMaps(op));
    }
    if (mlir::isa<ir::WeightOp>(op)) {
      tensors[value] = labels;
      return dimension == 0
                 ? Status()
                 : makeError("a tensor with heads along its dimension ",
                             dimension);
    }
    if (op == scan)
      return stepScan(value, dimension, labels);
    if (isElementwise(op))
      return visitAll(op->getOperands(), dimension, labels);
    return llvm::TypeSwitch<mlir::Operation *, Status>(op)
        .Case<mlir::linalg::GenericOp, mlir::tensor::ExpandShapeOp,
              mlir::tensor::CollapseShapeOp, mlir::tensor::ExtractSliceOp,
              mlir::tensor::ConcatOp, ir::ShortConvOp, ir::NormOp,
              ir::RotaryOp>(
            [&](auto own) { return through(own, dimension, labels); })
        .Default([](mlir::Operation *other) {
          return Status(standsBetweenMaps(other));
        });
  }

  Status stepScan(Value value, int64_t dimension, const Labels &labels) {
    if (value != scan.getResult() || dimension != 2)
      return standsBetweenMaps(scan);
    llvm::SmallVector<Value> values{scan.getValue()};
    llvm::append_range(values, scan.getParameters());
    if (sets == 1 && typeOf(scan.getQuery()).getDimSize(2) == heads) {
      values.push_back(scan.getQuery());
      values.push_back(scan.getKey());
    }
    for (Value operand : values) {
      mlir::ShapedType type = typeOf(operand);
      if (type.getRank() < 3 || type.getDimSize(2) == 1)
        continue;
      // What key heads have, several heads share.
      if (type.getDimSize(2) != heads)
        continue;
      if (Status status = visit(operand, 2, labels); !status)
        return status;
    }
    return {};
  }

  Status through(mlir::linalg::GenericOp op, int64_t dimension,
                 const Labels &labels) {
    auto maps = op.getIndexingMapsArray();
    if (op.getNumDpsInits() != 1 || !maps.back().isProjectedPermutation() ||
        !op.getBody()->getOps<mlir::linalg::IndexOp>().empty() ||
        !llvm::all_of(op.getIteratorTypesArray(), [](auto type) {
          return type == mlir::utils::IteratorType::parallel;
        }))
      return standsBetweenMaps(op);
    auto loop = maps.back().getDimPosition(unsigned(dimension));
    for (auto [operand, map] : llvm::zip(op.getInputs(), maps)) {
      if (!map.isProjectedPermutation())
        return standsBetweenMaps(op);
      for (unsigned d = 0; d < map.getNumResults(); ++d)
        if (map.getDimPosition(d) == loop)
          if (Status status = visit(operand, d, labels); !status)
            return status;
    }
    return {};
  }

  /// Labels of the dimension that `inner` entries each make one of, or that is
  /// split so.
  static Labels repeat(const Labels &labels, int64_t inner) {
    Labels all;
    for (int64_t label : labels)
      all.insert(all.end(), size_t(inner), label);
    return all;
  }

  Status through(mlir::tensor::ExpandShapeOp op, int64_t dimension,
                 const Labels &labels) {
    for (auto [from, dims] : llvm::enumerate(op.getReassociationIndices())) {
      if (!llvm::is_contained(dims, dimension))
        continue;
      int64_t inner = 1;
      for (int64_t d : dims) {
        int64_t size = op.getResultType().getDimSize(d);
        if (d < dimension && size != 1)
          return standsBetweenMaps(op);
        if (d > dimension)
          inner *= size;
      }
      return visit(op.getSrc(), int64_t(from), repeat(labels, inner));
    }
    return standsBetweenMaps(op);
  }

  Status through(mlir::tensor::CollapseShapeOp op, int64_t dimension,
                 const Labels &labels) {
    mlir::ReassociationIndices dims =
        op.getReassociationIndices()[size_t(dimension)];
    int64_t outer = op.getSrcType().getDimSize(dims.front());
    int64_t inner = int64_t(labels.size()) / std::max<int64_t>(outer, 1);
    Labels heads;
    for (int64_t i = 0; i < outer; ++i)
      heads.push_back(labels[size_t(i * inner)]);
    if (mlir::ShapedType::isDynamic(outer) || repeat(heads, inner) != labels)
      return standsBetweenMaps(op);
    return visit(op.getSrc(), dims.front(), heads);
  }

  Status through(mlir::tensor::ExtractSliceOp op, int64_t dimension,
                 const Labels &labels) {
    int64_t first = op.getStaticOffsets()[size_t(dimension)];
    int64_t size = op.getSourceType().getDimSize(dimension);
    if (op.getSourceType().getRank() != op.getResultType().getRank() ||
        mlir::ShapedType::isDynamic(first) ||
        mlir::ShapedType::isDynamic(size) ||
        op.getStaticStrides()[size_t(dimension)] != 1)
      return standsBetweenMaps(op);
    Labels whole(size_t(size), kNone);
    std::copy(labels.begin(), labels.end(), whole.begin() + first);
    return visit(op.getSource(), dimension, whole);
  }

  Status through(mlir::tensor::ConcatOp op, int64_t dimension,
                 const Labels &labels) {
    if (int64_t(op.getDim()) != dimension)
      return visitAll(op.getInputs(), dimension, labels);
    auto at = labels.begin();
    for (Value input : op.getInputs()) {
      auto end = at + typeOf(input).getDimSize(dimension);
      if (Status status = visit(input, dimension, Labels(at, end)); !status)
        return status;
      at = end;
    }
    return {};
  }

  Status through(ir::ShortConvOp op, int64_t dimension, const Labels &labels) {
    if (dimension != 2 || op.getTail())
      return standsBetweenMaps(op);
    if (Status status = visit(op.getInput(), 2, labels); !status)
      return status;
    if (Status status = visit(op.getWeight(), 0, labels); !status)
      return status;
    return op.getBias() ? visit(op.getBias(), 0, labels) : Status();
  }

  Status through(ir::RotaryOp op, int64_t dimension, const Labels &labels) {
    if (dimension != 2 || typeOf(op->getResult(0)).getRank() != 4)
      return standsBetweenMaps(op);
    return visit(op->getOperand(0), dimension, labels);
  }

  Status through(ir::NormOp op, int64_t dimension, const Labels &labels) {
    llvm::SmallVector<Value> values{op.getInput()};
    if (op.getGate())
      values.push_back(op.getGate());
    if (dimension + 1 == typeOf(op.getInput()).getRank()) {
      if (!canMask(op))
        return makeError("a norm over several heads that is not rms with a "
                         "weight alone");
      // As many heads of each of its groups.
      int64_t groups = int64_t(op.getGroups()), more = std::max(sets, groups);
      if (more % std::min(sets, groups) || heads % more)
        return makeError("a norm of ", groups, " groups over ", heads,
                         " heads in ", sets, " groups");
      sets = more;
      norms.push_back(op);
      if (Status status = visit(op.getWeight(), 0, labels); !status)
        return status;
    }
    return visitAll(values, dimension, labels);
  }

  /// What is followed goes nowhere else.
  Status check() {
    if (!known.count(scan.getResult()))
      return makeError("a scan that its result does not come from alone");
    for (const auto &[value, place] : known)
      for (mlir::Operation *user : value.getUsers()) {
        if (user == consumer || mlir::isa<mlir::tensor::DimOp>(user) ||
            llvm::any_of(user->getResults(),
                         [&](Value result) { return known.count(result); }))
          continue;
        auto slice = mlir::dyn_cast<mlir::tensor::ExtractSliceOp>(user);
        if (slice && takesNone(slice, place.first, place.second))
          continue;
        return makeError("'",
                         value.getDefiningOp()->getName().getStringRef().str(),
                         "' between its maps, which '",
                         user->getName().getStringRef().str(), "' uses too");
      }
    return {};
  }

  static bool takesNone(mlir::tensor::ExtractSliceOp slice, int64_t dimension,
                        llvm::ArrayRef<int64_t> labels) {
    int64_t first = slice.getStaticOffsets()[size_t(dimension)],
            count = slice.getStaticSizes()[size_t(dimension)];
    return !mlir::ShapedType::isDynamic(first) &&
           !mlir::ShapedType::isDynamic(count) &&
           isFree(labels.slice(size_t(first), size_t(count)));
  }

  ir::ScanOp scan;
  llvm::MapVector<Value, std::pair<int64_t, Labels>> known;
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
    Result<std::vector<ProducerPart>> parts = partsOf(labels, walk.heads);
    if (!parts)
      return parts.error();
    group.tensors.push_back({name, int64_t(labels.size()), parts.take(),
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

/// Entries that say `before`, and `after` in their place.
static std::vector<std::pair<std::string, Json>>
entriesOf(const Json &config, double before, double after) {
  std::vector<std::pair<std::string, Json>> found;
  const Json entries = config.flatten();
  for (const auto &[pointer, value] : entries.items())
    if (value.is_number() && value.get<double>() == before)
      found.emplace_back(pointer, value.is_number_integer() &&
                                          after == double(int64_t(after))
                                      ? Json(int64_t(after))
                                      : Json(after));
  return found;
}

/// Each of `edits` as it is and with each of `entries`.
static std::vector<ConfigEdit>
withAny(const std::vector<ConfigEdit> &edits,
        const std::vector<std::pair<std::string, Json>> &entries) {
  std::vector<ConfigEdit> all = edits;
  for (const auto &entry : entries)
    for (const ConfigEdit &edit : edits) {
      all.push_back(edit);
      all.back().push_back(entry);
    }
  return all;
}

std::optional<std::vector<ConfigEdit>>
RecurrentHeads::edits(const ChannelGroup &group, const KeptUnits &kept,
                      const Json &config) const {
  // So many are tried.
  constexpr size_t kMostEdits = 500;
  double share = double(kept.units) / double(group.all.units);
  // Beside the heads, a width of all of them may be said, or how many times
  // the hidden size it is.
  std::set<int64_t> widths{group.width};
  for (const ChannelProducer &producer : group.producers)
    for (const ProducerPart &part : producer.parts)
      if (part.count != group.all.units)
        widths.insert(part.count);
  std::vector<ConfigEdit> all;
  for (auto &heads :
       entriesOf(config, double(group.all.units), double(kept.units)))
    all.push_back({heads});
  auto hidden = config.find("hidden_size");
  for (int64_t width : widths) {
    auto entries = entriesOf(config, double(width), share * double(width));
    if (hidden != config.end() && hidden->is_number_integer()) {
      double times = double(width) / double(hidden->get<int64_t>());
      llvm::append_range(entries, entriesOf(config, times, share * times));
    }
    all = withAny(all, entries);
  }
  // The fewest entries first: what the importer does not need stays.
  llvm::sort(all, [](const ConfigEdit &a, const ConfigEdit &b) {
    return std::tuple(a.size(), a) < std::tuple(b.size(), b);
  });
  all.resize(std::min(all.size(), kMostEdits));
  return all;
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
