//===- Recurrence.cpp - LinearAttention and CausalConvWithState -----------===//
//
// Both map to one operation of the dialect each: packed heads are split and
// merged around linnet.scan, channels move last and back around
// linnet.short_conv. Semantics: ONNX operator specification, opset 27, and the
// contributed operators of the same names in com.microsoft, which have more
// heads of values than of queries as well.
//
//===----------------------------------------------------------------------===//

#include "Node.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <cmath>

using namespace mlir;

namespace linnet::onnx {
namespace {

/// The sizes behind LinearAttention's packed inputs: heads of queries, keys
/// and states.
struct Heads {
  int64_t query = 1, key = 1, state = 1, keyWidth = 1, valueWidth = 1;
  Size batch, time;

  /// Query heads that share a state.
  int64_t group() const { return std::max<int64_t>(query / state, 1); }
  /// Heads of the result.
  int64_t result() const { return std::max(query, state); }
};

enum LinearAttentionInput : unsigned {
  kQuery,
  kKey,
  kValue,
  kPastState,
  kDecay,
  kBeta
};

} // namespace

/// The width of each of `heads` heads that input `i` packs.
static int64_t widthOfHead(Node &node, unsigned i, const char *name,
                           int64_t heads) {
  const Sizes &sizes = node.input(i).sizes;
  if (!node.require(sizes.size() == 3 && node.input(i).isFloat(), "expected ",
                    name, " [B, T, heads * width] of floats, but got ",
                    formatSizes(sizes)))
    return 1;
  bool divides = sizes[2].isStatic() && sizes[2].getFactor() > 0 &&
                 sizes[2].getFactor() % heads == 0;
  node.require(divides, "expected ", name, " of a width that ", heads,
               " heads share, but got ", formatSizes(sizes));
  return divides ? sizes[2].getFactor() / heads : 1;
}

/// With `inverse`, fewer heads of queries and keys than of values are fine.
static Heads readHeads(Node &node, bool inverse) {
  Heads heads;
  heads.query = node.requiredInteger("q_num_heads");
  heads.state = node.requiredInteger("kv_num_heads");
  bool counts = heads.query > 0 && heads.state > 0;
  if (!node.require(counts && (heads.query % heads.state == 0 ||
                               (inverse && heads.state % heads.query == 0)),
                    "expected q_num_heads a multiple of kv_num_heads, but got ",
                    heads.query, " and ", heads.state))
    return {};
  heads.keyWidth = widthOfHead(node, kQuery, "query", heads.query);
  heads.valueWidth = widthOfHead(node, kValue, "value", heads.state);
  if (!node.ok())
    return heads;
  heads.batch = node.input(kValue).sizes[0];
  heads.time = node.input(kValue).sizes[1];
  const Size &b = heads.batch, &t = heads.time;
  heads.key = heads.state;
  // Key heads have no attribute; in the standard they are those of the state.
  if (const Sizes &key = node.input(kKey).sizes;
      inverse && key.size() == 3 && key[2].isStatic() && heads.keyWidth > 0) {
    int64_t stored = key[2].getFactor() / heads.keyWidth;
    if (stored > 0 && heads.state % stored == 0)
      heads.key = stored;
  }
  node.requireSizes(kQuery, "query",
                    {b, t, Size(heads.query) * heads.keyWidth});
  node.requireSizes(kKey, "key", {b, t, Size(heads.key) * heads.keyWidth});
  node.requireSizes(kPastState, "past_state",
                    {b, heads.state, heads.keyWidth, heads.valueWidth});
  node.require(node.input(kKey).isFloat(), "expected a key of floats, but got "
                                           "integers");
  return heads;
}

/// The operands and the attribute of the transition.
static Attribute readTransition(Node &node, const Heads &heads,
                                SmallVector<Value> &parameters) {
  GraphBuilder &g = node.g;
  std::string rule =
      node.choice("update_rule", {"gated_delta", "linear", "gated", "delta"});
  bool gated = StringRef(rule).starts_with("gated");
  bool delta = StringRef(rule).ends_with("delta");
  for (auto [i, name, wanted] :
       {std::tuple(kDecay, "decay", gated), std::tuple(kBeta, "beta", delta)})
    node.require(node.has(i) == wanted, "expected ", wanted ? "" : "no ", name,
                 " with update_rule '", rule, "'");
  if (!node.ok())
    return {};
  // One decay per head, or per head and entry of its key.
  bool perHead = gated && node.input(kDecay).rank() == 3 &&
                 node.input(kDecay).sizes[2].is(heads.state);
  Size decayWidth =
      perHead ? Size(heads.state) : Size(heads.state) * heads.keyWidth;
  node.requireSizes(kDecay, "decay", {heads.batch, heads.time, decayWidth});
  if (delta &&
      !(node.input(kBeta).rank() == 3 && node.input(kBeta).sizes[2].is(1)))
    node.requireSizes(kBeta, "beta", {heads.batch, heads.time, heads.state});
  else if (delta)
    node.requireSizes(kBeta, "beta", {heads.batch, heads.time, 1});
  if (!node.ok())
    return {};

  if (delta)
    parameters.push_back(node.operand(kBeta).value);
  if (perHead)
    parameters.push_back(node.operand(kDecay).value);
  else if (gated)
    parameters.push_back(
        g.reshaped(node.operand(kDecay),
                   {heads.batch, heads.time, heads.state, heads.keyWidth})
            .value);
  MLIRContext *context = g.b.getContext();
  StringRef decay = perHead ? "scalar" : gated ? "diagonal" : "none";
  if (delta)
    return ir::DeltaTransitionAttr::get(context, decay);
  if (!gated)
    return ir::NoneTransitionAttr::get(context);
  return perHead ? Attribute(ir::ScalarTransitionAttr::get(context))
                 : Attribute(ir::DiagonalTransitionAttr::get(context));
}

static void setLinearAttention(Node &node, bool inverse) {
  GraphBuilder &g = node.g;
  // How many tokens a kernel takes at once is the target's choice.
  node.ignore({"chunk_size"});
  Heads heads = readHeads(node, inverse);
  double scale = node.number("scale", 0);
  node.require(std::isfinite(scale), "expected a finite scale, but got ",
               scale);
  SmallVector<Value> parameters;
  Attribute transition;
  if (node.ok())
    transition = readTransition(node, heads, parameters);
  if (!node.ok())
    return;

  const Size &b = heads.batch, &t = heads.time;
  Tensor q =
      g.reshaped(node.operand(kQuery), {b, t, heads.query, heads.keyWidth});
  Tensor k = g.reshaped(node.operand(kKey), {b, t, heads.key, heads.keyWidth});
  Tensor v =
      g.reshaped(node.operand(kValue), {b, t, heads.state, heads.valueWidth});
  // A scan has a state per head of its result; query heads that share one in
  // ONNX keep equal copies here.
  Tensor initial;
  if (node.has(kPastState))
    initial = node.operand(kPastState);
  if (int64_t group = heads.group(); group > 1) {
    v = g.repeat(v, 2, group);
    if (initial.value)
      initial = g.repeat(initial, 1, group);
  }
  // As the specification has it: 0 stands for the usual scale.
  if (scale == 0)
    scale = 1 / std::sqrt(double(heads.keyWidth));
  auto scan = ir::ScanOp::create(g.b, q.value, k.value, v.value, parameters,
                                 /*bonus=*/Value(), initial.value,
                                 cast<ir::TransitionAttrInterface>(transition),
                                 llvm::APFloat(scale));
  Tensor result{v.sizes, v.element, scan.getResult()};
  node.set(0, g.reshaped(result, {b, t, heads.result() * heads.valueWidth}));
  if (node.outputCount() < 2)
    return;
  Tensor state{{b, heads.result(), heads.keyWidth, heads.valueWidth},
               v.element,
               scan.getState()};
  if (heads.group() > 1)
    state = g.slice(state, 1, 0, heads.state, heads.group());
  node.set(1, state);
}

void importLinearAttention(Node &node) {
  setLinearAttention(node, /*inverse=*/false);
}

/// Fails unless attribute `name` has the value that Linnet knows.
static void requireValue(Node &node, const char *name, int64_t value) {
  int64_t given = node.integer(name, value);
  node.require(given == value, "expected ", name, " ", value, ", but got ",
               given);
}

void importContribLinearAttention(Node &node) {
  requireValue(node, "state_window", 0);
  if (node.ok())
    setLinearAttention(node, /*inverse=*/true);
}

void importLinearAttentionGate(Node &node) {
  GraphBuilder &g = node.g;
  enum { kGate, kBias, kScale, kRate };
  const Sizes &sizes = node.input(kGate).sizes;
  if (!node.require(!sizes.empty(), "expected a gate [B, T, H], but got a "
                                    "scalar"))
    return;
  node.requireSizes(kBias, "dt_bias", {sizes.back()});
  node.requireSizes(kScale, "decay_scale", {sizes.back()});
  node.requireSizes(kRate, "b", sizes);
  node.require(node.outputCount() < 2 || node.has(kRate),
               "expected b with two outputs, but got none");
  for (unsigned i = 0; i < node.inputCount(); ++i)
    node.require(!node.has(i) || node.input(i).isFloat(),
                 "expected floats, but got integers");
  if (!node.ok())
    return;
  Type element = node.input(kGate).element;
  auto combine = [&](Tensor x, Tensor &vector, ElementBody body) -> Tensor {
    Tensor *operands[] = {&x, &vector};
    return {sizes, element, g.pointwise(operands, sizes, element, body)};
  };
  Tensor sum = combine(
      node.operand(kGate), node.input(kBias),
      [](OpBuilder &b, Location loc, ValueRange args) {
        return arith::AddFOp::create(b, loc, args[0], args[1]).getResult();
      });
  Tensor step{
      sizes, element,
      ir::ActivationOp::create(g.b, ir::Activation::Softplus, sum.value)};
  node.set(0, combine(step, node.input(kScale),
                      [](OpBuilder &b, Location loc, ValueRange args) {
                        return arith::MulFOp::create(b, loc, args[0], args[1])
                            .getResult();
                      }));
  if (node.outputCount() > 1)
    node.set(1, {sizes, element,
                 ir::ActivationOp::create(g.b, ir::Activation::Sigmoid,
                                          node.operand(kRate).value)});
}

static void setCausalConv(Node &node, bool channelsLast) {
  GraphBuilder &g = node.g;
  std::string name = node.choice("activation", {"none", "silu", "swish"});
  ir::Activation activation =
      name == "none" ? ir::Activation::Identity : ir::Activation::Silu;
  const Sizes &x = node.input(0).sizes, &w = node.input(1).sizes;
  if (!node.require(
          x.size() == 3 && node.input(0).isFloat() && node.input(1).isFloat(),
          "expected an input [B, C, L] of floats, but got ", formatSizes(x)))
    return;
  const Size &batch = x[0], &channels = x[channelsLast ? 2 : 1],
             &time = x[channelsLast ? 1 : 2];
  if (!node.require(w.size() == 3 && w[0] == channels && w[1].is(1) &&
                        w[2].isStatic() && w[2].getFactor() > 0 &&
                        w[0].isStatic(),
                    "expected a weight [C, 1, W] for input ", formatSizes(x),
                    ", but got ", formatSizes(w)))
    return;
  Size before = w[2].getFactor() - 1;
  // The layout of the operator, and of linnet.short_conv.
  auto sizesOf = [&](const Size &length, bool last) -> Sizes {
    return last ? Sizes{batch, length, channels}
                : Sizes{batch, channels, length};
  };
  node.requireSizes(2, "bias", {channels});
  node.requireSizes(3, "past_state", sizesOf(before, channelsLast));
  if (!node.ok())
    return;

  auto swapped = [&](const Tensor &tensor) {
    return channelsLast ? tensor.value : g.transpose(tensor, {0, 2, 1});
  };
  Value input = swapped(node.operand(0));
  Value bias, tail;
  if (node.has(2))
    bias = g.readWeight(node.input(2));
  if (node.has(3))
    tail = swapped(node.operand(3));
  auto conv = ir::ShortConvOp::create(g.b, input, g.readWeight(node.input(1)),
                                      bias, tail, activation);
  auto give = [&](unsigned i, Value value, const Size &length) {
    Type element = node.input(0).element;
    Tensor result{sizesOf(length, true), element, value};
    node.set(i, {sizesOf(length, channelsLast), element, swapped(result)});
  };
  give(0, conv.getResult(), time);
  if (node.outputCount() > 1)
    give(1, conv.getNewTail(), before);
}

void importCausalConv(Node &node) {
  setCausalConv(node, /*channelsLast=*/false);
}

void importContribCausalConv(Node &node) {
  requireValue(node, "ndim", 1);
  requireValue(node, "dilation", 1);
  requireValue(node, "state_window", 0);
  bool channelsLast = node.integer("channels_last", 0);
  if (node.ok())
    setCausalConv(node, channelsLast);
}

} // namespace linnet::onnx
