//===- Glue.cpp - elementwise and reshaping pieces ------------------------===//
//
// What needs no pass's recognition: plain arith, math, tensor and linalg.
//
//===----------------------------------------------------------------------===//

#include "ModelBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <cmath>

using namespace mlir;
using namespace ::linnet;

static RankedTensorType typeOf(Value x) {
  return cast<RankedTensorType>(x.getType());
}

SmallVector<OpFoldResult> ModelBuilder::sizesOf(Value x) {
  if (!batch) {
    OpBuilder::InsertionGuard guard(b);
    Block *body = b.getInsertionBlock();
    b.setInsertionPointToStart(body);
    batch = tensor::DimOp::create(b, body->getArgument(0), 0);
    time = tensor::DimOp::create(b, body->getArgument(0), 1);
  }
  SmallVector<OpFoldResult> sizes = {batch, time};
  for (int64_t size : typeOf(x).getShape().drop_front(2))
    sizes.push_back(b.getIndexAttr(size));
  return sizes;
}

Value ModelBuilder::emptyLike(Value x) {
  return tensor::EmptyOp::create(b, sizesOf(x), b.getF32Type());
}

Value ModelBuilder::add(Value x, Value y) {
  return arith::AddFOp::create(b, x, y);
}

Value ModelBuilder::mul(Value x, Value y) {
  return arith::MulFOp::create(b, x, y);
}

Value ModelBuilder::combineAlong(
    Value x, Value w, ArrayRef<int64_t> dims,
    function_ref<Value(OpBuilder &, Location, Value, Value)> body) {
  unsigned rank = typeOf(x).getRank();
  AffineMap whole = b.getMultiDimIdentityMap(rank);
  SmallVector<AffineExpr> along;
  for (int64_t dim : dims)
    along.push_back(b.getAffineDimExpr(dim));
  AffineMap part = AffineMap::get(rank, 0, along, b.getContext());
  SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::parallel);
  auto op = linalg::GenericOp::create(
      b, typeOf(x), ValueRange{x, w}, ValueRange{emptyLike(x)},
      ArrayRef<AffineMap>{whole, part, whole}, loops,
      [&](OpBuilder &nested, Location loc, ValueRange args) {
        linalg::YieldOp::create(nested, loc,
                                body(nested, loc, args[0], args[1]));
      });
  return op.getResult(0);
}

Value ModelBuilder::addAlong(Value x, Value w, ArrayRef<int64_t> dims) {
  return combineAlong(
      x, w, dims,
      [](OpBuilder &nested, Location loc, Value l, Value r) -> Value {
        return arith::AddFOp::create(nested, loc, l, r);
      });
}

Value ModelBuilder::mulAlong(Value x, Value w, ArrayRef<int64_t> dims) {
  return combineAlong(
      x, w, dims,
      [](OpBuilder &nested, Location loc, Value l, Value r) -> Value {
        return arith::MulFOp::create(nested, loc, l, r);
      });
}

Value ModelBuilder::mapEach(
    Value x, function_ref<Value(OpBuilder &, Location, Value)> body) {
  unsigned rank = typeOf(x).getRank();
  AffineMap whole = b.getMultiDimIdentityMap(rank);
  SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::parallel);
  auto op = linalg::GenericOp::create(
      b, typeOf(x), ValueRange{x}, ValueRange{emptyLike(x)},
      ArrayRef<AffineMap>{whole, whole}, loops,
      [&](OpBuilder &nested, Location loc, ValueRange args) {
        linalg::YieldOp::create(nested, loc, body(nested, loc, args[0]));
      });
  return op.getResult(0);
}

static Value constantOf(OpBuilder &b, Location loc, double value) {
  return arith::ConstantOp::create(b, loc, b.getF32FloatAttr(value));
}

Value ModelBuilder::clamp(Value x, double low, double high) {
  if (!std::isfinite(low) && !std::isfinite(high))
    return x;
  return mapEach(x, [&](OpBuilder &nested, Location loc, Value y) -> Value {
    if (std::isfinite(low))
      y = arith::MaximumFOp::create(nested, loc, y,
                                    constantOf(nested, loc, low));
    if (std::isfinite(high))
      y = arith::MinimumFOp::create(nested, loc, y,
                                    constantOf(nested, loc, high));
    return y;
  });
}

Value ModelBuilder::negativeExp(Value x) {
  return arith::NegFOp::create(b, math::ExpOp::create(b, x).getResult());
}

