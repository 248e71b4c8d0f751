//===- VectorStructures.cpp - structures of one vector --------------------===//

#include "dialects/Linnet/Linnet.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::linnet;

using EmitError = function_ref<InFlightDiagnostic()>;

/// The length of the only factor, a vector of floats, or an error.
static FailureOr<int64_t> lengthOf(TypeRange factors, EmitError emitError) {
  if (factors.size() != 1)
    return emitError() << "expected 1 factors, but got " << factors.size();
  auto type = dyn_cast<RankedTensorType>(factors[0]);
  if (!type || type.getRank() != 1 || !type.hasStaticShape() ||
      !isa<FloatType>(type.getElementType()))
    return emitError() << "expected factor 0 to be a static vector of floats, "
                          "but got "
                       << factors[0];
  return type.getDimSize(0);
}

//===----------------------------------------------------------------------===//
// diag
//===----------------------------------------------------------------------===//

LogicalResult DiagStructureAttr::verify(EmitError emitError, int64_t outputs,
                                        int64_t inputs) {
  if (outputs < 1 || inputs < 1)
    return emitError() << "expected at least 1 output and 1 input, but got "
                       << outputs << " and " << inputs;
  return success();
}

FailureOr<LinearShape>
DiagStructureAttr::inferShape(TypeRange factors, EmitError emitError) const {
  auto length = lengthOf(factors, emitError);
  if (failed(length))
    return failure();
  int64_t expected = std::min(getOutputs(), getInputs());
  if (*length != expected)
    return emitError() << "expected " << expected
                       << " values on the diagonal, but got " << factors[0];
  return LinearShape{getInputs(), getOutputs()};
}

std::vector<double>
DiagStructureAttr::toDense(ArrayRef<FactorValue> factors) const {
  std::vector<double> dense(size_t(getOutputs() * getInputs()), 0.0);
  for (auto [i, value] : llvm::enumerate(factors[0].values))
    dense[i * size_t(getInputs()) + i] = value;
  return dense;
}

Value DiagStructureAttr::buildApply(OpBuilder &, Location, Value,
                                    ValueRange) const {
  return {};
}

int64_t DiagStructureAttr::getFlops(TypeRange factors) const {
  return cast<ShapedType>(factors[0]).getNumElements();
}

//===----------------------------------------------------------------------===//
// toeplitz
//===----------------------------------------------------------------------===//

LogicalResult ToeplitzStructureAttr::verify(EmitError emitError,
                                            int64_t outputs) {
  if (outputs < 1)
    return emitError() << "expected at least 1 output, but got " << outputs;
  return success();
}

FailureOr<LinearShape>
ToeplitzStructureAttr::inferShape(TypeRange factors,
                                  EmitError emitError) const {
  auto length = lengthOf(factors, emitError);
  if (failed(length))
    return failure();
  if (*length < getOutputs())
    return emitError() << "expected at least " << getOutputs() << " values for "
                       << getOutputs() << " outputs, but got " << factors[0];
  return LinearShape{*length - getOutputs() + 1, getOutputs()};
}

std::vector<double>
ToeplitzStructureAttr::toDense(ArrayRef<FactorValue> factors) const {
  ArrayRef<double> values = factors[0].values;
  int64_t out = getOutputs(), in = int64_t(values.size()) - out + 1;
  std::vector<double> dense(size_t(out * in));
  for (int64_t o = 0; o < out; ++o)
    for (int64_t i = 0; i < in; ++i)
      dense[size_t(o * in + i)] = values[size_t(o - i + in - 1)];
  return dense;
}

Value ToeplitzStructureAttr::buildApply(OpBuilder &, Location, Value,
                                        ValueRange) const {
  return {};
}

int64_t ToeplitzStructureAttr::getFlops(TypeRange factors) const {
  int64_t length = cast<ShapedType>(factors[0]).getNumElements();
  return 2 * getOutputs() * (length - getOutputs() + 1);
}

//===----------------------------------------------------------------------===//
// circulant
//===----------------------------------------------------------------------===//

FailureOr<LinearShape>
CirculantStructureAttr::inferShape(TypeRange factors,
                                   EmitError emitError) const {
  auto length = lengthOf(factors, emitError);
  if (failed(length))
    return failure();
  if (*length < 1)
    return emitError() << "expected at least 1 value, but got " << factors[0];
  return LinearShape{*length, *length};
}

std::vector<double>
CirculantStructureAttr::toDense(ArrayRef<FactorValue> factors) const {
  ArrayRef<double> values = factors[0].values;
  size_t n = values.size();
  std::vector<double> dense(n * n);
  for (size_t o = 0; o < n; ++o)
    for (size_t i = 0; i < n; ++i)
      dense[o * n + i] = values[(o + n - i) % n];
  return dense;
}

/// The Toeplitz matrix of the values from the second on, then all of them.
Value CirculantStructureAttr::buildApply(OpBuilder &builder, Location loc,
                                         Value input,
                                         ValueRange factors) const {
  Value values = factors[0];
  auto type = cast<RankedTensorType>(values.getType());
  int64_t n = type.getDimSize(0);
  // What is joined is computed, and that in f32.
  if (type.getElementType().getIntOrFloatBitWidth() < 32)
    values = arith::ExtFOp::create(builder, loc,
                                   type.clone(builder.getF32Type()), values);
  if (n > 1) {
    Value later = tensor::ExtractSliceOp::create(
        builder, loc, values, OpFoldResult(builder.getIndexAttr(1)),
        OpFoldResult(builder.getIndexAttr(n - 1)),
        OpFoldResult(builder.getIndexAttr(1)));
    values = tensor::ConcatOp::create(builder, loc, /*dim=*/0,
                                      ValueRange{later, values});
  }
  return LinearOp::create(builder, loc, input, values, Value(),
                          ToeplitzStructureAttr::get(getContext(), n));
}

int64_t CirculantStructureAttr::getFlops(TypeRange factors) const {
  int64_t n = cast<ShapedType>(factors[0]).getNumElements();
  return 2 * n * n;
}
