//===- GlueTest.cpp - arith, math, linalg and tensor ----------------------===//

#include "RunModule.h"

#include <array>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>

using namespace linnet;
using namespace linnet::test;

namespace {

double nan_() { return std::numeric_limits<double>::quiet_NaN(); }

/// Applies an operation of the form `OP %0, %1, ... : TYPE` to vectors.
HostTensor apply(const std::string &op, const std::vector<HostTensor> &operands,
                 const std::string &element = "f32", const std::string &to = "",
                 const std::string &from = "") {
  Shape shape = operands[0].shape;
  std::string in = typeOf(shape, element),
              out = to.empty() ? in : typeOf(shape, to);
  std::string arguments, names;
  for (size_t i = 0; i < operands.size(); ++i) {
    std::string name = "%x" + std::to_string(i);
    arguments += (i ? ", " : "") + name + ": " + in;
    names += (i ? ", " : "") + name;
  }
  std::string suffix = from.empty() ? in : in + " " + from + " " + out;
  auto results = runModule("func.func @f(" + arguments + ") -> " + out +
                               " {\n  %y = " + op + " " + names + " : " +
                               suffix + "\n  return %y : " + out + "\n}",
                           operands);
  return results.empty() ? HostTensor() : results[0];
}

TEST(GlueTest, UnaryFunctions) {
  Random random(1);
  HostTensor x = random.tensor({7}, 0.01, 3);
  auto check = [&](const std::string &op, auto function) {
    HostTensor expected = x;
    for (double &value : expected.values)
      value = function(value);
    EXPECT_LE(difference(apply(op, {x}), expected), 1e-15) << op;
  };
  check("math.exp", [](double v) { return std::exp(v); });
  check("math.exp2", [](double v) { return std::pow(2.0, v); });
  check("math.expm1", [](double v) { return std::expm1(v); });
  check("math.log", [](double v) { return std::log(v); });
  check("math.log2", [](double v) { return std::log(v) / std::log(2.0); });
  check("math.log1p", [](double v) { return std::log1p(v); });
  check("math.sqrt", [](double v) { return std::sqrt(v); });
  check("math.rsqrt", [](double v) { return std::pow(v, -0.5); });
  check("math.sin", [](double v) { return std::sin(v); });
  check("math.cos", [](double v) { return std::cos(v); });
  check("math.tanh", [](double v) { return std::tanh(v); });
  check("math.erf", [](double v) { return 1 - std::erfc(v); });
  check("math.floor", [](double v) { return double(int(v)); });
  check("math.ceil", [](double v) { return double(int(v) + 1); });
  check("arith.negf", [](double v) { return 0 - v; });
  for (double &value : x.values)
    value = -value;
  check("math.absf", [](double v) { return -v; });
}

TEST(GlueTest, BinaryFunctions) {
  HostTensor a({4}, {7.5, -2, 0.5, 3}), b({4}, {2, 3, 0.5, -4});
  auto check = [&](const std::string &op, std::vector<double> expected) {
    EXPECT_LE(difference(apply(op, {a, b}), HostTensor({4}, expected)), 1e-15)
        << op;
  };
  check("arith.addf", {9.5, 1, 1, -1});
  check("arith.subf", {5.5, -5, 0, 7});
  check("arith.mulf", {15, -6, 0.25, -12});
  check("arith.divf", {3.75, -2 / 3.0, 1, -0.75});
  check("arith.remf", {1.5, -2, 0, 3});
  check("arith.maximumf", {7.5, 3, 0.5, 3});
  check("arith.minimumf", {2, -2, 0.5, -4});
  check("math.powf", {56.25, -8, std::sqrt(0.5), 1 / 81.0});
}

TEST(GlueTest, MaximaTreatNaNAndZerosAsTheirNamesSay) {
  HostTensor a({3}, {nan_(), 1, -0.0}), b({3}, {1, nan_(), 0.0});
  HostTensor maximum = apply("arith.maximumf", {a, b});
  EXPECT_TRUE(std::isnan(maximum.values[0]) && std::isnan(maximum.values[1]));
  EXPECT_FALSE(std::signbit(maximum.values[2]));
  HostTensor minimum = apply("arith.minimumf", {a, b});
  EXPECT_TRUE(std::isnan(minimum.values[0]) && std::isnan(minimum.values[1]));
  EXPECT_TRUE(std::signbit(minimum.values[2]));
  EXPECT_EQ(apply("arith.maxnumf", {a, b}).values[1], 1);
  EXPECT_EQ(apply("arith.minnumf", {a, b}).values[0], 1);
}

TEST(GlueTest, TruncationRounds) {
  HostTensor x({2}, {0.1, 1 + std::ldexp(1, -8)});
  EXPECT_EQ(apply("arith.truncf", {x}, "f64", "f32", "to").values[0],
            double(0.1f));
  // 0.1 is 0x3DCCCCCD: the upper half rounds to 0x3DCD. A tie goes to even.
  EXPECT_EQ(apply("arith.truncf", {x}, "f32", "bf16", "to").values,
            std::vector<double>({0.10009765625, 1}));
  EXPECT_EQ(apply("arith.truncf", {x}, "f32", "f16", "to").values[0],
            0.0999755859375);
  EXPECT_EQ(apply("arith.extf", {x}, "bf16", "f32", "to").values, x.values);
}

TEST(GlueTest, Integers) {
  HostTensor a({3}, {7, -7, 2147483647}), b({3}, {2, 2, 1});
  EXPECT_EQ(apply("arith.addi", {a, b}, "i32").values,
            std::vector<double>({9, -5, -2147483648.0}));
  EXPECT_EQ(apply("arith.divsi", {a, b}, "i32").values,
            std::vector<double>({3, -3, 2147483647}));
  EXPECT_EQ(apply("arith.remsi", {a, b}, "i32").values,
            std::vector<double>({1, -1, 0}));
  EXPECT_EQ(apply("arith.maxsi", {a, b}, "i32").values,
            std::vector<double>({7, 2, 2147483647}));
}

TEST(GlueTest, ComparisonsAndSelect) {
  auto results = runModule(
      R"(
    func.func @f(%a: tensor<4xf32>, %b: tensor<4xf32>, %i: tensor<4xi32>, %j: tensor<4xi32>)
        -> (tensor<4xi1>, tensor<4xi1>, tensor<4xf32>, tensor<4xi1>, tensor<4xi1>, tensor<4xf32>) {
      %lt = arith.cmpf olt, %a, %b : tensor<4xf32>
      %une = arith.cmpf une, %a, %b : tensor<4xf32>
      %s = arith.select %lt, %a, %b : tensor<4xi1>, tensor<4xf32>
      %sl = arith.cmpi slt, %i, %j : tensor<4xi32>
      %ul = arith.cmpi ult, %i, %j : tensor<4xi32>
      %e = arith.sitofp %i : tensor<4xi32> to tensor<4xf32>
      return %lt, %une, %s, %sl, %ul, %e
        : tensor<4xi1>, tensor<4xi1>, tensor<4xf32>, tensor<4xi1>, tensor<4xi1>, tensor<4xf32>
    })",
      {HostTensor({4}, {1, 2, 3, nan_()}), HostTensor({4}, {2, 2, 2, 2}),
       HostTensor({4}, {-1, 0, 1, 2}), HostTensor({4}, {1, 0, -1, 3})});
  ASSERT_EQ(results.size(), 6u);
  EXPECT_EQ(results[0].values, std::vector<double>({1, 0, 0, 0}));
  EXPECT_EQ(results[1].values, std::vector<double>({1, 0, 1, 1}));
  EXPECT_EQ(results[2].values, std::vector<double>({1, 2, 2, 2}));
  EXPECT_EQ(results[3].values, std::vector<double>({1, 0, 0, 1}));
  EXPECT_EQ(results[4].values, std::vector<double>({0, 0, 1, 1}));
  EXPECT_EQ(results[5].values, std::vector<double>({-1, 0, 1, 2}));
}