Value ModelBuilder::transpose(Value x) {
  RankedTensorType type = typeOf(x);
  Value empty = tensor::EmptyOp::create(
      b, ArrayRef<int64_t>{type.getDimSize(1), type.getDimSize(0)},
      type.getElementType());
  AffineMap identity = b.getMultiDimIdentityMap(2);
  AffineMap swapped =
      AffineMap::getPermutationMap(ArrayRef<int64_t>{1, 0}, b.getContext());
  SmallVector<utils::IteratorType> loops(2, utils::IteratorType::parallel);
  auto op = linalg::GenericOp::create(
      b, empty.getType(), ValueRange{x}, ValueRange{empty},
      ArrayRef<AffineMap>{swapped, identity}, loops,
      [](OpBuilder &nested, Location loc, ValueRange args) {
        linalg::YieldOp::create(nested, loc, args[0]);
      });
  return op.getResult(0);
}

Value ModelBuilder::splitHeads(Value x, int64_t heads) {
  int64_t width = typeOf(x).getDimSize(2) / heads;
  SmallVector<ReassociationIndices> groups = {{0}, {1}, {2, 3}};
  SmallVector<OpFoldResult> sizes = sizesOf(x);
  sizes.back() = b.getIndexAttr(heads);
  sizes.push_back(b.getIndexAttr(width));
  return tensor::ExpandShapeOp::create(b, activationType({heads, width}), x,
                                       groups, sizes);
}

Value ModelBuilder::mergeHeads(Value x) {
  SmallVector<ReassociationIndices> groups = {{0}, {1}, {2, 3}};
  return tensor::CollapseShapeOp::create(b, x, groups);
}

Value ModelBuilder::mergeParts(Value x) {
  // Entries that lie apart cannot be one dimension: the identity gathers them.
  return mergeHeads(activation(ir::Activation::Identity, x));
}

Value ModelBuilder::concat(ArrayRef<Value> parts) {
  RankedTensorType type = typeOf(parts.front());
  SmallVector<int64_t> feature(type.getShape().drop_front(2));
  feature.back() = 0;
  for (Value part : parts)
    feature.back() += typeOf(part).getShape().back();
  return tensor::ConcatOp::create(b, activationType(feature),
                                  type.getRank() - 1, parts);
}

Value ModelBuilder::zerosLike(Value x) {
  Value empty = tensor::EmptyOp::create(b, sizesOf(x), b.getF32Type());
  return linalg::FillOp::create(b, constantOf(b, b.getLoc(), 0), empty)
      .getResult(0);
}

Value ModelBuilder::dropUnit(Value x) {
  SmallVector<ReassociationIndices> groups = {{0}, {1, 2}};
  return tensor::CollapseShapeOp::create(b, x, groups);
}

Value ModelBuilder::lightningDecay(int64_t heads, int64_t layers) {
  // The layer's number, as the position of a single token.
  Value unit =
      tensor::EmptyOp::create(b, ArrayRef<int64_t>{1, 1}, b.getI32Type());
  Value layerNumber = ir::PositionsOp::create(b, unit, layer);
  Value empty = tensor::EmptyOp::create(b, ArrayRef<int64_t>{1, 1, heads},
                                        b.getF32Type());
  AffineMap whole = b.getMultiDimIdentityMap(3);
  AffineMap outer = whole.getMajorSubMap(2);
  SmallVector<utils::IteratorType> loops(3, utils::IteratorType::parallel);
  auto op = linalg::GenericOp::create(
      b, empty.getType(), ValueRange{layerNumber}, ValueRange{empty},
      ArrayRef<AffineMap>{outer, whole}, loops,
      [&](OpBuilder &nested, Location loc, ValueRange args) {
        ImplicitLocOpBuilder n(loc, nested);
        auto constant = [&](double value) -> Value {
          return arith::ConstantOp::create(n, n.getF32FloatAttr(value));
        };
        auto toFloat = [&](Value value) -> Value {
          return arith::SIToFPOp::create(n, n.getF32Type(), value);
        };
        Value head = arith::IndexCastOp::create(
            n, n.getI32Type(), linalg::IndexOp::create(n, 2).getResult());
        // 2^(-8 (j + 1) / heads) = e^(rate (j + 1)).
        double rate = -8 * std::log(2.0) / double(heads);
        Value slope = math::ExpOp::create(
            n, arith::MulFOp::create(
                   n, arith::AddFOp::create(n, toFloat(head), constant(1)),
                   constant(rate)));
        Value share = arith::MulFOp::create(
            n, toFloat(args[0]), constant(1 / (double(layers) - 1 + 1e-5)));
        Value factor = arith::SubFOp::create(n, share, constant(1 + 1e-5));
        linalg::YieldOp::create(
            n, arith::MulFOp::create(n, slope, factor).getResult());
      });
  return op.getResult(0);
}

