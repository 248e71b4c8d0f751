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

//===----------------------------------------------------------------------===//
// Parts
//===----------------------------------------------------------------------===//

/// Where `bound` of a slice lies in a dimension of `size`, or nothing if that
/// hangs on the size. Runs have one token at least, so one entry from either
/// end is within.
static std::optional<Size> clampBound(GraphBuilder &g, int64_t bound,
                                      const Size &size) {
  if (size.isStatic()) {
    int64_t end = size.getFactor();
    // Not a sum: the least number plus a size may be as far off.
    return std::clamp<int64_t>(bound < 0 ? std::max(bound, -end) + end : bound,
                               0, end);
  }
  if (bound == 0 || bound == 1)
    return Size(bound);
  if (bound == -1)
    return g.sum({size, -1});
  // The largest numbers stand for the end.
  if (bound >= std::numeric_limits<int32_t>::max())
    return size;
  return std::nullopt;
}

void importSlice(Node &node) {
  Tensor &x = node.input(0);
  SmallVector<int64_t> starts, ends, axes, steps;
  if (node.opset < 10) {
    starts = node.integers("starts");
    ends = node.integers("ends");
    axes = node.integers("axes");
  } else {
    starts = node.integersOf(1, "starts");
    ends = node.integersOf(2, "ends");
    if (node.has(3))
      axes = node.integersOf(3, "axes");
    if (node.has(4))
      steps = node.integersOf(4, "steps");
  }
  if (axes.empty())
    axes = llvm::to_vector(llvm::seq<int64_t>(0, starts.size()));
  if (steps.empty())
    steps.assign(starts.size(), 1);
  if (!node.ok() ||
      !node.require(ends.size() == starts.size() &&
                        axes.size() == starts.size() &&
                        steps.size() == starts.size(),
                    "expected as many starts as ends, axes and steps, but got "
                    "others"))
    return;
  Tensor result = x.entries ? x : node.operand(0);
  for (auto [start, end, axis, step] : llvm::zip(starts, ends, axes, steps)) {
    int64_t dim = node.normalizeAxis(axis, x.rank());
    if (!node.require(step > 0, "expected positive steps, but got ", step) ||
        !node.ok())
      return;
    const Size size = result.sizes[dim];
    std::optional<Size> from = clampBound(node.g, start, size),
                        to = clampBound(node.g, end, size);
    if (!node.require(from && to,
                      "expected bounds that are known for an open "
                      "size (--dim NAME=N fixes it), but got ",
                      start, " to ", end))
      return;
    Size count = *from == *to ? Size(0) : *to;
    if (from->isStatic() && to->isStatic())
      count = (std::max<int64_t>(to->getFactor() - from->getFactor(), 0) +
               step - 1) /
              step;
    else if (!node.require(step == 1 || (from->is(0) && size == *to),
                           "expected step 1 in an open size, but got ", step))
      return;
    else if (!from->is(0))
      // From the last to the end, or from the second on.
      count = from->is(1) ? node.g.sum({*to, -1}) : Size(1);
    if (from->is(0) && count == size && step == 1)
      continue;
    if (result.entries) {
      SmallVector<Size> kept;
      for (int64_t i = 0; i < count.getFactor(); ++i)
        kept.push_back((*result.entries)[from->getFactor() + i * step]);
      result.entries = kept;
      result.sizes[dim] = count;
      result.value = {};
      result.stored = {};
    } else {
      result = node.g.slice(result, dim, *from, count, step);
    }
  }
  node.set(0, result);
}

