//===- Shape.cpp - operators that move entries ----------------------------===//
//
// Where the input is a vector of integers known at import, so is the output:
// that is how shapes that are computed in the graph become sizes.
//
//===----------------------------------------------------------------------===//

#include "Node.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <array>
#include <limits>

using namespace mlir;

namespace linnet::onnx {

/// Input 0 in another shape of as many entries.
static void setReshaped(Node &node, ArrayRef<Size> sizes) {
  Tensor &x = node.input(0);
  auto groups = groupSizes(x.sizes, sizes);
  if (!node.require(groups.has_value(),
                    "expected a shape of as many entries "
                    "as ",
                    formatSizes(x.sizes), ", but got ", formatSizes(sizes)))
    return;
  Tensor result{Sizes(sizes), x.element};
  if (x.entries)
    result.entries = x.entries;
  else
    result.value = node.g.reshape(node.operand(0), sizes, *groups);
  node.set(0, result);
}

void importReshape(Node &node) {
  bool allowZero = node.integer("allowzero", 0);
  SmallVector<Size> shape = node.entries(1, "a shape");
  if (!node.ok())
    return;
  Tensor &x = node.input(0);
  std::optional<Sizes> sizes = resolveReshape(x.sizes, shape, allowZero);
  if (node.require(sizes.has_value(), "expected a shape for ",
                   formatSizes(x.sizes), ", but got ", formatSizes(shape)))
    setReshaped(node, *sizes);
}

void importFlatten(Node &node) {
  Tensor &x = node.input(0);
  int64_t axis = node.integer("axis", 1);
  if (axis != x.rank())
    axis = node.normalizeAxis(axis, x.rank());
  if (node.ok())
    setReshaped(node, {productOf(ArrayRef(x.sizes).take_front(axis)),
                       productOf(ArrayRef(x.sizes).drop_front(axis))});
}

/// Axes of an attribute, as older opsets have them, or of input 1.
static SmallVector<int64_t> readAxes(Node &node) {
  if (node.opset < 13)
    return node.integers("axes");
  return node.has(1) ? node.integersOf(1, "axes") : SmallVector<int64_t>();
}

void importSqueeze(Node &node) {
  Tensor &x = node.input(0);
  SmallVector<int64_t> axes = node.normalizeAxes(readAxes(node), x.rank());
  if (!node.ok())
    return;
  Sizes sizes;
  for (auto [d, size] : llvm::enumerate(x.sizes)) {
    bool drop = axes.empty() ? size.is(1) : llvm::is_contained(axes, d);
    node.require(!drop || size.is(1), "expected axis ", d,
                 " of size 1, but got ", formatSizes(x.sizes));
    if (!drop)
      sizes.push_back(size);
  }
  if (node.ok())
    setReshaped(node, sizes);
}

void importUnsqueeze(Node &node) {
  Tensor &x = node.input(0);
  SmallVector<int64_t> axes = readAxes(node);
  int64_t rank = x.rank() + int64_t(axes.size());
  axes = node.normalizeAxes(axes, rank);
  if (!node.ok())
    return;
  Sizes sizes = x.sizes;
  for (int64_t axis : axes)
    sizes.insert(sizes.begin() + axis, Size(1));
  setReshaped(node, sizes);
}

void importTranspose(Node &node) {
  Tensor &x = node.operand(0);
  SmallVector<int64_t> order = node.integers("perm");
  if (order.empty())
    order = llvm::to_vector(llvm::reverse(llvm::seq<int64_t>(0, x.rank())));
  SmallVector<int64_t> sorted(order);
  llvm::sort(sorted);
  if (!node.require(llvm::equal(sorted, llvm::seq<int64_t>(0, x.rank())),
                    "expected a permutation of ", x.rank(),
                    " dimensions, but got another"))
    return;
  Sizes sizes;
  for (int64_t dim : order)
    sizes.push_back(x.sizes[dim]);
  node.set(0, {sizes, x.element, node.g.transpose(x, order)});
}

void importExpand(Node &node) {
  SmallVector<Size> shape = node.entries(1, "a shape");
  Tensor &x = node.input(0);
  Sizes sizes(ArrayRef<Size>{shape});
  if (int64_t more = x.rank() - int64_t(sizes.size()); more > 0)
    sizes.insert(sizes.begin(), more, Size(1));
  size_t first = sizes.size() - x.sizes.size();
  for (auto [d, size] : llvm::enumerate(x.sizes)) {
    Size &into = sizes[first + d];
    node.require(size.is(1) || into.is(1) || size == into,
                 "expected a shape that ", formatSizes(x.sizes),
                 " broadcasts to, but got ", formatSizes(shape));
    if (into.is(1))
      into = size;
  }
  for (const Size &size : sizes)
    node.require(size.getFactor() >= 0, "expected sizes, but got ",
                 formatSizes(shape));
  if (!node.ok())
    return;
  Tensor *operand = &x;
  node.set(0, {sizes, x.element,
               node.g.pointwise(operand, sizes, x.element,
                                [](OpBuilder &, Location, ValueRange args) {
                                  return args.front();
                                })});
}

void importShape(Node &node) {
  Tensor &x = node.input(0);
  auto bound = [&](const char *name, int64_t dflt) {
    int64_t at = node.integer(name, dflt);
    return std::clamp<int64_t>(at < 0 ? std::max(at, -x.rank()) + x.rank() : at,
                               0, x.rank());
  };
  int64_t start = bound("start", 0), end = bound("end", x.rank());
  int64_t count = std::max<int64_t>(end - start, 0);
  Tensor result{{count}, node.g.b.getI64Type()};
  result.entries.emplace();
  llvm::append_range(*result.entries, ArrayRef(x.sizes).slice(start, count));
  node.set(0, result);
}

} // namespace linnet::onnx
