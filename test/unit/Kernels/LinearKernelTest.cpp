//===- LinearKernelTest.cpp - linear maps against the evaluator -----------===//

#include "Program.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>

namespace linnet::test {
namespace {

const std::vector<int64_t> kWidths = {1, 3, 16, 17, 63, 64, 65, 130};
const std::vector<std::string> kTypes = {"f32", "bf16", "f16"};

std::string describe(const std::string &what, const Shape &shape, int64_t in,
                     int64_t out, const std::string &type) {
  return what + " " + typeOf(shape) + " " + std::to_string(in) + "->" +
         std::to_string(out) + " " + type;
}

/// "[2, 3]".
std::string listOf(const Shape &shape) {
  std::string text;
  for (int64_t size : shape)
    text += (text.empty() ? "[" : ", ") + std::to_string(size);
  return text + "]";
}

/// A dense map of random storage, rank, type and bias.
void addDense(Program &program, Shape lead, int64_t in, int64_t out) {
  const std::string &type = program.pick(kTypes);
  bool inOut = program.chance(0.4), bias = program.chance(0.5);
  Shape shape = lead;
  shape.push_back(in);
  Value x = program.input(shape);
  std::vector<Value> operands = {
      x, program.weight(inOut ? Shape{in, out} : Shape{out, in}, -1, 1, type)};
  std::string text = std::string("linnet.linear #linnet.dense") +
                     (inOut ? "<in_out>" : "") + " $0, $1";
  if (bias) {
    operands.push_back(program.weight({out}, -1, 1, program.pick(kTypes)));
    text += " bias($2)";
  }
  Shape result = lead;
  result.push_back(out);
  program.expectAll(program.apply(text, operands, {result}),
                    describe(text, shape, in, out, type));
}

Shape leadOf(Program &program) {
  switch (program.integer(0, 4)) {
  case 0:
    return {};
  case 1:
    return {program.integer(1, 9)};
  case 2:
    return {1, program.pick<int64_t>({1, 2, 3, 4, 5, 7, 8, 13, 33})};
  case 3:
    return {program.integer(1, 2), program.integer(1, 5),
            program.integer(1, 5)};
  default:
    return {program.integer(1, 3), program.integer(1, 9)};
  }
}

/// A map of `text` to `out` features, with a bias or without.
void expectMap(Program &program, std::string text, std::vector<Value> operands,
               const Shape &shape, int64_t in, int64_t out,
               const std::string &type) {
  if (program.chance(0.5)) {
    text += " bias($" + std::to_string(operands.size()) + ")";
    operands.push_back(program.weight({out}, -1, 1, type));
  }
  Shape result = shape;
  result.back() = out;
  program.expectAll(program.apply(text, operands, {result}),
                    describe(text, shape, in, out, type));
}

TEST(LinearKernel, DenseWidths) {
  for (int round = 0; round < rounds(); ++round) {
    Program program(100 + round);
    for (int i = 0; i < 16; ++i)
      addDense(program, leadOf(program), program.pick(kWidths),
               program.pick(kWidths));
    program.check();
  }
}

TEST(LinearKernel, DenseWide) {
  for (int round = 0; round < rounds(); ++round) {
    Program program(200 + round);
    addDense(program, {1, 1}, 1030, 513);
    addDense(program, {1, 7}, 513, 1030);
    addDense(program, {2, 67}, 130, 65);
    addDense(program, {1, 300}, 17, 33);
    addDense(program, {}, 1030, 3);
    addDense(program, {1, 1}, 3, 1030);
    program.check();
  }
}

/// Every row count around a register tile.
TEST(LinearKernel, DenseRows) {
  for (int round = 0; round < rounds(); ++round) {
    Program program(300 + round);
    for (int64_t rows = 1; rows <= 17; ++rows)
      addDense(program, {1, rows}, 35, 40);
    program.check();
  }
}

/// Sequences of one token: more of them than a tile has rows go part by part
/// of the inner indices, here whole parts, a part and a rest, and a rest.
TEST(LinearKernel, DenseSequences) {
  for (int round = 0; round < rounds(); ++round) {
    Program program(350 + round);
    for (int64_t rows : {6, 7, 8, 13})
      for (int64_t in : {7, 48, 53})
        addDense(program, {rows}, in, 70);
    program.check();
  }
}

TEST(LinearKernel, LowRank) {
  for (int round = 0; round < rounds(); ++round) {
    Program program(400 + round);
    for (int i = 0; i < 6; ++i) {
      const std::string &type = program.pick(kTypes);
      int64_t in = program.pick(kWidths), out = program.pick(kWidths),
              rank = program.pick<int64_t>({1, 2, 7, 16, 33});
      Shape shape = leadOf(program);
      shape.push_back(in);
      std::vector<Value> operands = {program.input(shape),
                                     program.weight({out, rank}, -1, 1, type),
                                     program.weight({rank, in}, -1, 1, type)};
      std::string text = "linnet.linear #linnet.low_rank $0, $1, $2";
      expectMap(program, text, operands, shape, in, out, type);
    }
    program.check();
  }
}

/// The numbers below `size` in a random order.
std::vector<double> orderOf(Program &program, int64_t size) {
  std::vector<double> order(size);
  for (int64_t i = 0; i < size; ++i) {
    int64_t other = program.integer(0, i);
    order[i] = order[other];
    order[other] = double(i);
  }
  return order;
}

TEST(LinearKernel, Permutation) {
  for (int round = 0; round < rounds(); ++round) {
    Program program(420 + round);
    for (int i = 0; i < 12; ++i) {
      int64_t size = program.pick(kWidths);
      Shape shape = leadOf(program);
      shape.push_back(size);
      std::vector<double> order = orderOf(program, size);
      std::vector<Value> operands = {program.input(shape),
                                     program.chance(0.7)
                                         ? program.weight({size}, order, "i32")
                                         : program.input({size}, order, "i32")};
      std::string text = "linnet.linear #linnet.permutation $0, $1";
      if (program.chance(0.5)) {
        operands.push_back(program.weight({size}));
        text += " bias($2)";
      }
      program.expectAll(program.apply(text, operands, {shape}),
                        describe(text, shape, size, size, ""));
    }
    program.check();
  }
}

TEST(LinearKernel, PivotedLowRank) {
  for (int round = 0; round < rounds(); ++round) {
    Program program(430 + round);
    for (int i = 0; i < 8; ++i) {
      const std::string &type = program.pick(kTypes);
      int64_t in = program.pick(kWidths), out = program.pick(kWidths),
              rank = std::min(in, program.pick<int64_t>({1, 2, 7, 16, 33}));
      Shape shape = leadOf(program);
      shape.push_back(in);
      std::vector<Value> operands = {
          program.input(shape), program.weight({out, rank}, -1, 1, type),
          program.weight({rank, in - rank}, -1, 1, type),
          program.weight({in}, orderOf(program, in), "i32")};
      std::string text =
          "linnet.linear #linnet.pivoted_low_rank $0, $1, $2, $3";
      expectMap(program, text, operands, shape, in, out, type);
    }
    program.check();
  }
}

/// Panels that are narrower than usual, in many rows and few, of floats, codes
/// and blocks: each width around theirs.
TEST(LinearKernel, NarrowPanels) {
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
TEST(LinearKernel, PermutedInputs) {
  for (int round = 0; round < rounds(); ++round) {
    Program program(445 + round);
    for (const Shape &lead : {Shape{1, 9}, Shape{2, 13}, Shape{}, Shape{3},
                              Shape{13}, Shape{1, 5, 3}})
      for (int kind = 0; kind < 5; ++kind) {
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

/// Codes of 8 and 4 bits with groups that do and do not divide the inputs.
TEST(LinearKernel, Quantized) {
  for (int round = 0; round < rounds(); ++round) {
    Program program(440 + round);
    for (int i = 0; i < 12; ++i) {
      const std::string &type = program.pick(kTypes);
      int64_t bits = program.pick<int64_t>({4, 8}),
              in = 2 * program.pick<int64_t>({1, 3, 16, 32, 33, 65, 300}),
              out = program.pick(kWidths),
              group = program.pick<int64_t>({1, 2, 7, 16, 64, 1000});
      Shape shape = leadOf(program);
      shape.push_back(in);
      std::vector<Value> operands = {
          program.input(shape),
          program.weight({out, in * bits / 8}, -128, 128, "i8"),
          program.weight({out, (in + group - 1) / group}, 0.01, 1, type)};
      std::string text = "linnet.linear #linnet.quantized<" +
                         std::to_string(bits) + ", " + std::to_string(group) +
                         "> $0, $1, $2";
      expectMap(program, text, operands, shape, in, out, type);
    }
    program.check();
  }
}

/// `kept` ascending numbers below `count` in each of `rows` rows.
std::vector<double> columnsOf(Program &program, int64_t rows, int64_t count,
                              int64_t kept) {
  std::vector<double> all;
  for (int64_t r = 0; r < rows; ++r) {
    std::vector<double> order = orderOf(program, count);
    std::sort(order.begin(), order.begin() + kept);
    all.insert(all.end(), order.begin(), order.begin() + kept);
  }
  return all;
}

/// The positions of `kept` of `of` inputs in each of so many groups, packed.
std::vector<double> positionsOf(Program &program, int64_t rows, int64_t groups,
                                int64_t kept, int64_t of) {
  std::vector<double> all = columnsOf(program, rows * groups, of, kept), bytes;
  const size_t bits = of <= 4 ? 2 : 4, each = 8 / bits;
  for (size_t i = 0; i < all.size(); i += each) {
    int byte = 0;
    for (size_t e = 0; e < each; ++e)
      byte |= int(all[i + e]) << (e * bits);
    bytes.push_back(double(int8_t(byte)));
  }
  return bytes;
}

void addNmSparse(Program &program, Shape shape, int64_t kept, int64_t of,
                 int64_t groups, int64_t out) {
  const std::string &type = program.pick(kTypes);
  int64_t count = groups * kept, bits = of <= 4 ? 2 : 4;
  shape.push_back(groups * of);
  std::vector<Value> operands = {
      program.input(shape), program.weight({out, count}, -1, 1, type),
      program.weight({out, count * bits / 8},
                     positionsOf(program, out, groups, kept, of), "i8")};
  std::string text = "linnet.linear #linnet.nm_sparse<" + std::to_string(kept) +
                     ", " + std::to_string(of) + "> $0, $1, $2";
  expectMap(program, text, operands, shape, groups * of, out, type);
}

/// Patterns with positions of 2 and 4 bits, one row or many, and more rows than
/// a tile has.
TEST(LinearKernel, NmSparse) {
  for (int round = 0; round < rounds(); ++round) {
    Program program(448 + round);
    for (int i = 0; i < 16; ++i) {
      auto [kept, of] = program.pick<std::pair<int64_t, int64_t>>(
          {{2, 4}, {1, 4}, {3, 4}, {4, 8}, {1, 2}, {2, 3}, {5, 16}, {1, 6}});
      addNmSparse(program, leadOf(program), kept, of,
                  program.pick<int64_t>({4, 8, 12, 32, 132}),
                  program.pick<int64_t>({1, 16, 17, 63, 64, 130, 257}));
    }
    for (int64_t rows : {2, 6, 8, 13})
      addNmSparse(program, {rows}, 2, 4, 20, 70);
    addNmSparse(program, {1, 9}, 2, 4, 300, 130);
    addNmSparse(program, {}, 2, 4, 300, 1030);
    program.check();
  }
}

/// A map of blocks, `kept` of `count` in every row of blocks; what it is made
/// of is stored, or given if `isGiven`.
void addBlockSparse(Program &program, Shape shape, int64_t height,
                    int64_t width, int64_t count, int64_t kept, int64_t out,
                    bool isGiven) {
  const std::string &type = program.pick(kTypes),
                    index = program.chance(0.5) ? "i16" : "i32";
  int64_t rows = (out + height - 1) / height;
  Shape matrix = {out, kept * width}, table = {rows, kept};
  std::vector<double> columns = columnsOf(program, rows, count, kept);
  shape.push_back(count * width);
  std::vector<Value> operands = {
      program.input(shape),
      isGiven ? program.input(matrix) : program.weight(matrix, -1, 1, type),
      isGiven ? program.input(table, columns, index)
              : program.weight(table, columns, index)};
  std::string text = "linnet.linear #linnet.block_sparse<" +
                     std::to_string(height) + ", " + std::to_string(width) +
                     ", " + std::to_string(count * width) + "> $0, $1, $2";
  expectMap(program, text, operands, shape, count * width, out, type);
}

/// Rows of blocks below, at and above a vector's and a panel's width.
TEST(LinearKernel, BlockSparse) {
  for (int round = 0; round < rounds(); ++round) {
    Program program(446 + round);
    for (int i = 0; i < 16; ++i) {
      int64_t count = program.pick<int64_t>({1, 3, 16, 33, 130});
      addBlockSparse(program, leadOf(program),
                     program.pick<int64_t>({16, 32, 48, 64, 112, 128}),
                     program.pick<int64_t>({1, 1, 2, 3, 4, 8}), count,
                     program.integer(1, count),
                     program.pick<int64_t>({1, 16, 17, 63, 64, 130, 257}),
                     program.chance(0.2));
    }
    program.check();
  }
}

/// More rows than a tile, part after part; long rows, part after part; and
/// streams of several panels.
TEST(LinearKernel, BlockSparseSequences) {
  for (int round = 0; round < rounds(); ++round) {
    Program program(447 + round);
    for (int64_t rows : {2, 6, 8, 13})
      for (int64_t height : {16, 64})
        addBlockSparse(program, {rows}, height, 3, 19, 11, 70, false);
    addBlockSparse(program, {1, 9}, 64, 1, 1100, 1030, 130, false);
    addBlockSparse(program, {1, 1}, 64, 1, 300, 150, 1030, false);
    addBlockSparse(program, {}, 32, 2, 300, 77, 515, false);
    program.check();
  }
}

/// More rows than a tile, part after part.
TEST(LinearKernel, QuantizedSequences) {
  for (int round = 0; round < rounds(); ++round) {
    Program program(445 + round);
    for (int64_t rows : {2, 6, 13})
      for (int64_t bits : {4, 8}) {
        Value codes = program.weight({70, 54 * bits / 8}, -128, 128, "i8");
        Value scales = program.weight({70, 4}, 0.01, 1, "bf16");
        std::string text = "linnet.linear #linnet.quantized<" +
                           std::to_string(bits) + ", 16> $0, $1, $2";
        program.expectAll(
            program.apply(text, {program.input({rows, 54}), codes, scales},
                          {{rows, 70}}),
            describe(text, {rows, 54}, 54, 70, "bf16"));
      }
    program.check();
  }
}

/// Blocks on the diagonal: stored as matrices, as some of the rows of each part
/// of a weight, or computed.
TEST(LinearKernel, BlockDiagonal) {
  for (int round = 0; round < rounds(); ++round) {
    Program program(450 + round);
    for (int i = 0; i < 24; ++i) {
      const std::string &type = program.pick(kTypes);
      int64_t blocks = program.pick<int64_t>({1, 2, 3, 8}),
              in = program.pick<int64_t>({1, 12, 64, 65}),
              out = program.pick<int64_t>({1, 16, 63, 130, 257});
      bool inOut = program.chance(0.5);
      Shape shape = leadOf(program), result = shape;
      shape.push_back(blocks * in);
      result.push_back(blocks * out);
      int64_t rows = inOut ? in : out, columns = inOut ? out : in;
      Shape matrices = {blocks, rows, columns};
      Value w;
      int64_t kind = program.integer(0, 3);
      if (kind == 0) {
        w = program.weight(matrices, -1, 1, type);
      } else if (kind == 1) {
        w = program.input(matrices);
      } else {
        // Rows [begin, begin + rows) of `each`.
        int64_t begin = program.integer(0, 3),
                each = begin + rows + program.integer(0, 2);
        Shape whole = {blocks, each, columns};
        std::string source = typeOf(whole, type);
        w = kind == 2 ? program.weight(whole, -1, 1, type)
                      : program.weight({blocks * each, columns}, -1, 1, type);
        if (kind == 3)
          w = program.raw("tensor.expand_shape $0 [[0, 1], [2]] output_shape " +
                              listOf(whole) + " : " +
                              typeOf({blocks * each, columns}, type) +
                              " into " + source,
                          {w}, whole, type);
        w = program.raw("tensor.extract_slice $0[0, " + std::to_string(begin) +
                            ", 0] " + listOf(matrices) + " [1, 1, 1] : " +
                            source + " to " + typeOf(matrices, type),
                        {w}, matrices, type);
      }
      std::vector<Value> operands = {program.input(shape), w};
      std::string text = std::string("linnet.linear #linnet.block_diagonal") +
                         (inOut ? "<in_out>" : "") + " $0, $1";
      if (program.chance(0.5)) {
        operands.push_back(program.weight({blocks * out}, -1, 1, type));
        text += " bias($2)";
      }
      program.expectAll(program.apply(text, operands, {result}),
                        describe(text + " " + std::to_string(blocks) +
                                     " blocks, kind " + std::to_string(kind),
                                 shape, in, out, type));
    }
    program.check();
  }
}

/// Sums and products of structures, a BLAST matrix among them: b x b blocks
/// B_i diag(s_ij) C_j^T.
TEST(LinearKernel, Composites) {
  for (int round = 0; round < rounds(); ++round) {
    Program program(480 + round);
    for (int i = 0; i < 4; ++i) {
      const std::string &type = program.pick(kTypes);
      int64_t b = program.pick<int64_t>({1, 2, 3}),
              in = b * program.pick<int64_t>({2, 16, 34}),
              out = b * program.pick<int64_t>({1, 17, 64}),
              rank = 2 * program.pick<int64_t>({1, 3, 9});
      Shape shape = leadOf(program);
      shape.push_back(in);
      Value x = program.input(shape);
      expectMap(program,
                "linnet.linear #linnet.product<[#linnet.block_diagonal, "
                "#linnet.permutation, #linnet.block_diagonal, "
                "#linnet.permutation, #linnet.block_diagonal]> $0, $1, $2, $3, "
                "$4, $5",
                {x, program.weight({b, out / b, rank}, -1, 1, type),
                 program.weight({b * rank}, orderOf(program, b * rank), "i32"),
                 program.weight({rank, b, b}, -1, 1, type),
                 program.weight({b * rank}, orderOf(program, b * rank), "i32"),
                 program.weight({b, rank, in / b}, -1, 1, type)},
                shape, in, out, type);
      Value codes = program.weight({out, in}, -128, 128, "i8"),
            scales = program.weight({out, 1}, 0.01, 0.02, type);
      expectMap(program,
                "linnet.linear #linnet.sum<[#linnet.quantized<8, 1000>, "
                "#linnet.low_rank]> $0, $1, $2, $3, $4",
                {x, codes, scales, program.weight({out, rank}, -1, 1, type),
                 program.weight({rank, in}, -1, 1, type)},
                shape, in, out, type);
      int64_t kept = program.integer(1, in);
      expectMap(
          program,
          "linnet.linear #linnet.sum<[#linnet.block_sparse<16, 1, " +
              std::to_string(in) + ">, #linnet.low_rank]> $0, $1, $2, $3, $4",
          {x, program.weight({out, kept}, -1, 1, type),
           program.weight({(out + 15) / 16, kept},
                          columnsOf(program, (out + 15) / 16, in, kept), "i16"),
           program.weight({out, rank}, -1, 1, type),
           program.weight({rank, in}, -1, 1, type)},
          shape, in, out, type);
      expectMap(program,
                "linnet.linear #linnet.sum<[#linnet.low_rank, #linnet.diag<" +
                    std::to_string(out) + ", " + std::to_string(in) +
                    ">, #linnet.toeplitz<" + std::to_string(out) +
                    ">]> $0, $1, $2, $3, $4",
                {x, program.weight({out, rank}, -1, 1, type),
                 program.weight({rank, in}, -1, 1, type),
                 program.weight({std::min(in, out)}, -1, 1, type),
                 program.weight({in + out - 1}, -1, 1, type)},
                shape, in, out, type);
      expectMap(program,
                "linnet.linear #linnet.product<[#linnet.quantized<4, 4>, "
                "#linnet.quantized<8, 16>]> $0, $1, $2, $3, $4",
                {x, program.weight({out, rank / 2}, -128, 128, "i8"),
                 program.weight({out, (rank + 3) / 4}, 0.01, 0.1, type),
                 program.weight({rank, in}, -128, 128, "i8"),
                 program.weight({rank, (in + 15) / 16}, 0.01, 0.1, type)},
                shape, in, out, type);
    }
    program.check();
  }
}

/// Matrices of one vector, stored or given, wider and higher than they are
/// long.
TEST(LinearKernel, Vectors) {
  for (int round = 0; round < rounds(); ++round) {
    Program program(490 + round);
    for (int i = 0; i < 24; ++i) {
      const std::string &type = program.pick(kTypes);
      int64_t in = program.pick(kWidths), out = program.pick(kWidths),
              length = std::min(in, out);
      std::string name =
          "diag<" + std::to_string(out) + ", " + std::to_string(in) + ">";
      int kind = i % 3;
      if (kind == 1) {
        length = in + out - 1;
        name = "toeplitz<" + std::to_string(out) + ">";
      } else if (kind == 2) {
        length = out = in;
        name = "circulant";
      }
      Shape shape = leadOf(program);
      shape.push_back(in);
      Value values = program.chance(0.2)
                         ? program.input({length})
                         : program.weight({length}, -1, 1, type);
      expectMap(program, "linnet.linear #linnet." + name + " $0, $1",
                {program.input(shape), values}, shape, in, out, type);
    }
    program.check();
  }
}

/// More rows than a tile, part after part, and long rows.
TEST(LinearKernel, ToeplitzSequences) {
  for (int round = 0; round < rounds(); ++round) {
    Program program(495 + round);
    for (const auto &[lead, in, out] : {std::tuple(Shape{6}, 48, 70),
                                        {Shape{8}, 53, 130},
                                        {Shape{13}, 7, 64},
                                        {Shape{1, 9}, 1100, 130},
                                        {Shape{1, 1}, 300, 1030},
                                        {Shape{}, 1030, 515}}) {
      Shape shape = lead;
      shape.push_back(in);
      expectMap(program,
                "linnet.linear #linnet.toeplitz<" + std::to_string(out) +
                    "> $0, $1",
                {program.input(shape),
                 program.weight({in + out - 1}, -1, 1, program.pick(kTypes))},
                shape, in, out, "f32");
    }
    program.check();
  }
}

/// A map's result and what is there before it: few rows and many, in parts and
/// in one, of every kind of matrix; what is there may be a part of a tensor or
/// an argument.
TEST(LinearKernel, SumsWithResults) {
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
        int64_t kind = program.integer(0, 2);
        if (kind == 1) {
          text = "linnet.linear #linnet.quantized<8, 32> $0, $1, $2";
          operands.push_back(program.weight({out, in}, -128, 128, "i8"));
          operands.push_back(
              program.weight({out, (in + 31) / 32}, 0.01, 0.02, type));
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
TEST(LinearKernel, SumsOfTheirOwn) {
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

/// Factors that are arguments or computed, not weights.
TEST(LinearKernel, ComputedFactors) {
  for (int round = 0; round < rounds(); ++round) {
    Program program(500 + round);
    for (int i = 0; i < 8; ++i) {
      int64_t in = program.pick(kWidths), out = program.pick(kWidths);
      bool inOut = program.chance(0.5);
      Shape shape = leadOf(program), result = shape;
      shape.push_back(in);
      result.push_back(out);
      Shape matrix = inOut ? Shape{in, out} : Shape{out, in};
      Value w = program.chance(0.5)
                    ? program.input(matrix)
                    : program.weight(matrix, -1, 1, program.pick(kTypes), true);
      if (program.chance(0.5))
        w = program.raw("arith.mulf $0, $0 : " + typeOf(matrix), {w}, matrix);
      std::vector<Value> operands = {program.input(shape), w};
      std::string text = std::string("linnet.linear #linnet.dense") +
                         (inOut ? "<in_out>" : "") + " $0, $1";
      if (program.chance(0.5)) {
        operands.push_back(program.input({out}));
        text += " bias($2)";
      }
      program.expectAll(program.apply(text, operands, {result}),
                        describe("computed " + text, shape, in, out, ""));
    }
    program.check();
  }
}

/// A NaN or an infinity reaches what it should reach and nothing else.
TEST(LinearKernel, SpecialValues) {
  Program program(600);
  for (int64_t rows : {1, 5}) {
    Shape shape = {1, rows, 19};
    std::vector<double> values = program.values(shape, -1, 1);
    values[3] = rows == 1 ? NAN : INFINITY;
    Value x = program.input(shape, values);
    Value w = program.weight({37, 19});
    program.expect(program.apply("linnet.linear #linnet.dense $0, $1", {x, w},
                                 {{1, rows, 37}})[0],
                   "special " + typeOf(shape), 1e-5, true);
  }
  program.check();
}

} // namespace
} // namespace linnet::test
