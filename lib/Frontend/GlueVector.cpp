//===- GlueVector.cpp - pieces of recurrences over vectors ----------------===//

#include "ModelBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <limits>

using namespace mlir;
using namespace ::linnet;

/// In a place, the first entry of a dimension.
constexpr unsigned kFirst = ~0u;

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
      dims.push_back(dim == kFirst ? b.getAffineConstantExpr(0)
                                   : b.getAffineDimExpr(dim));
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

Value ModelBuilder::exp(Value x) { return math::ExpOp::create(b, x); }

Value ModelBuilder::abs(Value x) { return math::AbsFOp::create(b, x); }

Value ModelBuilder::divAlong(Value x, Value w, ArrayRef<int64_t> dims) {
  return combineAlong(
      x, w, dims,
      [](OpBuilder &nested, Location loc, Value l, Value r) -> Value {
        return arith::DivFOp::create(nested, loc, l, r);
      });
}

Value ModelBuilder::maximumAtStart(Value x, Value first, Value position) {
  SmallVector<OpFoldResult> sizes = sizesOf(x);
  sizes.truncate(2);
  Value shape = tensor::EmptyOp::create(b, sizes, b.getI32Type());
  Value numbers = positions(shape, position);
  return generic(
      b, {x, first, numbers}, emptyLike(x), {{0, 1, 2}, {0, 1, 2}, {0, 1}},
      /*reduced=*/0, [](ImplicitLocOpBuilder &inner, ValueRange args) -> Value {
        Value larger = arith::MaximumFOp::create(inner, args[0], args[1]);
        Value zero =
            arith::ConstantOp::create(inner, inner.getI32IntegerAttr(0));
        Value isFirst = arith::CmpIOp::create(inner, arith::CmpIPredicate::eq,
                                              args[2], zero);
        return arith::SelectOp::create(inner, isFirst, larger, args[0]);
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

static Value real(ImplicitLocOpBuilder &b, double value) {
  return arith::ConstantOp::create(b, b.getF32FloatAttr(float(value)));
}

Value ModelBuilder::softmax(Value x) {
  constexpr double kLowest = -std::numeric_limits<double>::infinity();
  unsigned rank = cast<RankedTensorType>(x.getType()).getRank();
  auto all = llvm::to_vector(llvm::seq<unsigned>(0, rank));
  SmallVector<OpFoldResult> sizes = sizesOf(x);
  sizes.pop_back();
  Value lowest = tensor::EmptyOp::create(b, sizes, b.getF32Type());
  lowest = linalg::FillOp::create(b, real(b, kLowest), lowest).getResult(0);
  Value largest =
      generic(b, x, lowest, ArrayRef<unsigned>(all), /*reduced=*/1,
              [](ImplicitLocOpBuilder &inner, ValueRange args) -> Value {
                return arith::MaximumFOp::create(inner, args[0], args[1]);
              });
  Value powers = generic(
      b, {x, largest}, emptyLike(x), {all, ArrayRef<unsigned>(all).drop_back()},
      /*reduced=*/0, [](ImplicitLocOpBuilder &inner, ValueRange args) -> Value {
        Value below = arith::SubFOp::create(inner, args[0], args[1]);
        return math::ExpOp::create(inner, below);
      });
  return sumNorm(powers, 0);
}

Value ModelBuilder::oneMinusExp(Value x) {
  return negative(math::ExpM1Op::create(b, x));
}

Value ModelBuilder::logOneMinus(Value x) {
  return math::Log1pOp::create(b, negative(x));
}

Value ModelBuilder::shareOfLaterLayers(Value table) {
  auto type = cast<RankedTensorType>(table.getType());
  Value unit =
      tensor::EmptyOp::create(b, ArrayRef<int64_t>{1, 1}, b.getI32Type());
  Value current = flat(positions(unit, layer));
  // A reduction over the layers from `start`; its body gets one entry and the
  // result so far, and the numbers of its layer and of the current one.
  auto reduce = [&](double start, ValueRange inputs,
                    ArrayRef<ArrayRef<unsigned>> places, auto body) {
    Value init = tensor::EmptyOp::create(
        b, ArrayRef<int64_t>{type.getDimSize(1)}, b.getF32Type());
    init = linalg::FillOp::create(b, real(b, start), init).getResult(0);
    return generic(b, inputs, init, places, /*reduced=*/1, body);
  };
  Value largest =
      reduce(-std::numeric_limits<double>::infinity(), table, {{1, 0}},
             [](ImplicitLocOpBuilder &inner, ValueRange args) -> Value {
               return arith::MaximumFOp::create(inner, args[0], args[1]);
             });
  auto power = [](ImplicitLocOpBuilder &inner, Value entry, Value top) {
    return math::ExpOp::create(inner, arith::SubFOp::create(inner, entry, top))
        .getResult();
  };
  Value whole =
      reduce(0, {table, largest}, {{1, 0}, {0}},
             [&](ImplicitLocOpBuilder &inner, ValueRange args) -> Value {
               return arith::AddFOp::create(inner, args[2],
                                            power(inner, args[0], args[1]));
             });
  Value part =
      reduce(0, {table, largest, current}, {{1, 0}, {0}, {kFirst}},
             [&](ImplicitLocOpBuilder &inner, ValueRange args) -> Value {
               Value number = arith::IndexCastOp::create(
                   inner, inner.getI32Type(),
                   linalg::IndexOp::create(inner, 1).getResult());
               Value zero =
                   arith::ConstantOp::create(inner, inner.getI32IntegerAttr(0));
               Value counts = arith::AndIOp::create(
                   inner,
                   arith::CmpIOp::create(inner, arith::CmpIPredicate::sgt,
                                         number, zero),
                   arith::CmpIOp::create(inner, arith::CmpIPredicate::sle,
                                         number, args[2]));
               Value more = arith::AddFOp::create(
                   inner, args[3], power(inner, args[0], args[1]));
               return arith::SelectOp::create(inner, counts, more, args[3]);
             });
  Value empty = tensor::EmptyOp::create(
      b, ArrayRef<int64_t>{type.getDimSize(1)}, b.getF32Type());
  return generic(
      b, {part, whole}, empty, {{0}, {0}}, /*reduced=*/0,
      [](ImplicitLocOpBuilder &inner, ValueRange args) -> Value {
        Value share = arith::DivFOp::create(inner, args[0], args[1]);
        Value rest = arith::SubFOp::create(inner, real(inner, 1), share);
        return arith::MaximumFOp::create(inner, rest, real(inner, 0));
      });
}

std::pair<Value, Value> ModelBuilder::runningMean(Value x) {
  auto running = ir::LogCumsumExpOp::create(b, x, /*decay=*/Value(),
                                            /*initial=*/Value());
  Value z = running.getResult();
  Value weight = math::ExpOp::create(b, sub(x, z));
  return {weight, sub(running.getBefore(), z)};
}
