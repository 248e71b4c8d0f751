//===- LookupKernelTest.cpp - tables and positions against the evaluator --===//

#include "Program.h"

#include <cmath>
#include <gtest/gtest.h>

namespace linnet::test {
namespace {

TEST(LookupKernel, Embedding) {
  for (int round = 0; round < rounds(); ++round) {
    Program program(1100 + round);
    for (int i = 0; i < 12; ++i) {
      std::string type = program.pick<std::string>({"f32", "bf16", "f16"});
      int64_t rows = program.pick<int64_t>({1, 2, 97, 1000});
      int64_t width = program.pick<int64_t>({1, 3, 15, 16, 17, 64, 65, 600});
      Shape shape = program.pick<Shape>(
          {{5}, {1, 1}, {1, 7}, {3, 1}, {2, 33}, {2, 3, 4}});
      std::vector<double> ids;
      for (double value : program.values(shape, 0, double(rows)))
        ids.push_back(std::floor(value));
      ids.front() = double(rows - 1);
      ids.back() = 0;
      Value tokens =
          program.input(shape, ids, program.chance(0.3) ? "i64" : "i32");
      // A table that is computed is no raw weight.
      Value table = program.chance(0.2)
                        ? program.input({rows, width})
                        : program.weight({rows, width}, -1, 1, type);
      Shape result = shape;
      result.push_back(width);
      program.expectAll(
          program.apply("linnet.embedding $0, $1", {tokens, table}, {result}),
          "embedding " + tokens.type + " of " + table.type, 0);
    }
    program.check();
  }
}

/// Denormals of f16 are numbers of f32 like others, also where converting them
/// is no instruction.
TEST(LookupKernel, DenormalHalves) {
  Program program(1150);
  program.compileFor({"native", "x86-64"});
  Value tokens = program.input({1, 40}, 0, 40, "i32");
  Value table = program.weight({40, 19}, -6e-5, 6e-5, "f16");
  program.expectAll(
      program.apply("linnet.embedding $0, $1", {tokens, table}, {{1, 40, 19}}),
      "denormals", 0);
  program.check();
}

TEST(LookupKernel, Positions) {
  Program program(1200);
  for (Shape shape : {Shape{1, 1}, {2, 5}, {3, 70}, {1, 1}})
    for (int64_t position : {0, 1, 511}) {
      Value tokens = program.input(shape, 0, 1, "i32");
      program.expectAll(program.apply("linnet.positions $0, $1",
                                      {tokens, program.index(position)},
                                      {shape}, "i32"),
                        "positions " + tokens.type, 0);
    }
  program.check();
}

} // namespace
} // namespace linnet::test
