//===- Norm.cpp - normalisations and reductions ---------------------------===//

#include "Node.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <limits>

using namespace mlir;

namespace linnet::onnx {

static Value addOf(OpBuilder &b, Location loc, ValueRange args) {
  return arith::AddFOp::create(b, loc, args[0], args[1]);
}
static Value maxOf(OpBuilder &b, Location loc, ValueRange args) {
  return arith::MaximumFOp::create(b, loc, args[0], args[1]);
}

/// body(x, y) in x's sizes.
static Tensor along(GraphBuilder &g, Tensor x, Tensor y, ElementBody body) {
  Tensor *operands[] = {&x, &y};
  Sizes sizes = x.sizes;
  return {sizes, x.element, g.pointwise(operands, sizes, x.element, body)};
}

void importSoftmax(Node &node) {
  GraphBuilder &g = node.g;
  if (!node.require(node.input(0).isFloat(), "expected floats, but got "
                                             "integers"))
    return;
  int64_t axis =
      node.normalizeAxis(node.integer("axis", -1), node.input(0).rank());
  if (!node.ok())
    return;
  Tensor x = node.operand(0);
  Tensor most =
      g.reduce(x, axis, -std::numeric_limits<double>::infinity(), maxOf);
  Tensor powers =
      along(g, x, most, [](OpBuilder &b, Location loc, ValueRange args) {
        Value below = arith::SubFOp::create(b, loc, args[0], args[1]);
        return math::ExpOp::create(b, loc, below).getResult();
      });
  node.set(0, along(g, powers, g.reduce(powers, axis, 0, addOf),
                    [](OpBuilder &b, Location loc, ValueRange args) {
                      return arith::DivFOp::create(b, loc, args[0], args[1])
                          .getResult();
                    }));
}

//===----------------------------------------------------------------------===//
// Norms of the last dimension
//===----------------------------------------------------------------------===//

static void setNorm(Node &node, ir::NormKind kind) {
  // Statistics are taken in f32 anyway.
  node.ignore({"stash_type"});
  Tensor &x = node.input(0);
  int64_t axis = node.normalizeAxis(node.integer("axis", -1), x.rank());
  double eps = node.number("epsilon", 1e-5f);
  node.require(x.isFloat(), "expected floats, but got integers");
  node.require(axis == x.rank() - 1,
               "expected a norm of the last dimension, but got axis ", axis,
               " of ", formatSizes(x.sizes));
  node.require(eps > 0, "expected a positive epsilon, but got ", eps);
  if (!node.ok())
    return;
  node.requireSizes(1, "a scale", {x.sizes.back()});
  node.requireSizes(2, "a bias", {x.sizes.back()});
  for (unsigned i : {1, 2})
    node.require(!node.has(i) || node.input(i).isFloat(),
                 "expected floats, but got integers");
  if (!node.ok())
    return;
  GraphBuilder &g = node.g;
  Value bias = node.has(2) ? g.readWeight(node.input(2)) : Value();
  node.set(0, {x.sizes, x.element,
               ir::NormOp::create(g.b, kind, node.operand(0).value,
                                  g.readWeight(node.input(1)), bias, Value(),
                                  llvm::APFloat(eps))});
}

void importRmsNorm(Node &node) { setNorm(node, ir::NormKind::Rms); }
void importLayerNorm(Node &node) { setNorm(node, ir::NormKind::Layer); }

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

namespace {
/// What the reductions of ONNX do beside combining.
struct Reduction {
  double start;
  Value (*combine)(OpBuilder &, Location, ValueRange);
  /// Before and after, or null.
  Value (*before)(OpBuilder &, Location, ValueRange) = nullptr;
  Value (*after)(OpBuilder &, Location, ValueRange) = nullptr;
  bool mean = false;
};
} // namespace

static Tensor map(GraphBuilder &g, Tensor x,
                  Value (*body)(OpBuilder &, Location, ValueRange)) {
  if (body)
    x.value = body(g.b, g.b.getLoc(), x.value);
  return x;
}

/// Axes are an attribute before opset `since`, then an input.
static void setReduction(Node &node, int64_t since, Reduction reduction) {
  GraphBuilder &g = node.g;
  Tensor &x = node.input(0);
  bool keep = node.integer("keepdims", 1);
  bool none = node.integer("noop_with_empty_axes", 0);
  SmallVector<int64_t> axes;
  if (node.opset < since)
    axes = node.integers("axes");
  else if (node.has(1))
    axes = node.integersOf(1, "axes");
  axes = node.normalizeAxes(axes, x.rank());
  node.require(x.isFloat(), "expected floats, but got integers");
  if (axes.empty()) {
    node.require(!none, "expected axes, but got none");
    axes = llvm::to_vector(llvm::seq<int64_t>(0, x.rank()));
  }
  Size count;
  for (int64_t axis : axes)
    if (node.ok())
      count = count * x.sizes[axis];
  node.require(!reduction.mean || (count.isStatic() && !count.is(0)),
               "expected a mean over static sizes, but got ",
               formatSizes(x.sizes));
  if (!node.ok())
    return;
  Tensor result = g.reduce(map(g, node.operand(0), reduction.before), axes,
                           reduction.start, reduction.combine);
  result = map(g, result, reduction.after);
  if (reduction.mean) {
    Tensor number{{}, x.element};
    number.value = arith::ConstantOp::create(
        g.b, DenseElementsAttr::get(g.typeOf({}, x.element),
                                    float(count.getFactor())));
    result = along(
        g, result, number, [](OpBuilder &b, Location loc, ValueRange args) {
          return arith::DivFOp::create(b, loc, args[0], args[1]).getResult();
        });
  }
  if (!keep) {
    Sizes sizes;
    for (auto [d, size] : llvm::enumerate(x.sizes))
      if (!llvm::is_contained(axes, d))
        sizes.push_back(size);
    result = g.reshaped(result, sizes);
  }
  node.set(0, result);
}

static Value squareOf(OpBuilder &b, Location loc, ValueRange args) {
  return arith::MulFOp::create(b, loc, args[0], args[0]);
}
static Value rootOf(OpBuilder &b, Location loc, ValueRange args) {
  return math::SqrtOp::create(b, loc, args[0]);
}

void importReduceMean(Node &node) {
  setReduction(node, 18, {.start = 0, .combine = addOf, .mean = true});
}
void importReduceSum(Node &node) {
  setReduction(node, 13, {.start = 0, .combine = addOf});
}
void importReduceSumSquare(Node &node) {
  setReduction(node, 18, {.start = 0, .combine = addOf, .before = squareOf});
}
void importReduceL2(Node &node) {
  setReduction(
      node, 18,
      {.start = 0, .combine = addOf, .before = squareOf, .after = rootOf});
}
void importReduceMax(Node &node) {
  setReduction(
      node, 18,
      {.start = -std::numeric_limits<double>::infinity(), .combine = maxOf});
}

} // namespace linnet::onnx
