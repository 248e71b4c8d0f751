//===- Structures.cpp - the structure attributes --------------------------===//

#include "dialects/Linnet/FactorShapes.h"
#include "dialects/Linnet/Linnet.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

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

FailureOr<ArrayRef<int64_t>>
linnet::matrixShape(TypeRange factors, unsigned index,
                    function_ref<InFlightDiagnostic()> emitError) {
  auto type = dyn_cast<RankedTensorType>(factors[index]);
  if (!type || type.getRank() != 2 || !type.hasStaticShape() ||
      !isa<FloatType>(type.getElementType()))
    return emitError() << "expected factor " << index
                       << " to be a static matrix of floats, but got "
                       << factors[index];
  return type.getShape();
}

/// The shape of factor `index` as a static matrix of integers of these widths,
/// or an error.
static FailureOr<ArrayRef<int64_t>>
integerShape(TypeRange factors, unsigned index, ArrayRef<unsigned> widths,
             function_ref<InFlightDiagnostic()> emitError) {
  auto type = dyn_cast<RankedTensorType>(factors[index]);
  if (type && type.getRank() == 2 && type.hasStaticShape() &&
      llvm::any_of(widths, [&](unsigned width) {
        return type.getElementType().isInteger(width);
      }))
    return type.getShape();
  InFlightDiagnostic error = emitError();
  error << "expected factor " << index << " to be a static matrix of ";
  llvm::interleave(
      widths, [&](unsigned width) { error << "i" << width; },
      [&] { error << " or "; });
  return error << ", but got " << factors[index];
}

LogicalResult
linnet::expectFactors(TypeRange factors, unsigned count,
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
  int64_t in = w.shape()[w.shape().size() - 2], out = w.shape().back();
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

bool DenseStructureAttr::canSkipInputs() const { return true; }

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
  int64_t out = u.shape()[0], rank = u.shape()[1], in = v.shape()[1];
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

//===----------------------------------------------------------------------===//
// permutation
//===----------------------------------------------------------------------===//

/// The length of factor `index` as an order of inputs, or an error.
static FailureOr<int64_t>
orderLength(TypeRange factors, unsigned index,
            function_ref<InFlightDiagnostic()> emitError) {
  auto type = dyn_cast<RankedTensorType>(factors[index]);
  if (!type || type.getRank() != 1 || !type.hasStaticShape() ||
      !type.getElementType().isInteger(32))
    return emitError() << "expected factor " << index
                       << " to be a static vector of i32, but got "
                       << factors[index];
  return type.getDimSize(0);
}

/// Why `order` is no permutation; empty if it is one.
static std::string findGap(const FactorValue &order) {
  std::vector<bool> seen(order.values.size());
  for (auto [i, value] : llvm::enumerate(order.values)) {
    bool inRange = value >= 0 && value < double(seen.size());
    if (!inRange || seen[size_t(value)])
      return "expected an order of every number from 0 to " +
             std::to_string(int64_t(seen.size()) - 1) + " once, but got " +
             std::to_string(int64_t(value)) +
             (inRange ? " twice" : " at " + std::to_string(i));
    seen[size_t(value)] = true;
  }
  return {};
}

FailureOr<LinearShape> PermutationStructureAttr::inferShape(
    TypeRange factors, function_ref<InFlightDiagnostic()> emitError) const {
  if (failed(expectFactors(factors, 1, emitError)))
    return failure();
  auto length = orderLength(factors, 0, emitError);
  if (failed(length))
    return failure();
  return LinearShape{*length, *length};
}

std::string
PermutationStructureAttr::findObstacle(unsigned,
                                       const FactorValue &factor) const {
  return findGap(factor);
}

std::vector<double>
PermutationStructureAttr::toDense(ArrayRef<FactorValue> factors) const {
  ArrayRef<double> order = factors[0].values;
  std::vector<double> dense(order.size() * order.size(), 0.0);
  for (auto [o, i] : llvm::enumerate(order))
    dense[o * order.size() + size_t(i)] = 1;
  return dense;
}

Value PermutationStructureAttr::buildApply(OpBuilder &, Location, Value,
                                           ValueRange) const {
  return {};
}

int64_t PermutationStructureAttr::getFlops(TypeRange) const { return 0; }

//===----------------------------------------------------------------------===//
// pivoted_low_rank
//===----------------------------------------------------------------------===//

FailureOr<LinearShape> PivotedLowRankStructureAttr::inferShape(
    TypeRange factors, function_ref<InFlightDiagnostic()> emitError) const {
  if (failed(expectFactors(factors, 3, emitError)))
    return failure();
  auto columns = matrixShape(factors, 0, emitError);
  auto coefficients = matrixShape(factors, 1, emitError);
  auto length = orderLength(factors, 2, emitError);
  if (failed(columns) || failed(coefficients) || failed(length))
    return failure();
  int64_t rank = (*columns)[1], others = (*coefficients)[1];
  if ((*coefficients)[0] != rank)
    return emitError()
           << "expected both factors to have the same rank, but got " << rank
           << " and " << (*coefficients)[0];
  if (*length != rank + others)
    return emitError() << "expected an order of " << rank << " + " << others
                       << " inputs, but got " << *length;
  return LinearShape{*length, (*columns)[0]};
}

std::string
PivotedLowRankStructureAttr::findObstacle(unsigned number,
                                          const FactorValue &factor) const {
  return number == 2 ? findGap(factor) : std::string();
}

std::vector<double>
PivotedLowRankStructureAttr::toDense(ArrayRef<FactorValue> factors) const {
  const FactorValue &columns = factors[0], &coefficients = factors[1];
  ArrayRef<double> order = factors[2].values;
  int64_t out = columns.shape()[0], rank = columns.shape()[1],
          others = coefficients.shape()[1], in = rank + others;
  std::vector<double> dense(out * in, 0.0);
  for (int64_t o = 0; o < out; ++o)
    for (int64_t r = 0; r < rank; ++r) {
      double kept = columns.values[o * rank + r];
      dense[o * in + int64_t(order[r])] = kept;
      for (int64_t c = 0; c < others; ++c)
        dense[o * in + int64_t(order[rank + c])] +=
            kept * coefficients.values[r * others + c];
    }
  return dense;
}

/// Columns [begin, begin + size) of the last dimension.
static Value sliceColumns(OpBuilder &b, Location loc, Value x, int64_t begin,
                          int64_t size) {
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, x);
  SmallVector<OpFoldResult> offsets(sizes.size(), b.getIndexAttr(0)),
      strides(sizes.size(), b.getIndexAttr(1));
  offsets.back() = b.getIndexAttr(begin);
  sizes.back() = b.getIndexAttr(size);
  return tensor::ExtractSliceOp::create(b, loc, x, offsets, sizes, strides);
}