Value ModelBuilder::flat(Value w) {
  SmallVector<ReassociationIndices> groups(1);
  for (int64_t i = 0; i < typeOf(w).getRank(); ++i)
    groups[0].push_back(i);
  return tensor::CollapseShapeOp::create(b, w, groups);
}

/// Entries [begin, begin + count) of dimension `dim` of a weight.
static Value sliceWeight(ImplicitLocOpBuilder &b, Value w, int64_t dim,
                         int64_t begin, int64_t count) {
  RankedTensorType type = typeOf(w);
  SmallVector<OpFoldResult> offsets(type.getRank(), b.getIndexAttr(0));
  SmallVector<OpFoldResult> strides(type.getRank(), b.getIndexAttr(1));
  SmallVector<OpFoldResult> sizes;
  for (int64_t size : type.getShape())
    sizes.push_back(b.getIndexAttr(size));
  offsets[dim] = b.getIndexAttr(begin);
  sizes[dim] = b.getIndexAttr(count);
  return tensor::ExtractSliceOp::create(b, w, offsets, sizes, strides);
}

Value ModelBuilder::rows(Value w, int64_t begin, int64_t count) {
  return sliceWeight(b, w, 0, begin, count);
}

Value ModelBuilder::rowBlocks(Value w, int64_t count) {
  RankedTensorType type = typeOf(w);
  SmallVector<ReassociationIndices> groups = {{0, 1}, {2}};
  auto blocks = RankedTensorType::get(
      {count, type.getDimSize(0) / count, type.getDimSize(1)},
      type.getElementType());
  return tensor::ExpandShapeOp::create(b, blocks, w, groups);
}

Value ModelBuilder::prependUnits(Value x, int64_t count) {
  RankedTensorType type = typeOf(x);
  SmallVector<int64_t> shape(count, 1);
  llvm::append_range(shape, type.getShape());
  SmallVector<ReassociationIndices> groups(type.getRank());
  for (int64_t i = 0; i <= count; ++i)
    groups.front().push_back(i);
  for (int64_t i = 1; i < type.getRank(); ++i)
    groups[i].push_back(count + i);
  return tensor::ExpandShapeOp::create(
      b, RankedTensorType::get(shape, type.getElementType()), x, groups);
}

SmallVector<Value> ModelBuilder::split(Value x, ArrayRef<int64_t> widths) {
  SmallVector<OpFoldResult> sizes = sizesOf(x);
  SmallVector<OpFoldResult> offsets(sizes.size(), b.getIndexAttr(0));
  SmallVector<OpFoldResult> strides(sizes.size(), b.getIndexAttr(1));
  SmallVector<Value> parts;
  int64_t offset = 0;
  for (int64_t width : widths) {
    sizes.back() = b.getIndexAttr(width);
    offsets.back() = b.getIndexAttr(offset);
    parts.push_back(
        tensor::ExtractSliceOp::create(b, x, offsets, sizes, strides));
    offset += width;
  }
  return parts;
}

Value ModelBuilder::scaled(Value x, double factor) {
  return mapEach(x, [&](OpBuilder &nested, Location loc, Value y) -> Value {
    return arith::MulFOp::create(nested, loc, y,
                                 constantOf(nested, loc, factor));
  });
}

Value ModelBuilder::softCap(Value x, double cap) {
  return scaled(activation(ir::Activation::Tanh, scaled(x, 1 / cap)), cap);
}

Value ModelBuilder::repeatHeads(Value x, int64_t times) {
  if (times == 1)
    return x;
  SmallVector<OpFoldResult> sizes = sizesOf(x);
  sizes.insert(sizes.begin() + 3, b.getIndexAttr(times));
  Value empty = tensor::EmptyOp::create(b, sizes, b.getF32Type());
  MLIRContext *context = b.getContext();
  AffineMap once =
      AffineMap::get(5, 0,
                     {b.getAffineDimExpr(0), b.getAffineDimExpr(1),
                      b.getAffineDimExpr(2), b.getAffineDimExpr(4)},
                     context);
  SmallVector<utils::IteratorType> loops(5, utils::IteratorType::parallel);
  auto op = linalg::GenericOp::create(
      b, empty.getType(), ValueRange{x}, ValueRange{empty},
      ArrayRef<AffineMap>{once, b.getMultiDimIdentityMap(5)}, loops,
      [](OpBuilder &nested, Location loc, ValueRange args) {
        linalg::YieldOp::create(nested, loc, args[0]);
      });
  SmallVector<ReassociationIndices> groups = {{0}, {1}, {2, 3}, {4}};
  return tensor::CollapseShapeOp::create(b, op.getResult(0), groups);
}

