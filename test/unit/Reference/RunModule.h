//===- RunModule.h - evaluates IR written in tests ------------*- C++ -*-===//

#ifndef TEST_UNIT_REFERENCE_RUNMODULE_H
#define TEST_UNIT_REFERENCE_RUNMODULE_H

#include "linnet/Reference/Evaluator.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

#include <random>
#include <string>
#include <vector>

namespace linnet::test {

/// The context all tests share: the dialects of model-level IR.
mlir::MLIRContext &sharedContext();

/// Parses `source` in the shared context; null if it is not valid IR.
mlir::OwningOpRef<mlir::ModuleOp> parse(const std::string &source);

/// Runs `@f` of the module `source`; a failure fails the test and returns
/// nothing.
std::vector<HostTensor> runModule(const std::string &source,
                                  std::vector<HostTensor> inputs,
                                  const Archive *archive = nullptr);

/// The error that running `@f` gives; empty, and a test failure, without one.
std::string runError(const std::string &source, std::vector<HostTensor> inputs,
                     const Archive *archive = nullptr);

/// An operand of an operation under test: `element` is its element type, or
/// the whole type of a scalar.
struct Operand {
  Operand(HostTensor tensor, std::string element = "f32")
      : tensor(std::move(tensor)), element(std::move(element)) {}
  static Operand index(int64_t value) {
    return {HostTensor::scalar(double(value)), "index"};
  }
  HostTensor tensor;
  std::string element;
};

using Shape = std::vector<int64_t>;

/// A module with a function @f around the one operation `op`, which names its
/// operands %0, %1, ... in order; the functional type is appended.
std::string wrapOp(const std::string &op, const std::vector<Operand> &operands,
                   const std::vector<Shape> &results,
                   const std::string &resultElement = "f32");

/// Runs that module.
std::vector<HostTensor> runOp(const std::string &op,
                              const std::vector<Operand> &operands,
                              const std::vector<Shape> &results,
                              const std::string &resultElement = "f32");

/// Random tensors, the same in every run.
class Random {
public:
  explicit Random(uint64_t seed) : engine(seed) {}
  HostTensor tensor(Shape shape, double low = -1, double high = 1);
  int64_t integer(int64_t low, int64_t high);

private:
  std::mt19937_64 engine;
};

/// max |a - b| / max(1, max |b|); infinite when shapes differ or a NaN stands
/// on one side only.
double difference(const HostTensor &a, const HostTensor &b);

/// Entries [begin, end) along dimension `dim`.
HostTensor slice(const HostTensor &tensor, int64_t dim, int64_t begin,
                 int64_t end);

/// Tensors joined along `dim`.
HostTensor join(const HostTensor &a, const HostTensor &b, int64_t dim);

/// "tensor<2x3xf32>".
std::string typeOf(const Shape &shape, const std::string &element = "f32");

} // namespace linnet::test

#endif // TEST_UNIT_REFERENCE_RUNMODULE_H