Value PivotedLowRankStructureAttr::buildApply(OpBuilder &builder, Location loc,
                                              Value input,
                                              ValueRange factors) const {
  auto dense = DenseStructureAttr::get(getContext(), Storage::OutIn);
  ArrayRef<int64_t> shape = cast<ShapedType>(factors[1].getType()).getShape();
  Value sorted = LinearOp::create(builder, loc, input, factors[2], Value(),
                                  PermutationStructureAttr::get(getContext()));
  Value middle = sliceColumns(builder, loc, sorted, 0, shape[0]);
  if (shape[1] > 0) {
    Value others = sliceColumns(builder, loc, sorted, shape[0], shape[1]);
    Value combined =
        LinearOp::create(builder, loc, others, factors[1], Value(), dense);
    middle = arith::AddFOp::create(builder, loc, middle, combined);
  }
  return LinearOp::create(builder, loc, middle, factors[0], Value(), dense);
}

int64_t PivotedLowRankStructureAttr::getFlops(TypeRange factors) const {
  return 2 * (cast<ShapedType>(factors[0]).getNumElements() +
              cast<ShapedType>(factors[1]).getNumElements());
}

//===----------------------------------------------------------------------===//
// quantized
//===----------------------------------------------------------------------===//

LogicalResult
QuantizedStructureAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                               int64_t bits, int64_t group, bool) {
  if (bits != 4 && bits != 8)
    return emitError() << "expected 4 or 8 bits, but got " << bits;
  if (group < 1)
    return emitError() << "expected a group of at least 1, but got " << group;
  return success();
}

