//===- StateChannels.cpp - scans with a narrower state --------------------===//

#include "StateChannels.h"

#include "ConfigEdits.h"
#include "KnownOutputs.h"

#include "linnet/Support/Quote.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace linnet::compress {

namespace ir = mlir::linnet;
using mlir::Value;

//===----------------------------------------------------------------------===//
// In the IR
//===----------------------------------------------------------------------===//

namespace {

/// A scan's operands are its query, key, value and then these.
constexpr int kFirstParameter = 3;

/// Finds what belongs to the key channels of one scan, whose heads stand in
/// `groups` that have channels of their own.
class ChannelWalk : public EntryWalk {
public:
  ChannelWalk(ir::ScanOp scan, int64_t channels)
      : EntryWalk(channels, "key channel"), scan(scan) {
    operands.push_back({&scan->getOpOperand(0), "thk"});
    operands.push_back({&scan->getOpOperand(1), "thk"});
    auto dims = scan.getTransition().getOperandDims();
    for (auto [i, letters] : llvm::enumerate(dims))
      if (letters.contains('k'))
        operands.push_back(
            {&scan->getOpOperand(kFirstParameter + unsigned(i)), letters});
    groups = 0;
    for (const Operand &operand : operands)
      groups = std::gcd(groups, operand.heads());
  }

  /// Once heads share entries, all share their channels.
  Result<ScanChannels> run(bool isOneGroup) {
    if (isOneGroup)
      groups = 1;
    ir::NormalForm form = scan.getTransition().getNormalForm();
    for (const Operand &operand : operands) {
      Labels labels = startOf(operand);
      int64_t parameter =
          int64_t(operand.use->getOperandNumber()) - kFirstParameter;
      if (operand.use->getOperandNumber() < 2 || parameter == form.reader ||
          parameter == form.writer)
        masked[operand.use] = labels;
      if (Status status = visit(operand.use->get(), labels); !status)
        return status.error();
    }
    if (areShared && !isOneGroup)
      return ChannelWalk(scan, period).run(/*isOneGroup=*/true);
    if (Status status = checkUses(); !status)
      return status.error();
    for (const auto &found : {producers, tensors})
      for (const auto &[value, labels] : found)
        if (Status status = checkOrder(value, labels); !status)
          return status.error();
    return ScanChannels{scan,
                        groups,
                        period,
                        std::move(producers),
                        std::move(tensors),
                        masked.takeVector()};
  }

private:
  struct Operand {
    mlir::OpOperand *use;
    /// What its dimensions are, after the batch.
    llvm::StringRef letters;

    int64_t extent(char letter) const {
      size_t at = letters.find(letter);
      return at == llvm::StringRef::npos
                 ? 1
                 : typeOf(use->get()).getDimSize(unsigned(at + 1));
    }
    int64_t heads() const { return extent('h'); }
  };

  /// Dimensions from heads on are heads, key and value channels.
  Labels startOf(const Operand &operand) const {
    int64_t heads = operand.heads(), values = operand.extent('v');
    Labels labels;
    if (operand.extent('k') != period)
      return Labels(size_t(heads * operand.extent('k') * values), kNone);
    for (int64_t head = 0; head < heads; ++head)
      for (int64_t n = 0; n < period; ++n)
        labels.insert(labels.end(), size_t(values),
                      head * groups / heads * period + n);
    return labels;
  }

  Status step(mlir::Operation *op, Value value, const Labels &labels) override {
    auto norm = mlir::dyn_cast<ir::NormOp>(op);
    if (!norm)
      return EntryWalk::step(op, value, labels);
    // Without a channel it is that of the others, as if the channel were 0.
    if (norm.getKind() != ir::NormKind::L2 || norm.getWeight() ||
        norm.getBias() || norm.getGate())
      return makeError("a norm of kind ",
                       ir::stringifyNormKind(norm.getKind()).str(),
                       " over key channels, which is another over fewer");
    masked[&norm.getInputMutable()] = labels;
    return visit(norm.getInput(), labels);
  }

  bool isEnd(mlir::OpOperand &use) const override {
    return llvm::any_of(operands,
                        [&](const Operand &own) { return own.use == &use; });
  }

