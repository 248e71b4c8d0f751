//===- TapLayers.cpp - layers as functions that show their inside ---------===//

#include "TapLayers.h"

#include "LinearMaps.h"
#include "TapNorms.h"
#include "TapStates.h"

#include "linnet/Support/Quote.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringSwitch.h"

#include <map>

namespace linnet::compress {

namespace ir = mlir::linnet;
using mlir::Value;
using mlir::func::FuncOp;

namespace {

/// Erases what no result depends on.
void eraseDead(FuncOp function) {
  llvm::SmallVector<mlir::Operation *> ops;
  for (mlir::Operation &op : function.getBody().front().without_terminator())
    ops.push_back(&op);
  // Functions of a model do nothing but return values.
  for (mlir::Operation *op : llvm::reverse(ops))
    if (mlir::isOpTriviallyDead(op) ||
        (op->use_empty() && mlir::isa<mlir::func::CallOp, ir::StackOp>(op)))
      op->erase();
}

/// A copy of `source` that returns `results`, values of it. Those of `given`
/// that it needs become arguments behind the others; `taken` are their numbers.
FuncOp cloneReturning(FuncOp source, const std::string &name,
                      llvm::ArrayRef<Value> results,
                      llvm::ArrayRef<Value> given = {},
                      std::vector<size_t> *taken = nullptr) {
  mlir::OpBuilder b(source);
  b.setInsertionPointAfter(source);
  mlir::IRMapping mapping;
  auto copy = mlir::cast<FuncOp>(b.clone(*source, mapping));
  mlir::SymbolTable::setSymbolName(copy, name);
  copy.setPublic();
  llvm::SmallVector<Value> mapped;
  for (Value result : results)
    mapped.push_back(mapping.lookup(result));
  mlir::Operation *end = copy.getBody().front().getTerminator();
  end->setOperands(mapped);
  copy.removeResAttrsAttr();
  unsigned own = copy.getNumArguments();
  for (Value value : given) {
    (void)copy.insertArgument(copy.getNumArguments(), value.getType(), {},
                              value.getLoc());
    mapping.lookup(value).replaceAllUsesWith(
        copy.getArgument(copy.getNumArguments() - 1));
  }
  copy.setType(mlir::FunctionType::get(copy.getContext(),
                                       copy.getArgumentTypes(),
                                       mlir::ValueRange(mapped).getTypes()));
  eraseDead(copy);
  llvm::BitVector unused(copy.getNumArguments());
  for (size_t i = 0; i < given.size(); ++i)
    if (copy.getArgument(own + unsigned(i)).use_empty())
      unused.set(own + unsigned(i));
    else
      taken->push_back(i);
  if (unused.any())
    (void)copy.eraseArguments(unused);
  return copy;
}

/// One layer function, while its taps are written.
class LayerTapper {
public:
  LayerTapper(FuncOp layer, size_t carried, int64_t number,
              const Archive &archive, bool withStates)
      : layer(layer), carried(carried), withStates(withStates) {
    layer.walk([&](ir::WeightOp weight) {
      std::string ignored;
      if (!weight.getLayer() ||
          !archive.find(ir::resolveWeightKey(weight.getKey(), number)))
        return;
      if (ir::LinearOp linear = findMap(weight, ignored))
        sites[linear.getOperation()] = weight;
    });
  }

  Result<TappedLayer> tap() {
    tapped.carried = carried;
    MaskedRouters routers(layer);
    MaskedNorms norms(layer);
    masks = routers.vectors();
    masks.insert(norms.vectors().begin(), norms.vectors().end());
    std::optional<MaskedStates> states;
    if (withStates) {
      states.emplace(layer);
      masks.insert(states->vectors().begin(), states->vectors().end());
    }
    findDepths();
    for (auto [linear, weight] : sites)
      stages = std::max(stages, depthOf(inputOf(linear)) + 1);
    findHeld();
    for (int stage = 0; stage < stages; ++stage)
      tapped.stages.push_back(tapStage(stage));
    for (TapStage &stage : tapped.stages)
      for (TapSite &site : stage.sites) {
        tapReach(site);
        writeChannels(site);
      }
    tapRest();
    layer.walk([&](ir::ExpertsOp experts) { tapMixture(experts); });
    if (states)
      for (const auto &[key, scan] : states->scans())
        tapScan(key, scan);
    shown.clear();
    for (Value result : layer.getBody().front().getTerminator()->getOperands())
      tapped.carriedResults.push_back(show(result));
    tapped.whole = "tap_" + layer.getName().str() + "_whole";
    finish(cloneReturning(layer, tapped.whole, shown.getArrayRef()));
    for (const auto &[key, weight] : weights)
      tapped.weights.push_back(weight);
    if (!numberUse.empty())
      return makeError("@", layer.getName().str(),
                       ": expected a layer whose number stands in names of "
                       "weights only, but got ",
                       numberUse);
    return tapped;
  }

private:
  static Value inputOf(mlir::Operation *linear) {
    return mlir::cast<ir::LinearOp>(linear).getInput();
  }
  int depthOf(Value value) const { return depths.lookup(value); }

