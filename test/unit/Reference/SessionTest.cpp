//===- SessionTest.cpp - streaming equals one pass ------------------------===//

#include "RunModule.h"

#include "linnet/Reference/Session.h"

#include <gtest/gtest.h>

using namespace linnet;
using namespace linnet::test;

namespace {

/// A model with every kind of state: two layers of attention, convolution and
/// scan, applied by a stack; the vocabulary doubles as the width.
constexpr const char *kModel = R"(
module attributes {linnet.model = {max_context = 9 : i64}} {
  func.func @forward(%tokens: tensor<?x?xi32>, %position: index) -> tensor<?x?x4xf32> {
    %table = arith.constant dense<[[0.1, 0.9, -0.4, 0.3], [0.7, -0.2, 0.5, 0.6], [-0.3, 0.8, 0.2, -0.5]]> : tensor<3x4xf32>
    %x = linnet.embedding %tokens, %table : (tensor<?x?xi32>, tensor<3x4xf32>) -> tensor<?x?x4xf32>
    %y = linnet.stack [@layer] order [0, 0] carry(%x) invariant(%position) : (tensor<?x?x4xf32>, index) -> tensor<?x?x4xf32>
    return %y : tensor<?x?x4xf32>
  }
  func.func private @layer(%x: tensor<?x?x4xf32>, %layer: index, %position: index) -> tensor<?x?x4xf32> {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %b = tensor.dim %x, %c0 : tensor<?x?x4xf32>
    %t = tensor.dim %x, %c1 : tensor<?x?x4xf32>
    %w = arith.constant dense<[[[0.2, 0.5, 0.9]], [[0.3, -0.5, 0.4]], [[0.7, 0.1, 0.2]], [[0.6, 0.8, -0.9]]]> : tensor<4x1x3xf32>
    %c, %tail = linnet.short_conv %x, %w : (tensor<?x?x4xf32>, tensor<4x1x3xf32>) -> (tensor<?x?x4xf32>, tensor<?x2x4xf32>)
    %h = tensor.expand_shape %c [[0], [1], [2, 3]] output_shape [%b, %t, 2, 2] : tensor<?x?x4xf32> into tensor<?x?x2x2xf32>
    %q = linnet.rotary %h, %position {inverse_frequencies = array<f32: 0.5>} : (tensor<?x?x2x2xf32>, index) -> tensor<?x?x2x2xf32>
    %a = linnet.attention %q, %q, %h {causal, scale = 0.7 : f64} : (tensor<?x?x2x2xf32>, tensor<?x?x2x2xf32>, tensor<?x?x2x2xf32>) -> tensor<?x?x2x2xf32>
    %g = arith.constant dense<[[[-0.1, -0.7]]]> : tensor<1x1x2xf32>
    %s, %state = linnet.scan #linnet.scalar(%g) %q, %h, %a : (tensor<?x?x2x2xf32>, tensor<?x?x2x2xf32>, tensor<?x?x2x2xf32>, tensor<1x1x2xf32>) -> (tensor<?x?x2x2xf32>, tensor<?x2x2x2xf32>)
    %k = tensor.collapse_shape %s [[0], [1], [2, 3]] : tensor<?x?x2x2xf32> into tensor<?x?x4xf32>
    %r = arith.addf %x, %k : tensor<?x?x4xf32>
    return %r : tensor<?x?x4xf32>
  }
})";

HostTensor makeTokens(int64_t count) {
  HostTensor tokens = HostTensor::filled({2, count});
  for (int64_t i = 0; i < tokens.size(); ++i)
    tokens.values[i] = (i * i + i / 3) % 3;
  return tokens;
}

TEST(SessionTest, AnySplitEqualsOnePass) {
  auto module = parse(kModel);
  auto evaluator = Evaluator::create(*module, nullptr);
  ASSERT_TRUE(evaluator);
  HostTensor tokens = makeTokens(9);
  auto whole = evaluator->run("forward", {tokens, HostTensor::scalar(0)});
  ASSERT_TRUE(whole) << whole.error().str();
  auto session = ReferenceSession::create(*module, nullptr);
  ASSERT_TRUE(session) << session.error().str();
  Random random(1);
  for (int trial = 0; trial < 5; ++trial) {
    session->reset();
    HostTensor streamed = HostTensor::filled({2, 0, 4});
    while (session->position() < 9) {
      int64_t end = random.integer(session->position(), 9);
      auto part = session->feed(slice(tokens, 1, session->position(), end));
      ASSERT_TRUE(part) << part.error().str();
      streamed = join(streamed, *part, 1);
    }
    EXPECT_LE(difference(streamed, (*whole)[0]), 1e-14);
  }
}

TEST(SessionTest, LeavesTheModuleAlone) {
  auto module = parse(kModel);
  ASSERT_TRUE(ReferenceSession::create(*module, nullptr));
  auto evaluator = Evaluator::create(*module, nullptr);
  ASSERT_TRUE(evaluator);
  EXPECT_TRUE(
      evaluator->run("forward", {makeTokens(3), HostTensor::scalar(0)}));
}

TEST(SessionTest, RefusesContextOverflowAndStaysUsable) {
  auto module = parse(kModel);
  auto session = ReferenceSession::create(*module, nullptr, /*maxContext=*/5);
  ASSERT_TRUE(session) << session.error().str();
  ASSERT_TRUE(session->feed(makeTokens(4)));
  auto refused = session->feed(makeTokens(2));
  ASSERT_FALSE(refused);
  EXPECT_EQ(
      refused.error().str(),
      "expected a context of at most 5 tokens, but got 2 tokens behind 4");
  EXPECT_FALSE(session->feed(HostTensor::filled({3, 1})));
  EXPECT_FALSE(session->feed(HostTensor::filled({2})));
  EXPECT_FALSE(session->feed(HostTensor::filled({2, 1}, 7)));
  EXPECT_EQ(session->position(), 4);
  EXPECT_TRUE(session->feed(makeTokens(1)));
}

TEST(SessionTest, RefusesModelsThatCannotStream) {
  std::string acausal = kModel;
  acausal.replace(acausal.find("{causal, "), 9, "{");
  auto module = parse(acausal);
  auto session = ReferenceSession::create(*module, nullptr);
  ASSERT_FALSE(session);
  EXPECT_NE(session.error().str().find("cannot stream the model"),
            std::string::npos);
  EXPECT_NE(session.error().str().find("causal mask"), std::string::npos);
  auto other =
      parse("func.func @forward(%x: tensor<2xf32>) -> tensor<2xf32> {\n"
            "  return %x : tensor<2xf32>\n}");
  auto refused = ReferenceSession::create(*other, nullptr, 4);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().str().find("to take tokens and a position"),
            std::string::npos);
}

} // namespace
