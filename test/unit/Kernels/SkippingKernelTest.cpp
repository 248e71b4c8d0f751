//===- SkippingKernelTest.cpp - linear maps that skip zeros ---------------===//
//
// Against the evaluator, which skips nothing, and against the kernel that reads
// everything, whose bits they have.
//
//===----------------------------------------------------------------------===//

#include "Program.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

namespace linnet::test {
namespace {

const std::vector<int64_t> kWidths = {1, 3, 16, 17, 63, 64, 65, 130, 257};
const std::vector<std::string> kTypes = {"f32", "bf16", "f16"};

/// Entries of which the share `zeros` is zero.
std::vector<double> entries(Program &program, int64_t count, double zeros) {
  std::vector<double> values = program.values({count}, -1, 1);
  for (double &value : values)
    if (program.chance(zeros))
      value = program.chance(0.2) ? -0.0 : 0.0;
  return values;
}

/// A map that skips zeros of x, and how far it is from the one that does not.
void expectSkipping(Program &program, const Value &x, int64_t out,
                    const std::string &label) {
  const std::string &type = program.pick(kTypes);
  bool inOut = program.chance(0.4);
  int64_t in = x.shape.back();
  std::vector<Value> operands = {
      x, program.weight(inOut ? Shape{in, out} : Shape{out, in}, -1, 1, type)};
  std::string text = std::string("linnet.linear #linnet.dense") +
                     (inOut ? "<in_out>" : "") + " $0, $1";
  if (program.chance(0.5)) {
    operands.push_back(program.weight({out}, -1, 1, program.pick(kTypes)));
    text += " bias($2)";
  }
  Shape result = x.shape;
  result.back() = out;
  Value skipping =
            program.apply(text + " {skips_zeros}", operands, {result})[0],
        dense = program.apply(text, operands, {result})[0];
  std::string what = label + " " + text + " " + x.type + "->" +
                     std::to_string(out) + " " + type;
  program.expect(skipping, what);
  // The evaluator's difference is zero, so this one's has to be.
  program.expect(program.raw("arith.subf $0, $1 : " + skipping.type,
                             {skipping, dense}, result),
                 what + " against dense", /*tolerance=*/0);
}

int64_t countOf(const Shape &shape) {
  int64_t count = 1;
  for (int64_t size : shape)
    count *= size;
  return count;
}

/// One row, and sequences up to a tile and beyond, where zeros are read.
Shape leadOf(Program &program) {
  return program.pick<Shape>({{},
                              {1},
                              {1, 1},
                              {2},
                              {2, 1},
                              {3, 1},
                              {5},
                              {6},
                              {6, 1},
                              {7},
                              {13, 1},
                              {2, 3}});
}

TEST(SkippingKernel, SharesOfZeros) {
  for (int round = 0; round < rounds(); ++round) {
    Program program(700 + round);
    for (double zeros : {0.0, 0.1, 0.5, 0.9, 0.99, 1.0})
      for (int i = 0; i < 5; ++i) {
        Shape shape = leadOf(program);
        shape.push_back(program.pick(kWidths));
        Value x = program.input(shape, entries(program, countOf(shape), zeros));
        expectSkipping(program, x, program.pick(kWidths),
                       std::to_string(zeros) + " zero");
      }
    program.check();
  }
}

/// One entry that is zero, and one that is not: the first, the last, any.
TEST(SkippingKernel, OneEntry) {
  for (int round = 0; round < rounds(); ++round) {
    Program program(720 + round);
    for (bool isZero : {false, true})
      for (int64_t in : {1, 17, 130})
        for (int64_t at : {int64_t(0), in / 2, in - 1}) {
          std::vector<double> row(size_t(in), isZero ? 0.5 : 0.0);
          row[size_t(at)] = isZero ? 0.0 : 0.5;
          expectSkipping(program, program.input({1, 1, in}, row),
                         program.pick(kWidths), "one entry");
        }
    program.check();
  }
}

/// What a result is added to is added by the kernel, last, as by the dense one.
TEST(SkippingKernel, Sums) {
  for (int round = 0; round < rounds(); ++round) {
    Program program(730 + round);
    for (int64_t in : {1, 17, 130})
      for (int64_t out : {1, 65, 257}) {
        Shape shape = leadOf(program), result = shape;
        shape.push_back(in);
        result.push_back(out);
        Value x = program.input(shape, entries(program, countOf(shape), 0.8)),
              other =
                  program.input(result, entries(program, countOf(result), 0)),
              w = program.weight({out, in}, -1, 1, program.pick(kTypes));
        std::vector<Value> sums;
        for (const char *attribute : {" {skips_zeros}", ""}) {
          Value y = program.apply(
              std::string("linnet.linear #linnet.dense $0, $1") + attribute,
              {x, w}, {result})[0];
          sums.push_back(
              program.raw("arith.addf $0, $1 : " + y.type, {other, y}, result));
        }
        program.expect(sums[0], "sum " + std::to_string(in) + "->" +
                                    std::to_string(out));
        program.expect(
            program.raw("arith.subf $0, $1 : " + sums[0].type, sums, result),
            "sum against dense", /*tolerance=*/0);
      }
    program.check();
  }
}

/// Enough panels for every thread to stream several at once.
TEST(SkippingKernel, Wide) {
  for (int round = 0; round < rounds(); ++round) {
    Program program(740 + round);
    for (Shape shape : {Shape{1, 1, 1030}, {1030}, {2, 1, 515}, {4, 130}})
      expectSkipping(
          program, program.input(shape, entries(program, countOf(shape), 0.9)),
          1030, "wide");
    program.check();
  }
}

/// NaN and infinite inputs are no zeros.
TEST(SkippingKernel, SpecialInputs) {
  Program program(760);
  double infinity = std::numeric_limits<double>::infinity();
  for (double special : {std::nan(""), infinity, -infinity}) {
    std::vector<double> row(33, 0.0);
    row[20] = special;
    row[7] = 1;
    Value x = program.input({1, 1, 33}, row), w = program.weight({65, 33});
    program.expect(
        program.apply("linnet.linear #linnet.dense $0, $1 {skips_zeros}",
                      {x, w}, {{1, 1, 65}})[0],
        "special", 1e-5, /*special=*/true);
  }
  program.check();
}

/// A computed matrix, columns of a weight, and what many rows do.
TEST(SkippingKernel, OtherMatrices) {
  Program program(780);
  Value x = program.input({1, 1, 30}, entries(program, 30, 0.8)),
        given = program.input({70, 30});
  program.expect(
      program.apply("linnet.linear #linnet.dense $0, $1 {skips_zeros}",
                    {x, given}, {{1, 1, 70}})[0],
      "given");
  Value w = program.weight({70, 50});
  Value part =
      program.raw("tensor.extract_slice $0[0, 15] [70, 30] [1, 1] : " + w.type +
                      " to tensor<70x30xf32>",
                  {w}, {70, 30});
  program.expect(
      program.apply("linnet.linear #linnet.dense $0, $1 {skips_zeros}",
                    {x, part}, {{1, 1, 70}})[0],
      "columns");
  Value many = program.input({2, 9, 30}, entries(program, 540, 0.8));
  program.expect(
      program.apply("linnet.linear #linnet.dense $0, $1 {skips_zeros}",
                    {many, given}, {{2, 9, 70}})[0],
      "many rows");
  program.check();
}

/// From the operation that makes zeros to the map, as models have them.
TEST(SkippingKernel, Activations) {
  for (int round = 0; round < rounds(); ++round) {
    Program program(800 + round);
    for (Shape lead : {Shape{1, 1}, {3, 1}, {1, 5}})
      for (std::string kind : {"relu", "relu2", "glu", "threshold"}) {
        Shape shape = lead, result = lead;
        shape.push_back(130);
        result.push_back(65);
        Value x = program.input(shape), h;
        if (kind == "glu")
          h = program.raw("linnet.glu relu $0, $1 : " + x.type,
                          {x, program.input(shape)}, shape);
        else if (kind == "threshold")
          h = program.apply("linnet.threshold $0, $1",
                            {x, program.weight({130}, 0, 1)}, {shape})[0];
        else
          h = program.raw("linnet.activation " + kind + " $0 : " + x.type, {x},
                          shape);
        program.expect(program.apply("linnet.linear #linnet.dense $0, $1",
                                     {h, program.weight({65, 130})},
                                     {result})[0],
                       kind);
      }
    program.check();
  }
}

TEST(ThresholdKernel, SmallEntriesBecomeZero) {
  for (int round = 0; round < rounds(); ++round) {
    Program program(820 + round);
    for (int i = 0; i < 10; ++i) {
      Shape shape = leadOf(program);
      shape.push_back(program.pick(kWidths));
      Value x = program.input(shape),
            t = program.weight({shape.back()}, -0.2, 1, program.pick(kTypes));
      program.expect(
          program.apply("linnet.threshold $0, $1", {x, t}, {shape})[0],
          "threshold " + x.type);
    }
    program.check();
  }
}

/// On the threshold: zero. NaN stays, as an entry and as a threshold.
TEST(ThresholdKernel, Edges) {
  Program program(840);
  double nan = std::nan(""), infinity = std::numeric_limits<double>::infinity();
  Value x = program.input({1, 1, 9},
                          std::vector<double>{0.5, -0.5, 0.75, nan, nan, 3,
                                              infinity, -infinity, 0.25}),
        t = program.input({9}, std::vector<double>{0.5, 0.5, 0.5, 1, infinity,
                                                   infinity, 2, infinity, nan});
  program.expect(
      program.apply("linnet.threshold $0, $1", {x, t}, {{1, 1, 9}})[0], "edges",
      0, /*special=*/true);
  program.check();
}

} // namespace
} // namespace linnet::test
