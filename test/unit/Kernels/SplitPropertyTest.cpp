//===- SplitPropertyTest.cpp - random operations in two parts -------------===//
//
// T tokens at once are T1 tokens and then the others from the state that they
// leave: every stateful operation, random shapes, every split of a random set.
// The evaluator runs the operations whole. A cache of keys and values belongs
// to a model: SessionKernelTest has attention.
//
//===----------------------------------------------------------------------===//

#include "ScanPrograms.h"

#include "linnet/Driver/Input.h"

#include "mlir/IR/MLIRContext.h"

#include <gtest/gtest.h>

namespace linnet::test {
namespace {

void addShortConv(Program &program) {
  int64_t batch = program.integer(1, 2), tokens = program.integer(1, 20),
          channels = program.integer(1, 37), taps = program.integer(1, 5);
  Shape x{batch, tokens, channels}, tail{batch, taps - 1, channels};
  std::vector<Value> operands{program.input(x),
                              program.input({channels, 1, taps})};
  std::string text = "linnet.short_conv $0, $1";
  if (program.chance(0.5)) {
    operands.push_back(program.input({channels}));
    text += " bias($2)";
  }
  if (taps > 1 && program.chance(0.5)) {
    text += " tail($" + std::to_string(operands.size()) + ")";
    operands.push_back(program.input(tail));
  }
  program.expectAll(program.apply(text, operands, {x, tail}), "short_conv");
}

void addRunningSum(Program &program) {
  Shape x{program.integer(1, 2), program.integer(1, 20),
          program.integer(1, 19)};
  // The logarithm of no sum is an infinity.
  for (const Value &value :
       program.apply("linnet.log_cumsum_exp $0", {program.input(x, -9, 9)},
                     {x, x, {x[0], 2, x[2]}}))
    program.expect(value, "log_cumsum_exp", 1e-5, /*special=*/true);
}

void addLongConv(Program &program) {
  int64_t batch = program.integer(1, 2), tokens = program.integer(1, 40),
          channels = program.integer(1, 9), taps = program.integer(1, 40);
  Shape x{batch, tokens, channels}, tail{batch, taps - 1, channels};
  program.expectAll(
      program.apply("linnet.long_conv $0, $1",
                    {program.input(x), program.input({channels, taps})},
                    {x, tail}),
      "long_conv");
}

class SplitProperty : public testing::TestWithParam<int> {};

TEST_P(SplitProperty, PartsAreTheWhole) {
  auto context = makeContext();
  auto *dialect = context->getOrLoadDialect<mlir::linnet::LinnetDialect>();
  auto transitions = dialect->getTransitions();
  for (int round = 0; round < rounds(); ++round) {
    uint32_t seed = uint32_t(5000 + 100 * GetParam() + round);
    SCOPED_TRACE("seed " + std::to_string(seed));
    Program program(seed);
    program.measureAgainst(0.1);
    program.takeProcessorsInTurn(GetParam() + round);
    for (auto transition : transitions)
      addRandomScan(program, transition);
    for (int i = 0; i < 3; ++i) {
      addShortConv(program);
      addRunningSum(program);
      addLongConv(program);
    }
    program.checkSplit(program.pick<int64_t>({1, 2, 3, 7, 8, 9, 15, 16, 17}));
    if (HasFailure())
      return;
  }
}

INSTANTIATE_TEST_SUITE_P(Shards, SplitProperty, testing::Range(0, 4));

} // namespace
} // namespace linnet::test