TEST(GlueTest, Constants) {
  auto results = runModule(R"(
    func.func @f() -> (tensor<2x2xf32>, tensor<3xf32>, tensor<2xi1>, index, f32) {
      %a = arith.constant dense<[[1.0, 2.0], [3.0, 0xFF800000]]> : tensor<2x2xf32>
      %b = arith.constant dense<2.5> : tensor<3xf32>
      %c = arith.constant dense<[true, false]> : tensor<2xi1>
      %i = arith.constant 5 : index
      %j = arith.constant 3 : index
      %k = arith.subi %j, %i : index
      %d = arith.constant 0.1 : f32
      return %a, %b, %c, %k, %d : tensor<2x2xf32>, tensor<3xf32>, tensor<2xi1>, index, f32
    })",
                           {});
  ASSERT_EQ(results.size(), 5u);
  EXPECT_EQ(
      results[0].values,
      std::vector<double>({1, 2, 3, -std::numeric_limits<double>::infinity()}));
  EXPECT_EQ(results[1].values, std::vector<double>({2.5, 2.5, 2.5}));
  EXPECT_EQ(results[2].values, std::vector<double>({1, 0}));
  EXPECT_EQ(results[3].values, std::vector<double>({-2}));
  EXPECT_EQ(results[4].values, std::vector<double>({double(0.1f)}));
}

