//===- StackKernelTest.cpp - layers, calls and block forms ----------------===//

#include "Program.h"

#include <cmath>
#include <gtest/gtest.h>

namespace linnet::test {
namespace {

constexpr const char *kLayers = R"(
func.func private @dense(%x: TYPE, %layer: index, %position: index) -> TYPE {
  %u = linnet.weight "l.{}.up"[%layer] : tensor<48x33xbf16>
  %d = linnet.weight "l.{}.down"[%layer] : tensor<33x48xbf16>
  %n = linnet.weight "l.{}.norm"[%layer] : tensor<33xf32>
  %y = linnet.norm rms %x weight(%n) {eps = 1.0e-5 : f64} : (TYPE, tensor<33xf32>) -> TYPE
  %h = linnet.linear #linnet.dense %y, %u : (TYPE, tensor<48x33xbf16>) -> WIDE
  %a = linnet.activation silu %h : WIDE
  %z = linnet.linear #linnet.dense %a, %d : (WIDE, tensor<33x48xbf16>) -> TYPE
  %r = arith.addf %x, %z : TYPE
  return %r : TYPE
}
func.func private @attend(%x: TYPE, %layer: index, %position: index) -> TYPE {
  %w = linnet.weight "l.{}.qk"[%layer] : tensor<33x33xf32>
  %q = linnet.linear #linnet.dense %x, %w : (TYPE, tensor<33x33xf32>) -> TYPE
  %e = tensor.expand_shape %q [[0], [1], [2, 3]] output_shape [BATCH, TOKENS, 3, 11] : TYPE into HEADS
  %p = linnet.rotary %e, %position {inverse_frequencies = array<f32: 1.0, 0.1, 0.01>} : (HEADS, index) -> HEADS
  %o = linnet.attention %p, %p, %e {causal, scale = 0.3 : f64} : (HEADS, HEADS, HEADS) -> HEADS
  %c = tensor.collapse_shape %o [[0], [1], [2, 3]] : HEADS into TYPE
  %r = arith.addf %x, %c : TYPE
  return %r : TYPE
}
)";

void replace(std::string &text, const std::string &from,
             const std::string &to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos;
       at += to.size())
    text.replace(at, from.size(), to);
}

void checkStack(int64_t batch, int64_t tokens, const std::vector<int> &order) {
  Program program(uint32_t(9000 + tokens));
  std::string text = kLayers;
  Shape shape = {batch, tokens, 33};
  replace(text, "TYPE", typeOf(shape));
  replace(text, "WIDE", typeOf({batch, tokens, 48}));
  replace(text, "HEADS", typeOf({batch, tokens, 3, 11}));
  replace(text, "BATCH", std::to_string(batch));
  replace(text, "TOKENS", std::to_string(tokens));
  program.function(text);
  std::string numbers;
  for (size_t layer = 0; layer < order.size(); ++layer) {
    numbers += (layer ? ", " : "") + std::to_string(order[layer]);
    std::string prefix = "l." + std::to_string(layer) + ".";
    if (order[layer] == 0) {
      program.stored(prefix + "up", {48, 33}, -0.3, 0.3, "bf16");
      program.stored(prefix + "down", {33, 48}, -0.3, 0.3, "bf16");
      program.stored(prefix + "norm", {33}, 0.5, 1.5);
    } else {
      program.stored(prefix + "qk", {33, 33}, -0.3, 0.3);
    }
  }
  Value x = program.input(shape), position = program.index(5);
  program.expectAll(program.apply("linnet.stack [@dense, @attend] order [" +
                                      numbers + "] carry($0) invariant($1)",
                                  {x, position}, {shape}),
                    "stack of " + numbers);
  program.check();
}

TEST(StackKernel, LayersOfTwoKinds) {
  checkStack(2, 7, {0, 1, 0, 0, 1, 1, 0});
  checkStack(1, 1, {1, 0, 1});
}

TEST(StackKernel, OneLayerOfManyTokens) { checkStack(1, 70, {1}); }