  /// Errors: slices that are not channel by channel, group by group.
  Status checkOrder(Value value, const Labels &labels) const {
    std::optional<SliceLabels> slices = orderOf(value, labels);
    int64_t at = 0, group = kNone;
    bool isInOrder = slices.has_value();
    for (int64_t label : slices ? slices->labels : Labels()) {
      if (label == kNone) {
        isInOrder &= at == 0;
        continue;
      }
      group = at == 0 ? label / period : group;
      isInOrder &= label == group * period + at;
      at = (at + 1) % period;
    }
    return isInOrder && at == 0
               ? Status()
               : makeError("a tensor whose slices are not in the order of key "
                           "channels");
  }

  static std::optional<SliceLabels> orderOf(Value value, const Labels &labels) {
    if (value.getDefiningOp<ir::WeightOp>())
      return slicesOf(labels, typeOf(value).getShape());
    return SliceLabels{0, labels};
  }

  ir::ScanOp scan;
  std::vector<Operand> operands;
  int64_t groups = 1;
  llvm::MapVector<mlir::OpOperand *, Labels> masked;
};

/// The matrix of a map; null if it is computed or of another structure.
ir::WeightOp matrixOf(Value producer) {
  auto linear = producer.getDefiningOp<ir::LinearOp>();
  return linear.getFactors()[0].getDefiningOp<ir::WeightOp>();
}

} // namespace

std::string ScanChannels::key() const {
  ir::WeightOp matrix =
      producers.empty() ? ir::WeightOp() : matrixOf(producers.front().first);
  return matrix ? matrix.getKey().str() : std::string();
}

Value ScanChannels::layerNumber() const {
  return matrixOf(producers.front().first).getLayer();
}

Result<ScanChannels> findChannels(ir::ScanOp scan) {
  int64_t channels = typeOf(scan.getKey()).getDimSize(3);
  if (channels == 1)
    return makeError("a scan of one key channel");
  if (scan.getBonus() || scan.getInitial() || scan.getMicroSteps() != 1)
    return makeError("a scan with a bonus, a first state or several steps for "
                     "each token");
  for (llvm::StringRef letters : scan.getTransition().getOperandDims())
    if (letters.find_first_of("pm") != llvm::StringRef::npos)
      return makeError("a scan whose state turns or mixes pairs or blocks of "
                       "key channels");
  return ChannelWalk(scan, channels).run(/*isOneGroup=*/false);
}

/// Whether a norm is all that becomes of what `scan` reads, so that a factor of
/// it is the same as none.
static bool isNormed(ir::ScanOp scan) {
  Value value = scan.getResult();
  while (value.hasOneUse() &&
         mlir::isa<mlir::tensor::CollapseShapeOp, mlir::tensor::ExpandShapeOp>(
             *value.user_begin()))
    value = (*value.user_begin())->getResult(0);
  return value.hasOneUse() && value.use_begin()->getOperandNumber() == 0 &&
         mlir::isa<ir::NormOp>(*value.user_begin());
}

static Result<ScanState> describeState(const ScanChannels &found,
                                       const LayerMaps &layer) {
  ir::ScanOp scan = found.scan;
  ScanState state;
  state.layer = layer.number();
  state.groups = found.groups;
  state.channels = found.channels;
  state.heads = typeOf(scan.getResult()).getDimSize(2);
  state.queryHeads = typeOf(scan.getQuery()).getDimSize(2);
  state.keyHeads = typeOf(scan.getKey()).getDimSize(2);
  state.values = typeOf(scan.getValue()).getDimSize(3);
  state.scale = scan.getScale().convertToDouble();
  state.isScaled =
      std::abs(state.scale * std::sqrt(double(state.channels)) - 1) < 1e-6;
  if (state.isScaled && !isNormed(scan))
    return makeError("a scan whose scale is that of its key channels, without "
                     "a norm behind");
  for (const auto &[value, labels] : found.producers) {
    auto linear = value.getDefiningOp<ir::LinearOp>();
    std::optional<ChannelProducer> producer = layer.producer(linear);
    if (!producer) {
      auto name = mlir::dyn_cast<mlir::NameLoc>(linear.getLoc());
      return makeError(name ? quoteName(name.getName().str()) : "a map",
                       ", which is not a matrix of the layer's own");
    }
    state.rows.push_back({producer->map, producer->bias, labels});
  }
  if (state.rows.empty())
    return makeError("a scan whose queries and keys no map makes");
  state.name = ir::resolveWeightKey(found.key(), layer.number());
  for (const auto &[value, labels] : found.tensors) {
    auto weight = value.getDefiningOp<ir::WeightOp>();
    std::string name = ir::resolveWeightKey(weight.getKey(), layer.number());
    if (!weight.getLayer() || weight.isStacked())
      return makeError(quoteName(name), ", which is not of its scan alone");
    state.slices.push_back({name, *slicesOf(labels, typeOf(value).getShape())});
  }
  for (const auto &[use, labels] : found.masked)
    state.masks.push_back(labels);
  return state;
}