TEST(LinalgTest, BroadcastTransposeReduceIndexAndOutsideScalars) {
  auto results = runModule(
      R"(
    #all = affine_map<(i, j) -> (i, j)>
    #swap = affine_map<(i, j) -> (j, i)>
    #row = affine_map<(i, j) -> (i)>
    #first = affine_map<(i, j) -> (0, j)>
    func.func @f(%x: tensor<?x3xf32>, %r: tensor<?xf32>, %one: tensor<1x3xf32>, %s: f32)
        -> (tensor<3x?xf32>, tensor<?xf32>) {
      %c0 = arith.constant 0 : index
      %n = tensor.dim %x, %c0 : tensor<?x3xf32>
      %e = tensor.empty(%n) : tensor<3x?xf32>
      %y = linalg.generic {indexing_maps = [#all, #row, #first, #swap],
                           iterator_types = ["parallel", "parallel"]}
          ins(%x, %r, %one : tensor<?x3xf32>, tensor<?xf32>, tensor<1x3xf32>) outs(%e : tensor<3x?xf32>) {
        ^bb0(%a: f32, %b: f32, %c: f32, %o: f32):
          %k = arith.constant 1000.0 : f32
          %j = linalg.index 1 : index
          %w = arith.index_cast %j : index to i32
          %u = arith.sitofp %w : i32 to f32
          %p = arith.mulf %u, %k : f32
          %q = arith.mulf %a, %b : f32
          %t = arith.addf %p, %q : f32
          %v = arith.addf %t, %c : f32
          %z = arith.addf %v, %s : f32
          linalg.yield %z : f32
      } -> tensor<3x?xf32>
      %f = linalg.fill ins(%s : f32) outs(%r : tensor<?xf32>) -> tensor<?xf32>
      %m = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]}
          ins(%x : tensor<?x3xf32>) outs(%f : tensor<?xf32>) {
        ^bb0(%a: f32, %o: f32):
          %z = arith.addf %a, %o : f32
          linalg.yield %z : f32
      } -> tensor<?xf32>
      return %y, %m : tensor<3x?xf32>, tensor<?xf32>
    })",
      {HostTensor({2, 3}, {1, 2, 3, 4, 5, 6}), HostTensor({2}, {10, 100}),
       HostTensor({1, 3}, {0.1, 0.2, 0.3}), HostTensor::scalar(0.5)});
  ASSERT_EQ(results.size(), 2u);
  EXPECT_LE(
      difference(results[0], HostTensor({3, 2}, {10.6, 400.6, 1020.7, 1500.7,
                                                 2030.8, 2600.8})),
      1e-15);
  EXPECT_EQ(results[1].values, std::vector<double>({6.5, 15.5}));
}

