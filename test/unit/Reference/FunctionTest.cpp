//===- FunctionTest.cpp - calls, weights, stacks, bad input ---------------===//

#include "RunModule.h"

#include <cmath>
#include <cstring>
#include <gtest/gtest.h>

using namespace linnet;
using namespace linnet::test;

namespace {

void addWeight(Archive &archive, const std::string &name, Shape shape,
               const std::vector<float> &values,
               DataType dtype = DataType::F32) {
  std::vector<std::byte> bytes(values.size() * dataTypeSize(dtype));
  convertFromF32(values.data(), dtype, bytes.data(), values.size());
  ASSERT_TRUE(archive.overlay(name, dtype, shape, std::move(bytes)));
  archive.discardOverlay();
}

TEST(WeightTest, IsReadWidenedAndNamedByLayer) {
  Archive archive;
  addWeight(archive, "a.0.w", {2}, {1, 2});
  addWeight(archive, "a.1.w", {2}, {3, 0.1f}, DataType::F32);
  addWeight(archive, "plain", {1, 2}, {5, 0.1f}, DataType::BF16);
  auto results = runModule(R"(
    func.func @f(%l: index) -> (tensor<2xf32>, tensor<1x2xbf16>) {
      %w = linnet.weight "a.{}.w"[%l] : tensor<2xf32>
      %p = linnet.weight "plain" : tensor<1x2xbf16>
      return %w, %p : tensor<2xf32>, tensor<1x2xbf16>
    })",
                           {HostTensor::scalar(1)}, &archive);
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(results[0].values, std::vector<double>({3, double(0.1f)}));
  EXPECT_EQ(results[1].values, std::vector<double>({5, 0.10009765625}));
}

TEST(WeightTest, ErrorsNameKeyExpectedAndFound) {
  Archive archive;
  addWeight(archive, "layer.weight", {2, 3}, {1, 2, 3, 4, 5, 6});
  auto error = [&](const std::string &key, const std::string &type,
                   const Archive *from) {
    return runError("func.func @f() -> " + type +
                        " {\n  %w = linnet.weight \"" + key + "\" : " + type +
                        "\n  return %w : " + type + "\n}",
                    {}, from);
  };
  EXPECT_NE(
      error("layer.weigth", "tensor<2x3xf32>", &archive).find("layer.weight"),
      std::string::npos);
  EXPECT_NE(error("layer.weight", "tensor<3x2xf32>", &archive)
                .find("'layer.weight': expected shape [3, 2], but got [2, 3]"),
            std::string::npos);
  EXPECT_NE(error("layer.weight", "tensor<2x3xbf16>", &archive)
                .find("'layer.weight': expected tensor<2x3xbf16>, but got F32"),
            std::string::npos);
  EXPECT_NE(error("w", "tensor<2xf32>", nullptr)
                .find("expected a weight archive for key 'w', but got none"),
            std::string::npos);
}

TEST(WeightTest, TransposedWeightsAreKeptPerKey) {
  Archive archive;
  addWeight(archive, "0.w", {2, 1}, {1, 2});
  addWeight(archive, "1.w", {2, 1}, {10, 20});
  auto module = parse(R"(
    func.func @f(%x: tensor<2xf32>, %l: index) -> tensor<1xf32> {
      %w = linnet.weight "{}.w"[%l] : tensor<2x1xf32>
      %y = linnet.linear #linnet.dense<in_out> %x, %w : (tensor<2xf32>, tensor<2x1xf32>) -> tensor<1xf32>
      return %y : tensor<1xf32>
    })");
  auto evaluator = Evaluator::create(*module, &archive);
  ASSERT_TRUE(evaluator);
  for (int pass = 0; pass < 2; ++pass)
    for (int layer = 0; layer < 2; ++layer) {
      auto y = evaluator->run(
          "f", {HostTensor({2}, {1, 1}), HostTensor::scalar(layer)});
      ASSERT_TRUE(y);
      EXPECT_EQ((*y)[0].values, std::vector<double>({layer ? 30.0 : 3.0}));
    }
}

