//===- ExportRecurrence.cpp - scans and short convolutions to ONNX --------===//

#include "GraphExport.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;

namespace linnet::onnx {
namespace {

/// The update rule behind a transition.
struct Rule {
  /// none, scalar or diagonal.
  StringRef decay;
  bool delta = false;

  const char *name() const {
    if (decay == "none")
      return delta ? "delta" : "linear";
    return delta ? "gated_delta" : "gated";
  }
};

} // namespace

static std::optional<Rule> ruleOf(Attribute transition) {
  return llvm::TypeSwitch<Attribute, std::optional<Rule>>(transition)
      .Case([](ir::NoneTransitionAttr) { return Rule{"none"}; })
      .Case([](ir::ScalarTransitionAttr) { return Rule{"scalar"}; })
      .Case([](ir::DiagonalTransitionAttr) { return Rule{"diagonal"}; })
      .Case([](ir::DeltaTransitionAttr delta) {
        return Rule{delta.getDecay(), true};
      })
      .Default([](Attribute) { return std::nullopt; });
}

/// The heads of a scan as ONNX counts them.
struct GraphExport::ScanHeads {
  int64_t query, key, states, keyWidth;
  /// The values and the first state, once per state.
  Value value, initial;

  /// Query heads that share a state.
  int64_t group() const { return std::max<int64_t>(query / states, 1); }
  /// Whether values have more heads than queries and keys, for which there is
  /// only the operator that ONNX Runtime contributes.
  bool isContributed() const { return query < states || key < states; }
};

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

static std::string written(Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return text;
}

/// Whether `value` is every `group`-th head of a state [B, H, K, V].
static bool isStateOfGroup(Value value, int64_t group) {
  auto slice = value.getDefiningOp<tensor::ExtractSliceOp>();
  if (!slice || slice.getType().getRank() != 4)
    return false;
  auto zero = [](OpFoldResult offset) { return isConstantIntValue(offset, 0); };
  int64_t steps[] = {1, group, 1, 1};
  RankedTensorType from = slice.getSourceType(), to = slice.getType();
  bool whole = to.getDimSize(1) * group == from.getDimSize(1);
  for (int64_t d = 0; d < 4; ++d)
    whole &= isConstantIntValue(slice.getMixedStrides()[d], steps[d]) &&
             (d == 1 || to.getDimSize(d) == from.getDimSize(d));
  return whole && llvm::all_of(slice.getMixedOffsets(), zero);
}

Status GraphExport::findHeads(ir::ScanOp scan, ScanHeads &heads) {
  RankedTensorType q = typeOf(scan.getQuery()), k = typeOf(scan.getKey()),
                   v = typeOf(scan.getValue());
  auto fixed = [](RankedTensorType type) {
    return !type.isDynamicDim(2) && !type.isDynamicDim(3);
  };
  if (!fixed(q) || !fixed(k) || !fixed(v))
    return problem(scan, "expected heads and widths that are static, but got ",
                   written(q), ", ", written(k), " and ", written(v));
  heads = {q.getDimSize(2), k.getDimSize(2), v.getDimSize(2),
           k.getDimSize(3), scan.getValue(), scan.getInitial()};
  // What the importer makes of shared states.
  int64_t group = heads.query / std::max<int64_t>(heads.key, 1);
  if (group > 1 && heads.key * group == heads.query &&
      heads.query == heads.states) {
    Value value = matchRepeat(scan.getValue(), 2, group);
    Value initial =
        scan.getInitial() ? matchRepeat(scan.getInitial(), 1, group) : Value();
    bool shared =
        value && bool(initial) == bool(scan.getInitial()) &&
        llvm::all_of(scan.getState().getUsers(), [&](Operation *user) {
          return user->getNumResults() == 1 &&
                 isStateOfGroup(user->getResult(0), group);
        });
    if (shared) {
      heads.states = heads.key;
      heads.value = value;
      heads.initial = initial;
    }
  }
  auto check = [&](Value operand, const char *name,
                   ArrayRef<int64_t> shape) -> Status {
    RankedTensorType type = typeOf(operand);
    if (type.getShape() == shape && type.getElementType() == v.getElementType())
      return {};
    return problem(scan, "expected ", name, " ",
                   written(RankedTensorType::get(shape, v.getElementType())),
                   " beside these values, since LinearAttention broadcasts "
                   "nothing along batch and time, but got ",
                   written(type));
  };
  int64_t b = v.getDimSize(0), t = v.getDimSize(1);
  if (Status status = check(scan.getQuery(), "a query",
                            {b, t, heads.query, heads.keyWidth});
      !status)
    return status;
  if (Status status =
          check(scan.getKey(), "a key", {b, t, heads.key, heads.keyWidth});
      !status)
    return status;
  std::optional<Rule> rule = ruleOf(scan.getTransition());
  for (auto [i, parameter] : llvm::enumerate(scan.getParameters())) {
    bool isBeta = rule->delta && i == 0;
    SmallVector<int64_t> shape = {b, t, heads.states};
    if (isBeta && typeOf(parameter).getDimSize(2) == 1)
      shape[2] = 1;
    if (!isBeta && rule->decay == "diagonal")
      shape.push_back(heads.keyWidth);
    if (Status status = check(parameter, isBeta ? "a beta" : "a decay", shape);
        !status)
      return status;
  }
  return {};
}

/// The results of `value`'s users that `isView` accepts.
static SmallVector<Value> viewsOf(Value value,
                                  llvm::function_ref<bool(Value)> isView) {
  SmallVector<Value> views;
  for (Operation *user : value.getUsers())
    if (user->getNumResults() == 1 && isView(user->getResult(0)))
      views.push_back(user->getResult(0));
  return views;
}

std::string GraphExport::defineThrough(Value value, const std::string &base,
                                       ArrayRef<Value> views) {
  // An output of the graph gets its name here, without a node of its own.
  Value named = views.empty() ? Value() : views.front();
  for (Value view : views)
    if (outputs.count(view))
      named = view;
  std::string name = named ? nameFor(named, base) : fresh(base);
  for (Value view : views)
    names[view] = name;
  if (!llvm::is_contained(views, value))
    packed[value] = name;
  return name;
}

//===----------------------------------------------------------------------===//
// Scans
//===----------------------------------------------------------------------===//

/// What `value`, or what its heads were split from, was widened from.
static Value narrowSource(Value value) {
  if (auto expand = value.getDefiningOp<tensor::ExpandShapeOp>())
    if (mergesHeads(expand.getResultType(), expand.getSrcType()))
      value = expand.getSrc();
  auto wide = value.getDefiningOp<arith::ExtFOp>();
  return wide ? wide.getIn() : Value();
}

/// The values that `views` are narrowed to, or nothing if one has another use.
static std::optional<SmallVector<Value>> narrowed(ArrayRef<Value> views,
                                                  Type element) {
  SmallVector<Value> narrow;
  for (Value view : views)
    for (Operation *user : view.getUsers()) {
      auto cast = dyn_cast<arith::TruncFOp>(user);
      if (!cast || typeOf(cast.getResult()).getElementType() != element)
        return std::nullopt;
      narrow.push_back(cast.getResult());
    }
  return narrow;
}

/// What a node of LinearAttention takes and gives.
struct GraphExport::ScanEnds {
  /// Query, key, value; transition operands; the first state.
  SmallVector<Value> operands, parameters;
  Value initial;
  /// Values that show the output and the state.
  SmallVector<Value> result, state;
};

/// LinearAttention computes in f32 whatever its type: widening before and
/// narrowing after it say nothing more.
void GraphExport::narrowEnds(ScanEnds &ends, ir::ScanOp scan) {
  ScanEnds narrow;
  Type element;
  for (auto [from, to] : {std::pair(&ends.operands, &narrow.operands),
                          std::pair(&ends.parameters, &narrow.parameters)})
    for (Value value : *from) {
      Value source = narrowSource(value);
      if (!source || (element && typeOf(source).getElementType() != element))
        return;
      element = typeOf(source).getElementType();
      to->push_back(source);
    }
  // The state has the type of the first state, if there is one.
  narrow.initial = ends.initial ? narrowSource(ends.initial) : Value();
  bool wideState = ends.initial && !narrow.initial;
  if (wideState)
    narrow.initial = ends.initial;
  else if (narrow.initial && typeOf(narrow.initial).getElementType() != element)
    return;
  auto result = narrowed(ends.result, element);
  auto state = wideState ? ends.state : narrowed(ends.state, element);
  bool shown =
      llvm::range_size(scan.getResult().getUses()) == ends.result.size();
  if (!result || !state || !shown)
    return;
  narrow.result = *result;
  narrow.state = *state;
  ends = narrow;
}

Status GraphExport::exportScan(ir::ScanOp scan) {
  std::optional<Rule> rule = ruleOf(scan.getTransition());
  if (!rule)
    return problem(scan,
                   "expected transition none, scalar, diagonal or delta, "
                   "as LinearAttention has them, but got ",
                   [&] {
                     std::string text;
                     llvm::raw_string_ostream(text) << scan.getTransition();
                     return text;
                   }());
  if (scan.getReadout() != ir::Readout::Post || scan.getReverse())
    return problem(scan,
                   "expected a forward scan that reads the state after "
                   "the token, as LinearAttention does, but got ",
                   scan.getReverse() ? "reverse" : "readout pre");
  if (scan.getMicroSteps() > 1)
    return problem(scan,
                   "expected one step per token, as LinearAttention has it, "
                   "but got ",
                   scan.getMicroSteps());
  if (scan.getResets())
    return problem(scan, "expected no resets, as LinearAttention has none");
  Type element = typeOf(scan.getValue()).getElementType();
  if (!element.isF32() && !element.isF16() && !element.isBF16())
    return problem(scan, "expected f32, f16 or bf16, but got ",
                   written(element));
  double scale = scan.getScale().convertToDouble();
  // LinearAttention reads 0 as its default.
  if (!std::isfinite(scale) || float(scale) == 0)
    return problem(scan, "expected a finite scale other than 0, but got ",
                   scale);
  ScanHeads heads;
  if (Status status = findHeads(scan, heads); !status)
    return status;

  RankedTensorType result = typeOf(scan.getResult());
  auto merges = [&](Value view) {
    return view.getDefiningOp<tensor::CollapseShapeOp>() &&
           mergesHeads(result, typeOf(view));
  };
  ScanEnds ends{{scan.getQuery(), scan.getKey(), heads.value},
                SmallVector<Value>(scan.getParameters()),
                heads.initial,
                viewsOf(scan.getResult(), merges),
                {scan.getState()}};
  if (heads.group() > 1)
    ends.state = viewsOf(scan.getState(), [](Value) { return true; });
  narrowEnds(ends, scan);

  SmallVector<std::string> inputs(6);
  enum { kQuery, kPastState = 3, kDecay, kBeta };
  auto add = [&](unsigned i, Result<std::string> name) -> Status {
    if (!name)
      return name.error();
    inputs[i] = *name;
    return {};
  };
  for (auto [i, operand] : llvm::enumerate(ends.operands))
    if (Status status = add(kQuery + i, usePacked(operand)); !status)
      return status;
  if (ends.initial)
    if (Status status = add(kPastState, use(ends.initial)); !status)
      return status;
  for (auto [i, parameter] : llvm::enumerate(ends.parameters))
    if (Status status =
            add(rule->delta && i == 0 ? kBeta : kDecay, usePacked(parameter));
        !status)
      return status;
  while (inputs.back().empty())
    inputs.pop_back();

  NodeProto &node = addNode("LinearAttention", scan);
  if (heads.isContributed()) {
    node.set_domain(kContributed);
    usesContributed = true;
  }
  addAttribute(node, "q_num_heads", kIntAttribute).set_i(heads.query);
  addAttribute(node, "kv_num_heads", kIntAttribute).set_i(heads.states);
  addAttribute(node, "update_rule", kStringAttribute).set_s(rule->name());
  if (scale != 1 / std::sqrt(double(heads.keyWidth)))
    addAttribute(node, "scale", kFloatAttribute).set_f(float(scale));
  for (const std::string &input : inputs)
    node.add_input(input);
  node.add_output(
      defineThrough(scan.getResult(), node.name() + "_output", ends.result));
  // The specification has no node without this output.
  node.add_output(
      defineThrough(scan.getState(), node.name() + "_state", ends.state));
  return {};
}

//===----------------------------------------------------------------------===//
// Short convolutions
//===----------------------------------------------------------------------===//

Status GraphExport::exportConv(ir::ShortConvOp conv) {
  ir::Activation activation = conv.getActivation();
  if (activation != ir::Activation::Identity &&
      activation != ir::Activation::Silu)
    return problem(conv,
                   "expected activation identity or silu, as "
                   "CausalConvWithState has them, but got ",
                   ir::stringifyActivation(activation).str());
  Type element = typeOf(conv.getInput()).getElementType();
  for (Value operand : conv->getOperands()) {
    Type own = typeOf(operand).getElementType();
    if (own != element && !element.isF32())
      return problem(conv, "expected operands of ", written(element),
                     ", but got ", written(own));
  }
  if (!element.isF32() && !element.isF16() && !element.isBF16())
    return problem(conv, "expected f32, f16 or bf16, but got ",
                   written(element));

  SmallVector<std::string> inputs;
  auto add = [&](Result<std::string> name) -> Status {
    if (!name)
      return name.error();
    inputs.push_back(*name);
    return {};
  };
  if (Status status = add(useChannelsFirst(conv.getInput())); !status)
    return status;
  if (Status status = add(useAs(conv.getWeight(), element)); !status)
    return status;
  if (conv.getBias() || conv.getTail())
    if (Status status = add(conv.getBias() ? useAs(conv.getBias(), element)
                                           : std::string());
        !status)
      return status;
  if (conv.getTail())
    if (Status status = add(useChannelsFirst(conv.getTail())); !status)
      return status;

  NodeProto &node = addNode("CausalConvWithState", conv);
  if (activation == ir::Activation::Silu)
    addAttribute(node, "activation", kStringAttribute).set_s("silu");
  for (const std::string &input : inputs)
    node.add_input(input);
  auto isChannelsFirst = [](Value view) {
    std::optional<Movement> movement = matchMovement(view);
    return movement && movement->order == SmallVector<int64_t>{0, 2, 1};
  };
  node.add_output(defineThrough(conv.getResult(), node.name() + "_output",
                                viewsOf(conv.getResult(), isChannelsFirst)));
  node.add_output(defineThrough(conv.getNewTail(), node.name() + "_state",
                                viewsOf(conv.getNewTail(), isChannelsFirst)));
  return {};
}

} // namespace linnet::onnx