void importSplit(Node &node) {
  Tensor &x = node.operand(0);
  int64_t axis = node.normalizeAxis(node.integer("axis", 0), x.rank());
  SmallVector<int64_t> parts;
  if (node.opset < 13)
    parts = node.integers("split");
  else if (node.has(1))
    parts = node.integersOf(1, "split");
  node.ignore({"num_outputs"});
  if (!node.ok() || !node.require(x.rank() > 0 && x.sizes[axis].isStatic(),
                                  "expected a static size to split, but got ",
                                  formatSizes(x.sizes)))
    return;
  int64_t size = x.sizes[axis].getFactor(), count = node.outputCount();
  for (int64_t left = size, part = (size + count - 1) / count;
       parts.size() < size_t(count) && !node.has(1); left -= part)
    parts.push_back(std::clamp<int64_t>(part, 0, std::max<int64_t>(left, 0)));
  int64_t total = 0;
  for (int64_t part : parts) {
    node.require(part >= 0 && part <= size, "expected sizes of parts of ", size,
                 ", but got ", part);
    total += node.ok() ? part : 0;
  }
  if (!node.require(int64_t(parts.size()) == count && total == size,
                    "expected ", count, " parts of ", size,
                    " entries together, but got ", parts.size(), " of ", total))
    return;
  int64_t offset = 0;
  for (auto [i, part] : llvm::enumerate(parts)) {
    node.set(i, node.g.slice(x, axis, offset, part));
    offset += part;
  }
}

void importConcat(Node &node) {
  Tensor &first = node.input(0);
  int64_t axis = node.normalizeAxis(node.requiredInteger("axis"), first.rank());
  if (!node.ok())
    return;
  SmallVector<Tensor> parts;
  SmallVector<Size> along, entries;
  bool known = true;
  for (unsigned i = 0; i < node.inputCount(); ++i) {
    if (!node.require(node.has(i), "expected input ", i, ", but got none"))
      return;
    Tensor &part = node.input(i);
    bool fits = part.rank() == first.rank() && part.element == first.element;
    for (int64_t d = 0; fits && d < first.rank(); ++d)
      fits = d == axis || part.sizes[d] == first.sizes[d];
    if (!node.require(fits, "expected inputs that differ along axis ", axis,
                      " only, but got ", formatSizes(first.sizes), " and ",
                      formatSizes(part.sizes)))
      return;
    along.push_back(part.sizes[axis]);
    known &= part.entries && part.rank() == 1;
    if (known)
      llvm::append_range(entries, *part.entries);
  }
  Size total = node.g.sum(along);
  if (known) {
    Tensor result{{total}, first.element};
    result.entries = entries;
    node.set(0, result);
    return;
  }
  for (unsigned i = 0; i < node.inputCount(); ++i)
    parts.push_back(node.operand(i));
  node.set(0, node.g.concat(parts, axis, total));
}

//===----------------------------------------------------------------------===//
// Constants and shapes
//===----------------------------------------------------------------------===//

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

void importConstant(Node &node) {
  std::shared_ptr<const StoredTensor> stored = node.stored("value");
  MLIRContext *context = node.g.b.getContext();
  // The other forms hold numbers of one type.
  auto make = [&](DataType type, const auto &list, bool isScalar) {
    StoredTensor tensor;
    tensor.dtype = type;
    if (!isScalar)
      tensor.shape = {int64_t(list.size())};
    tensor.owned.resize(list.size() * sizeof(list[0]));
    std::copy_n(reinterpret_cast<const std::byte *>(list.data()),
                tensor.owned.size(), tensor.owned.data());
    tensor.data = tensor.owned.data();
    tensor.bytes = tensor.owned.size();
    stored = std::make_shared<StoredTensor>(std::move(tensor));
  };
  if (node.hasAttribute("value_int"))
    make(DataType::I64, std::array{node.integer("value_int", 0)}, true);
  else if (node.hasAttribute("value_ints"))
    make(DataType::I64, node.integers("value_ints"), false);
  else if (node.hasAttribute("value_float"))
    make(DataType::F32, std::array{float(node.number("value_float", 0))}, true);
  else if (node.hasAttribute("value_floats"))
    make(DataType::F32, node.numbers("value_floats"), false);
  if (!node.require(stored != nullptr, "expected a tensor or numbers, but got "
                                       "another value"))
    return;
  StoredTensor copy = *stored;
  if (!copy.owned.empty())
    copy.data = copy.owned.data();
  // What the weight file calls it, if it becomes one.
  copy.name = node.outputName(0);
  Result<Tensor> tensor = makeStored(context, std::move(copy));
  if (tensor)
    node.set(0, tensor.take());
  else
    node.fail(tensor.error());
}