TEST(LinalgTest, NamedOperationsThroughTheirRegion) {
  Random random(2);
  HostTensor a = random.tensor({3, 5}), b = random.tensor({5, 2}),
             c = random.tensor({3, 2});
  auto results = runModule(R"(
    func.func @f(%a: tensor<3x5xf32>, %b: tensor<5x2xf32>, %c: tensor<3x2xf32>)
        -> (tensor<3x2xf32>, tensor<5x3xf32>) {
      %p = linalg.matmul ins(%a, %b : tensor<3x5xf32>, tensor<5x2xf32>) outs(%c : tensor<3x2xf32>) -> tensor<3x2xf32>
      %e = tensor.empty() : tensor<5x3xf32>
      %t = linalg.transpose ins(%a : tensor<3x5xf32>) outs(%e : tensor<5x3xf32>) permutation = [1, 0]
      return %p, %t : tensor<3x2xf32>, tensor<5x3xf32>
    })",
                           {a, b, c});
  ASSERT_EQ(results.size(), 2u);
  HostTensor product = c;
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 2; ++j)
      for (int k = 0; k < 5; ++k)
        product.values[i * 2 + j] += a.values[i * 5 + k] * b.values[k * 2 + j];
  EXPECT_LE(difference(results[0], product), 1e-15);
  for (int i = 0; i < 3; ++i)
    for (int k = 0; k < 5; ++k)
      EXPECT_EQ(results[1].values[k * 3 + i], a.values[i * 5 + k]);
}

TEST(LinalgTest, RefusesOperandsThatDisagree) {
  std::string error =
      runError(R"(
    #id = affine_map<(i) -> (i)>
    func.func @f(%x: tensor<?xf32>, %y: tensor<?xf32>) -> tensor<?xf32> {
      %z = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
          ins(%x : tensor<?xf32>) outs(%y : tensor<?xf32>) {
        ^bb0(%a: f32, %o: f32):
          linalg.yield %a : f32
      } -> tensor<?xf32>
      return %z : tensor<?xf32>
    })",
               {HostTensor::filled({3}), HostTensor::filled({2})});
  EXPECT_NE(error.find("expected loop 0 to run to 3, but got 2"),
            std::string::npos)
      << error;
}