TEST(StackTest, AppliesLayersInOrderWithTheirNumbers) {
  // @a: x -> 2x + layer; @b: x -> x + bias.
  auto results = runModule(R"(
    func.func @f(%x: tensor<1xf32>, %bias: tensor<1xf32>) -> tensor<1xf32> {
      %y = linnet.stack [@a, @b] order [0, 1, 0] carry(%x) invariant(%bias)
        : (tensor<1xf32>, tensor<1xf32>) -> tensor<1xf32>
      return %y : tensor<1xf32>
    }
    func.func private @a(%x: tensor<1xf32>, %layer: index, %bias: tensor<1xf32>) -> tensor<1xf32> {
      %i = arith.index_cast %layer : index to i32
      %l = arith.sitofp %i : i32 to f32
      %n = tensor.splat %l : tensor<1xf32>
      %d = arith.addf %x, %x : tensor<1xf32>
      %y = arith.addf %d, %n : tensor<1xf32>
      return %y : tensor<1xf32>
    }
    func.func private @b(%x: tensor<1xf32>, %layer: index, %bias: tensor<1xf32>) -> tensor<1xf32> {
      %y = arith.addf %x, %bias : tensor<1xf32>
      return %y : tensor<1xf32>
    })",
                           {HostTensor({1}, {3}), HostTensor({1}, {100})});
  ASSERT_EQ(results.size(), 1u);
  // ((3 * 2 + 0) + 100) * 2 + 2
  EXPECT_EQ(results[0].values, std::vector<double>({214}));
}

TEST(StackTest, GivesEachLayerItsStates) {
  // @a occurs twice and has a state of its own; @b once with two states. Each
  // layer adds its state to x and returns the state plus one (@a) or doubled.
  auto results = runModule(R"(
    func.func @f(%x: tensor<1xf32>, %s: tensor<2x1xf32>, %t: tensor<1x1xf32>, %u: tensor<1x1xf32>)
        -> (tensor<1xf32>, tensor<2x1xf32>, tensor<1x1xf32>, tensor<1x1xf32>) {
      %y:4 = linnet.stack [@a, @b] order [0, 1, 0] carry(%x) states(%s, %t, %u)
        : (tensor<1xf32>, tensor<2x1xf32>, tensor<1x1xf32>, tensor<1x1xf32>)
          -> (tensor<1xf32>, tensor<2x1xf32>, tensor<1x1xf32>, tensor<1x1xf32>)
      return %y#0, %y#1, %y#2, %y#3 : tensor<1xf32>, tensor<2x1xf32>, tensor<1x1xf32>, tensor<1x1xf32>
    }
    func.func private @a(%x: tensor<1xf32>, %layer: index, %s: tensor<1xf32>) -> (tensor<1xf32>, tensor<1xf32>) {
      %one = arith.constant dense<1.0> : tensor<1xf32>
      %y = arith.addf %x, %s : tensor<1xf32>
      %n = arith.addf %s, %one : tensor<1xf32>
      return %y, %n : tensor<1xf32>, tensor<1xf32>
    }
    func.func private @b(%x: tensor<1xf32>, %layer: index, %t: tensor<1xf32>, %u: tensor<1xf32>)
        -> (tensor<1xf32>, tensor<1xf32>, tensor<1xf32>) {
      %y = arith.mulf %x, %t : tensor<1xf32>
      %n = arith.addf %t, %t : tensor<1xf32>
      %m = arith.addf %u, %u : tensor<1xf32>
      return %y, %n, %m : tensor<1xf32>, tensor<1xf32>, tensor<1xf32>
    })",
                           {HostTensor({1}, {1}), HostTensor({2, 1}, {10, 20}),
                            HostTensor({1, 1}, {3}), HostTensor({1, 1}, {7})});
  ASSERT_EQ(results.size(), 4u);
  EXPECT_EQ(results[0].values, std::vector<double>({(1 + 10) * 3 + 20}));
  EXPECT_EQ(results[1].values, std::vector<double>({11, 21}));
  EXPECT_EQ(results[2].values, std::vector<double>({6}));
  EXPECT_EQ(results[3].values, std::vector<double>({14}));
}

