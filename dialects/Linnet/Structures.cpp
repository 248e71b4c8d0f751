//===- Structures.cpp - the structure attributes --------------------------===//

#include "dialects/Linnet/Linnet.h"

using namespace mlir;
using namespace mlir::linnet;

int64_t linnet::sumOfBytes(TypeRange types) {
  int64_t bytes = 0;
  for (Type type : types) {
    auto shaped = cast<ShapedType>(type);
    bytes += shaped.getNumElements() * shaped.getElementTypeBitWidth() / 8;
  }
  return bytes;
}

/// The shape of factor `index` as a static matrix, or an error.
static FailureOr<ArrayRef<int64_t>>
matrixShape(TypeRange factors, unsigned index,
            function_ref<InFlightDiagnostic()> emitError) {
  auto type = dyn_cast<RankedTensorType>(factors[index]);
  if (!type || type.getRank() != 2 || !type.hasStaticShape())
    return emitError() << "expected factor " << index
                       << " to be a static matrix, but got " << factors[index];
  return type.getShape();
}

static LogicalResult
expectFactors(TypeRange factors, unsigned count,
              function_ref<InFlightDiagnostic()> emitError) {
  if (factors.size() == count)
    return success();
  return emitError() << "expected " << count << " factors, but got "
                     << factors.size();
}

//===----------------------------------------------------------------------===//
// dense
//===----------------------------------------------------------------------===//

FailureOr<LinearShape> DenseStructureAttr::inferShape(
    TypeRange factors, function_ref<InFlightDiagnostic()> emitError) const {
  if (failed(expectFactors(factors, 1, emitError)))
    return failure();
  auto shape = matrixShape(factors, 0, emitError);
  if (failed(shape))
    return failure();
  bool outIn = getStorage() == Storage::OutIn;
  return LinearShape{(*shape)[outIn ? 1 : 0], (*shape)[outIn ? 0 : 1]};
}

/// The blocks [out, in] of `w`, whose last two dimensions are those of a block
/// as stored.
static std::vector<double> blocksAsOutIn(const FactorValue &w,
                                         Storage storage) {
  std::vector<double> blocks(w.values.begin(), w.values.end());
  if (storage == Storage::OutIn)
    return blocks;
  int64_t in = w.shape[w.shape.size() - 2], out = w.shape.back();
  for (size_t e = 0; e < blocks.size(); ++e) {
    int64_t i = e % in, o = e / in % out, block = e / (in * out);
    blocks[e] = w.values[(block * in + i) * out + o];
  }
  return blocks;
}

std::vector<double>
DenseStructureAttr::toDense(ArrayRef<FactorValue> factors) const {
  return blocksAsOutIn(factors[0], getStorage());
}

Value DenseStructureAttr::buildApply(OpBuilder &, Location, Value,
                                     ValueRange) const {
  return {};
}

int64_t DenseStructureAttr::getFlops(TypeRange factors) const {
  return 2 * cast<ShapedType>(factors[0]).getNumElements();
}

//===----------------------------------------------------------------------===//
// low_rank
//===----------------------------------------------------------------------===//

FailureOr<LinearShape> LowRankStructureAttr::inferShape(
    TypeRange factors, function_ref<InFlightDiagnostic()> emitError) const {
  if (failed(expectFactors(factors, 2, emitError)))
    return failure();
  auto u = matrixShape(factors, 0, emitError);
  auto v = matrixShape(factors, 1, emitError);
  if (failed(u) || failed(v))
    return failure();
  if ((*u)[1] != (*v)[0])
    return emitError()
           << "expected both factors to have the same rank, but got " << (*u)[1]
           << " and " << (*v)[0];
  return LinearShape{(*v)[1], (*u)[0]};
}

std::vector<double>
LowRankStructureAttr::toDense(ArrayRef<FactorValue> factors) const {
  const FactorValue &u = factors[0], &v = factors[1];
  int64_t out = u.shape[0], rank = u.shape[1], in = v.shape[1];
  std::vector<double> dense(out * in, 0.0);
  for (int64_t o = 0; o < out; ++o)
    for (int64_t r = 0; r < rank; ++r)
      for (int64_t i = 0; i < in; ++i)
        dense[o * in + i] += u.values[o * rank + r] * v.values[r * in + i];
  return dense;
}

Value LowRankStructureAttr::buildApply(OpBuilder &builder, Location loc,
                                       Value input, ValueRange factors) const {
  auto dense = DenseStructureAttr::get(getContext(), Storage::OutIn);
  Value middle =
      LinearOp::create(builder, loc, input, factors[1], Value(), dense);
  return LinearOp::create(builder, loc, middle, factors[0], Value(), dense);
}

int64_t LowRankStructureAttr::getFlops(TypeRange factors) const {
  return 2 * (cast<ShapedType>(factors[0]).getNumElements() +
              cast<ShapedType>(factors[1]).getNumElements());
}

//===----------------------------------------------------------------------===//
// block_diagonal
//===----------------------------------------------------------------------===//

FailureOr<LinearShape> BlockDiagonalStructureAttr::inferShape(
    TypeRange factors, function_ref<InFlightDiagnostic()> emitError) const {
  if (failed(expectFactors(factors, 1, emitError)))
    return failure();
  auto type = dyn_cast<RankedTensorType>(factors[0]);
  if (!type || type.getRank() != 3 || !type.hasStaticShape() ||
      type.getDimSize(0) == 0)
    return emitError() << "expected factor 0 to be static matrices [n, out / "
                          "n, in / n], but got "
                       << factors[0];
  int64_t blocks = type.getDimSize(0);
  bool outIn = getStorage() == Storage::OutIn;
  return LinearShape{blocks * type.getDimSize(outIn ? 2 : 1),
                     blocks * type.getDimSize(outIn ? 1 : 2), blocks};
}

std::vector<double>
BlockDiagonalStructureAttr::toDense(ArrayRef<FactorValue> factors) const {
  return blocksAsOutIn(factors[0], getStorage());
}

Value BlockDiagonalStructureAttr::buildApply(OpBuilder &, Location, Value,
                                             ValueRange) const {
  return {};
}

int64_t BlockDiagonalStructureAttr::getFlops(TypeRange factors) const {
  return 2 * cast<ShapedType>(factors[0]).getNumElements();
}
