//===- StreamTest.cpp - causal graphs, token by token ---------------------===//
//
// `linnet-stream` on graphs of convolutions, recurrences, windows and glue: T
// calls of the step are the whole sequence.
//
//===----------------------------------------------------------------------===//

#include "RunModule.h"

#include "passes/Pipelines/Pipelines.h"

#include "mlir/Pass/PassManager.h"

#include <gtest/gtest.h>

using namespace linnet;
using namespace linnet::test;

namespace {

constexpr int64_t B = 2, T = 9;

/// The function's first input and output run along time; the other inputs stay.
void checkStream(const std::string &source, std::vector<HostTensor> inputs) {
  HostTensor whole = runModule(source, inputs).at(0);
  mlir::OwningOpRef<mlir::ModuleOp> module = parse(source);
  ASSERT_TRUE(bool(module));
  mlir::PassManager passes(&sharedContext());
  mlir::linnet::StreamOptions options;
  options.function = "f";
  options.batch = B;
  options.maxContext = T;
  mlir::linnet::buildStreamPipeline(passes, options);
  ASSERT_TRUE(mlir::succeeded(passes.run(*module)));
  auto evaluator = Evaluator::create(*module, nullptr);
  ASSERT_TRUE(bool(evaluator)) << evaluator.error().str();

  auto step = module->lookupSymbol<mlir::func::FuncOp>("linnet_step");
  ASSERT_TRUE(bool(step));
  std::vector<HostTensor> arguments = inputs, tokens;
  size_t position = step.getNumArguments();
  for (auto [number, type] : llvm::enumerate(step.getArgumentTypes())) {
    if (type.isIndex())
      position = number;
    if (number < inputs.size())
      continue;
    if (type.isIndex()) {
      arguments.push_back(HostTensor::scalar(0));
      continue;
    }
    auto shape = mlir::cast<mlir::RankedTensorType>(type).getShape();
    arguments.push_back(HostTensor::filled({shape.begin(), shape.end()}));
  }
  for (int64_t t = 0; t < T; ++t) {
    arguments[0] = slice(inputs[0], 1, t, t + 1);
    if (position < arguments.size())
      arguments[position] = HostTensor::scalar(double(t));
    auto results = evaluator->run("linnet_step", arguments);
    ASSERT_TRUE(bool(results)) << results.error().str();
    tokens.push_back((*results)[0]);
    // The states are the last arguments, in the order of the last results.
    size_t states = results->size() - 1;
    for (size_t i = 0; i < states; ++i)
      arguments[arguments.size() - states + i] = (*results)[1 + i];
  }
  HostTensor joined = tokens[0];
  for (int64_t t = 1; t < T; ++t)
    joined = join(joined, tokens[t], 1);
  EXPECT_LE(difference(joined, whole), 1e-12);
}

HostTensor sequence(uint64_t seed, Shape feature) {
  Random random(seed);
  feature.insert(feature.begin(), {B, T});
  return random.tensor(feature);
}

TEST(StreamTest, ConvolutionsInARow) {
  Random random(1);
  checkStream(
      R"mlir(
    func.func @f(%x: tensor<?x?x6xf32>, %w: tensor<6x1x4xf32>, %h: tensor<6x9xf32>) -> tensor<?x?x6xf32> {
      %c, %s = linnet.short_conv %x, %w {activation = #linnet.activation<silu>} : (tensor<?x?x6xf32>, tensor<6x1x4xf32>) -> (tensor<?x?x6xf32>, tensor<?x3x6xf32>)
      %l, %u = linnet.long_conv %c, %h : (tensor<?x?x6xf32>, tensor<6x9xf32>) -> (tensor<?x?x6xf32>, tensor<?x8x6xf32>)
      %y = arith.addf %l, %x : tensor<?x?x6xf32>
      return %y : tensor<?x?x6xf32>
    })mlir",
      {sequence(2, {6}), random.tensor({6, 1, 4}), random.tensor({6, 9})});
}

TEST(StreamTest, RecurrenceBehindAWindow) {
  checkStream(R"mlir(
    func.func @f(%q: tensor<?x?x2x4xf32>) -> tensor<?x?x2x4xf32> {
      %a = linnet.attention %q, %q, %q {causal, scale = 0.5 : f64, window = 3 : i64} : (tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>) -> tensor<?x?x2x4xf32>
      %n = linnet.norm l2 %a {eps = 1.0e-6 : f64} : (tensor<?x?x2x4xf32>) -> tensor<?x?x2x4xf32>
      %g = arith.negf %q : tensor<?x?x2x4xf32>
      %d = linnet.activation softplus %g : tensor<?x?x2x4xf32>
      %e = arith.negf %d : tensor<?x?x2x4xf32>
      %o, %s = linnet.scan #linnet.diagonal(%e) %n, %n, %q : (tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>) -> (tensor<?x?x2x4xf32>, tensor<?x2x4x4xf32>)
      return %o : tensor<?x?x2x4xf32>
    })mlir",
              {sequence(3, {2, 4})});
}

/// Positions, a called function, a recurrence of any kind, sizes of time.
TEST(StreamTest, PositionsAndCalls) {
  checkStream(R"mlir(
    func.func private @cell(%x: tensor<?x4xf32>, %h: tensor<?x4xf32>) -> (tensor<?x4xf32>, tensor<?x4xf32>) {
      %s = arith.addf %x, %h : tensor<?x4xf32>
      %t = math.tanh %s : tensor<?x4xf32>
      return %t, %t : tensor<?x4xf32>, tensor<?x4xf32>
    }
    func.func private @turned(%q: tensor<?x?x2x4xf32>, %at: index) -> tensor<?x?x2x4xf32> {
      %r = linnet.rotary %q, %at {inverse_frequencies = array<f32: 1.0, 0.1>} : (tensor<?x?x2x4xf32>, index) -> tensor<?x?x2x4xf32>
      %o = linnet.attention %r, %r, %q {causal, scale = 0.5 : f64} : (tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>) -> tensor<?x?x2x4xf32>
      return %o : tensor<?x?x2x4xf32>
    }
    func.func @f(%x: tensor<?x?x8xf32>, %at: index) -> tensor<?x?x4xf32> {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %b = tensor.dim %x, %c0 : tensor<?x?x8xf32>
      %t = tensor.dim %x, %c1 : tensor<?x?x8xf32>
      %q = tensor.expand_shape %x [[0], [1], [2, 3]] output_shape [%b, %t, 2, 4] : tensor<?x?x8xf32> into tensor<?x?x2x4xf32>
      %a = call @turned(%q, %at) : (tensor<?x?x2x4xf32>, index) -> tensor<?x?x2x4xf32>
      %u = call @turned(%a, %at) : (tensor<?x?x2x4xf32>, index) -> tensor<?x?x2x4xf32>
      %s = tensor.extract_slice %u[0, 0, 1, 0] [%b, %t, 1, 4] [1, 1, 1, 1] : tensor<?x?x2x4xf32> to tensor<?x?x4xf32>
      %y, %h = linnet.recurrence @cell(%s) : (tensor<?x?x4xf32>) -> tensor<?x?x4xf32> state(tensor<?x4xf32>)
      return %y : tensor<?x?x4xf32>
    })mlir",
              {sequence(4, {8}), HostTensor::scalar(0)});
}

} // namespace