ScanStates findScanStates(mlir::ModuleOp module, const LinearMaps &found) {
  ScanStates states;
  for (auto [number, layer] : llvm::enumerate(layersOf(module))) {
    LayerMaps maps(layer, int64_t(number), found);
    bool isFirst = true;
    layer.walk([&](ir::ScanOp scan) {
      auto add = [&]() -> Status {
        if (!std::exchange(isFirst, false))
          return makeError("several scans");
        Result<ScanChannels> channels = findChannels(scan);
        if (!channels)
          return channels.error();
        Result<ScanState> state = describeState(*channels, maps);
        if (!state)
          return state.error();
        states.states.push_back(state.take());
        return {};
      };
      if (Status status = add(); !status && states.obstacle.empty())
        states.obstacle =
            "layer " + std::to_string(number) + ": " + status.error().str();
    });
  }
  return states;
}

//===----------------------------------------------------------------------===//
// How many, and which
//===----------------------------------------------------------------------===//

std::vector<int64_t> ScanState::pick(const Labels &labels,
                                     const std::vector<int64_t> &kept) {
  std::vector<int64_t> picked;
  for (int64_t i = 0; i < int64_t(labels.size()); ++i)
    if (labels[size_t(i)] == kNone ||
        std::binary_search(kept.begin(), kept.end(), labels[size_t(i)]))
      picked.push_back(i);
  return picked;
}

Result<int64_t> countChannels(const ScanStates &states,
                              const CompressOptions &options) {
  constexpr const char *flag = "--keep-state-channels";
  if (!states.obstacle.empty())
    return makeError(flag,
                     ": expected key channels of scans between maps of their "
                     "own in all layers that have them, but got ",
                     states.obstacle);
  if (states.states.empty())
    return makeError(flag, ": expected layers with scans, but there are none");
  const ScanState &first = states.states.front();
  for (const ScanState &state : states.states)
    if (state.channels != first.channels)
      return makeError(flag,
                       ": expected as many key channels in all layers, but "
                       "got ",
                       first.channels, " and ", state.channels);
  Result<int64_t> kept = keepShare(options.keepStateChannels, first.channels,
                                   flag, "key channels");
  // One alone would be no vector to normalise.
  if (kept && *kept < 2)
    return makeError(flag, ": expected at least ", 2 / double(first.channels),
                     ", 2 of ", first.channels, " key channels, but got ",
                     options.keepStateChannels);
  return kept;
}

std::vector<int64_t> keepBestChannels(const ScanState &state,
                                      llvm::ArrayRef<double> scores,
                                      int64_t count) {
  std::vector<int64_t> kept;
  for (int64_t group = 0; group < state.groups; ++group) {
    std::vector<int64_t> order(size_t(state.channels));
    std::iota(order.begin(), order.end(), group * state.channels);
    llvm::sort(order, [&](int64_t a, int64_t b) {
      double of = scores[size_t(a)], other = scores[size_t(b)];
      return of > other || (of == other && a < b);
    });
    kept.insert(kept.end(), order.begin(), order.begin() + count);
  }
  llvm::sort(kept);
  return kept;
}

std::vector<ConfigEdit> channelEdits(const ScanState &state, int64_t kept,
                                     const Json &config) {
  auto channels = double(state.channels), left = double(kept);
  // The channels, or a width of all of them; values may be said as multiples
  // of keys.
  std::vector<ConfigEdit> all{{}};
  all = withAny(all, entriesOf(config, channels, left));
  auto values = double(state.values);
  all = withAny(all, entriesOf(config, values / channels, values / left));
  std::set<int64_t> widths;
  for (const ScanState::Rows &rows : state.rows) {
    int64_t count = llvm::count_if(
        rows.labels, [](int64_t label) { return label != kNone; });
    for (int64_t width : {count, count / 2})
      if (width != state.channels)
        widths.insert(width);
  }
  all = withWidths(std::move(all), config, widths, left / channels);
  llvm::erase_if(all, [](const ConfigEdit &edit) { return edit.empty(); });
  return all;
}

