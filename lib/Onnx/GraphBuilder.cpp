//===- GraphBuilder.cpp - what operators are imported with ----------------===//

#include "GraphBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace linnet::onnx {

GraphBuilder::GraphBuilder(MLIRContext &context)
    : b(UnknownLoc::get(&context), &context) {
  context.loadDialect<ir::LinnetDialect, func::FuncDialect, arith::ArithDialect,
                      math::MathDialect, tensor::TensorDialect,
                      linalg::LinalgDialect>();
}

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

Size GraphBuilder::newSymbol(Value value) {
  symbols.push_back(value);
  return Size::symbol(symbols.size() - 1);
}

OpFoldResult GraphBuilder::build(const Size &size) {
  if (size.isStatic())
    return b.getIndexAttr(size.getFactor());
  Value product;
  for (unsigned symbol : size.getSymbols())
    product = product ? arith::MulIOp::create(b, product, symbols[symbol])
                      : symbols[symbol];
  if (size.getFactor() != 1)
    product = arith::MulIOp::create(
        b, product, arith::ConstantIndexOp::create(b, size.getFactor()));
  return product;
}

SmallVector<OpFoldResult> GraphBuilder::build(ArrayRef<Size> sizes) {
  SmallVector<OpFoldResult> built;
  for (const Size &size : sizes)
    built.push_back(build(size));
  return built;
}

RankedTensorType GraphBuilder::typeOf(ArrayRef<Size> sizes,
                                      Type element) const {
  SmallVector<int64_t> shape;
  for (const Size &size : sizes)
    shape.push_back(size.isStatic() ? size.getFactor() : ShapedType::kDynamic);
  return RankedTensorType::get(shape, element);
}

Size GraphBuilder::sum(ArrayRef<Size> sizes) {
  int64_t fixed = 0;
  Value open;
  for (const Size &size : sizes) {
    if (size.isStatic()) {
      if (llvm::AddOverflow(fixed, size.getFactor(), fixed))
        fixed = INT64_MAX;
      continue;
    }
    Value term = cast<Value>(build(size));
    open = open ? arith::AddIOp::create(b, open, term) : term;
  }
  if (!open)
    return fixed;
  if (fixed)
    open = arith::AddIOp::create(b, open,
                                 arith::ConstantIndexOp::create(b, fixed));
  return newSymbol(open);
}

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

Value GraphBuilder::constantOf(const Tensor &tensor) {
  RankedTensorType type = typeOf(tensor.sizes, tensor.element);
  if (tensor.isFloat()) {
    double value = loadAsDouble(tensor.stored->data, tensor.stored->dtype, 0);
    return arith::ConstantOp::create(
        b, DenseElementsAttr::get(type, ArrayRef(float(value))));
  }
  SmallVector<APInt> values;
  unsigned bits = tensor.element.getIntOrFloatBitWidth();
  for (const Size &entry : *tensor.entries)
    values.push_back(APInt(bits, uint64_t(entry.getFactor()),
                           /*isSigned=*/true, /*implicitTrunc=*/true));
  return arith::ConstantOp::create(b, DenseElementsAttr::get(type, values));
}

Value GraphBuilder::read(Tensor &tensor) {
  if (tensor.value)
    return tensor.value;
  if (!tensor.isFloat() || tensor.stored->size() == 1)
    return tensor.value = constantOf(tensor);
  Value weight = readWeight(tensor);
  RankedTensorType wide = typeOf(tensor.sizes, b.getF32Type());
  if (weight.getType() != wide)
    weight = arith::ExtFOp::create(b, wide, weight);
  return tensor.value = weight;
}

Value GraphBuilder::readWeight(Tensor &tensor) {
  if (!tensor.stored || !tensor.isFloat())
    return read(tensor);
  named.emplace(tensor.stored->name, tensor.stored);
  Type element = elementTypeOf(b.getContext(), tensor.stored->dtype);
  return ir::WeightOp::create(
      b, NameLoc::get(b.getStringAttr(tensor.stored->name)),
      typeOf(tensor.sizes, element), tensor.stored->name, Value());
}

