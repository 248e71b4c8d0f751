//===- LinearKernelTest.cpp - linear maps against the evaluator -----------===//

#include "LinearCases.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>

namespace linnet::test {
namespace {

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

/// Codes of 8 and 4 bits with groups that do and do not divide the inputs, with
/// zeros and without.
TEST(LinearKernel, Quantized) {
  for (int round = 0; round < rounds(); ++round) {
    Program program(440 + round);
    for (int i = 0; i < 20; ++i) {
      const std::string &type = program.pick(kTypes);
      int64_t bits = program.pick<int64_t>({4, 8}),
              in = 2 * program.pick<int64_t>({1, 3, 16, 32, 33, 65, 300}),
              out = program.pick(kWidths),
              group = program.pick<int64_t>({1, 2, 7, 16, 64, 1000});
      Shape shape = leadOf(program);
      shape.push_back(in);
      std::vector<Value> operands = {program.input(shape)};
      bool hasZeros = i % 2;
      std::string name =
          addCodes(program, operands, out, in, bits, group, hasZeros, type);
      expectMap(program,
                "linnet.linear #linnet." + name +
                    (hasZeros ? " $0, $1, $2, $3" : " $0, $1, $2"),
                operands, shape, in, out, type);
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

/// One row, a few, and more than a tile, part after part.
TEST(LinearKernel, QuantizedSequences) {
  for (int round = 0; round < rounds(); ++round) {
    Program program(445 + round);
    for (int64_t rows : {1, 2, 6, 13})
      for (int64_t bits : {4, 8})
        for (bool hasZeros : {false, true}) {
          std::vector<Value> operands = {program.input({rows, 54})};
          std::string text =
              "linnet.linear #linnet." +
              addCodes(program, operands, 70, 54, bits, 16, hasZeros, "bf16") +
              (hasZeros ? " $0, $1, $2, $3" : " $0, $1, $2");
          program.expectAll(program.apply(text, operands, {{rows, 70}}),
                            describe(text, {rows, 54}, 54, 70, "bf16"));
        }
    program.check();
  }
}

/// Weights far from 0 on one side: nothing is lost where the sum of a group's
/// codes and its zero's nearly cancel.
TEST(LinearKernel, QuantizedAroundZeros) {
  Program program(448);
  for (int64_t rows : {1, 5})
    for (int64_t bits : {4, 8}) {
      double half = bits == 4 ? 8 : 128;
      std::vector<double> zeros(70 * 4, -half);
      Value x = program.input({rows, 250});
      Value codes = program.weight({70, 250 * bits / 8}, -128, 128, "i8"),
            scales = program.weight({70, 4}, 0.01, 1, "bf16");
      std::string text = "linnet.linear #linnet.quantized<" +
                         std::to_string(bits) + ", 64, zeros> $0, $1, $2, $3";
      program.expectAll(program.apply(text,
                                      {x, codes, scales,
                                       program.weight({70, 4}, zeros, "i8")},
                                      {{rows, 70}}),
                        describe(text, {rows, 250}, 250, 70, "bf16"));
    }
  program.check();
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
      std::vector<Value> asymmetric = {x};
      std::string name = addCodes(program, asymmetric, out, in, 8, 16,
                                  /*hasZeros=*/true, type);
      asymmetric.push_back(program.weight({out, rank}, -1, 1, type));
      asymmetric.push_back(program.weight({rank, in}, -1, 1, type));
      expectMap(program,
                "linnet.linear #linnet.sum<[#linnet." + name +
                    ", #linnet.low_rank]> $0, $1, $2, $3, $4, $5",
                asymmetric, shape, in, out, type);
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
      std::vector<Value> factors = {x};
      std::string left =
                      addCodes(program, factors, out, rank, 4, 16, true, type),
                  right =
                      addCodes(program, factors, rank, in, 8, 16, true, type);
      expectMap(program,
                "linnet.linear #linnet.product<[#linnet." + left +
                    ", #linnet." + right + "]> $0, $1, $2, $3, $4, $5, $6",
                factors, shape, in, out, type);
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

/// Blocks that share a basis, one block, single inputs, more terms than inputs,
/// behind zeros and alone.
TEST(LinearKernel, SeededRows) {
  for (int round = 0; round < rounds(); ++round) {
    Program program(485 + round);
    for (const auto &[terms, block, blocks] : {std::tuple(3, 8, 4),
                                               {17, 64, 3},
                                               {40, 64, 1},
                                               {2, 1, 5},
                                               {5, 3, 7},
                                               {64, 128, 2}})
      for (bool decodes : {false, true}) {
        const std::string &type = program.pick(kTypes);
        int64_t in = block * blocks, out = program.pick(kWidths);
        Shape shape = leadOf(program);
        if (decodes)
          shape = {1, 1};
        shape.push_back(in);
        Value x = program.input(shape);
        if (program.chance(0.3))
          x = program.raw("linnet.activation relu $0 : " + typeOf(shape), {x},
                          shape);
        expectMap(program,
                  "linnet.linear #linnet.seeded<" + std::to_string(terms) +
                      ", " + std::to_string(block) + ", " +
                      std::to_string(program.integer(0, 3)) + "> $0, $1",
                  {x, program.weight({out, terms * blocks}, -1, 1, type)},
                  shape, in, out, type);
      }
    // As parts of others.
    for (const Shape &lead : {Shape{1, 1}, {2, 3}}) {
      Shape shape = lead;
      shape.push_back(64);
      expectMap(program,
                "linnet.linear #linnet.sum<[#linnet.seeded<9, 16, 2>, "
                "#linnet.low_rank]> $0, $1, $2, $3",
                {program.input(shape), program.weight({33, 36}, -1, 1, "bf16"),
                 program.weight({33, 5}, -1, 1, "bf16"),
                 program.weight({5, 64}, -1, 1, "bf16")},
                shape, 64, 33, "bf16");
      expectMap(program,
                "linnet.linear #linnet.product<[#linnet.seeded<2, 8, 4>, "
                "#linnet.quantized<8, 16>]> $0, $1, $2, $3",
                {program.input(shape), program.weight({33, 10}, -1, 1, "f32"),
                 program.weight({40, 64}, -128, 128, "i8"),
                 program.weight({40, 4}, 0.01, 0.1, "f32")},
                shape, 64, 33, "f32");
    }
    // Read as a tensor like any other.
    Value basis =
        program.raw("linnet.seeded_basis 5 : tensor<3x70xf32>", {}, {3, 70});
    program.expect(
        program.raw("arith.addf $0, $0 : tensor<3x70xf32>", {basis}, {3, 70}),
        "a basis and itself");
    program.expect(basis, "a basis");
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