//===----------------------------------------------------------------------===//
// Plans
//===----------------------------------------------------------------------===//

Json writeChannels(const ScanState &state, const std::vector<int64_t> &kept) {
  Json groups = Json::array();
  for (int64_t group = 0; group < state.groups; ++group)
    groups.push_back(Json::array());
  for (int64_t unit : kept)
    groups[size_t(unit / state.channels)].push_back(unit % state.channels);
  return groups;
}

Result<KeptChannels> readChannels(const std::string &path,
                                  const ScanStates &states) {
  Result<Json> plan = readJsonFile(path);
  if (!plan)
    return plan.error();
  KeptChannels kept(states.states.size());
  if (!findJson(*plan, "state_channels"))
    return kept;
  Result<const Json *> entries = getObject(*plan, "state_channels", path);
  if (!entries)
    return entries.error();
  for (const auto &[name, entry] : (*entries)->items()) {
    std::string what =
        path + ": key 'state_channels', entry " + quoteName(name);
    auto place = llvm::find_if(states.states, [&](const ScanState &state) {
      return state.name == name;
    });
    if (place == states.states.end())
      return makeError(what, ": expected the matrix that makes the queries of "
                             "a scan, but there is none of that name");
    std::vector<int64_t> units;
    bool isWell = entry.is_array() && int64_t(entry.size()) == place->groups;
    for (int64_t group = 0; isWell && group < place->groups; ++group) {
      const Json &numbers = entry[size_t(group)];
      isWell = numbers.is_array() && !numbers.empty();
      int64_t last = -1;
      for (const Json &number : isWell ? numbers : Json::array()) {
        isWell &= number.is_number_integer() && number.get<int64_t>() > last &&
                  number.get<int64_t>() < place->channels;
        if (!isWell)
          break;
        last = number.get<int64_t>();
        units.push_back(group * place->channels + last);
      }
    }
    if (!isWell)
      return makeError(what, ": expected for each of ", place->groups,
                       " groups numbers of key channels below ",
                       place->channels, ", ascending, but got ", entry.dump());
    kept[size_t(place - states.states.begin())] = std::move(units);
  }
  return kept;
}

Status resolveChannels(const ScanStates &states, const KeptChannels &kept,
                       const std::vector<LinearMap> &maps,
                       std::vector<MapPlan> &plans) {
  const ScanState *first = nullptr;
  int64_t firstCount = 0;
  for (auto [state, own] : llvm::zip(states.states, kept)) {
    if (plans[state.rows.front().map].structure == &droppedStructure())
      continue;
    std::string name = quoteName(state.name);
    std::vector<int64_t> counts(size_t(state.groups),
                                own.empty() ? state.channels : 0);
    for (int64_t unit : own)
      ++counts[size_t(unit / state.channels)];
    if (!llvm::all_equal(counts) || counts.front() < 2)
      return makeError(name, ": expected as many kept key channels in each of ",
                       state.groups, " groups, at least 2, but got ",
                       writeChannels(state, own).dump());
    if (!first) {
      first = &state;
      firstCount = counts.front();
    }
    if (counts.front() != firstCount)
      return makeError(name, ": expected ", firstCount,
                       " kept key channels, as ", quoteName(first->name),
                       " has (configurations have one number for all layers), "
                       "but got ",
                       counts.front());
    if (own.empty())
      continue;
    for (const ScanState::Rows &rows : state.rows) {
      MapPlan &plan = plans[rows.map];
      if (plan.structure != &keptStateStructure() &&
          plan.structure != &denseStructure())
        return makeError(quoteName(maps[rows.map].name),
                         ": expected 'dense' or 'kept_state', as the key "
                         "channels of its scan are listed, but got '",
                         plan.structure->name(), "'");
      auto left = int64_t(ScanState::pick(rows.labels, own).size());
      plan = left < maps[rows.map].rows
                 ? MapPlan(keptStateStructure(), {{"kept", left}})
                 : MapPlan();
    }
  }
  for (size_t i = 0; i < maps.size(); ++i)
    if (plans[i].structure == &keptStateStructure() && plans[i].numbers.empty())
      return makeError(quoteName(maps[i].name),
                       ": expected a list of kept key channels of its scan for "
                       "'kept_state', but there is none");
  return {};
}

const MapStructure &keptStateStructure() {
  static const KnownOutputs structure("kept_state");
  return structure;
}

} // namespace linnet::compress
