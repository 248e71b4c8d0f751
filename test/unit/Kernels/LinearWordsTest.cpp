//===- LinearWordsTest.cpp - few rows times words of codes ----------------===//
//
// Where bytes are multiplied, in vectors of 16 lanes and of 8, against the
// evaluator. Other machines run other kernels on the same programs.
//
//===----------------------------------------------------------------------===//

#include "LinearCases.h"

#include "linnet/Runtime/CpuFeatures.h"

#include <cmath>
#include <gtest/gtest.h>

namespace linnet::test {
namespace {

/// The machine's own processor, and one that multiplies bytes in vectors of 8
/// lanes only.
std::vector<std::string> byteProcessors() {
  std::vector<std::string> all = {"native"};
  if (cpuHasFeature("avxvnni") && cpuHasFeature("movbe"))
    all.push_back("alderlake");
  return all;
}

/// A map of codes of 4 bits of `x`, [..., in], to `out` features.
void addMap(Program &program, const Value &x, const Shape &shape, int64_t out,
            int64_t group, bool hasZeros) {
  int64_t in = shape.back();
  std::vector<Value> operands = {x};
  std::string name =
      addCodes(program, operands, out, in, 4, group, hasZeros, "bf16");
  Shape result = shape;
  result.back() = out;
  std::string text = "linnet.linear #linnet." + name + " $0, $1, $2" +
                     (hasZeros ? ", $3" : "");
  program.expectAll(program.apply(text, operands, {result}),
                    describe(text, shape, in, out, "bf16"));
}

/// Groups of one block, of several, of blocks that are no power of two, longer
/// than the inputs; and a rest of inputs that are no group.
TEST(LinearWords, Groups) {
  for (int round = 0; round < rounds(); ++round) {
    Program program(700 + round);
    program.compileFor(byteProcessors());
    for (auto [in, group] : {std::pair<int64_t, int64_t>{8, 16},
                             {24, 16},
                             {64, 64},
                             {200, 64},
                             {264, 264},
                             {272, 136},
                             {520, 256},
                             {1000, 4096},
                             {128, 24}})
      for (bool hasZeros : {false, true}) {
        Shape shape = {1, 1, in};
        addMap(program, program.input(shape), shape, 70, group, hasZeros);
      }
    program.check();
  }
}

/// Every number of rows that share a pass over the words, and more.
TEST(LinearWords, Rows) {
  for (int round = 0; round < rounds(); ++round) {
    Program program(710 + round);
    program.compileFor(byteProcessors());
    for (int64_t rows = 1; rows <= 8; ++rows)
      for (int64_t out : {16, 150}) {
        Shape shape = {rows, 88};
        addMap(program, program.input(shape), shape, out, 32, rows % 2);
      }
    // Some streams, and what is left of them.
    for (int64_t out : {64, 129, 250, 700}) {
      Shape shape = {1, 1, 72};
      addMap(program, program.input(shape), shape, out, 64, false);
    }
    program.check();
  }
}

/// Inputs that are read in an order.
TEST(LinearWords, Permuted) {
  Program program(720);
  program.compileFor(byteProcessors());
  for (int64_t in : {40, 264}) {
    Shape shape = {1, 1, in};
    Value order = program.weight({in}, orderOf(program, in), "i32");
    Value x = program.apply("linnet.linear #linnet.permutation $0, $1",
                            {program.input(shape), order}, {shape})[0];
    addMap(program, x, shape, 70, 64, true);
  }
  program.check();
}

/// Blocks whose entries are large, small, below the smallest normal number, of
/// unlike sizes, or 0 have units of their own.
TEST(LinearWords, Ranges) {
  Program program(730);
  program.compileFor(byteProcessors());
  for (double size : {1e30, 1e3, 1e-3, 1e-30}) {
    Shape shape = {1, 1, 200};
    addMap(program, program.input(shape, program.values(shape, -size, size)),
           shape, 70, 32, size > 1);
  }
  Shape shape = {2, 256};
  std::vector<double> values = program.values(shape, -1, 1);
  for (size_t i = 0; i < 64; ++i) {
    values[i] = 0;
    values[64 + i] *= 1e-6;
    values[256 + i] = std::ldexp(1.0, int(i % 24) - 12);
    values[320 + i] = i == 5 ? -700 : values[320 + i];
    values[384 + i] = 1e-42;
  }
  addMap(program, program.input(shape, values), shape, 70, 64, false);
  program.check();
}

/// No unit fits entries that are not finite: every output says so.
TEST(LinearWords, SpecialValues) {
  Program program(740);
  program.compileFor(byteProcessors());
  for (bool isInfinite : {false, true}) {
    Shape shape = {2, 64};
    std::vector<double> values = program.values(shape, -1, 1);
    values[3] = isInfinite ? INFINITY : NAN;
    // Of two of unlike signs that have one sign's codes, no sum is a number.
    values[5] = isInfinite ? -INFINITY : 0;
    std::vector<double> codes(70 * 32, 0x11);
    Value x = program.input(shape, values),
          w = program.weight({70, 32}, codes, "i8"),
          scales = program.weight({70, 2}, 0.01, 1, "bf16");
    program.expect(
        program.apply("linnet.linear #linnet.quantized<4, 32> $0, $1, $2",
                      {x, w, scales}, {{2, 70}})[0],
        isInfinite ? "infinite" : "no number", 1e-5, /*special=*/true);
  }
  program.check();
}

} // namespace
} // namespace linnet::test
