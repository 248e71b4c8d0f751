//===- GlueKernelTest.cpp - what stands between operations ----------------===//
//
// Broadcasts, slices, reshapes and joins in the forms importers write them.
//
//===----------------------------------------------------------------------===//

#include "Program.h"

#include <cmath>
#include <gtest/gtest.h>

namespace linnet::test {
namespace {

/// x of rank 3 or 4 combined with a parameter along some of its dimensions.
void addAlong(Program &program, const Shape &shape,
              const std::vector<int64_t> &dims) {
  Shape part;
  std::string names[] = {"b", "t", "h", "d"}, all, along, loops;
  for (size_t d = 0; d < shape.size(); ++d) {
    all += (d ? ", " : "") + names[d];
    loops += d ? ", \"parallel\"" : "\"parallel\"";
  }
  for (int64_t d : dims) {
    along += (along.empty() ? "" : ", ") + names[d];
    part.push_back(shape[size_t(d)]);
  }
  std::string whole = "affine_map<(" + all + ") -> (" + all + ")>";
  std::string map = "affine_map<(" + all + ") -> (" + along + ")>";
  Value x = program.input(shape);
  Value w = program.weight(part, -1, 1,
                           program.pick<std::string>({"f32", "bf16", "f16"}),
                           /*wide=*/true);
  Value empty = program.raw("tensor.empty() : " + typeOf(shape), {}, shape);
  Value y = program.raw(
      "linalg.generic {indexing_maps = [" + whole + ", " + map + ", " + whole +
          "], iterator_types = [" + loops + "]} ins($0, $1 : " + x.type + ", " +
          typeOf(part) + ") outs($2 : " + x.type +
          ") {\n  ^bb0(%a: f32, "
          "%c: f32, %o: f32):\n    %m = arith.mulf %a, %c : f32\n    %e = "
          "math.exp %m : f32\n    %n = arith.addf %e, %c : f32\n    "
          "linalg.yield %n : f32\n  } -> " +
          x.type,
      {x, w, empty}, shape);
  program.expect(y, "along (" + along + ") of " + x.type);
}

TEST(GlueKernel, Broadcasts) {
  for (int round = 0; round < rounds(); ++round) {
    Program program(8000 + round);
    for (Shape shape : {Shape{1, 1, 3, 40}, {2, 7, 5, 17}, {1, 33, 2, 16}}) {
      for (std::vector<int64_t> dims :
           {std::vector<int64_t>{3}, {2}, {2, 3}, {0, 1, 2}, {1}, {3, 2}, {}})
        addAlong(program, shape, dims);
    }
    for (Shape shape : {Shape{1, 1, 1}, {3, 5, 65}, {1, 2, 2000}})
      for (std::vector<int64_t> dims : {std::vector<int64_t>{2}, {0, 2}})
        addAlong(program, shape, dims);
    program.check();
  }
}

Value slice(Program &program, const Value &x, int64_t begin, int64_t width) {
  Shape part = x.shape;
  part.back() = width;
  std::string offsets, sizes, strides;
  for (size_t d = 0; d < part.size(); ++d) {
    bool last = d + 1 == part.size();
    offsets += (d ? ", " : "") + std::to_string(last ? begin : 0);
    sizes += (d ? ", " : "") + std::to_string(part[d]);
    strides += d ? ", 1" : "1";
  }
  return program.raw("tensor.extract_slice $0[" + offsets + "] [" + sizes +
                         "] [" + strides + "] : " + x.type + " to " +
                         typeOf(part),
                     {x}, part);
}

TEST(GlueKernel, SlicesReshapesJoins) {
  for (int round = 0; round < rounds(); ++round) {
    Program program(8100 + round);
    for (int i = 0; i < 8; ++i) {
      int64_t batch = program.integer(1, 3),
              tokens = program.pick<int64_t>({1, 4, 33});
      int64_t heads = program.integer(1, 4),
              width = program.pick<int64_t>({1, 5, 16, 33});
      int64_t merged = heads * width, tail = program.integer(1, 20);
      Value x = program.input({batch, tokens, 2 * merged + tail});
      Value a = slice(program, x, 0, merged),
            b = slice(program, x, merged, merged),
            rest = slice(program, x, 2 * merged, tail);
      Shape split = {batch, tokens, heads, width};
      auto expand = [&](const Value &value) {
        std::string sizes;
        for (int64_t size : split)
          sizes += (sizes.empty() ? "" : ", ") + std::to_string(size);
        return program.raw(
            "tensor.expand_shape $0 [[0], [1], [2, 3]] output_shape [" + sizes +
                "] : " + value.type + " into " + typeOf(split),
            {value}, split);
      };
      Value sum = program.raw("arith.addf $0, $1 : " + typeOf(split),
                              {expand(a), expand(b)}, split);
      Value flat = program.raw(
          "tensor.collapse_shape $0 [[0], [1], [2, 3]] : " + sum.type +
              " into " + a.type,
          {sum}, a.shape);
      program.expect(flat, "merged heads");
      // Straight from a slice, and a slice of a slice.
      program.expect(b, "slice as a result");
      program.expect(slice(program, b, merged / 2, merged - merged / 2),
                     "slice of a slice");
      Shape joined = {batch, tokens, 2 * merged + tail};
      program.expect(program.raw("tensor.concat dim(2) $0, $1, $2 : (" +
                                     rest.type + ", " + flat.type + ", " +
                                     a.type + ") -> " + typeOf(joined),
                                 {rest, flat, a}, joined),
                     "join " + typeOf(joined));
    }
    program.check();
  }
}

/// Expressions of weights alone: -exp(A), a transpose, a table cast.
TEST(GlueKernel, WeightExpressions) {
  Program program(8200);
  for (std::string type : {"f32", "bf16", "f16"})
    for (Shape shape : {Shape{7}, {33, 4}}) {
      Value w = program.weight(shape, -2, 2, type, /*wide=*/true);
      Value e = program.raw("math.exp $0 : " + typeOf(shape), {w}, shape);
      Value n = program.raw("arith.negf $0 : " + typeOf(shape), {e}, shape);
      program.expect(n, "-exp of " + type);
      if (shape.size() < 2)
        continue;
      Shape turned = {shape[1], shape[0]};
      Value empty =
          program.raw("tensor.empty() : " + typeOf(turned), {}, turned);
      program.expect(
          program.raw(
              "linalg.generic {indexing_maps = [affine_map<(i, j) -> (j, i)>, "
              "affine_map<(i, j) -> (i, j)>], iterator_types = [\"parallel\", "
              "\"parallel\"]} ins($0 : " +
                  n.type + ") outs($1 : " + empty.type +
                  ") {\n  ^bb0(%a: f32, %o: f32):\n    linalg.yield %a : f32\n "
                  " } -> " +
                  empty.type,
              {n, empty}, turned),
          "transposed " + type);
    }
  program.check();
}

TEST(GlueKernel, Reductions) {
  Program program(8300);
  for (Shape shape : {Shape{1, 40}, {5, 33}, {64, 7}}) {
    Value x = program.input(shape);
    Shape rows = {shape[0]};
    Value zero =
        program.raw("arith.constant dense<0.0> : " + typeOf(rows), {}, rows);
    program.expect(
        program.raw(
            "linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, "
            "affine_map<(i, j) -> (i)>], iterator_types = [\"parallel\", "
            "\"reduction\"]} ins($0 : " +
                x.type + ") outs($1 : " + zero.type +
                ") {\n  ^bb0(%a: f32, %o: f32):\n    %s = arith.addf %a, %o : "
                "f32\n"
                "    linalg.yield %s : f32\n  } -> " +
                zero.type,
            {x, zero}, rows),
        "sum of " + x.type);
  }
  program.check();
}

/// Comparisons, selections and integers.
TEST(GlueKernel, Selections) {
  Program program(8400);
  for (Shape shape : {Shape{1, 1, 19}, {2, 3, 64}}) {
    Value a = program.input(shape), b = program.input(shape);
    std::string type = typeOf(shape), bits = typeOf(shape, "i1");
    Value less =
        program.raw("arith.cmpf olt, $0, $1 : " + type, {a, b}, shape, "i1");
    program.expect(
        program.raw("arith.select $0, $1, $2 : " + bits + ", " + type,
                    {less, a, b}, shape),
        "select " + type);
    Value i = program.input(shape, -50, 50, "i32"),
          j = program.input(shape, 0, 9, "i32");
    std::string whole = typeOf(shape, "i32");
    Value sum =
        program.raw("arith.addi $0, $1 : " + whole, {i, j}, shape, "i32");
    program.expect(sum, "sum " + whole, 0);
    program.expect(
        program.raw("arith.sitofp $0 : " + whole + " to " + type, {sum}, shape),
        "conversion " + whole, 0);
  }
  program.check();
}

} // namespace
} // namespace linnet::test
