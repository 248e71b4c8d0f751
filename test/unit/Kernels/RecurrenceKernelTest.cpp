//===- RecurrenceKernelTest.cpp - cells against the evaluator -------------===//

#include "Program.h"

#include <gtest/gtest.h>

namespace linnet::test {
namespace {

/// A minimal gated unit (Zhou et al. 2016) whose old state is read after the
/// new one was computed; it returns a tensor per token and one number, and
/// takes a number per token (`%g`) beside its rows. Weights by layer.
std::string cellOf(int64_t batch, int64_t units, const std::string &name,
                   const std::string &element) {
  std::string b = std::to_string(batch), n = std::to_string(units);
  std::string h = "tensor<" + b + "x" + n + "xf32>",
              g = "tensor<" + b + "xf32>";
  std::string w = "tensor<" + n + "x" + n + "x" + element + ">";
  return "func.func private @" + name + "(%x: " + h + ", %g: " + g +
         ", %layer: index, %bias: tensor<" + n + "xf32>, %h: " + h +
         ", %k: " + g + ") -> (" + h + ", " + g + ", " + h + ", " + g +
         ") {\n"
         "  %u = linnet.weight \"" +
         name + ".{}\"[%layer] : " + w +
         "\n"
         "  %r = linnet.linear #linnet.dense %h, %u bias(%bias) : (" +
         h + ", " + w + ", tensor<" + n + "xf32>) -> " + h +
         "\n"
         "  %s = arith.addf %x, %r : " +
         h +
         "\n"
         "  %f = linnet.activation sigmoid %s : " +
         h +
         "\n"
         "  %t = math.tanh %s : " +
         h +
         "\n"
         "  %d = arith.subf %t, %h : " +
         h +
         "\n"
         "  %fd = arith.mulf %f, %d : " +
         h +
         "\n"
         "  %h1 = arith.addf %h, %fd : " +
         h +
         "\n"
         "  %o = arith.mulf %h1, %h : " +
         h +
         "\n"
         "  %k1 = arith.addf %k, %g : " +
         g + "\n  return %o, %k, %h1, %k1 : " + h + ", " + g + ", " + h + ", " +
         g + "\n}\n";
}

struct Sizes {
  int64_t batch, tokens, units;
};

/// A layer of it, called through a stack so that the weights have a number.
void addLayer(Program &program, const Sizes &sizes, const std::string &name,
              bool initial, bool reverse, const std::string &element = "f32") {
  auto [batch, tokens, units] = sizes;
  Shape rows = {batch, tokens, units}, numbers = {batch, tokens},
        state = {batch, units}, number = {batch};
  program.function(cellOf(batch, units, name, element));
  std::string x = typeOf(rows), g = typeOf(numbers), h = typeOf(state),
              k = typeOf(number), bias = typeOf({units});
  std::string carried =
      "%x: " + x + ", %y: " + x + ", %g: " + g + ", %h: " + h + ", %k: " + k;
  std::string types = x + ", " + x + ", " + g + ", " + h + ", " + k;
  program.function("func.func private @" + name + "_layer(" + carried +
                   ", %layer: index, %bias: " + bias + ") -> (" + types +
                   ") {\n  %o, %n, %h1, %k1 = linnet.recurrence @" + name +
                   "(%x, %g) invariant(%layer, %bias)" +
                   (initial ? " initial(%h, %k)" : "") +
                   (reverse ? " {reverse}" : "") + " : (" + x + ", " + g +
                   ", index, " + bias + (initial ? ", " + h + ", " + k : "") +
                   ") -> (" + x + ", " + g + ") state(" + h + ", " + k +
                   ")\n  %z = arith.addf %o, %x : " + x +
                   "\n  return %z, %o, %n, %h1, %k1 : " + types + "\n}\n");
  for (int layer : {0, 1})
    program.stored(name + "." + std::to_string(layer), {units, units}, -0.4,
                   0.4, element);
  std::vector<Value> operands = {
      program.input(rows, -2, 2), program.input(rows),
      program.input(numbers),     program.input(state),
      program.input(number),      program.input({units})};
  program.expectAll(program.apply("linnet.stack [@" + name +
                                      "_layer] order [0, 0] carry($0, $1, $2, "
                                      "$3, $4) invariant($5)",
                                  operands,
                                  {rows, rows, numbers, state, number}),
                    name);
}

TEST(RecurrenceKernel, SizesStatesAndDirections) {
  Program program(5100);
  addLayer(program, {1, 1, 16}, "one_token", true, false);
  addLayer(program, {1, 6, 16}, "even", true, false);
  addLayer(program, {1, 7, 16}, "odd", false, false);
  addLayer(program, {3, 7, 19}, "rows", true, false);
  addLayer(program, {2, 8, 33}, "back", true, true, "bf16");
  addLayer(program, {3, 1, 5}, "narrow", false, true);
  program.check();
}

TEST(RecurrenceKernel, SplitsAlongTime) {
  Program program(5200);
  addLayer(program, {2, 9, 17}, "given", true, false);
  addLayer(program, {1, 8, 16}, "zeros", false, false);
  // What runs backwards is not split.
  addLayer(program, {2, 9, 17}, "back", true, true);
  program.checkSplit(4);
}

/// Inputs that are views of a wider tensor, of one batch row and of several; a
/// weight as an invariant; states that are returned in exchanged places, and
/// the old one as the output.
TEST(RecurrenceKernel, ViewsAndWeightsAsOperands) {
  for (const char *batch : {"1", "3"}) {
    Program program(uint32_t(5300 + *batch));
    std::string text = R"(
func.func private @cell(%x: tensor<Bx6xf32>, %w: tensor<6xf32>, %h: tensor<Bx6xf32>, %c: tensor<Bx6xf32>)
    -> (tensor<Bx6xf32>, tensor<Bx6xf32>, tensor<Bx6xf32>) {
  %t = linalg.generic {indexing_maps = [affine_map<(b, j) -> (j)>, affine_map<(b, j) -> (b, j)>, affine_map<(b, j) -> (b, j)>],
                       iterator_types = ["parallel", "parallel"]}
      ins(%w, %h : tensor<6xf32>, tensor<Bx6xf32>) outs(%x : tensor<Bx6xf32>) {
  ^bb0(%a: f32, %b: f32, %d: f32):
    %p = arith.mulf %a, %b : f32
    %q = arith.addf %p, %d : f32
    %r = math.tanh %q : f32
    linalg.yield %r : f32
  } -> tensor<Bx6xf32>
  return %c, %c, %t : tensor<Bx6xf32>, tensor<Bx6xf32>, tensor<Bx6xf32>
}
func.func private @views(%x: tensor<Bx5x11xf32>, %h: tensor<Bx6xf32>)
    -> (tensor<Bx5x6xf32>, tensor<Bx5x6xf32>, tensor<Bx6xf32>, tensor<Bx6xf32>) {
  %w = linnet.weight "w" : tensor<6xf32>
  %p = tensor.extract_slice %x[0, 0, 3] [B, 5, 6] [1, 1, 1] : tensor<Bx5x11xf32> to tensor<Bx5x6xf32>
  %y, %h0, %c0 = linnet.recurrence @cell(%p) invariant(%w) initial(%h, %h)
    : (tensor<Bx5x6xf32>, tensor<6xf32>, tensor<Bx6xf32>, tensor<Bx6xf32>) -> tensor<Bx5x6xf32> state(tensor<Bx6xf32>, tensor<Bx6xf32>)
  %z, %h1, %c1 = linnet.recurrence @cell(%y) invariant(%w) initial(%c0, %h0) {reverse}
    : (tensor<Bx5x6xf32>, tensor<6xf32>, tensor<Bx6xf32>, tensor<Bx6xf32>) -> tensor<Bx5x6xf32> state(tensor<Bx6xf32>, tensor<Bx6xf32>)
  return %y, %z, %h1, %c1 : tensor<Bx5x6xf32>, tensor<Bx5x6xf32>, tensor<Bx6xf32>, tensor<Bx6xf32>
}
)";
    for (size_t at = 0;
         (at = text.find_first_of("B", at)) != std::string::npos;)
      text.replace(at, 1, batch);
    program.function(text);
    program.stored("w", {6});
    int64_t b = *batch - '0';
    program.expectAll(
        program.apply("call @views($0, $1)",
                      {program.input({b, 5, 11}), program.input({b, 6})},
                      {{b, 5, 6}, {b, 5, 6}, {b, 6}, {b, 6}}),
        std::string("batch ") + batch);
    program.check();
  }
}

} // namespace
} // namespace linnet::test