Value GraphBuilder::empty(ArrayRef<Size> sizes, Type element) {
  return tensor::EmptyOp::create(b, build(sizes), element);
}

/// A generic over `loops` of which the first are parallel.
static Value buildGeneric(ImplicitLocOpBuilder &b, ValueRange inputs,
                          Value init, ArrayRef<AffineMap> maps,
                          ArrayRef<utils::IteratorType> loops,
                          ElementBody body) {
  return linalg::GenericOp::create(
             b, init.getType(), inputs, init, maps, loops,
             [&](OpBuilder &nested, Location loc, ValueRange args) {
               linalg::YieldOp::create(nested, loc, body(nested, loc, args));
             })
      .getResult(0);
}

Value GraphBuilder::pointwise(MutableArrayRef<Tensor *> inputs,
                              ArrayRef<Size> sizes, Type element,
                              ElementBody body) {
  SmallVector<Value> values;
  bool alike = true;
  for (Tensor *input : inputs) {
    values.push_back(read(*input));
    alike &= ArrayRef(input->sizes) == sizes;
  }
  if (alike)
    return body(b, b.getLoc(), values);
  unsigned rank = sizes.size();
  SmallVector<AffineMap> maps;
  for (Tensor *input : inputs) {
    SmallVector<AffineExpr> place;
    unsigned first = rank - input->rank();
    for (auto [d, size] : llvm::enumerate(input->sizes))
      place.push_back(size == sizes[first + d] ? b.getAffineDimExpr(first + d)
                                               : b.getAffineConstantExpr(0));
    maps.push_back(AffineMap::get(rank, 0, place, b.getContext()));
  }
  maps.push_back(b.getMultiDimIdentityMap(rank));
  SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::parallel);
  return buildGeneric(b, values, empty(sizes, element), maps, loops,
                      [&](OpBuilder &nested, Location loc, ValueRange args) {
                        return body(nested, loc, args.drop_back());
                      });
}

Value GraphBuilder::transpose(const Tensor &x, ArrayRef<int64_t> order) {
  Value source = x.value;
  SmallVector<int64_t> whole(order);
  if (auto before = transpositions.find(source);
      before != transpositions.end()) {
    for (int64_t &dim : whole)
      dim = before->second.order[dim];
    source = before->second.source;
  }
  if (llvm::equal(whole, llvm::seq<int64_t>(0, whole.size())))
    return source;
  Sizes sizes;
  for (int64_t dim : order)
    sizes.push_back(x.sizes[dim]);
  unsigned rank = whole.size();
  // Loops run over the result: dimension whole[d] of the source is loop d.
  SmallVector<AffineExpr> place(rank);
  for (auto [d, dim] : llvm::enumerate(whole))
    place[dim] = b.getAffineDimExpr(d);
  SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::parallel);
  Value result =
      buildGeneric(b, source, empty(sizes, x.element),
                   {AffineMap::get(rank, 0, place, b.getContext()),
                    b.getMultiDimIdentityMap(rank)},
                   loops, [](OpBuilder &, Location, ValueRange args) {
                     return args.front();
                   });
  transpositions[result] = {source, whole};
  return result;
}

Value GraphBuilder::reshape(const Tensor &x, ArrayRef<Size> sizes,
                            ArrayRef<SizeGroup> groups) {
  SmallVector<ReassociationIndices> collapse, expand;
  Sizes middle;
  bool collapses = false, expands = false;
  for (const SizeGroup &group : groups) {
    auto range = [](unsigned begin, unsigned end) {
      return llvm::to_vector<2>(llvm::seq<int64_t>(begin, end));
    };
    collapse.push_back(range(group.from, group.fromEnd));
    expand.push_back(range(group.to, group.toEnd));
    collapses |= collapse.back().size() > 1;
    expands |= expand.back().size() > 1;
    middle.push_back(productOf(sizes.slice(group.to, group.toEnd - group.to)));
  }
  // Nothing pairs with a scalar's dimensions.
  if (groups.empty()) {
    collapses = !x.sizes.empty();
    expands = !sizes.empty();
  }
  Value value = x.value;
  if (collapses) {
    // Entries that lie apart cannot be one dimension: the identity gathers
    // them.
    if (value.getDefiningOp<tensor::ExtractSliceOp>() && x.isFloat())
      value = ir::ActivationOp::create(b, ir::Activation::Identity, value);
    value = tensor::CollapseShapeOp::create(b, typeOf(middle, x.element), value,
                                            collapse);
  }
  if (expands)
    value = tensor::ExpandShapeOp::create(b, typeOf(sizes, x.element), value,
                                          expand, build(sizes));
  return value;
}