/// Results that are written while the arguments are still read, and results
/// that are arguments of another place: neither may share a buffer.
TEST(StackKernel, CarriedValuesChangePlaces) {
  for (int layers : {1, 2, 3, 6}) {
    Program program(uint32_t(9050 + layers));
    program.function(R"(
func.func private @mix(%x: tensor<2x5x19xf32>, %y: tensor<2x5x19xf32>, %layer: index)
    -> (tensor<2x5x19xf32>, tensor<2x5x19xf32>) {
  %w = linnet.weight "l.{}"[%layer] : tensor<19x19xf32>
  %m = linnet.linear #linnet.dense %x, %w : (tensor<2x5x19xf32>, tensor<19x19xf32>) -> tensor<2x5x19xf32>
  return %y, %m : tensor<2x5x19xf32>, tensor<2x5x19xf32>
}
func.func private @swap(%x: tensor<2x5x19xf32>, %y: tensor<2x5x19xf32>, %layer: index)
    -> (tensor<2x5x19xf32>, tensor<2x5x19xf32>) {
  return %y, %x : tensor<2x5x19xf32>, tensor<2x5x19xf32>
}
func.func private @twice(%x: tensor<2x5x19xf32>, %y: tensor<2x5x19xf32>, %layer: index)
    -> (tensor<2x5x19xf32>, tensor<2x5x19xf32>) {
  %w = linnet.weight "l.{}"[%layer] : tensor<19x19xf32>
  %m = linnet.linear #linnet.dense %y, %w : (tensor<2x5x19xf32>, tensor<19x19xf32>) -> tensor<2x5x19xf32>
  return %m, %m : tensor<2x5x19xf32>, tensor<2x5x19xf32>
}
)");
    std::string order;
    for (int layer = 0; layer < layers; ++layer) {
      order += (layer ? ", " : "") +
               std::to_string(program.integer(0, layer ? 2 : 1));
      program.stored("l." + std::to_string(layer), {19, 19}, -0.5, 0.5);
    }
    Value x = program.input({2, 5, 19}), y = program.input({2, 5, 19});
    program.expectAll(
        program.apply("linnet.stack [@mix, @swap, @twice] order [" + order +
                          "] carry($0, $1)",
                      {x, y}, {x.shape, y.shape}),
        "order " + order);
    // The arguments stay what they were.
    program.expect(
        program.raw("arith.addf $0, $1 : " + x.type, {x, y}, x.shape),
        "arguments");
    program.check();
  }
}

TEST(StackKernel, NoLayers) {
  Program program(9060);
  program.function("func.func private @l(%x: tensor<1x5xf32>, %layer: index) "
                   "-> tensor<1x5xf32> {\n"
                   "  return %x : tensor<1x5xf32>\n}\n");
  Value x = program.input({1, 5});
  program.expectAll(
      program.apply("linnet.stack [@l] order [] carry($0)", {x}, {x.shape}),
      "no layers");
  program.check();
}

/// A function called twice, once with the other's result.
TEST(StackKernel, Calls) {
  Program program(9100);
  program.function(
      "func.func private @g(%x: tensor<1x5x19xf32>) -> tensor<1x5x19xf32> {\n"
      "  %y = linnet.activation gelu %x : tensor<1x5x19xf32>\n"
      "  %z = arith.addf %x, %y : tensor<1x5x19xf32>\n"
      "  return %z : tensor<1x5x19xf32>\n}\n");
  Value x = program.input({1, 5, 19});
  Value y = program.apply("call @g($0)", {x}, {{1, 5, 19}})[0];
  Value z = program.apply("call @g($0)", {y}, {{1, 5, 19}})[0];
  program.expect(y, "first call");
  program.expect(z, "second call");
  program.check();
}

/// A result that is an argument, twice the same result, a weight as a result.
TEST(StackKernel, TrivialResults) {
  Program program(9200);
  Value x = program.input({2, 3, 5}), w = program.weight({7, 3});
  Value y = program.raw("arith.addf $0, $0 : " + x.type, {x}, x.shape);
  program.expect(x, "argument");
  program.expect(y, "result");
  program.expect(y, "the result again");
  program.expect(w, "weight");
  program.check();
}

} // namespace
} // namespace linnet::test
