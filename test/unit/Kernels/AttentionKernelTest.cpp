//===- AttentionKernelTest.cpp - attention against the evaluator ----------===//

#include "Program.h"

#include <cmath>
#include <gtest/gtest.h>

namespace linnet::test {
namespace {

struct AttentionCase {
  int64_t batch, queries, keys, heads, keyHeads, width, valueWidth;
  bool valuesInKeys = false;
};

AttentionCase randomCase(Program &program) {
  AttentionCase c;
  c.batch = program.integer(1, 2);
  c.keyHeads = program.integer(1, 3);
  c.heads = c.keyHeads * program.integer(1, 8);
  c.queries = program.pick<int64_t>({1, 1, 2, 3, 5, 17, 33, 70, 131});
  c.keys = program.chance(0.6)
               ? c.queries
               : program.pick<int64_t>({1, 2, 16, 31, 33, 64, 65, 130});
  c.width = program.pick<int64_t>({1, 3, 8, 16, 31, 64});
  c.valueWidth =
      program.chance(0.5) ? c.width : program.pick<int64_t>({1, 5, 16, 33, 80});
  return c;
}

/// 0 or 1 for each key of each row.
std::vector<double> randomMask(Program &program, int64_t batch, int64_t keys) {
  std::vector<double> mask;
  for (int64_t b = 0; b < batch; ++b) {
    // Everything, nothing, padding at the end, or any.
    int64_t kind = program.integer(0, 3), length = program.integer(0, keys);
    for (int64_t j = 0; j < keys; ++j)
      mask.push_back(kind == 0   ? 1
                     : kind == 1 ? 0
                     : kind == 2 ? double(j < length)
                                 : double(program.chance(0.5)));
  }
  return mask;
}

void addAttention(Program &program, const AttentionCase &c,
                  const std::string &extra = "") {
  std::vector<Value> operands = {
      program.input({c.batch, c.queries, c.heads, c.width}, -2, 2),
      program.input({c.batch, c.keys, c.keyHeads, c.width}, -2, 2)};
  std::string text = "linnet.attention $0, $1", attributes = extra;
  if (c.valuesInKeys) {
    attributes += "value_width = " + std::to_string(c.valueWidth) + " : i64, ";
  } else {
    operands.push_back(
        program.input({c.batch, c.keys, c.keyHeads, c.valueWidth}));
    text += ", $2";
  }
  if (program.chance(0.3)) {
    text += " bias($" + std::to_string(operands.size()) + ")";
    operands.push_back(
        program.input({program.chance(0.5) ? c.batch : 1,
                       program.chance(0.5) ? c.heads : 1, c.queries, c.keys},
                      -3, 3));
  }
  if (program.chance(0.3)) {
    text += " key_mask($" + std::to_string(operands.size()) + ")";
    operands.push_back(
        program.input({c.batch, c.keys}, randomMask(program, c.batch, c.keys),
                      program.pick<std::string>({"i32", "i32", "i64"})));
  }
  if (program.chance(0.5))
    attributes += "causal, ";
  if (program.chance(0.4))
    attributes += "window = " +
                  std::to_string(program.pick<int64_t>(
                      {1, 2, 5, 16, 33, c.keys, c.keys + 3, 4000000000})) +
                  " : i64, ";
  if (program.chance(0.3))
    attributes += "soft_cap = 3.0 : f64, ";
  text += " {" + attributes +
          "scale = " + std::to_string(1 / std::sqrt(double(c.width))) +
          " : f64}";
  program.expectAll(
      program.apply(text, operands,
                    {{c.batch, c.queries, c.heads, c.valueWidth}}),
      text + " " + operands[0].type + " " + operands[1].type + " " +
          std::to_string(c.valueWidth));
}

TEST(AttentionKernel, Random) {
  for (int round = 0; round < 2 * rounds(); ++round) {
    Program program(6000 + round);
    for (int i = 0; i < 8; ++i)
      addAttention(program, randomCase(program));
    program.check();
  }
}

/// One query: the tile runs over the heads of a group.
TEST(AttentionKernel, OneQuery) {
  for (int round = 0; round < rounds(); ++round) {
    Program program(6100 + round);
    for (int64_t group = 1; group <= 8; ++group)
      addAttention(program, {2, 1, program.pick<int64_t>({1, 7, 65, 130}),
                             2 * group, 2, 16, 24});
    program.check();
  }
}

/// Keys of which a part is the values, one row in memory for both.
TEST(AttentionKernel, ValuesInKeys) {
  for (int round = 0; round < 2 * rounds(); ++round) {
    Program program(6150 + round);
    for (int i = 0; i < 12; ++i) {
      AttentionCase c = randomCase(program);
      c.valuesInKeys = true;
      c.valueWidth =
          program.chance(0.3) ? c.width : program.integer(1, c.width);
      addAttention(program, c);
    }
    // As in latent attention: one key for many heads.
    addAttention(program, {1, 1, 100, 9, 1, 72, 64, true});
    addAttention(program, {2, 30, 30, 5, 1, 72, 64, true});
    program.check();
  }
}

/// Scores far apart, and of a magnitude that overflows a plain exponential.
TEST(AttentionKernel, LargeScores) {
  Program program(6200);
  for (double size : {30.0, 1000.0}) {
    Value q = program.input({1, 40, 2, 8}, -size, size);
    Value k = program.input({1, 40, 1, 8}, -1, 1);
    Value v = program.input({1, 40, 1, 8});
    program.expectAll(
        program.apply("linnet.attention $0, $1, $2 {causal, scale = 1.0 : f64}",
                      {q, k, v}, {{1, 40, 2, 8}}),
        "scores of " + std::to_string(size), size > 100 ? 1e-4 : 1e-5);
  }
  program.check();
}

/// A NaN in a key reaches the queries that see it and no others.
TEST(AttentionKernel, NaNReachesWhoSeesIt) {
  Program program(6300);
  for (std::string attributes :
       {"causal, ", "causal, window = 20 : i64, ", ""}) {
    Shape shape = {1, 80, 2, 16};
    std::vector<double> keys = program.values(shape, -1, 1);
    keys[size_t(37 * 2 * 16 + 5)] = NAN;
    Value q = program.input(shape), k = program.input(shape, keys),
          v = program.input(shape);
    program.expect(program.apply("linnet.attention $0, $1, $2 {" + attributes +
                                     "scale = 0.25 : f64}",
                                 {q, k, v}, {shape})[0],
                   "NaN in a key, " + attributes, 1e-5, true);
  }
  program.check();
}

} // namespace
} // namespace linnet::test
