//===- Size.h - sizes of dimensions, open ones included -------*- C++ -*-===//

#ifndef LIB_ONNX_SIZE_H
#define LIB_ONNX_SIZE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

#include <cstdint>
#include <optional>
#include <string>

namespace linnet::onnx {

/// A product of a number and of symbols (sizes known at run time only). Two
/// sizes are equal at every run if and only if they are equal here.
class Size {
public:
  Size(int64_t factor = 1) : factor(factor) {}
  static Size symbol(unsigned number) {
    Size size;
    size.symbols.push_back(number);
    return size;
  }

  bool isStatic() const { return symbols.empty(); }
  bool is(int64_t value) const { return isStatic() && factor == value; }
  int64_t getFactor() const { return factor; }
  llvm::ArrayRef<unsigned> getSymbols() const { return symbols; }

  bool operator==(const Size &other) const = default;
  /// The product; saturates instead of overflowing.
  Size operator*(const Size &other) const;
  /// The quotient if it is exact at every run; `other` is positive.
  std::optional<Size> dividedBy(const Size &other) const;

private:
  int64_t factor;
  /// Ascending.
  llvm::SmallVector<unsigned, 2> symbols;
};

using Sizes = llvm::SmallVector<Size, 4>;

Size productOf(llvm::ArrayRef<Size> sizes);

/// "[2, ?, 3 ?]", for messages.
std::string formatSizes(llvm::ArrayRef<Size> sizes);

/// The shape of `requested` with ONNX's meaning of 0 (the size of `from` at
/// this place, unless `allowZero`) and -1 (what is left over).
std::optional<Sizes> resolveReshape(llvm::ArrayRef<Size> from,
                                    llvm::ArrayRef<Size> requested,
                                    bool allowZero);

/// Dimensions [from, fromEnd) of one shape and [to, toEnd) of another that
/// have the same product.
struct SizeGroup {
  unsigned from, fromEnd, to, toEnd;
};
/// The finest grouping of two shapes of one product, or nothing if their
/// products differ or cannot be compared.
std::optional<llvm::SmallVector<SizeGroup>>
groupSizes(llvm::ArrayRef<Size> from, llvm::ArrayRef<Size> to);

} // namespace linnet::onnx

#endif // LIB_ONNX_SIZE_H
