//===- FoldTest.cpp - bounds and edits of folds ---------------------------===//
//
// Bounds against the inputs that attain them: x of a norm along W diag(w).
//
//===----------------------------------------------------------------------===//

#include "lib/Compress/ChannelBounds.h"
#include "lib/Compress/FoldNorms.h"

#include "linnet/Driver/Input.h"
#include "linnet/Reference/Evaluator.h"

#include "mlir/Parser/Parser.h"
#include <cmath>
#include <gtest/gtest.h>

using namespace linnet;
using namespace linnet::compress;
namespace ir = mlir::linnet;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// A layer: `body` computes %a [.., 4] of the norm %n [.., 3] of %x.
class Bounds : public testing::Test {
protected:
  void set(const std::string &name, std::vector<int64_t> shape,
           std::vector<double> values) {
    std::vector<std::byte> bytes(values.size() * sizeof(double));
    convertFromF64(values.data(), DataType::F64, bytes.data(), values.size());
    ASSERT_TRUE(archive.overlay(name, DataType::F64, std::move(shape), bytes));
    archive.discardOverlay();
  }
  void parse(const std::string &norm, const std::string &body) {
    source = R"(
  func.func @f(%x: tensor<1x1x3xf64>) -> tensor<1x1x4xf64> {
    %w = linnet.weight "w" : tensor<3xf64>
    %b = linnet.weight "b" : tensor<3xf64>
    %n = linnet.norm )" +
             norm + R"(
    %m = linnet.weight "m" : tensor<4x3xf64>
    %c = linnet.weight "c" : tensor<4xf64>
    %p = linnet.linear #linnet.dense %n, %m bias(%c) : (tensor<1x1x3xf64>, tensor<4x3xf64>, tensor<4xf64>) -> tensor<1x1x4xf64>
    )" + body +
             R"(
    return %a : tensor<1x1x4xf64>
  })";
    module = mlir::parseSourceString<mlir::ModuleOp>(source, context.get());
    ASSERT_TRUE(module) << source;
  }
  std::vector<Interval> bound() {
    LayerFunction function{module->lookupSymbol<mlir::func::FuncOp>("f"), 0};
    auto value =
        function.function.getBody().front().getTerminator()->getOperand(0);
    Result<std::vector<Interval>> bounds =
        boundChannels(value, function, archive, 4);
    if (!bounds) {
      ADD_FAILURE() << bounds.error().str();
      return std::vector<Interval>(4);
    }
    return bounds.take();
  }
  /// What the layer gives for `x`.
  std::vector<double> run(std::vector<double> x) {
    Result<Evaluator> evaluator = Evaluator::create(*module, &archive);
    EXPECT_TRUE(evaluator);
    auto results = evaluator->run("f", {HostTensor({1, 1, 3}, std::move(x))});
    if (!results) {
      ADD_FAILURE() << results.error().str();
      return {};
    }
    return results->front().values;
  }

  std::unique_ptr<mlir::MLIRContext> context = makeContext();
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::string source;
  Archive archive;
};

constexpr const char *kRms =
    "rms %x weight(%w) {eps = 1.0e-12 : f64} : (tensor<1x1x3xf64>, "
    "tensor<3xf64>) -> tensor<1x1x3xf64>";
constexpr const char *kUnitRms =
    "rms %x weight(%w) {eps = 1.0e-12 : f64, unit_offset} : "
    "(tensor<1x1x3xf64>, tensor<3xf64>) -> tensor<1x1x3xf64>";
constexpr const char *kLayer =
    "layer %x weight(%w) bias(%b) {eps = 1.0e-12 : f64} : "
    "(tensor<1x1x3xf64>, tensor<3xf64>, tensor<3xf64>) -> tensor<1x1x3xf64>";
constexpr const char *kPlain = "%a = linnet.activation identity %p : "
                               "tensor<1x1x4xf64>";
constexpr const char *kRelu =
    "%a = linnet.activation relu %p : tensor<1x1x4xf64>";

const std::vector<double> kMatrix = {1, 2, -1, 0, 0, 0, -3, .5, 2, 1, 1, 1},
                          kGain = {.5, -2, 1.5}, kShift = {.1, .2, -.3},
                          kBias = {.25, .75, -1, 2};

/// Every bound is attained by the input along its row, up to the slack, and by
/// no other.
TEST_F(Bounds, AreAttained) {
  set("w", {3}, kGain);
  set("b", {3}, kShift);
  set("m", {4, 3}, kMatrix);
  set("c", {4}, kBias);
  for (const char *norm : {kRms, kUnitRms, kLayer}) {
    parse(norm, kPlain);
    std::vector<Interval> bounds = bound();
    double offset = norm == kUnitRms ? 1 : 0;
    for (size_t r = 0; r < 4; ++r) {
      if (r == 1) {
        EXPECT_EQ(bounds[r], Interval::of(.75));
        continue;
      }
      std::vector<double> along;
      for (size_t i = 0; i < 3; ++i)
        along.push_back(kMatrix[r * 3 + i] * (kGain[i] + offset));
      double high = run(along)[r];
      for (double &x : along)
        x = -x;
      double low = run(along)[r];
      double slack = 2e-5 * (std::abs(high) + std::abs(low) + 1);
      EXPECT_GE(bounds[r].high, high);
      EXPECT_LE(bounds[r].high, high + slack);
      EXPECT_LE(bounds[r].low, low);
      EXPECT_GE(bounds[r].low, low - slack);
      for (double other : {-2.0, .3, 5.0})
        EXPECT_LE(run({other, 1, -.5})[r], bounds[r].high);
    }
  }
}