  /// How many sites stand one behind the other before each value.
  void findDepths() {
    for (mlir::Operation &op : layer.getBody().front()) {
      int depth = 0;
      op.walk([&](mlir::Operation *inner) {
        for (Value operand : inner->getOperands())
          depth = std::max(depth, depthOf(operand));
      });
      if (sites.count(&op))
        ++depth;
      for (Value result : op.getResults())
        depths[result] = depth;
    }
  }

  /// The stage in which `op` of the layer, or the one that it is in, runs.
  int stageOf(mlir::Operation *op) {
    op = layer.getBody().front().findAncestorOpInBlock(*op);
    return op->getNumResults() ? depthOf(op->getResult(0)) : stages;
  }

  /// The numbers of `value` for each token, if it has as many for all.
  static std::optional<int64_t> widthOf(Value value) {
    auto type = mlir::dyn_cast<mlir::RankedTensorType>(value.getType());
    if (!type || !type.getElementType().isF32() || type.getRank() < 3 ||
        !type.isDynamicDim(0) || !type.isDynamicDim(1))
      return std::nullopt;
    int64_t width = 1;
    for (int64_t extent : type.getShape().drop_front(2)) {
      if (mlir::ShapedType::isDynamic(extent))
        return std::nullopt;
      width *= extent;
    }
    return width;
  }

  /// What later stages than its own need of each value.
  void findHeld() {
    int64_t most = 0;
    for (size_t i = 0; i < carried; ++i)
      most += kMostHeld * widthOf(layer.getArgument(unsigned(i))).value_or(0);
    for (mlir::Operation &op : layer.getBody().front().without_terminator())
      for (Value value : op.getResults()) {
        std::optional<int64_t> width = widthOf(value);
        bool isNeeded =
            llvm::any_of(value.getUsers(), [&](mlir::Operation *user) {
              return stageOf(user) > depthOf(value);
            });
        if (!isNeeded || !width || *width > most)
          continue;
        held.push_back(value);
        tapped.heldWidths.push_back(*width);
      }
  }

  /// What the result of `linear` is added to, or null.
  Value residualOf(ir::LinearOp linear) const {
    Value result = linear.getResult();
    if (!result.hasOneUse())
      return {};
    auto sum = mlir::dyn_cast<mlir::arith::AddFOp>(*result.user_begin());
    if (!sum)
      return {};
    Value other = sum.getLhs() == result ? sum.getRhs() : sum.getLhs();
    return depthOf(other) <= depthOf(linear.getInput()) ? other : Value();
  }

  TapValue show(Value value) {
    auto argument = mlir::dyn_cast<mlir::BlockArgument>(value);
    if (argument && argument.getArgNumber() < carried)
      return {TapPlace::Carried, argument.getArgNumber()};
    shown.insert(value);
    return {TapPlace::Shown, size_t(llvm::find(shown, value) - shown.begin())};
  }

  /// The same, of a value that a stage before `stage` may hold.
  TapValue showIn(int stage, Value value) {
    if (auto known = llvm::find(held, value);
        known != held.end() && depthOf(value) < stage)
      return {TapPlace::Held, size_t(known - held.begin())};
    return show(value);
  }

  /// The function of what `stage` shows, and of what it holds.
  void finishStage(int number, const std::string &name, TapStage &stage) {
    llvm::SmallVector<Value> given;
    std::vector<size_t> numbers, taken;
    for (auto [i, value] : llvm::enumerate(held))
      if (depthOf(value) < number) {
        given.push_back(value);
        numbers.push_back(i);
      } else if (depthOf(value) == number) {
        stage.holds.push_back({show(value).number, i});
      }
    stage.function = "tap_" + layer.getName().str() + "_" + name;
    finish(cloneReturning(layer, stage.function, shown.getArrayRef(), given,
                          &taken));
    for (size_t i : taken)
      stage.takes.push_back(numbers[i]);
  }

  void tapRest() {
    shown.clear();
    for (Value result : layer.getBody().front().getTerminator()->getOperands())
      tapped.restResults.push_back(showIn(stages, result));
    finishStage(stages, "rest", tapped.rest);
  }