Value ModelBuilder::constant(ArrayRef<float> values, ArrayRef<int64_t> shape) {
  auto type = RankedTensorType::get(shape, b.getF32Type());
  return arith::ConstantOp::create(b, DenseElementsAttr::get(type, values));
}

Value ModelBuilder::sumNorm(Value x, double eps) {
  unsigned rank = typeOf(x).getRank();
  AffineMap whole = b.getMultiDimIdentityMap(rank);
  AffineMap rest = whole.getMajorSubMap(rank - 1);
  SmallVector<OpFoldResult> sizes = sizesOf(x);
  sizes.pop_back();
  Value start = arith::ConstantOp::create(b, b.getF32FloatAttr(float(eps)));
  Value sums = tensor::EmptyOp::create(b, sizes, b.getF32Type());
  sums = linalg::FillOp::create(b, start, sums).getResult(0);
  SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::parallel);
  loops.back() = utils::IteratorType::reduction;
  auto sum = linalg::GenericOp::create(
      b, sums.getType(), ValueRange{x}, ValueRange{sums},
      ArrayRef<AffineMap>{whole, rest}, loops,
      [](OpBuilder &nested, Location loc, ValueRange args) {
        linalg::YieldOp::create(
            nested, loc,
            arith::AddFOp::create(nested, loc, args[0], args[1]).getResult());
      });
  auto dims = llvm::to_vector(llvm::seq<int64_t>(0, rank - 1));
  return combineAlong(
      x, sum.getResult(0), dims,
      [](OpBuilder &nested, Location loc, Value l, Value r) -> Value {
        return arith::DivFOp::create(nested, loc, l, r);
      });
}

Value ModelBuilder::sub(Value x, Value y) {
  return arith::SubFOp::create(b, x, y);
}

Value ModelBuilder::lerp(Value x, Value difference, Value amount) {
  bool whole = typeOf(amount).getRank() == typeOf(x).getRank();
  return add(x, whole ? mul(difference, amount)
                      : mulAlong(difference, amount, {2}));
}

Value ModelBuilder::row(Value w, int64_t number) {
  SmallVector<ReassociationIndices> groups = {{0, 1}};
  for (int64_t d = 2; d < typeOf(w).getRank(); ++d)
    groups.push_back({d});
  return tensor::CollapseShapeOp::create(b, rows(w, number, 1), groups);
}

Value ModelBuilder::columns(Value w, int64_t begin, int64_t count) {
  return sliceWeight(b, w, 1, begin, count);
}

Value ModelBuilder::flatten(Value w) {
  SmallVector<ReassociationIndices> groups(1);
  for (int64_t d = 0; d < typeOf(w).getRank(); ++d)
    groups.front().push_back(d);
  return tensor::CollapseShapeOp::create(b, w, groups);
}

Value ModelBuilder::broadcast(Value x, ArrayRef<int64_t> shape,
                              ArrayRef<int64_t> dims) {
  Value empty = tensor::EmptyOp::create(b, shape, b.getF32Type());
  SmallVector<int64_t> added;
  for (int64_t d = 0; d < int64_t(shape.size()); ++d)
    if (!llvm::is_contained(dims, d))
      added.push_back(d);
  return linalg::BroadcastOp::create(b, x, empty, added)->getResult(0);
}

Value ModelBuilder::sumLast(Value x) {
  SmallVector<OpFoldResult> sizes = sizesOf(x);
  sizes.pop_back();
  Value empty = tensor::EmptyOp::create(b, sizes, b.getF32Type());
  Value zero = linalg::FillOp::create(b, constantOf(b, b.getLoc(), 0), empty)
                   .getResult(0);
  int64_t last = typeOf(x).getRank() - 1;
  auto op = linalg::ReduceOp::create(
      b, x, zero, last, [](OpBuilder &nested, Location loc, ValueRange args) {
        Value sum = arith::AddFOp::create(nested, loc, args[0], args[1]);
        linalg::YieldOp::create(nested, loc, sum);
      });
  return op.getResult(0);
}