FailureOr<LinearShape> QuantizedStructureAttr::inferShape(
    TypeRange factors, function_ref<InFlightDiagnostic()> emitError) const {
  if (failed(expectFactors(factors, getNumFactors(), emitError)))
    return failure();
  auto codes = integerShape(factors, 0, 8, emitError);
  if (failed(codes))
    return failure();
  auto scales = matrixShape(factors, 1, emitError);
  if (failed(scales))
    return failure();
  int64_t out = (*codes)[0], in = (*codes)[1] * 8 / getBits();
  int64_t groups = llvm::divideCeil(in, getGroup());
  if ((*scales)[0] != out || (*scales)[1] != groups)
    return emitError() << "expected scales of shape [" << out << ", " << groups
                       << "], but got " << factors[1];
  if (!getHasZeros())
    return LinearShape{in, out};
  auto zeros = integerShape(factors, 2, 8, emitError);
  if (failed(zeros))
    return failure();
  if (*zeros != *scales)
    return emitError() << "expected zeros of shape [" << out << ", " << groups
                       << "], but got " << factors[2];
  return LinearShape{in, out};
}

std::vector<double>
QuantizedStructureAttr::toDense(ArrayRef<FactorValue> factors) const {
  const FactorValue &codes = factors[0], &scales = factors[1];
  int64_t out = codes.shape()[0], bytes = codes.shape()[1],
          groups = scales.shape()[1], each = 8 / getBits(), in = bytes * each;
  std::vector<double> dense(out * in);
  for (int64_t o = 0; o < out; ++o)
    for (int64_t i = 0; i < in; ++i) {
      auto code = int64_t(codes.values[o * bytes + i / each]);
      if (getBits() == 4) {
        int64_t half = (code >> (4 * (i % 2))) & 15;
        code = half < 8 ? half : half - 16;
      }
      int64_t place = o * groups + i / getGroup();
      double zero = getHasZeros() ? factors[2].values[place] : 0;
      dense[o * in + i] = scales.values[place] * (double(code) - zero);
    }
  return dense;
}

Value QuantizedStructureAttr::buildApply(OpBuilder &, Location, Value,
                                         ValueRange) const {
  return {};
}

int64_t QuantizedStructureAttr::getFlops(TypeRange factors) const {
  return 2 * cast<ShapedType>(factors[0]).getNumElements() * 8 / getBits();
}

//===----------------------------------------------------------------------===//
// nm_sparse
//===----------------------------------------------------------------------===//

LogicalResult
NmSparseStructureAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                              int64_t kept, int64_t of) {
  if (of < 1 || of > 16)
    return emitError() << "expected 1 to 16 inputs in a group, but got " << of;
  if (kept < 1 || kept > of)
    return emitError() << "expected 1 to " << of
                       << " kept inputs of a group, but got " << kept;
  return success();
}

FailureOr<LinearShape> NmSparseStructureAttr::inferShape(
    TypeRange factors, function_ref<InFlightDiagnostic()> emitError) const {
  if (failed(expectFactors(factors, 2, emitError)))
    return failure();
  auto values = matrixShape(factors, 0, emitError);
  if (failed(values))
    return failure();
  auto positions = integerShape(factors, 1, 8, emitError);
  if (failed(positions))
    return failure();
  int64_t out = (*values)[0], count = (*values)[1],
          bits = count * getPositionBits();
  if (count < 1 || count % getKept() || bits % 8)
    return emitError() << "expected values of whole groups of " << getKept()
                       << ", whose positions fill bytes, but got "
                       << factors[0];
  if ((*positions)[0] != out || (*positions)[1] != bits / 8)
    return emitError() << "expected positions of shape [" << out << ", "
                       << bits / 8 << "], but got " << factors[1];
  return LinearShape{count / getKept() * getOf(), out};
}

/// Position `number` of those that bytes from `row` on hold.
static int64_t positionAt(const double *row, int64_t number, int64_t bits) {
  int64_t each = 8 / bits;
  return (int64_t(row[number / each]) & 255) >> (number % each * bits) &
         ((1 << bits) - 1);
}

std::string
NmSparseStructureAttr::findObstacle(unsigned number,
                                    const FactorValue &factor) const {
  if (number != 1)
    return {};
  int64_t bytes = factor.shape()[1], bits = getPositionBits(),
          count = bytes * 8 / bits;
  for (int64_t o = 0; o < factor.shape()[0]; ++o)
    for (int64_t j = 0; j < count; ++j) {
      const double *row = factor.values.data() + o * bytes;
      int64_t position = positionAt(row, j, bits);
      if (position >= getOf() ||
          (j % getKept() && position <= positionAt(row, j - 1, bits)))
        return "expected ascending numbers from 0 to " +
               std::to_string(getOf() - 1) + " in each group, but got " +
               std::to_string(position) + " at (" + std::to_string(o) + ", " +
               std::to_string(j) + ")";
    }
  return {};
}