  TapStage tapStage(int number) {
    TapStage stage;
    shown.clear();
    layer.walk([&](ir::LinearOp linear) {
      auto site = sites.find(linear);
      if (site == sites.end() || depthOf(linear.getInput()) != number)
        return;
      TapSite tap;
      tap.key = site->second.getKey().str();
      maps[tap.key] = linear;
      tap.input = show(linear.getInput());
      if (Value residual = residualOf(linear))
        tap.residual = showIn(number, residual);
      tap.channels = tapChannels(number, linear);
      stage.sites.push_back(tap);
    });
    finishStage(number, std::to_string(number), stage);
    return stage;
  }

  /// Follows the input of `linear` back to sites.
  std::optional<TapChannels> tapChannels(int number, ir::LinearOp linear) {
    TapChannels channels;
    Value input;
    for (mlir::Operation *op : producersOf(linear.getInput())) {
      auto site = sites.find(op);
      if (site == sites.end() || (input && inputOf(op) != input))
        return std::nullopt;
      input = inputOf(op);
      channels.producers.push_back(site->second.getKey().str());
    }
    std::optional<int64_t> width = widthOf(linear.getInput());
    if (!input || !width)
      return std::nullopt;
    channels.input = showIn(number, input);
    channels.width = *width;
    return channels;
  }

  /// Writes the function behind the producers of a site.
  void writeChannels(TapSite &site) {
    if (!site.channels)
      return;
    Value input = maps.at(site.key).getInput();
    llvm::SmallVector<Value> given;
    for (mlir::Operation *op : producersOf(input))
      given.push_back(op->getResult(0));
    std::vector<size_t> taken;
    site.channels->function = "tap_" + layer.getName().str() + "_channels_" +
                              std::to_string(functions++);
    FuncOp function =
        cloneReturning(layer, site.channels->function, {input}, given, &taken);
    (void)function.eraseArguments(llvm::BitVector(function.getNumArguments())
                                      .set(0, layer.getNumArguments()));
  }

  /// Follows the outputs of a site to other sites.
  void tapReach(TapSite &site) {
    ir::LinearOp linear = maps.at(site.key);
    std::optional<MapReach> found = findReach(linear);
    if (!found || (found->consumer && !sites.count(found->consumer)))
      return;
    TapReach reach{found->kind, {}, {}, {}, 0, 0};
    if (found->consumer)
      reach.consumer = sites[found->consumer].getKey().str();
    if (ir::AttentionOp attention = found->attention) {
      auto headsOf = [](Value value) {
        return mlir::cast<mlir::ShapedType>(value.getType()).getDimSize(2);
      };
      reach.queryHeads = headsOf(attention.getQuery());
      reach.keyHeads = headsOf(attention.getKey());
    }
    shown.clear();
    if (found->kind == ReachKind::Channels) {
      ShiftedInput shifted(linear, found->consumer);
      reach.function = "tap_" + layer.getName().str() + "_shifted_" +
                       std::to_string(reaches++);
      reach.shown = {show(found->consumer.getInput()), show(shifted.value())};
      finish(cloneReturning(layer, reach.function, shown.getArrayRef()));
    } else if (found->kind != ReachKind::Values) {
      // Queries and keys have one.
      std::string &function = scores[found->attention];
      reach.shown = {show(found->attention.getQuery()),
                     show(found->attention.getKey())};
      if (function.empty()) {
        function = "tap_" + layer.getName().str() + "_scores_" +
                   std::to_string(reaches++);
        finish(cloneReturning(layer, function, shown.getArrayRef()));
      }
      reach.function = function;
    }
    site.reach = std::move(reach);
  }

  void tapMixture(ir::ExpertsOp experts) {
    std::optional<ExpertOutputs> outputs = ExpertOutputs::create(experts);
    if (!outputs)
      return;
    TapMixture mixture;
    mixture.router = outputs->router();
    mixture.function = "tap_" + layer.getName().str() + "_experts_" +
                       std::to_string(tapped.mixtures.size());
    shown.clear();
    mixture.indices = show(experts.getIndices());
    for (Value value : outputs->values())
      mixture.outputs.push_back(show(value));
    finish(cloneReturning(layer, mixture.function, shown.getArrayRef()));
    tapped.mixtures.push_back(std::move(mixture));
  }

  void tapScan(const std::string &key, ir::ScanOp scan) {
    shown.clear();
    TapScan tap{key,
                "tap_" + layer.getName().str() + "_scan_" +
                    std::to_string(tapped.scans.size()),
                show(scan.getQuery()), show(scan.getKey())};
    finish(cloneReturning(layer, tap.function, shown.getArrayRef()));
    tapped.scans.push_back(std::move(tap));
  }

