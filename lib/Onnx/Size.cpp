//===- Size.cpp - sizes of dimensions, open ones included -----------------===//

#include "Size.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>

namespace linnet::onnx {

Size Size::operator*(const Size &other) const {
  Size product;
  if (llvm::MulOverflow(factor, other.factor, product.factor))
    product.factor = INT64_MAX;
  product.symbols = symbols;
  llvm::append_range(product.symbols, other.symbols);
  llvm::sort(product.symbols);
  return product;
}

std::optional<Size> Size::dividedBy(const Size &other) const {
  // The least number divided by -1 would overflow; sizes are not negative.
  if (other.factor <= 0 || factor % other.factor != 0 ||
      !std::includes(symbols.begin(), symbols.end(), other.symbols.begin(),
                     other.symbols.end()))
    return std::nullopt;
  Size quotient(factor / other.factor);
  std::set_difference(symbols.begin(), symbols.end(), other.symbols.begin(),
                      other.symbols.end(),
                      std::back_inserter(quotient.symbols));
  return quotient;
}

Size productOf(llvm::ArrayRef<Size> sizes) {
  Size product;
  for (const Size &size : sizes)
    product = product * size;
  return product;
}

std::string formatSizes(llvm::ArrayRef<Size> sizes) {
  std::string text = "[";
  for (const Size &size : sizes) {
    text += text.size() > 1 ? ", " : "";
    if (size.isStatic() || size.getFactor() != 1)
      text += std::to_string(size.getFactor());
    text += size.isStatic() ? "" : size.getFactor() == 1 ? "?" : " ?";
  }
  return text + "]";
}

std::optional<Sizes> resolveReshape(llvm::ArrayRef<Size> from,
                                    llvm::ArrayRef<Size> requested,
                                    bool allowZero) {
  Sizes to;
  std::optional<size_t> open;
  for (auto [i, size] : llvm::enumerate(requested)) {
    if (size.is(0) && !allowZero) {
      if (i >= from.size())
        return std::nullopt;
      to.push_back(from[i]);
    } else if (size.is(-1)) {
      if (open)
        return std::nullopt;
      open = i;
      to.push_back(Size());
    } else if (size.getFactor() < 0) {
      return std::nullopt;
    } else {
      to.push_back(size);
    }
  }
  if (!open)
    return to;
  std::optional<Size> rest = productOf(from).dividedBy(productOf(to));
  if (!rest)
    return std::nullopt;
  to[*open] = *rest;
  return to;
}

std::optional<llvm::SmallVector<SizeGroup>>
groupSizes(llvm::ArrayRef<Size> from, llvm::ArrayRef<Size> to) {
  llvm::SmallVector<SizeGroup> groups;
  unsigned i = 0, j = 0;
  while (i < from.size() && j < to.size()) {
    SizeGroup group{i, i + 1, j, j + 1};
    Size left = from[i++], right = to[j++];
    while (!(left == right)) {
      // The side that divides the other grows; incomparable sides both do.
      bool growLeft = i < from.size() && !left.dividedBy(right);
      bool growRight = j < to.size() && (!right.dividedBy(left) || !growLeft);
      if (growLeft)
        left = left * from[i++];
      if (growRight)
        right = right * to[j++];
      if (!growLeft && !growRight)
        return std::nullopt;
    }
    group.fromEnd = i;
    group.toEnd = j;
    groups.push_back(group);
  }
  // What is left over can only be ones.
  auto one = [](const Size &size) { return size.is(1); };
  if (!llvm::all_of(from.drop_front(i), one) ||
      !llvm::all_of(to.drop_front(j), one))
    return std::nullopt;
  if (!groups.empty()) {
    groups.back().fromEnd = from.size();
    groups.back().toEnd = to.size();
  }
  return groups;
}

} // namespace linnet::onnx
