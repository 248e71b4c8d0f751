//===- NormKernelTest.cpp - normalisations against the evaluator ----------===//

#include "Program.h"

#include <cmath>
#include <gtest/gtest.h>

namespace linnet::test {
namespace {

const std::vector<std::string> kActivations = {"identity",  "silu", "gelu",
                                               "gelu_tanh", "relu", "relu2",
                                               "sigmoid",   "tanh", "softplus"};

Shape rowsOf(Program &program) {
  return program.pick<Shape>(
      {{}, {1}, {5}, {1, 1}, {1, 9}, {2, 3}, {1, 33}, {2, 3, 4}, {1, 1, 7}});
}

void addNorm(Program &program, const std::string &kind) {
  int64_t groups = program.pick<int64_t>({1, 1, 1, 2, 3, 5});
  int64_t width = groups * program.pick<int64_t>(
                               {1, 2, 3, 8, 15, 16, 17, 31, 64, 65, 130, 200});
  Shape shape = rowsOf(program);
  shape.push_back(width);
  std::vector<Value> operands = {program.input(shape, -2, 3)};
  std::string text = "linnet.norm " + kind + " $0", attributes;
  auto parameter = [&](const char *name) {
    text +=
        std::string(" ") + name + "($" + std::to_string(operands.size()) + ")";
    if (program.chance(0.3))
      operands.push_back(program.input({width}));
    else
      operands.push_back(program.weight(
          {width}, -1, 2, program.pick<std::string>({"f32", "bf16", "f16"})));
  };
  bool weight = program.chance(0.7);
  if (weight)
    parameter("weight");
  if (program.chance(0.4))
    parameter("bias");
  if (program.chance(0.5)) {
    text += " gate($" + std::to_string(operands.size()) + ")";
    operands.push_back(program.input(shape, -3, 3));
    attributes += std::string(", gate_order = #linnet.gate_order<") +
                  (program.chance(0.5) ? "before>" : "after>");
    attributes += ", gate_activation = #linnet.activation<" +
                  program.pick(kActivations) + ">";
  }
  if (weight && program.chance(0.3))
    attributes += ", unit_offset";
  attributes += ", groups = " + std::to_string(groups) + " : i64";
  text += std::string(" {eps = ") +
          (program.chance(0.5) ? "1.0e-5" : "1.0e-2") + " : f64" + attributes +
          "}";
  program.expectAll(program.apply(text, operands, {shape}),
                    text + " " + typeOf(shape));
}

TEST(NormKernel, Random) {
  for (int round = 0; round < rounds(); ++round)
    for (const char *kind : {"rms", "layer", "l2"}) {
      Program program(2000 + round);
      for (int i = 0; i < 12; ++i)
        addNorm(program, kind);
      program.check();
    }
}

TEST(NormKernel, ZerosAndNaN) {
  Program program(2100);
  for (std::string kind : {"rms", "layer", "l2"}) {
    Shape shape = {1, 3, 37};
    std::vector<double> values = program.values(shape, -1, 1);
    // A row of zeros, a row with a NaN, and one that is neither.
    for (int i = 0; i < 37; ++i)
      values[i] = 0;
    values[40] = NAN;
    Value x = program.input(shape, values);
    program.expect(
        program.apply("linnet.norm " + kind + " $0 {eps = 1.0e-6 : f64}", {x},
                      {shape})[0],
        kind, 1e-5, true);
  }
  program.check();
}

/// A mean far from zero: the variance is of the differences.
TEST(NormKernel, LargeMean) {
  Program program(2200);
  for (int64_t width : {15, 64, 513}) {
    Value x = program.input({2, 2, width}, 99, 101);
    program.expectAll(program.apply("linnet.norm layer $0 {eps = 1.0e-5 : f64}",
                                    {x}, {{2, 2, width}}),
                      "mean 100", 2e-5);
  }
  program.check();
}

/// Part of a wider row as the input, as qk-norms of fused projections have it.
TEST(NormKernel, SlicedInput) {
  Program program(2300);
  for (int64_t width : {7, 16, 40}) {
    Shape wide = {2, 5, 3 * width}, part = {2, 5, width};
    Value x = program.input(wide);
    Value slice =
        program.raw("tensor.extract_slice $0[0, 0, " + std::to_string(width) +
                        "] [2, 5, " + std::to_string(width) +
                        "] [1, 1, 1] : " + x.type + " to " + typeOf(part),
                    {x}, part);
    program.expectAll(program.apply("linnet.norm rms $0 {eps = 1.0e-5 : f64}",
                                    {slice}, {part}),
                      "slice");
  }
  program.check();
}

} // namespace
} // namespace linnet::test