std::vector<double>
NmSparseStructureAttr::toDense(ArrayRef<FactorValue> factors) const {
  const FactorValue &values = factors[0], &positions = factors[1];
  int64_t out = values.shape()[0], count = values.shape()[1],
          bytes = positions.shape()[1], in = count / getKept() * getOf();
  std::vector<double> dense(out * in, 0.0);
  for (int64_t o = 0; o < out; ++o)
    for (int64_t j = 0; j < count; ++j)
      dense[o * in + j / getKept() * getOf() +
            positionAt(positions.values.data() + o * bytes, j,
                       getPositionBits())] = values.values[o * count + j];
  return dense;
}

Value NmSparseStructureAttr::buildApply(OpBuilder &, Location, Value,
                                        ValueRange) const {
  return {};
}

int64_t NmSparseStructureAttr::getFlops(TypeRange factors) const {
  return 2 * cast<ShapedType>(factors[0]).getNumElements();
}

//===----------------------------------------------------------------------===//
// block_sparse
//===----------------------------------------------------------------------===//

LogicalResult
BlockSparseStructureAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                 int64_t height, int64_t width,
                                 int64_t inputs) {
  if (height < 1 || height % 16)
    return emitError() << "expected a height that is a multiple of 16, but got "
                       << height;
  if (width < 1 || inputs < 1 || inputs % width)
    return emitError() << "expected a width that divides " << inputs
                       << " inputs, but got " << width;
  return success();
}

FailureOr<LinearShape> BlockSparseStructureAttr::inferShape(
    TypeRange factors, function_ref<InFlightDiagnostic()> emitError) const {
  if (failed(expectFactors(factors, 2, emitError)))
    return failure();
  auto values = matrixShape(factors, 0, emitError);
  if (failed(values))
    return failure();
  auto columns = integerShape(factors, 1, {16, 32}, emitError);
  if (failed(columns))
    return failure();
  int64_t out = (*values)[0], kept = (*columns)[1],
          all = getInputs() / getWidth(),
          rows = llvm::divideCeil(out, getHeight());
  if (kept < 1 || kept > all)
    return emitError() << "expected 1 to " << all
                       << " blocks in a row of blocks, but got " << kept;
  if ((*values)[1] != kept * getWidth())
    return emitError() << "expected values of " << kept << " x " << getWidth()
                       << " inputs, but got " << factors[0];
  if ((*columns)[0] != rows)
    return emitError() << "expected columns of " << rows
                       << " rows of blocks, but got " << factors[1];
  return LinearShape{getInputs(), out};
}

std::string
BlockSparseStructureAttr::findObstacle(unsigned number,
                                       const FactorValue &factor) const {
  if (number != 1)
    return {};
  int64_t kept = factor.shape()[1];
  double all = double(getInputs() / getWidth());
  for (auto [i, column] : llvm::enumerate(factor.values)) {
    bool isFirst = int64_t(i) % kept == 0;
    if (column < 0 || column >= all ||
        (!isFirst && column <= factor.values[i - 1]))
      return "expected ascending numbers from 0 to " +
             std::to_string(int64_t(all) - 1) + " in each row, but got " +
             std::to_string(int64_t(column)) + " at (" +
             std::to_string(int64_t(i) / kept) + ", " +
             std::to_string(int64_t(i) % kept) + ")";
  }
  return {};
}

std::vector<double>
BlockSparseStructureAttr::toDense(ArrayRef<FactorValue> factors) const {
  const FactorValue &values = factors[0], &columns = factors[1];
  int64_t out = values.shape()[0], stored = values.shape()[1],
          kept = columns.shape()[1], width = getWidth();
  std::vector<double> dense(out * getInputs(), 0.0);
  for (int64_t o = 0; o < out; ++o)
    for (int64_t j = 0; j < stored; ++j) {
      auto column = int64_t(columns.values[o / getHeight() * kept + j / width]);
      dense[o * getInputs() + column * width + j % width] =
          values.values[o * stored + j];
    }
  return dense;
}

Value BlockSparseStructureAttr::buildApply(OpBuilder &, Location, Value,
                                           ValueRange) const {
  return {};
}

int64_t BlockSparseStructureAttr::getFlops(TypeRange factors) const {
  return 2 * cast<ShapedType>(factors[0]).getNumElements();
}