TEST_F(Bounds, FindUnitsThatNeverFire) {
  set("w", {3}, kGain);
  set("b", {3}, kShift);
  set("m", {4, 3}, kMatrix);
  set("c", {4}, {0, 0, 0, 0});
  parse(kRms, kPlain);
  std::vector<Interval> free = bound();
  // Just dead, a row of zeros, dead by far, just alive.
  set("c", {4}, {-free[0].high * 1.0001, -3, -100, -free[3].high * .9999});
  parse(kRms, kRelu);
  std::vector<Interval> bounds = bound();
  EXPECT_EQ(bounds[0], Interval::of(0));
  EXPECT_EQ(bounds[1], Interval::of(0));
  EXPECT_EQ(bounds[2], Interval::of(0));
  EXPECT_FALSE(bounds[3].isConstant());
}

TEST_F(Bounds, KnowNothingOfOtherInputs) {
  set("w", {3}, kGain);
  set("b", {3}, kShift);
  set("m", {4, 3}, kMatrix);
  set("c", {4}, {-100, -100, -100, -100});
  parse("rms %x weight(%w) gate(%x) {eps = 1.0e-12 : f64} : "
        "(tensor<1x1x3xf64>, tensor<3xf64>, tensor<1x1x3xf64>) -> "
        "tensor<1x1x3xf64>",
        kRelu);
  std::vector<Interval> bounds = bound();
  EXPECT_EQ(bounds[0], (Interval{0, kInfinity}));
  EXPECT_EQ(bounds[1], Interval::of(0));
}

TEST_F(Bounds, OfGatesAreThoseOfZeros) {
  set("w", {3}, kGain);
  set("b", {3}, kShift);
  set("m", {4, 3}, kMatrix);
  set("c", {4}, {-100, 0, 1, 2});
  parse(kRms, "%a = linnet.glu relu %p, %p : tensor<1x1x4xf64>");
  std::vector<Interval> bounds = bound();
  EXPECT_EQ(bounds[0], Interval::of(0));
  EXPECT_EQ(bounds[1], Interval::of(0));
  EXPECT_EQ(bounds[2], Interval());
  // Of silu, a constant only.
  set("c", {4}, {-100, 2, 1, 2});
  parse(kRms, "%a = linnet.glu silu %p, %p : tensor<1x1x4xf64>");
  bounds = bound();
  EXPECT_EQ(bounds[0], Interval());
  EXPECT_NEAR(bounds[1].high, 4 / (1 + std::exp(-2.0)), 1e-12);
  EXPECT_TRUE(bounds[1].isConstant());
}

TEST(TensorEdits, AreAppliedInOrder) {
  Archive archive;
  float values[] = {1, 2, 3, 4, 5, 6};
  const auto *bytes = reinterpret_cast<const std::byte *>(values);
  ASSERT_TRUE(archive.overlay("m", DataType::F32, {2, 3},
                              {bytes, bytes + sizeof values}));
  std::vector<std::byte> half(2 * 3);
  convertFromF32(values, DataType::BF16, half.data(), 3);
  ASSERT_TRUE(archive.overlay("b", DataType::BF16, {3}, half));
  ASSERT_TRUE(archive.overlay("s", DataType::BF16, {3}, half));
  archive.discardOverlay();
  TensorEdits edits;
  edits.scale("m", 1, {10, 20, 30});
  edits.keep("m", 1, {0, 2});
  edits.add("b", {.5, .25, .125});
  edits.add("b", {.5, .25, .125});
  edits.keep("b", 0, {1});
  edits.fill("s", 1);
  double rounding = 0;
  auto apply = [&](const char *name, DataType type,
                   std::vector<int64_t> shape) {
    const Archive::Tensor &tensor = *archive.find(name);
    EXPECT_EQ(edits.typeOf(tensor), type);
    EXPECT_EQ(edits.shapeOf(tensor), shape);
    auto result = edits.apply(archive, tensor, rounding);
    EXPECT_TRUE(result);
    std::vector<double> numbers(result->size() / dataTypeSize(type));
    convertToF64(result->data(), type, numbers.data(), numbers.size());
    return numbers;
  };
  EXPECT_EQ(apply("m", DataType::F32, {2, 2}),
            (std::vector<double>{10, 90, 40, 180}));
  EXPECT_EQ(apply("b", DataType::F32, {1}), std::vector<double>{2.5});
  EXPECT_EQ(apply("s", DataType::BF16, {3}), (std::vector<double>{1, 1, 1}));
  EXPECT_EQ(rounding, 0);
  edits.scale("m", 0, {.1, 1e39});
  EXPECT_FALSE(edits.apply(archive, *archive.find("m"), rounding));
  edits.scale("m", 0, {.1, 1});
  EXPECT_TRUE(edits.apply(archive, *archive.find("m"), rounding));
  EXPECT_GT(rounding, 0);
  EXPECT_LT(rounding, 6e-8);
}

} // namespace
