//===- ShortConvKernelTest.cpp - convolutions against the evaluator -------===//

#include "Program.h"

#include <gtest/gtest.h>

namespace linnet::test {
namespace {

void addConv(Program &program, int64_t taps) {
  int64_t batch = program.integer(1, 3);
  int64_t tokens = program.pick<int64_t>({1, 1, 2, 3, 4, 7, 33, 65});
  int64_t channels = program.pick<int64_t>({1, 3, 16, 17, 64, 65, 130, 200});
  std::vector<Value> operands = {
      program.input({batch, tokens, channels}),
      program.weight({channels, 1, taps}, -1, 1,
                     program.pick<std::string>({"f32", "bf16", "f16"}))};
  if (program.chance(0.2))
    operands[1] = program.input({channels, 1, taps});
  std::string text = "linnet.short_conv $0, $1";
  if (program.chance(0.5)) {
    text += " bias($" + std::to_string(operands.size()) + ")";
    operands.push_back(program.weight({channels}));
  }
  if (program.chance(0.5)) {
    text += " tail($" + std::to_string(operands.size()) + ")";
    operands.push_back(program.input({batch, taps - 1, channels}));
  }
  if (program.chance(0.6))
    text += " {activation = #linnet.activation<" +
            program.pick<std::string>({"silu", "tanh", "relu"}) + ">}";
  program.expectAll(
      program.apply(text, operands,
                    {{batch, tokens, channels}, {batch, taps - 1, channels}}),
      text + " " + operands[0].type + " " + std::to_string(taps) + " taps");
}

TEST(ShortConvKernel, Random) {
  for (int round = 0; round < rounds(); ++round) {
    Program program(5000 + round);
    for (int64_t taps : {2, 2, 3, 3, 4, 4, 4, 4, 5, 5})
      addConv(program, taps);
    program.check();
  }
}

TEST(ShortConvKernel, ManyTaps) {
  Program program(5100);
  for (int64_t taps : {8, 9, 17})
    addConv(program, taps);
  program.check();
}

/// One tap has no past: the tail is empty.
TEST(ShortConvKernel, OneTap) {
  Program program(5200);
  for (Shape shape : {Shape{1, 1, 5}, {2, 7, 33}}) {
    Value x = program.input(shape), w = program.weight({shape[2], 1, 1});
    std::vector<Value> both = program.apply("linnet.short_conv $0, $1", {x, w},
                                            {shape, {shape[0], 0, shape[2]}});
    program.expect(both[0], "one tap " + x.type);
  }
  program.check();
}

} // namespace
} // namespace linnet::test
