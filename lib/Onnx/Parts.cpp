//===- Parts.cpp - operators that take parts and join them ----------------===//
//
// As in Shape.cpp, integers known at import stay known.
//
//===----------------------------------------------------------------------===//

#include "Node.h"

#include <algorithm>
#include <limits>

using namespace mlir;

namespace linnet::onnx {

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