  /// Names weights as taps do, those of sites in f32.
  void finish(FuncOp tap) {
    llvm::SmallVector<ir::WeightOp> ops;
    tap.walk([&](ir::WeightOp weight) { ops.push_back(weight); });
    for (ir::WeightOp weight : ops) {
      std::string key = weight.getKey().str();
      auto type = mlir::cast<mlir::RankedTensorType>(weight.getType());
      bool isSite = llvm::any_of(
          sites, [&](auto &site) { return site.second.getKey() == key; });
      weights[key] = {key, type.getShape().vec(), isSite, vectorOf(key)};
      mlir::OpBuilder b(weight);
      auto renamed = ir::WeightOp::create(
          b, weight.getLoc(),
          isSite ? mlir::Type(type.clone(b.getF32Type())) : type,
          tapWeightName(key), Value());
      weight.replaceAllUsesWith(renamed.getResult());
      weight.erase();
    }
    if (mlir::BlockArgument number = tap.getArgument(carried);
        !number.use_empty())
      numberUse = (*number.user_begin())->getName().getStringRef().str();
  }

  /// What the weight at `key` is, if the checkpoint lacks it.
  std::optional<TapVector> vectorOf(llvm::StringRef key) const {
    if (auto mask = masks.find(key.str()); mask != masks.end())
      return mask->second;
    if (!key.consume_back(kShiftedKey))
      return std::nullopt;
    return TapVector{TapVector::Kind::Shifted,
                     maps.count(key.str()) ? std::string() : key.str(),
                     {}};
  }

  /// How much wider than all carried values together a held one may be.
  static constexpr int64_t kMostHeld = 2;

