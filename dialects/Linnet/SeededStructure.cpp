//===- SeededStructure.cpp - matrices of seeded rows ----------------------===//

#include "dialects/Linnet/FactorShapes.h"
#include "dialects/Linnet/Linnet.h"

#include "linnet/Support/SeededBasis.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::linnet;

using EmitError = function_ref<InFlightDiagnostic()>;

LogicalResult SeededBasisOp::verify() {
  int64_t seed = getSeedAttr().getInt();
  if (seed < 0)
    return emitOpError("expected a seed of 0 or more, but got ") << seed;
  auto type = cast<RankedTensorType>(getResult().getType());
  if (!type.hasStaticShape())
    return emitOpError("expected a static shape, but got ") << type;
  return success();
}

LogicalResult SeededStructureAttr::verify(EmitError emitError, int64_t terms,
                                          int64_t block, int64_t seed) {
  // Their products stay within int64.
  for (auto [name, value] :
       {std::pair("terms", terms), std::pair("block", block)})
    if (value < 1 || value > INT32_MAX)
      return emitError() << "expected " << name << " of 1 to " << INT32_MAX
                         << ", but got " << value;
  if (seed < 0)
    return emitError() << "expected a seed of 0 or more, but got " << seed;
  return success();
}

FailureOr<LinearShape>
SeededStructureAttr::inferShape(TypeRange factors, EmitError emitError) const {
  if (failed(expectFactors(factors, 1, emitError)))
    return failure();
  auto shape = matrixShape(factors, 0, emitError);
  if (failed(shape))
    return failure();
  int64_t blocks = (*shape)[1] / getTerms();
  if (blocks < 1 || (*shape)[1] % getTerms())
    return emitError() << "expected " << getTerms()
                       << " coefficients for each block of inputs, but got "
                       << factors[0];
  return LinearShape{blocks * getBlock(), (*shape)[0]};
}

std::vector<double>
SeededStructureAttr::toDense(ArrayRef<FactorValue> factors) const {
  const FactorValue &coefficients = factors[0];
  int64_t out = coefficients.shape()[0], terms = getTerms(), block = getBlock(),
          blocks = coefficients.shape()[1] / terms;
  std::vector<double> dense(size_t(out * blocks * block), 0.0);
  std::vector<double> row(size_t(block), 0.0);
  for (int64_t j = 0; j < terms; ++j) {
    ::linnet::fillBasisRow(getSeed(), j, block, row.data());
    // Outputs and the blocks of each follow one another in both.
    for (int64_t part = 0; part < out * blocks; ++part) {
      double coefficient = coefficients.values[size_t(part * terms + j)];
      for (int64_t i = 0; i < block; ++i)
        dense[size_t(part * block + i)] += coefficient * row[size_t(i)];
    }
  }
  return dense;
}

/// Groups of one dimension each, but the last `joined` in one.
static SmallVector<ReassociationIndices> joinLast(int64_t rank,
                                                  int64_t joined) {
  SmallVector<ReassociationIndices> groups;
  for (int64_t d = 0; d < rank; ++d) {
    if (d > rank - joined)
      groups.back().push_back(d);
    else
      groups.push_back({d});
  }
  return groups;
}

/// `x` [..., a, b] as [..., a b].
static Value collapseLast(OpBuilder &builder, Location loc, Value x) {
  int64_t rank = cast<RankedTensorType>(x.getType()).getRank();
  return tensor::CollapseShapeOp::create(builder, loc, x, joinLast(rank, 2));
}

/// `x` [..., a b] as [..., a, b].
static Value expandLast(OpBuilder &builder, Location loc, Value x, int64_t b) {
  auto type = cast<RankedTensorType>(x.getType());
  SmallVector<int64_t> shape(type.getShape());
  shape.back() /= b;
  shape.push_back(b);
  return tensor::ExpandShapeOp::create(builder, loc, type.clone(shape), x,
                                       joinLast(shape.size(), 2));
}

/// Every block of x times the basis, which blocks share, then the coefficients.
/// Maps of the same seed, terms and block that read the same x share the first.
Value SeededStructureAttr::buildApply(OpBuilder &builder, Location loc,
                                      Value input, ValueRange factors) const {
  auto dense = DenseStructureAttr::get(getContext(), Storage::OutIn);
  auto basis = SeededBasisOp::create(
      builder, loc,
      RankedTensorType::get({getTerms(), getBlock()}, builder.getF32Type()),
      getSeed());
  auto type = cast<RankedTensorType>(input.getType());
  int64_t in = type.getShape().back(), rank = type.getRank();
  Value z = input;
  if (in != getBlock()) {
    // Kernels take four dimensions: blocks of heads go side by side.
    if (rank > 3)
      z = collapseLast(builder, loc, z);
    z = expandLast(builder, loc, z, getBlock());
  }
  z = LinearOp::create(builder, loc, z, basis.getResult(), Value(), dense);
  if (in != getBlock()) {
    z = collapseLast(builder, loc, z);
    if (rank > 3)
      z = expandLast(builder, loc, z, in / getBlock() * getTerms());
  }
  return LinearOp::create(builder, loc, z, factors[0], Value(), dense);
}

int64_t SeededStructureAttr::getFlops(TypeRange factors) const {
  auto type = cast<ShapedType>(factors[0]);
  return 2 * (type.getNumElements() + type.getDimSize(1) * getBlock());
}
