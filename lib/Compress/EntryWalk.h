//===- EntryWalk.h - what the entries of values belong to -----*- C++ -*-===//
//
// Before a scan, and before the map that takes what it reads out, every entry
// of every value belongs to one unit (a head, a channel of a state), or to
// none: walking back, entries are labelled by units until maps and tensors are
// reached, whose slices go with the units.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_COMPRESS_ENTRYWALK_H
#define LIB_COMPRESS_ENTRYWALK_H

#include "Channels.h"

#include "dialects/Linnet/Linnet.h"

#include "llvm/ADT/MapVector.h"

#include <optional>
#include <vector>

namespace mlir::linalg {
class GenericOp;
}
namespace mlir::tensor {
class ConcatOp;
class ExtractSliceOp;
} // namespace mlir::tensor

namespace linnet::compress {

/// The unit of each entry of a value, row-major; dimensions of unknown extent
/// (batch and time) count as 1. kNone: of none.
using Labels = std::vector<int64_t>;
constexpr int64_t kNone = -1;

bool isFree(llvm::ArrayRef<int64_t> labels);
mlir::ShapedType typeOf(mlir::Value value);

/// Labels of an array's slices along the one dimension that they depend on.
struct SliceLabels {
  int64_t dimension = 0;
  Labels labels;
};
/// Nothing: they depend on several dimensions of `shape`.
std::optional<SliceLabels> slicesOf(const Labels &labels,
                                    llvm::ArrayRef<int64_t> shape);

/// Walks back from what a derived class begins with.
class EntryWalk {
public:
  virtual ~EntryWalk() = default;

  /// Of results of maps, and of tensors.
  llvm::MapVector<mlir::Value, Labels> producers, tensors;

protected:
  /// Units of a kind (channels of the heads) are so many apart in their
  /// numbers, and a `unit` is what one is called in errors.
  EntryWalk(int64_t period, const char *unit) : period(period), unit(unit) {}

  /// Entries of `value` belong to these units.
  Status visit(mlir::Value value, const Labels &labels);
  Status visitAll(mlir::ValueRange values, const Labels &labels);
  /// What the entries of `op`'s result `value` are made of. Errors: `op` is not
  /// known to act on each unit alone.
  virtual Status step(mlir::Operation *op, mlir::Value value,
                      const Labels &labels);
  /// What is followed goes nowhere else, but for uses that are an end.
  Status checkUses() const;
  virtual bool isEnd(mlir::OpOperand &use) const = 0;

  const Labels *labelsOf(mlir::Value value) const {
    auto place = known.find(value);
    return place == known.end() ? nullptr : &place->second;
  }
  /// Labels of what several entries read: those of `labels` by the place
  /// `target` of each in an array of `count`.
  Labels gather(const Labels &labels, llvm::ArrayRef<int64_t> target,
                int64_t count);

  int64_t period;
  const char *unit;
  /// Units of one kind share entries: they go together.
  bool areShared = false;

private:
  Status through(mlir::linalg::GenericOp op, const Labels &labels);
  Status through(mlir::tensor::ExtractSliceOp op, const Labels &labels);
  Status through(mlir::tensor::ConcatOp op, const Labels &labels);

  llvm::MapVector<mlir::Value, Labels> known;
};

} // namespace linnet::compress

#endif // LIB_COMPRESS_ENTRYWALK_H
