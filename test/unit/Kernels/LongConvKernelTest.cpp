//===- LongConvKernelTest.cpp - long convolutions against the evaluator ---===//

#include "Program.h"

#include <gtest/gtest.h>

namespace linnet::test {
namespace {

struct Conv {
  int64_t batch, tokens, channels, filters, taps;
  bool skip = false, tail = false, state = false;
};

void addConv(Program &program, const Conv &conv) {
  Shape x = {conv.batch, conv.tokens, conv.channels};
  Shape tail = {conv.batch, conv.taps - 1, conv.channels};
  std::vector<Value> operands = {program.input(x),
                                 program.input({conv.filters, conv.taps})};
  std::string text = "linnet.long_conv $0, $1";
  if (conv.skip) {
    text += " skip($2)";
    operands.push_back(program.input({conv.channels}));
  }
  if (conv.tail) {
    text += " tail($" + std::to_string(operands.size()) + ")";
    operands.push_back(program.input(tail));
  }
  std::string label = text + " " + operands[0].type + " " + operands[1].type;
  std::vector<Value> results = program.apply(text, operands, {x, tail});
  program.expect(results[0], label, 1e-6);
  if (conv.state)
    program.expect(results[1], label + " tail", 1e-6);
}

TEST(LongConvKernel, Random) {
  for (int round = 0; round < rounds(); ++round) {
    Program program(8100 + round);
    for (int i = 0; i < 10; ++i) {
      int64_t channels = program.pick<int64_t>({1, 3, 8, 16, 17, 24, 40});
      int64_t filters = program.pick<int64_t>({1, channels, channels});
      if (channels % 2 == 0 && program.chance(0.3))
        filters = channels / 2;
      int64_t taps = program.pick<int64_t>({1, 2, 5, 8, 63, 150, 400});
      // One tap has no past: the tail is empty.
      addConv(program, {program.integer(1, 2),
                        program.pick<int64_t>({1, 2, 7, 8, 9, 64, 130, 300}),
                        channels, filters, taps, program.chance(0.5),
                        taps > 1 && program.chance(0.5),
                        taps > 1 && program.chance(0.5)});
    }
    program.check();
  }
}

/// Lengths around those of transformed blocks, for inputs and filter.
TEST(LongConvKernel, BlockEdges) {
  Program program(8200);
  for (int64_t length : {255, 256, 257, 511, 512, 513, 1000})
    addConv(program, {1, length, 20, 20, length, true});
  addConv(program, {2, 257, 3, 3, 1025, false, true, true});
  addConv(program, {1, 1025, 3, 1, 257, false, true, true});
  program.check();
}

/// The cost chooses few large blocks here.
TEST(LongConvKernel, LongerThanOneBlock) {
  Program program(8300);
  addConv(program, {1, 5000, 9, 9, 5000, true});
  addConv(program, {1, 3000, 8, 1, 2049, false, true, true});
  program.check();
}

TEST(LongConvKernel, SplitsAlongTime) {
  for (int64_t at : {1, 100, 600}) {
    Program program(8400 + at);
    addConv(program, {2, 640, 19, 19, 300, true, false, true});
    addConv(program, {1, 640, 16, 1, 9, false, true, true});
    program.checkSplit(at);
  }
}

} // namespace
} // namespace linnet::test
