//===- Linear.cpp - products of matrices ----------------------------------===//

#include "Node.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;

namespace linnet::onnx {

/// Whether `x` is a matrix of the model: linnet.linear has kernels for those.
static bool isWeight(const Tensor &x) {
  return x.stored && x.isFloat() && x.rank() == 2 && x.stored->size() > 1;
}

static Tensor linear(GraphBuilder &g, Tensor &x, Tensor &weight,
                     ir::Storage storage, Value bias = {}) {
  Sizes sizes = x.sizes;
  sizes.back() = weight.sizes[storage == ir::Storage::InOut ? 1 : 0];
  auto structure = ir::DenseStructureAttr::get(g.b.getContext(), storage);
  return {sizes, x.element,
          ir::LinearOp::create(g.b, g.read(x), ValueRange{g.readWeight(weight)},
                               bias, structure)};
}

/// The product over the last of `a` and the one before the last of `b`, the
/// dimensions before them as in `batch`.
static Tensor contract(GraphBuilder &g, Tensor &a, Tensor &b,
                       ArrayRef<Size> batch) {
  unsigned outer = batch.size(), m = outer, n = outer + 1, k = outer + 2;
  ImplicitLocOpBuilder &builder = g.b;
  auto mapOf = [&](const Tensor &x, unsigned first, unsigned second) {
    SmallVector<AffineExpr> place;
    unsigned own = x.rank() - 2;
    for (unsigned d = 0; d < own; ++d)
      place.push_back(x.sizes[d] == batch[outer - own + d]
                          ? builder.getAffineDimExpr(outer - own + d)
                          : builder.getAffineConstantExpr(0));
    place.push_back(builder.getAffineDimExpr(first));
    place.push_back(builder.getAffineDimExpr(second));
    return AffineMap::get(outer + 3, 0, place, builder.getContext());
  };
  Tensor result{Sizes(batch), a.element};
  result.sizes.push_back(a.sizes[a.rank() - 2]);
  result.sizes.push_back(b.sizes.back());
  SmallVector<utils::IteratorType> loops(outer + 2,
                                         utils::IteratorType::parallel);
  loops.push_back(utils::IteratorType::reduction);
  Value left = g.read(a), right = g.read(b);
  Value init = linalg::FillOp::create(builder, g.scalar(0),
                                      g.empty(result.sizes, result.element))
                   .getResult(0);
  SmallVector<AffineMap> maps = {
      mapOf(a, m, k), mapOf(b, k, n),
      AffineMap::getMultiDimIdentityMap(outer + 3, builder.getContext())
          .getMajorSubMap(outer + 2)};
  result.value =
      linalg::GenericOp::create(
          builder, init.getType(), ValueRange{left, right}, init, maps, loops,
          [](OpBuilder &nested, Location loc, ValueRange args) {
            Value product =
                arith::MulFOp::create(nested, loc, args[0], args[1]);
            Value sum = arith::AddFOp::create(nested, loc, args[2], product);
            linalg::YieldOp::create(nested, loc, sum);
          })
          .getResult(0);
  return result;
}

void importMatMul(Node &node) {
  Tensor &a = node.input(0), &b = node.input(1);
  if (!node.require(a.isFloat() && b.isFloat() && a.rank() >= 1 &&
                        b.rank() >= 2 && (a.rank() >= 2 || isWeight(b)) &&
                        a.sizes.back() == b.sizes[b.rank() - 2],
                    "expected matrices that multiply, but got ",
                    formatSizes(a.sizes), " and ", formatSizes(b.sizes)))
    return;
  if (isWeight(b)) {
    node.set(0, linear(node.g, a, b, ir::Storage::InOut));
    return;
  }
  Sizes batch(ArrayRef(a.sizes).drop_back(2));
  if (a.rank() < b.rank())
    batch.insert(batch.begin(), b.rank() - a.rank(), Size(1));
  size_t first = batch.size() - (b.rank() - 2);
  for (int64_t d = 0; d + 2 < b.rank(); ++d) {
    Size &into = batch[first + d];
    node.require(into == b.sizes[d] || into.is(1) || b.sizes[d].is(1),
                 "expected batches that broadcast, but got ",
                 formatSizes(a.sizes), " and ", formatSizes(b.sizes));
    if (into.is(1))
      into = b.sizes[d];
  }
  if (node.ok())
    node.set(0, contract(node.g, a, b, batch));
}

/// factor * x.
static Tensor scaled(GraphBuilder &g, Tensor x, double factor) {
  if (factor == 1)
    return x;
  Tensor number{{}, g.b.getF32Type()};
  number.value = arith::ConstantOp::create(
      g.b, DenseElementsAttr::get(g.typeOf({}, number.element), float(factor)));
  Tensor *operands[] = {&x, &number};
  Sizes sizes = x.sizes;
  Value value = g.pointwise(
      operands, sizes, x.element,
      [](OpBuilder &b, Location loc, ValueRange args) {
        return arith::MulFOp::create(b, loc, args[0], args[1]).getResult();
      });
  return {sizes, x.element, value};
}

void importGemm(Node &node) {
  GraphBuilder &g = node.g;
  bool transA = node.integer("transA", 0), transB = node.integer("transB", 0);
  double alpha = node.number("alpha", 1), beta = node.number("beta", 1);
  Tensor &b = node.input(1);
  Tensor a = node.input(0);
  if (!node.ok() ||
      !node.require(a.isFloat() && b.isFloat() && a.rank() == 2 &&
                        b.rank() == 2 &&
                        a.sizes[transA ? 0 : 1] == b.sizes[transB ? 1 : 0],
                    "expected matrices that multiply, but got ",
                    formatSizes(a.sizes), " and ", formatSizes(b.sizes)))
    return;
  constexpr int64_t swap[] = {1, 0};
  auto swapped = [&](Tensor x) -> Tensor {
    g.read(x);
    return {{x.sizes[1], x.sizes[0]}, x.element, g.transpose(x, swap)};
  };
  if (transA)
    a = swapped(a);
  Sizes sizes = {a.sizes[0], b.sizes[transB ? 0 : 1]};
  bool biased = node.has(2);
  if (biased) {
    const Sizes &c = node.input(2).sizes;
    bool fits = c.size() <= 2 && node.input(2).isFloat();
    for (size_t d = 0; fits && d < c.size(); ++d)
      fits = c[d].is(1) || c[d] == sizes[2 - c.size() + d];
    if (!node.require(fits, "expected a bias for ", formatSizes(sizes),
                      ", but got ", formatSizes(c)))
      return;
  }
  // The usual case is one operation.
  bool plain = biased && alpha == 1 && beta == 1 && node.input(2).rank() == 1 &&
               node.input(2).stored && node.input(2).sizes[0] == sizes[1];
  Tensor result;
  if (isWeight(b)) {
    result = linear(g, a, b, transB ? ir::Storage::OutIn : ir::Storage::InOut,
                    plain ? g.readWeight(node.input(2)) : Value());
  } else {
    Tensor right = transB ? swapped(b) : b;
    result = contract(g, a, right, {});
    plain = false;
  }
  result = scaled(g, result, alpha);
  if (biased && !plain) {
    node.operand(2);
    Tensor bias = scaled(g, node.input(2), beta);
    Tensor *operands[] = {&result, &bias};
    result.value = g.pointwise(
        operands, sizes, result.element,
        [](OpBuilder &b, Location loc, ValueRange args) {
          return arith::AddFOp::create(b, loc, args[0], args[1]).getResult();
        });
  }
  node.set(0, result);
}

} // namespace linnet::onnx