  FuncOp layer;
  size_t carried;
  bool withStates;
  int stages = 0;
  llvm::SmallVector<Value> held;
  std::map<std::string, ir::LinearOp> maps;
  std::map<mlir::Operation *, std::string> scores;
  int reaches = 0, functions = 0;
  llvm::MapVector<mlir::Operation *, ir::WeightOp> sites;
  llvm::DenseMap<Value, int> depths;
  llvm::SetVector<Value> shown;
  std::map<std::string, TapWeight> weights;
  std::map<std::string, TapVector> masks;
  std::string numberUse;
  TappedLayer tapped;
};

/// What precedes `stack`: its carried operands, each once.
void tapBegin(FuncOp forward, ir::StackOp stack, TappedModel &tapped) {
  llvm::SetVector<Value> values;
  for (Value carried : stack.getCarried()) {
    values.insert(carried);
    tapped.carriedResult.push_back(
        size_t(llvm::find(values, carried) - values.begin()));
  }
  tapped.begin = "tap_begin";
  cloneReturning(forward, tapped.begin, values.getArrayRef());
}

/// What follows `stack`, whose results become arguments.
Status tapEnd(FuncOp forward, ir::StackOp stack, TappedModel &tapped) {
  Value output = forward.getBody().front().getTerminator()->getOperand(0);
  if (output.getDefiningOp() == stack) {
    tapped.output = {TapPlace::Carried,
                     mlir::cast<mlir::OpResult>(output).getResultNumber()};
    return {};
  }
  tapped.end = "tap_end";
  FuncOp end = cloneReturning(
      forward, tapped.end,
      llvm::to_vector(
          forward.getBody().front().getTerminator()->getOperands()));
  ir::StackOp copy;
  end.walk([&](ir::StackOp op) { copy = op; });
  for (auto [i, result] : llvm::enumerate(copy.getResults())) {
    (void)end.insertArgument(i, result.getType(), {}, result.getLoc());
    result.replaceAllUsesWith(end.getArgument(i));
  }
  eraseDead(end);
  llvm::BitVector unused(end.getNumArguments());
  for (mlir::BlockArgument argument : end.getArguments())
    if (argument.getArgNumber() >= stack.getNumResults() &&
        argument.use_empty())
      unused.set(argument.getArgNumber());
  (void)end.eraseArguments(unused);
  for (mlir::Type type :
       end.getArgumentTypes().drop_front(stack.getNumResults()))
    if (mlir::isa<mlir::RankedTensorType>(type))
      return makeError("expected a model whose inputs end in its layers, but "
                       "what follows them takes one");
  return {};
}

/// What argument `number` of the model is.
Result<ModelInput> inputOf(FuncOp forward, unsigned number) {
  auto name = forward.getArgAttrOfType<mlir::StringAttr>(number, ir::kNameAttr);
  llvm::StringRef text = name ? name.getValue() : "";
  auto input = llvm::StringSwitch<std::optional<ModelInput>>(text)
                   .Case("tokens", ModelInput::Tokens)
                   .Case("token_types", ModelInput::TokenTypes)
                   .Case("key_mask", ModelInput::KeyMask)
                   .Default(std::nullopt);
  if (!input)
    return makeError("expected a model of 'tokens', 'token_types' and "
                     "'key_mask', but got ",
                     quoteName(text.str()));
  return *input;
}

/// What the model is given, and which of it the layers are.
Status findInputs(FuncOp forward, ir::StackOp stack, TappedModel &tapped) {
  for (mlir::BlockArgument argument : forward.getArguments())
    if (mlir::isa<mlir::RankedTensorType>(argument.getType())) {
      Result<ModelInput> input = inputOf(forward, argument.getArgNumber());
      if (!input)
        return input.error();
      tapped.inputs.push_back(*input);
    }
  for (Value invariant : stack.getInvariants()) {
    if (!mlir::isa<mlir::RankedTensorType>(invariant.getType()))
      continue;
    auto argument = mlir::dyn_cast<mlir::BlockArgument>(invariant);
    if (!argument)
      return makeError("expected layers that take inputs of the model as they "
                       "are, but got one that is computed");
    Result<ModelInput> input = inputOf(forward, argument.getArgNumber());
    if (!input)
      return input.error();
    tapped.invariants.push_back(*input);
  }
  return {};
}

} // namespace

bool TappedLayer::isHeld(size_t held, size_t number) const {
  auto isMade = [&](const TapStage &stage) {
    return llvm::any_of(stage.holds, [&](const TapStage::Held &made) {
      return made.number == held;
    });
  };
  auto isNeeded = [&](const TapStage &stage) {
    return llvm::is_contained(stage.takes, held) ||
           llvm::any_of(stage.sites, [&](const TapSite &site) {
             return site.residual == TapValue{TapPlace::Held, held};
           });
  };
  bool made = false,
       needed = llvm::is_contained(restResults, TapValue{TapPlace::Held, held});
  for (size_t i = 0; i <= stages.size(); ++i) {
    made |= i <= number && isMade(stage(i));
    needed |= i >= number &&
              (isNeeded(stage(i)) || (i == number && isMade(stage(i))));
  }
  return made && needed;
}

std::string tapWeightName(const std::string &key) {
  std::string name = key;
  for (size_t at; (at = name.find("{}")) != std::string::npos;)
    name.replace(at, 2, "layer");
  return name;
}

Result<TappedModel> tapLayers(mlir::ModuleOp module, const Archive &archive,
                              bool withStates) {
  auto facts = module->getAttrOfType<mlir::DictionaryAttr>(ir::kModelAttr);
  auto kind = facts ? facts.getAs<mlir::StringAttr>("kind") : nullptr;
  auto forward = module.lookupSymbol<FuncOp>(ir::kForward);
  if (!kind || !forward ||
      (kind.getValue() != "causal-lm" && kind.getValue() != "encoder"))
    return makeError(
        "expected a causal-lm or an encoder for a calibration, but got ",
        kind ? kind.getValue().str() : "no model");
  llvm::SmallVector<ir::StackOp> stacks;
  forward.walk([&](ir::StackOp stack) { stacks.push_back(stack); });
  if (stacks.size() != 1)
    return makeError("expected a model with one stack of layers for a "
                     "calibration, but got ",
                     stacks.size());
  ir::StackOp stack = stacks.front();
  TappedModel tapped;
  tapped.isEncoder = kind.getValue() == "encoder";
  if (Status status = findInputs(forward, stack, tapped); !status)
    return status.error();
  tapBegin(forward, stack, tapped);
  if (Status status = tapEnd(forward, stack, tapped); !status)
    return status.error();
  tapped.order.assign(stack.getOrder().begin(), stack.getOrder().end());
  for (auto [i, symbol] : llvm::enumerate(stack.getFunctions())) {
    int64_t first = llvm::find(tapped.order, i) - tapped.order.begin();
    auto layer = module.lookupSymbol<FuncOp>(
        mlir::cast<mlir::FlatSymbolRefAttr>(symbol).getValue());
    LayerTapper tapper(layer, stack.getCarried().size(), first, archive,
                       withStates);
    Result<TappedLayer> result = tapper.tap();
    if (!result)
      return result.error();
    tapped.layers.push_back(result.take());
  }
  return tapped;
}

} // namespace linnet::compress