Tensor GraphBuilder::reshaped(const Tensor &x, ArrayRef<Size> sizes) {
  auto groups = groupSizes(x.sizes, sizes);
  assert(groups && "the caller knows that the sizes fit");
  return {Sizes(sizes), x.element, reshape(x, sizes, *groups)};
}

Tensor GraphBuilder::slice(const Tensor &x, int64_t dim, const Size &offset,
                           const Size &count, int64_t step) {
  Tensor result{x.sizes, x.element};
  result.sizes[dim] = count;
  SmallVector<OpFoldResult> offsets(x.rank(), b.getIndexAttr(0)),
      strides(x.rank(), b.getIndexAttr(1));
  offsets[dim] = build(offset);
  strides[dim] = b.getIndexAttr(step);
  result.value = tensor::ExtractSliceOp::create(
      b, typeOf(result.sizes, x.element), x.value, offsets, build(result.sizes),
      strides);
  return result;
}

Tensor GraphBuilder::concat(ArrayRef<Tensor> parts, int64_t dim,
                            const Size &total) {
  Tensor result{parts.front().sizes, parts.front().element};
  result.sizes[dim] = total;
  SmallVector<Value> values;
  for (const Tensor &part : parts)
    values.push_back(part.value);
  result.value = tensor::ConcatOp::create(
      b, typeOf(result.sizes, result.element), dim, values);
  return result;
}

Tensor GraphBuilder::repeat(const Tensor &x, int64_t dim, int64_t times) {
  Sizes sizes = x.sizes;
  sizes.insert(sizes.begin() + dim + 1, Size(times));
  unsigned rank = sizes.size();
  AffineMap once = b.getMultiDimIdentityMap(rank).dropResult(dim + 1);
  SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::parallel);
  Tensor wide{sizes, x.element};
  wide.value = buildGeneric(
      b, x.value, empty(sizes, x.element),
      {once, b.getMultiDimIdentityMap(rank)}, loops,
      [](OpBuilder &, Location, ValueRange args) { return args.front(); });
  Sizes flat = x.sizes;
  flat[dim] = flat[dim] * times;
  return reshaped(wide, flat);
}

Value GraphBuilder::scalar(double value) {
  return arith::ConstantOp::create(b, b.getF32FloatAttr(float(value)));
}

Tensor GraphBuilder::reduce(const Tensor &x, ArrayRef<int64_t> axes,
                            double start, ElementBody combine) {
  unsigned rank = x.rank();
  Sizes kept, ones = x.sizes;
  SmallVector<AffineExpr> place;
  SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::parallel);
  for (int64_t axis : axes)
    loops[axis] = utils::IteratorType::reduction;
  for (unsigned d = 0; d < rank; ++d) {
    if (loops[d] == utils::IteratorType::reduction) {
      ones[d] = 1;
      continue;
    }
    kept.push_back(x.sizes[d]);
    place.push_back(b.getAffineDimExpr(d));
  }
  Value init = linalg::FillOp::create(b, scalar(start), empty(kept, x.element))
                   .getResult(0);
  Tensor narrow{kept, x.element};
  narrow.value = buildGeneric(b, x.value, init,
                              {b.getMultiDimIdentityMap(rank),
                               AffineMap::get(rank, 0, place, b.getContext())},
                              loops, combine);
  return reshaped(narrow, ones);
}

} // namespace linnet::onnx
