//===- RunModule.cpp - evaluates IR written in tests ----------------------===//

#include "RunModule.h"

#include "dialects/Linnet/Linnet.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Parser/Parser.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

namespace linnet::test {

mlir::MLIRContext &sharedContext() {
  static mlir::MLIRContext *context = [] {
    auto *context =
        new mlir::MLIRContext(mlir::MLIRContext::Threading::DISABLED);
    context->loadDialect<mlir::arith::ArithDialect, mlir::func::FuncDialect,
                         mlir::linalg::LinalgDialect, mlir::math::MathDialect,
                         mlir::scf::SCFDialect, mlir::tensor::TensorDialect,
                         mlir::linnet::LinnetDialect>();
    return context;
  }();
  return *context;
}

mlir::OwningOpRef<mlir::ModuleOp> parse(const std::string &source) {
  auto module =
      mlir::parseSourceString<mlir::ModuleOp>(source, &sharedContext());
  EXPECT_TRUE(module) << source;
  return module;
}

static Result<std::vector<HostTensor>> run(const std::string &source,
                                           std::vector<HostTensor> inputs,
                                           const Archive *archive) {
  auto module = parse(source);
  if (!module)
    return makeError("not parsed");
  Result<Evaluator> evaluator = Evaluator::create(*module, archive);
  if (!evaluator)
    return evaluator.error();
  return evaluator->run("f", std::move(inputs));
}

std::vector<HostTensor> runModule(const std::string &source,
                                  std::vector<HostTensor> inputs,
                                  const Archive *archive) {
  auto results = run(source, std::move(inputs), archive);
  if (results)
    return results.take();
  ADD_FAILURE() << results.error().str() << "\n" << source;
  return {};
}

std::string runError(const std::string &source, std::vector<HostTensor> inputs,
                     const Archive *archive) {
  auto results = run(source, std::move(inputs), archive);
  if (!results)
    return results.error().str();
  ADD_FAILURE() << "expected an error from\n" << source;
  return "";
}

std::string typeOf(const Shape &shape, const std::string &element) {
  std::string type = "tensor<";
  for (int64_t size : shape)
    type += std::to_string(size) + "x";
  return type + element + ">";
}

std::string wrapOp(const std::string &op, const std::vector<Operand> &operands,
                   const std::vector<Shape> &results,
                   const std::string &resultElement) {
  std::string arguments, inputTypes, outputTypes, names;
  for (size_t i = 0; i < operands.size(); ++i) {
    const Operand &operand = operands[i];
    std::string type = operand.element == "index"
                           ? operand.element
                           : typeOf(operand.tensor.shape, operand.element);
    std::string comma = i ? ", " : "";
    arguments += comma + "%" + std::to_string(i) + ": " + type;
    inputTypes += comma + type;
  }
  for (size_t i = 0; i < results.size(); ++i) {
    outputTypes += (i ? ", " : "") + typeOf(results[i], resultElement);
    names += (i ? ", " : "") + ("%r#" + std::to_string(i));
  }
  return "func.func @f(" + arguments + ") -> (" + outputTypes +
         ") {\n  %r:" + std::to_string(results.size()) + " = " + op + " : (" +
         inputTypes + ") -> (" + outputTypes + ")\n  return " + names + " : " +
         outputTypes + "\n}\n";
}

std::vector<HostTensor> runOp(const std::string &op,
                              const std::vector<Operand> &operands,
                              const std::vector<Shape> &results,
                              const std::string &resultElement) {
  std::vector<HostTensor> inputs;
  for (const Operand &operand : operands)
    inputs.push_back(operand.tensor);
  auto tensors = runModule(wrapOp(op, operands, results, resultElement),
                           std::move(inputs));
  // Tests index the results; their values are then wrong, not out of bounds.
  tensors.resize(results.size());
  return tensors;
}

HostTensor Random::tensor(Shape shape, double low, double high) {
  HostTensor tensor = HostTensor::filled(std::move(shape));
  std::uniform_real_distribution<double> distribution(low, high);
  for (double &value : tensor.values)
    value = distribution(engine);
  return tensor;
}

int64_t Random::integer(int64_t low, int64_t high) {
  return std::uniform_int_distribution<int64_t>(low, high)(engine);
}

double difference(const HostTensor &a, const HostTensor &b) {
  double largest = 0, norm = 1;
  if (a.shape != b.shape || a.size() != b.size())
    return std::numeric_limits<double>::infinity();
  for (int64_t i = 0; i < a.size(); ++i) {
    if (a.values[i] == b.values[i] ||
        (std::isnan(a.values[i]) && std::isnan(b.values[i])))
      continue;
    double delta = std::abs(a.values[i] - b.values[i]);
    // Not a maximum: that would lose a NaN.
    if (!(delta <= largest))
      largest =
          std::isnan(delta) ? std::numeric_limits<double>::infinity() : delta;
    norm = std::max(norm, std::abs(b.values[i]));
  }
  return largest / norm;
}

HostTensor slice(const HostTensor &tensor, int64_t dim, int64_t begin,
                 int64_t end) {
  HostTensor result;
  result.shape = tensor.shape;
  result.shape[dim] = end - begin;
  int64_t inner = 1, outer = 1;
  for (int64_t d = 0; d < tensor.rank(); ++d)
    (d < dim ? outer : inner) *= d == dim ? 1 : tensor.shape[d];
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t i = begin * inner; i < end * inner; ++i)
      result.values.push_back(tensor.values[o * tensor.shape[dim] * inner + i]);
  return result;
}

HostTensor join(const HostTensor &a, const HostTensor &b, int64_t dim) {
  HostTensor result;
  result.shape = a.shape;
  result.shape[dim] += b.shape[dim];
  int64_t inner = 1, outer = 1;
  for (int64_t d = 0; d < a.rank(); ++d)
    (d < dim ? outer : inner) *= d == dim ? 1 : a.shape[d];
  for (int64_t o = 0; o < outer; ++o)
    for (const HostTensor *part : {&a, &b}) {
      int64_t length = part->shape[dim] * inner;
      auto first = part->values.begin() + o * length;
      result.values.insert(result.values.end(), first, first + length);
    }
  return result;
}

} // namespace linnet::test
