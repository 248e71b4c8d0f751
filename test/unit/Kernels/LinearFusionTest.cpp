//===- LinearFusionTest.cpp - what kernels of linear maps do beside them --===//

#include "LinearCases.h"

#include <gtest/gtest.h>

namespace linnet::test {
namespace {

/// Panels that are narrower than usual, in many rows and few, of floats, codes
/// and blocks: each width around theirs.
TEST(LinearFusion, NarrowPanels) {
  for (int round = 0; round < rounds(); ++round) {
    Program program(440 + round);
    for (int64_t out : {40, 48, 129, 136, 144, 145})
      for (const Shape &lead : {Shape{1, 9}, Shape{1, 16}, Shape{2, 13},
                                Shape{}, Shape{5}, Shape{13}}) {
        const std::string &type = program.pick(kTypes);
        int64_t in = program.pick<int64_t>({7, 30, 800});
        addDense(program, lead, in, out);
        Shape shape = lead;
        shape.push_back(in);
        expectMap(program, "linnet.linear #linnet.quantized<8, 32> $0, $1, $2",
                  {program.input(shape),
                   program.weight({out, in}, -128, 128, "i8"),
                   program.weight({out, (in + 31) / 32}, 0.01, 0.02, type)},
                  shape, in, out, type);
        shape.back() = 2 * in;
        expectMap(
            program, "linnet.linear #linnet.block_diagonal $0, $1",
            {program.input(shape), program.weight({2, out, in}, -1, 1, type)},
            shape, 2 * in, 2 * out, type);
      }
    program.check();
  }
}

/// Permutations that kernels of maps read through: of parts, of what is
/// computed before and used after, by orders that are given or stored; and
/// those that have to be there, of results that others use.
TEST(LinearFusion, PermutedInputs) {
  for (int round = 0; round < rounds(); ++round) {
    Program program(445 + round);
    for (const Shape &lead : {Shape{1, 9}, Shape{2, 13}, Shape{}, Shape{3},
                              Shape{13}, Shape{1, 5, 3}})
      for (int kind = 0; kind < 6; ++kind) {
        const std::string &type = program.pick(kTypes);
        int64_t in = program.pick<int64_t>({17, 64, 130, 1100}),
                out = program.pick<int64_t>({3, 65, 136}),
                begin = program.integer(0, in - 4),
                size = program.integer(1, in - begin);
        Shape shape = lead, part = lead, result = lead;
        shape.push_back(in);
        part.push_back(size);
        result.push_back(out);
        Value x = program.input(shape);
        if (program.chance(0.5))
          x = program.raw("arith.mulf $0, $0 : " + typeOf(shape), {x}, shape);
        std::vector<double> order = orderOf(program, in);
        Value z = program.apply("linnet.linear #linnet.permutation $0, $1",
                                {x, program.chance(0.7)
                                        ? program.weight({in}, order, "i32")
                                        : program.input({in}, order, "i32")},
                                {shape})[0];
        auto slice = [&](int64_t first, const Shape &to) {
          std::string begins = "[", steps = "[";
          for (size_t d = 0; d < to.size(); ++d) {
            begins += std::string(d ? ", " : "") +
                      (d + 1 == to.size() ? std::to_string(first) : "0");
            steps += d ? ", 1" : "1";
          }
          return program.raw("tensor.extract_slice $0" + begins + "] " +
                                 listOf(to) + " " + steps +
                                 "] : " + typeOf(shape) + " to " + typeOf(to),
                             {z}, to);
        };
        std::string what = "permuted, kind " + std::to_string(kind);
        if (kind == 3) { // Patterns are read in rows.
          Shape read = lead;
          read.push_back(16);
          expectMap(program, "linnet.linear #linnet.nm_sparse<2, 4> $0, $1, $2",
                    {slice(1, read), program.weight({out, 8}, -1, 1, type),
                     program.weight({out, 2}, std::vector<double>(out * 2, 68),
                                    "i8")},
                    read, 16, out, type);
        }
        if (kind == 5) { // Sums of groups of inputs, too.
          Shape read = lead;
          read.push_back(size / 2 * 2 + 2 * (size < 2));
          int64_t first = std::min(begin, in - read.back());
          std::vector<Value> operands = {slice(first, read)};
          std::string name = addCodes(program, operands, out, read.back(), 4,
                                      program.pick<int64_t>({7, 16, 64}),
                                      /*hasZeros=*/true, type);
          expectMap(program,
                    "linnet.linear #linnet." + name + " $0, $1, $2, $3",
                    operands, read, read.back(), out, type);
        }
        if (kind == 0) { // A tensor that is made before the input is read.
          Value other = program.apply(
              "linnet.linear #linnet.dense $0, $1",
              {slice(begin, part), program.weight({in, size}, -1, 1, type)},
              {shape})[0];
          program.expect(program.raw("arith.mulf $0, $0 : " + typeOf(shape),
                                     {other}, shape),
                         what);
        }
        Value y = program.apply(
            "linnet.linear #linnet.dense $0, $1",
            {slice(begin, part), program.weight({out, size}, -1, 1, type)},
            {result})[0];
        if (kind == 1 && out <= in) // A sum with another part.
          y = program.raw("arith.addf $0, $1 : " + typeOf(result),
                          {slice(in - out, result), y}, result);
        program.expect(y, describe(what, part, size, out, type));
        if (kind == 2) // The input is needed after.
          program.expect(
              program.raw("arith.addf $0, $0 : " + typeOf(shape), {x}, shape),
              what);
        if (kind == 4) // The result is.
          program.expect(z, what);
      }
    program.check();
  }
}

/// A map's result and what is there before it: few rows and many, in parts and
/// in one, of every kind of matrix; what is there may be a part of a tensor or
/// an argument.
TEST(LinearFusion, SumsWithResults) {
  for (int round = 0; round < rounds(); ++round) {
    Program program(485 + round);
    std::vector<Shape> leads = {{}, {3}, {13}, {1, 9}, {2, 5}, {2, 3, 2}};
    for (const Shape &lead : leads)
      for (int64_t in : {7, 48, 600, 1100}) {
        int64_t out = program.pick<int64_t>({3, 64, 70, 130});
        Shape shape = lead, result = lead, wide = lead;
        shape.push_back(in);
        result.push_back(out);
        wide.push_back(out + 5);
        const std::string &type = program.pick(kTypes);
        std::vector<Value> operands = {program.input(shape)};
        std::string text = "linnet.linear #linnet.dense $0, $1";
        int64_t kind = program.integer(0, 3);
        if (kind == 1 || kind == 3) {
          text = "linnet.linear #linnet." +
                 addCodes(program, operands, out, in, 8, 32, kind == 3, type) +
                 (kind == 3 ? " $0, $1, $2, $3" : " $0, $1, $2");
        } else if (kind == 2) {
          text = "linnet.linear #linnet.toeplitz<" + std::to_string(out) +
                 "> $0, $1";
          operands.push_back(program.weight({in + out - 1}, -1, 1, type));
        } else {
          operands.push_back(program.weight({out, in}, -1, 1, type));
        }
        if (program.chance(0.5)) {
          text += " bias($" + std::to_string(operands.size()) + ")";
          operands.push_back(program.weight({out}, -1, 1, type));
        }
        Value other = program.input(result);
        if (!lead.empty() && program.chance(0.5)) {
          std::string begin = "[", steps = "[";
          for (size_t d = 0; d < result.size(); ++d) {
            begin += std::string(d ? ", " : "") +
                     (d + 1 == result.size() ? "3" : "0");
            steps += d ? ", 1" : "1";
          }
          other = program.raw(
              "tensor.extract_slice $0" + begin + "] " + listOf(result) + " " +
                  steps + "] : " + typeOf(wide) + " to " + typeOf(result),
              {program.input(wide)}, result);
        }
        Value y = program.apply(text, operands, {result})[0];
        bool isFirst = program.chance(0.5);
        Value sum =
            program.raw("arith.addf $0, $1 : " + typeOf(result),
                        {isFirst ? y : other, isFirst ? other : y}, result);
        program.expect(sum, describe("sum of " + text, shape, in, out, type));
      }
    program.check();
  }
}

/// Sums that no kernel of a map can write: of a result with itself, with what
/// comes after it, with a constant, and of a result that others use.
TEST(LinearFusion, SumsOfTheirOwn) {
  Program program(487);
  Shape shape = {1, 3, 40};
  Value x = program.input(shape), w = program.weight({40, 40});
  auto map = [&] {
    return program.apply("linnet.linear #linnet.dense $0, $1", {x, w},
                         {shape})[0];
  };
  auto add = [&](Value a, Value b) {
    return program.raw("arith.addf $0, $1 : " + typeOf(shape), {a, b}, shape);
  };
  Value y = map();
  program.expect(add(y, y), "itself");
  y = map();
  Value later = program.raw("arith.mulf $0, $0 : " + typeOf(shape), {x}, shape);
  program.expect(add(y, later), "later");
  y = map();
  Value one =
      program.raw("arith.constant dense<1.0> : " + typeOf(shape), {}, shape);
  program.expect(add(y, one), "a constant after");
  one = program.raw("arith.constant dense<1.0> : " + typeOf(shape), {}, shape);
  y = map();
  program.expect(add(y, one), "a constant before");
  y = map();
  program.expect(add(y, x), "used twice");
  program.expect(y, "by others");
  Value z = map();
  y = map();
  program.expect(add(z, y), "two maps");
  program.check();
}

} // namespace
} // namespace linnet::test
