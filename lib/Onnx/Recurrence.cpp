//===- Recurrence.cpp - LinearAttention and CausalConvWithState -----------===//
//
// Both map to one operation of the dialect each: packed heads are split and
// merged around linnet.scan, channels move last and back around
// linnet.short_conv. Semantics: ONNX operator specification, opset 27.
//
//===----------------------------------------------------------------------===//

#include "Node.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <cmath>

using namespace mlir;

namespace linnet::onnx {
namespace {

/// The sizes behind LinearAttention's packed inputs.
struct Heads {
  int64_t query, key, keyWidth, valueWidth;
  Size batch, time;
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
  bool divides = sizes[2].isStatic() && sizes[2].getFactor() % heads == 0;
  node.require(divides, "expected ", name, " of a width that ", heads,
               " heads share, but got ", formatSizes(sizes));
  return divides ? sizes[2].getFactor() / heads : 1;
}

static Heads readHeads(Node &node) {
  int64_t query = node.requiredInteger("q_num_heads");
  int64_t key = node.requiredInteger("kv_num_heads");
  if (!node.require(query > 0 && key > 0 && query % key == 0,
                    "expected q_num_heads a multiple of kv_num_heads, but got ",
                    query, " and ", key))
    return {1, 1, 1, 1, 1, 1};
  Heads heads{query,
              key,
              widthOfHead(node, kKey, "key", key),
              widthOfHead(node, kValue, "value", key),
              1,
              1};
  if (!node.ok())
    return heads;
  heads.batch = node.input(kValue).sizes[0];
  heads.time = node.input(kValue).sizes[1];
  const Size &b = heads.batch, &t = heads.time;
  node.requireSizes(kQuery, "query", {b, t, query * heads.keyWidth});
  node.requireSizes(kKey, "key", {b, t, key * heads.keyWidth});
  node.requireSizes(kPastState, "past_state",
                    {b, key, heads.keyWidth, heads.valueWidth});
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
                 node.input(kDecay).sizes[2].is(heads.key);
  int64_t decayWidth = perHead ? heads.key : heads.key * heads.keyWidth;
  node.requireSizes(kDecay, "decay", {heads.batch, heads.time, decayWidth});
  if (delta &&
      !(node.input(kBeta).rank() == 3 && node.input(kBeta).sizes[2].is(1)))
    node.requireSizes(kBeta, "beta", {heads.batch, heads.time, heads.key});
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
                   {heads.batch, heads.time, heads.key, heads.keyWidth})
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

void importLinearAttention(Node &node) {
  GraphBuilder &g = node.g;
  // How many tokens a kernel takes at once is the target's choice.
  node.ignore({"chunk_size"});
  Heads heads = readHeads(node);
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
      g.reshaped(node.operand(kValue), {b, t, heads.key, heads.valueWidth});
  // A scan has a state per query head; heads that share one in ONNX keep equal
  // copies here.
  int64_t group = heads.query / heads.key;
  Tensor initial;
  if (node.has(kPastState))
    initial = node.operand(kPastState);
  if (group > 1) {
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
  node.set(0, g.reshaped(result, {b, t, heads.query * heads.valueWidth}));
  if (node.outputCount() < 2)
    return;
  Tensor state{{b, heads.query, heads.keyWidth, heads.valueWidth},
               v.element,
               scan.getState()};
  if (group > 1)
    state = g.slice(state, 1, 0, heads.key, group);
  node.set(1, state);
}

void importCausalConv(Node &node) {
  GraphBuilder &g = node.g;
  std::string name = node.choice("activation", {"none", "silu", "swish"});
  ir::Activation activation =
      name == "none" ? ir::Activation::Identity : ir::Activation::Silu;
  const Sizes &x = node.input(0).sizes, &w = node.input(1).sizes;
  if (!node.require(
          x.size() == 3 && node.input(0).isFloat() && node.input(1).isFloat(),
          "expected an input [B, C, L] of floats, but got ", formatSizes(x)) ||
      !node.require(w.size() == 3 && w[0] == x[1] && w[1].is(1) &&
                        w[2].isStatic() && w[2].getFactor() > 0 &&
                        w[0].isStatic(),
                    "expected a weight [C, 1, W] for input ", formatSizes(x),
                    ", but got ", formatSizes(w)))
    return;
  int64_t before = w[2].getFactor() - 1;
  node.requireSizes(2, "bias", {x[1]});
  node.requireSizes(3, "past_state", {x[0], x[1], before});
  if (!node.ok())
    return;

  constexpr int64_t swap[] = {0, 2, 1};
  Value input = g.transpose(node.operand(0), swap);
  Value bias, tail;
  if (node.has(2))
    bias = g.readWeight(node.input(2));
  if (node.has(3))
    tail = g.transpose(node.operand(3), swap);
  auto conv = ir::ShortConvOp::create(g.b, input, g.readWeight(node.input(1)),
                                      bias, tail, activation);
  Type element = node.input(0).element;
  node.set(
      0, {x, element,
          g.transpose({{x[0], x[2], x[1]}, element, conv.getResult()}, swap)});
  if (node.outputCount() > 1)
    node.set(1, {{x[0], x[1], before},
                 element,
                 g.transpose({{x[0], before, x[1]}, element, conv.getNewTail()},
                             swap)});
}

} // namespace linnet::onnx