TEST(TensorTest, SlicesReshapesAndConcat) {
  HostTensor x({2, 6}, {0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15});
  auto results = runModule(R"(
    func.func @f(%x: tensor<?x6xf32>, %at: index)
        -> (tensor<?x3xf32>, tensor<?xf32>, tensor<?x6xf32>, tensor<?x9xf32>, tensor<?x3x2xf32>, tensor<?x6xf32>, tensor<2x6xf32>, tensor<?x2xf32>) {
      %c0 = arith.constant 0 : index
      %n = tensor.dim %x, %c0 : tensor<?x6xf32>
      %s = tensor.extract_slice %x[0, %at] [%n, 3] [1, 2] : tensor<?x6xf32> to tensor<?x3xf32>
      %r = tensor.extract_slice %x[0, 5] [%n, 1] [1, 1] : tensor<?x6xf32> to tensor<?xf32>
      %i = tensor.insert_slice %s into %x[0, 3] [%n, 3] [1, 1] : tensor<?x3xf32> into tensor<?x6xf32>
      %c = tensor.concat dim(1) %s, %x : (tensor<?x3xf32>, tensor<?x6xf32>) -> tensor<?x9xf32>
      %e = tensor.expand_shape %x [[0], [1, 2]] output_shape [%n, 3, 2] : tensor<?x6xf32> into tensor<?x3x2xf32>
      %k = tensor.collapse_shape %e [[0], [1, 2]] : tensor<?x3x2xf32> into tensor<?x6xf32>
      %t = tensor.cast %k : tensor<?x6xf32> to tensor<2x6xf32>
      %v = arith.constant 4.0 : f32
      %p = tensor.splat %v[%n] : tensor<?x2xf32>
      return %s, %r, %i, %c, %e, %k, %t, %p
        : tensor<?x3xf32>, tensor<?xf32>, tensor<?x6xf32>, tensor<?x9xf32>, tensor<?x3x2xf32>, tensor<?x6xf32>, tensor<2x6xf32>, tensor<?x2xf32>
    })",
                           {x, HostTensor::scalar(1)});
  ASSERT_EQ(results.size(), 8u);
  EXPECT_EQ(results[0].values, std::vector<double>({1, 3, 5, 11, 13, 15}));
  EXPECT_EQ(results[1].shape, Shape({2}));
  EXPECT_EQ(results[1].values, std::vector<double>({5, 15}));
  EXPECT_EQ(results[2].values,
            std::vector<double>({0, 1, 2, 1, 3, 5, 10, 11, 12, 11, 13, 15}));
  EXPECT_EQ(results[3].values,
            std::vector<double>({1, 3, 5, 0, 1, 2, 3, 4, 5, 11, 13, 15, 10, 11,
                                 12, 13, 14, 15}));
  EXPECT_EQ(results[4].shape, Shape({2, 3, 2}));
  EXPECT_EQ(results[4].values, x.values);
  EXPECT_EQ(results[5].values, x.values);
  EXPECT_EQ(results[6].values, x.values);
  EXPECT_EQ(results[7].values, std::vector<double>(4, 4.0));
}

TEST(TensorTest, RefusesWhatLeavesTheTensor) {
  std::string source = R"(
    func.func @f(%x: tensor<?xf32>, %at: index, %size: index, %step: index) -> tensor<?xf32> {
      %s = tensor.extract_slice %x[%at] [%size] [%step] : tensor<?xf32> to tensor<?xf32>
      return %s : tensor<?xf32>
    })";
  auto slice = [&](double at, double size, double step) {
    return std::vector<HostTensor>{
        HostTensor::filled({5}), HostTensor::scalar(at),
        HostTensor::scalar(size), HostTensor::scalar(step)};
  };
  EXPECT_EQ(runModule(source, slice(0, 3, 2)).size(), 1u);
  EXPECT_EQ(runModule(source, slice(5, 0, 1)).size(), 1u);
  for (auto [at, size, step] : std::vector<std::array<double, 3>>{{1, 3, 3},
                                                                  {5, 1, 1},
                                                                  {-1, 1, 1},
                                                                  {0, -1, 1},
                                                                  {0, 9e15, 1},
                                                                  {3, 2, 9e15}})
    EXPECT_NE(runError(source, slice(at, size, step))
                  .find("leave dimension 0 of [5]"),
              std::string::npos);
  EXPECT_NE(runError(R"(
    func.func @f(%n: index) -> tensor<?x?xf32> {
      %e = tensor.empty(%n, %n) : tensor<?x?xf32>
      return %e : tensor<?x?xf32>
    })",
                     {HostTensor::scalar(4e9)})
                .find("too large for the reference evaluator"),
            std::string::npos);
  EXPECT_NE(runError(R"(
    func.func @f(%x: tensor<?xf32>) -> tensor<3xf32> {
      %e = tensor.cast %x : tensor<?xf32> to tensor<3xf32>
      return %e : tensor<3xf32>
    })",
                     {HostTensor::filled({2})})
                .find("expected tensor<3xf32>, but got shape [2]"),
            std::string::npos);
}

} // namespace
