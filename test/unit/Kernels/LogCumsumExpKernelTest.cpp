//===- LogCumsumExpKernelTest.cpp - running sums against the evaluator ----===//

#include "Program.h"

#include <gtest/gtest.h>
#include <limits>

namespace linnet::test {
namespace {

void addSum(Program &program) {
  Shape shape = {program.integer(1, 3),
                 program.pick<int64_t>({1, 2, 3, 33, 65}),
                 program.pick<int64_t>({1, 3, 8, 16, 17, 64, 70})};
  std::vector<double> values = program.values(shape, -3, 3);
  for (double &value : values)
    if (program.chance(0.05))
      value *= 30;
    else if (program.chance(0.05))
      value = -std::numeric_limits<double>::infinity();
  std::vector<Value> operands = {program.input(shape, values)};
  std::string text = "linnet.log_cumsum_exp $0";
  if (program.chance(0.5)) {
    text += " decay($1)";
    Shape decay = shape;
    for (int64_t &size : decay)
      if (program.chance(0.3))
        size = 1;
    operands.push_back(program.input(decay, -2, 0));
  }
  Shape state = {shape[0], 2, shape[2]};
  if (program.chance(0.5)) {
    text += " initial($" + std::to_string(operands.size()) + ")";
    std::vector<double> start = program.values(state, 0, 4);
    for (size_t i = 0; i < start.size(); ++i)
      if (i / size_t(shape[2]) % 2 == 0)
        start[i] = start[i] < 1 ? 0 : 1;
    operands.push_back(program.input(state, start));
  }
  if (program.chance(0.3))
    text += " {maximum}";
  for (const Value &value :
       program.apply(text, operands, {shape, shape, state}))
    program.expect(value, text + " " + operands[0].type, 1e-5,
                   /*special=*/true);
}

TEST(LogCumsumExpKernel, Random) {
  for (int round = 0; round < rounds(); ++round) {
    Program program(7600 + round);
    for (int i = 0; i < 14; ++i)
      addSum(program);
    program.check();
  }
}

TEST(LogCumsumExpKernel, SplitsAlongTime) {
  Program program(7700);
  Value x = program.input({2, 40, 19}, -20, 20);
  for (const char *attributes : {"", " {maximum}"})
    for (const Value &value :
         program.apply(std::string("linnet.log_cumsum_exp $0") + attributes,
                       {x}, {{2, 40, 19}, {2, 40, 19}, {2, 2, 19}}))
      program.expect(value, "split", 1e-5, /*special=*/true);
  program.checkSplit(13);
}

} // namespace
} // namespace linnet::test
