//===- GlueVector.cpp - pieces of recurrences over vectors ----------------===//

#include "ModelBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace ::linnet;

/// A computation whose results have the type of `init`.
static Value
generic(ImplicitLocOpBuilder &b, ValueRange inputs, Value init,
        ArrayRef<ArrayRef<unsigned>> places, unsigned reduced,
        function_ref<Value(ImplicitLocOpBuilder &, ValueRange)> body) {
  unsigned rank = cast<RankedTensorType>(init.getType()).getRank();
  unsigned loops = rank + reduced;
  SmallVector<AffineMap> maps;
  for (ArrayRef<unsigned> place : places) {
    SmallVector<AffineExpr> dims;
    for (unsigned dim : place)
      dims.push_back(b.getAffineDimExpr(dim));
    maps.push_back(AffineMap::get(loops, 0, dims, b.getContext()));
  }
  maps.push_back(AffineMap::getMultiDimIdentityMap(loops, b.getContext())
                     .getMajorSubMap(rank));
  SmallVector<utils::IteratorType> kinds(rank, utils::IteratorType::parallel);
  kinds.append(reduced, utils::IteratorType::reduction);
  auto op = linalg::GenericOp::create(
      b, init.getType(), inputs, init, maps, kinds,
      [&](OpBuilder &nested, Location loc, ValueRange args) {
        ImplicitLocOpBuilder inner(loc, nested);
        linalg::YieldOp::create(inner, body(inner, args));
      });
  return op.getResult(0);
}

Value ModelBuilder::negative(Value x) { return arith::NegFOp::create(b, x); }

Value ModelBuilder::linearPerHead(Value x, StringRef weightName,
                                  StringRef biasName, int64_t heads) {
  x = splitHeads(x, heads);
  int64_t width = cast<RankedTensorType>(x.getType()).getDimSize(3);
  Value w = wideWeight(weightName, {heads, width, width});
  Value bias = wideWeight(biasName, {heads, width});
  Value start =
      generic(b, bias, emptyLike(x), {{2, 3}}, /*reduced=*/0,
              [](ImplicitLocOpBuilder &, ValueRange args) { return args[0]; });
  Value y = generic(b, {x, w}, start, {{0, 1, 2, 4}, {2, 4, 3}}, /*reduced=*/1,
                    [](ImplicitLocOpBuilder &inner, ValueRange args) -> Value {
                      Value product =
                          arith::MulFOp::create(inner, args[0], args[1]);
                      return arith::AddFOp::create(inner, args[2], product);
                    });
  return mergeHeads(y);
}

Value ModelBuilder::vectorScan(Value x, Value step, Value rate) {
  // A state of one row: with q = k = 1 it is the vector itself.
  auto type = RankedTensorType::get({1, 1, 1, 1}, b.getF32Type());
  Value one = arith::ConstantOp::create(b, DenseElementsAttr::get(type, 1.0f));
  auto transition = ir::FullTransitionAttr::get(b.getContext());
  return mergeHeads(scan(one, one, splitHeads(x, 1), transition,
                         {splitHeads(step, 1), prependUnits(rate, 4)}));
}

Value ModelBuilder::keepVariance(Value x, Value logDecay, Value position) {
  SmallVector<OpFoldResult> sizes = sizesOf(x);
  sizes.truncate(2);
  Value shape = tensor::EmptyOp::create(b, sizes, b.getI32Type());
  Value numbers = positions(shape, position);
  return generic(
      b, {x, logDecay, numbers}, emptyLike(x), {{0, 1, 2}, {0, 1, 2}, {0, 1}},
      /*reduced=*/0, [](ImplicitLocOpBuilder &inner, ValueRange args) -> Value {
        Value twice = arith::AddFOp::create(inner, args[1], args[1]);
        // -expm1(2 log a) is 1 - a^2 without cancellation where a is near 1.
        Value rest = arith::NegFOp::create(
            inner, math::ExpM1Op::create(inner, twice).getResult());
        Value scaled = arith::MulFOp::create(
            inner, args[0], math::SqrtOp::create(inner, rest).getResult());
        Value zero =
            arith::ConstantOp::create(inner, inner.getI32IntegerAttr(0));
        Value isFirst = arith::CmpIOp::create(inner, arith::CmpIPredicate::eq,
                                              args[2], zero);
        return arith::SelectOp::create(inner, isFirst, args[0], scaled);
      });
}

Value ModelBuilder::atEveryToken(Value x, Value w) {
  SmallVector<OpFoldResult> sizes = sizesOf(x);
  sizes.truncate(2);
  for (int64_t size : cast<RankedTensorType>(w.getType()).getShape())
    sizes.push_back(b.getIndexAttr(size));
  Value empty = tensor::EmptyOp::create(b, sizes, b.getF32Type());
  return generic(
      b, w, empty, {{2, 3}}, /*reduced=*/0,
      [](ImplicitLocOpBuilder &, ValueRange args) { return args[0]; });
}