TEST(StackTest, EmptyOrderReturnsTheCarriedValues) {
  auto results = runModule(R"(
    func.func @f(%x: tensor<1xf32>) -> tensor<1xf32> {
      %y = linnet.stack [] order [] carry(%x) : (tensor<1xf32>) -> tensor<1xf32>
      return %y : tensor<1xf32>
    })",
                           {HostTensor({1}, {3})});
  ASSERT_EQ(results.size(), 1u);
  EXPECT_EQ(results[0].values, std::vector<double>({3}));
}

TEST(EvaluatorTest, ChecksArgumentsAgainstTheSignature) {
  std::string source = R"(
    func.func @f(%t: tensor<?x3xi32> {linnet.name = "tokens"}, %p: index) -> tensor<?x3xi32> {
      return %t : tensor<?x3xi32>
    })";
  HostTensor good = HostTensor::filled({2, 3}),
             position = HostTensor::scalar(0);
  EXPECT_EQ(runModule(source, {good, position}).size(), 1u);
  EXPECT_EQ(runError(source, {good}), "@f: expected 2 arguments, but got 1");
  EXPECT_EQ(runError(source, {HostTensor::filled({2, 4}), position}),
            "@f: argument 0 ('tokens'): expected tensor<?x3xi32>, but got "
            "shape [2, 4]");
  EXPECT_EQ(
      runError(source, {HostTensor::filled({6}), position}),
      "@f: argument 0 ('tokens'): expected tensor<?x3xi32>, but got shape [6]");
  EXPECT_EQ(runError(source, {good, HostTensor::filled({1})}),
            "@f: argument 1: expected index, but got shape [1]");
  EXPECT_EQ(runError(source, {HostTensor({2, 3}, {1, 2}), position}),
            "@f: argument 0 ('tokens'): expected 6 values for shape [2, 3], "
            "but got 2");
  EXPECT_EQ(runError(source, {HostTensor({-2, 3}, {}), position}),
            "@f: argument 0 ('tokens'): expected no negative dimension, but "
            "got [-2, 3]");
  for (double value : {0.5, std::nan(""), 1e300})
    EXPECT_NE(runError(source, {HostTensor::filled({2, 3}, value), position})
                  .find("expected integers"),
              std::string::npos);
}

TEST(EvaluatorTest, NamesUnknownOperationsAndFunctions) {
  std::string error = runError(R"(
    func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
      %y = math.cbrt %x : tensor<4xf32> loc("model.norm")
      return %y : tensor<4xf32>
    })",
                               {HostTensor::filled({4})});
  EXPECT_EQ(error,
            "'math.cbrt' at model.norm: unknown to the reference evaluator");
  auto module = parse("func.func private @g()");
  auto evaluator = Evaluator::create(*module, nullptr);
  ASSERT_TRUE(evaluator);
  EXPECT_EQ(evaluator->run("f", {}).error().str(),
            "expected a function with a body, but found no @f");
  EXPECT_EQ(evaluator->run("g", {}).error().str(),
            "expected a function with a body, but found no @g");
}

TEST(EvaluatorTest, RefusesEndlessRecursionAndControlFlow) {
  EXPECT_NE(
      runError("func.func @f() {\n  call @f() : () -> ()\n  return\n}", {})
          .find("calls nest deeper than"),
      std::string::npos);
  auto module = parse("func.func @f() {\n  return\n^bb1:\n  return\n}");
  auto evaluator = Evaluator::create(*module, nullptr);
  ASSERT_TRUE(evaluator);
  EXPECT_EQ(evaluator->run("f", {}).error().str(),
            "@f: expected a body of one block, but got 2");
}

} // namespace