void importConstantOfShape(Node &node) {
  SmallVector<int64_t> shape = node.integersOf(0, "a shape");
  std::shared_ptr<const StoredTensor> stored = node.stored("value");
  double value = 0;
  if (stored && node.require(stored->size() == 1,
                             "expected one value, but got ", stored->size()))
    value = loadAsDouble(stored->data, stored->dtype, 0);
  for (int64_t size : shape)
    node.require(size >= 0, "expected sizes of at least 0, but got ", size);
  bool floats = !stored || isFloat(stored->dtype);
  if (!node.ok() || !node.require(floats, "expected floats, but got integers"))
    return;
  Type element = node.g.b.getF32Type();
  Tensor result{Sizes(shape.begin(), shape.end()), element};
  result.value = arith::ConstantOp::create(
      node.g.b, DenseElementsAttr::get(node.g.typeOf(result.sizes, element),
                                       float(value)));
  node.set(0, result);
}

//===----------------------------------------------------------------------===//
// Gather
//===----------------------------------------------------------------------===//

void importGather(Node &node) {
  Tensor &data = node.input(0), &indices = node.input(1);
  int64_t axis = node.normalizeAxis(node.integer("axis", 0), data.rank());
  if (!node.ok() ||
      !node.require(!indices.isFloat(), "expected integers as indices, but got "
                                        "floats"))
    return;
  // Rows of a table, as embeddings are looked up.
  if (!indices.entries ||
      (data.rank() == 2 && axis == 0 && !data.entries && indices.rank() > 0)) {
    if (!node.require(data.rank() == 2 && axis == 0 && data.isFloat(),
                      "expected rows of a table [N, D] of floats, or indices "
                      "that are known at import, but got axis ",
                      axis, " of ", formatSizes(data.sizes)))
      return;
    Sizes sizes = indices.sizes;
    sizes.push_back(data.sizes[1]);
    node.set(0, {sizes, node.g.b.getF32Type(),
                 ir::EmbeddingOp::create(node.g.b, node.operand(1).value,
                                         node.g.readWeight(data))});
    return;
  }
  // Entries of a shape, or one part of a tensor.
  const Size &size = data.sizes[axis];
  auto place = [&](const Size &index) {
    int64_t at = index.getFactor();
    bool fits =
        index.isStatic() &&
        (!size.isStatic() ? at == 0 || at == -1
                          : at >= -size.getFactor() && at < size.getFactor());
    node.require(fits, "expected indices into ", formatSizes(data.sizes),
                 " along axis ", axis, ", but got ", formatSizes(index));
    return !fits                       ? Size(0)
           : at < 0 && size.isStatic() ? Size(at + size.getFactor())
           : at < 0                    ? node.g.sum({size, -1})
                                       : Size(at);
  };
  if (data.entries && data.rank() == 1) {
    Tensor result{indices.sizes, data.element};
    result.entries.emplace();
    for (const Size &index : *indices.entries) {
      Size at = place(index);
      if (!node.ok())
        return;
      result.entries->push_back((*data.entries)[at.getFactor()]);
    }
    node.set(0, result);
    return;
  }
  if (!node.require(indices.entries->size() == 1,
                    "expected one index or rows "
                    "of a table, but got ",
                    indices.entries->size(), " indices"))
    return;
  Size at = place(indices.entries->front());
  if (!node.ok())
    return;
  Tensor part = node.g.slice(node.operand(0), axis, at, 1);
  Sizes sizes = part.sizes;
  sizes.erase(sizes.begin() + axis);
  sizes.insert(sizes.begin() + axis, indices.sizes.begin(),
               indices.sizes.end());
  node.set(0, node.g.reshaped(part, sizes));
}

} // namespace linnet::onnx
