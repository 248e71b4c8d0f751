//===- EntryWalk.cpp - what the entries of values belong to ---------------===//

#include "EntryWalk.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"

#include <numeric>

namespace linnet::compress {

namespace ir = mlir::linnet;
using mlir::Value;

bool isFree(llvm::ArrayRef<int64_t> labels) {
  return llvm::all_of(labels, [](int64_t label) { return label == kNone; });
}

mlir::ShapedType typeOf(Value value) {
  return mlir::cast<mlir::ShapedType>(value.getType());
}

namespace {

/// Extents with 1 in place of those that are not known.
llvm::SmallVector<int64_t> extentsOf(mlir::ShapedType type) {
  llvm::SmallVector<int64_t> extents(type.getShape());
  for (int64_t &extent : extents)
    if (mlir::ShapedType::isDynamic(extent))
      extent = 1;
  return extents;
}

int64_t countOf(llvm::ArrayRef<int64_t> extents) {
  return std::accumulate(extents.begin(), extents.end(), int64_t(1),
                         std::multiplies<>());
}

/// The index along each dimension of entry `flat`.
llvm::SmallVector<int64_t> indexOf(int64_t flat,
                                   llvm::ArrayRef<int64_t> extents) {
  llvm::SmallVector<int64_t> index(extents.size());
  for (size_t d = extents.size(); d-- > 0; flat /= extents[d])
    index[d] = flat % extents[d];
  return index;
}

int64_t flatOf(llvm::ArrayRef<int64_t> index, llvm::ArrayRef<int64_t> extents) {
  int64_t flat = 0;
  for (auto [i, extent] : llvm::zip(index, extents))
    flat = flat * extent + i;
  return flat;
}

/// Where entry `i` of a slice of `op` is in its source. Nothing: not known.
std::optional<std::vector<int64_t>> placesOf(mlir::tensor::ExtractSliceOp op) {
  llvm::SmallVector<int64_t> inner = extentsOf(op.getResultType()),
                             outer = extentsOf(op.getSourceType());
  if (inner.size() != outer.size())
    return std::nullopt;
  llvm::SmallVector<int64_t> first;
  for (size_t d = 0; d < outer.size(); ++d) {
    bool isOfAll = op.getSourceType().isDynamicDim(unsigned(d));
    int64_t offset = isOfAll ? 0 : op.getStaticOffsets()[d];
    if (mlir::ShapedType::isDynamic(offset) || op.getStaticStrides()[d] != 1 ||
        offset + inner[d] > outer[d] ||
        op.getResultType().isDynamicDim(unsigned(d)) != isOfAll)
      return std::nullopt;
    first.push_back(offset);
  }
  std::vector<int64_t> places;
  for (int64_t i = 0; i < countOf(inner); ++i) {
    llvm::SmallVector<int64_t> index = indexOf(i, inner);
    for (auto [at, offset] : llvm::zip(index, first))
      at += offset;
    places.push_back(flatOf(index, outer));
  }
  return places;
}

} // namespace

std::optional<SliceLabels> slicesOf(const Labels &labels,
                                    llvm::ArrayRef<int64_t> shape) {
  for (int64_t d = 0; d < int64_t(shape.size()); ++d) {
    SliceLabels slices{d, Labels(size_t(shape[size_t(d)]), kNone)};
    for (int64_t i = 0; i < int64_t(labels.size()); ++i)
      slices.labels[size_t(indexOf(i, shape)[size_t(d)])] = labels[size_t(i)];
    bool isAlong = true;
    for (int64_t i = 0; isAlong && i < int64_t(labels.size()); ++i)
      isAlong = slices.labels[size_t(indexOf(i, shape)[size_t(d)])] ==
                labels[size_t(i)];
    if (isAlong)
      return slices;
  }
  return std::nullopt;
}

Labels EntryWalk::gather(const Labels &labels, llvm::ArrayRef<int64_t> target,
                         int64_t count) {
  // Several kinds of units read an entry that is of none.
  constexpr int64_t open = -2;
  Labels gathered(size_t(count), open);
  for (auto [label, place] : llvm::zip(labels, target)) {
    int64_t &own = gathered[size_t(place)];
    if (own == open || own == label)
      own = label;
    else if (own != kNone && label != kNone && own % period == label % period)
      areShared = true;
    else
      own = kNone;
  }
  llvm::replace(gathered, open, kNone);
  return gathered;
}

Status EntryWalk::visit(Value value, const Labels &labels) {
  if (isFree(labels))
    return {};
  if (!mlir::isa<mlir::ShapedType>(value.getType()) ||
      countOf(extentsOf(typeOf(value))) != int64_t(labels.size()))
    return makeError("a value in which each ", unit, " cannot be told apart");
  auto [place, isFresh] = known.insert({value, labels});
  if (!isFresh) {
    Labels &merged = place->second;
    bool isChanged = false;
    for (size_t i = 0; i < labels.size(); ++i) {
      if (labels[i] == kNone || labels[i] == merged[i])
        continue;
      if (merged[i] != kNone && merged[i] % period != labels[i] % period)
        return makeError("entries of one value that two ", unit, "s share");
      areShared |= merged[i] != kNone;
      isChanged |= merged[i] == kNone;
      if (merged[i] == kNone)
        merged[i] = labels[i];
    }
    if (!isChanged)
      return {};
  }
  Labels merged = known[value];
  mlir::Operation *op = value.getDefiningOp();
  if (!op)
    return makeError("an argument of the layer between its maps");
  return step(op, value, merged);
}

Status EntryWalk::visitAll(mlir::ValueRange values, const Labels &labels) {
  for (Value value : values)
    if (mlir::isa<mlir::ShapedType>(value.getType()))
      if (Status status = visit(value, labels); !status)
        return status;
  return {};
}

Status EntryWalk::step(mlir::Operation *op, Value value, const Labels &labels) {
  if (mlir::isa<mlir::tensor::EmptyOp>(op))
    return {};
  if (auto constant = mlir::dyn_cast<mlir::arith::ConstantOp>(op))
    return mlir::isa<mlir::SplatElementsAttr>(constant.getValue())
               ? Status()
               : makeError("constants that ", unit, "s have by their number");
  if (auto linear = mlir::dyn_cast<ir::LinearOp>(op)) {
    if (typeOf(value).getRank() == 3) {
      producers[value] = labels;
      return {};
    }
    // Of a head's entries, not with these as outputs.
    llvm::SmallVector<int64_t> extents = extentsOf(typeOf(value));
    int64_t inputs = extentsOf(typeOf(linear.getInput())).back();
    Labels before;
    for (size_t row = 0; row < labels.size(); row += size_t(extents.back())) {
      if (!llvm::all_equal(
              llvm::ArrayRef(labels).slice(row, size_t(extents.back()))))
        return standsBetweenMaps(op, unit);
      before.insert(before.end(), size_t(inputs), labels[row]);
    }
    return visit(linear.getInput(), before);
  }
  if (mlir::isa<ir::WeightOp>(op)) {
    tensors[value] = labels;
    return {};
  }
  if (isElementwise(op))
    return visitAll(op->getOperands(), labels);
  return llvm::TypeSwitch<mlir::Operation *, Status>(op)
      .Case<mlir::tensor::ExpandShapeOp, mlir::tensor::CollapseShapeOp>(
          [&](auto reshape) { return visit(reshape.getSrc(), labels); })
      .Case<mlir::linalg::GenericOp, mlir::tensor::ExtractSliceOp,
            mlir::tensor::ConcatOp>(
          [&](auto own) { return through(own, labels); })
      .Case<ir::ShortConvOp>([&](ir::ShortConvOp conv) -> Status {
        if (value != conv.getResult() || conv.getTail())
          return standsBetweenMaps(op, unit);
        Labels taps;
        int64_t width = typeOf(conv.getWeight()).getDimSize(2);
        for (int64_t label : labels)
          taps.insert(taps.end(), size_t(width), label);
        if (Status status = visit(conv.getInput(), labels); !status)
          return status;
        if (Status status = visit(conv.getWeight(), taps); !status)
          return status;
        return conv.getBias() ? visit(conv.getBias(), labels) : Status();
      })
      .Default([&](mlir::Operation *other) {
        return Status(standsBetweenMaps(other, unit));
      });
}

Status EntryWalk::through(mlir::linalg::GenericOp op, const Labels &labels) {
  auto maps = op.getIndexingMapsArray();
  if (op.getNumDpsInits() != 1 || !maps.back().isProjectedPermutation() ||
      !op.getBody()->getOps<mlir::linalg::IndexOp>().empty() ||
      !llvm::all_of(op.getIteratorTypesArray(), [](auto type) {
        return type == mlir::utils::IteratorType::parallel;
      }))
    return standsBetweenMaps(op, unit);
  llvm::SmallVector<int64_t> extents = extentsOf(typeOf(op.getResult(0)));
  for (auto [operand, map] : llvm::zip(op.getInputs(), maps)) {
    if (!map.isProjectedPermutation())
      return standsBetweenMaps(op, unit);
    if (!mlir::isa<mlir::ShapedType>(operand.getType()))
      continue;
    llvm::SmallVector<int64_t> inner = extentsOf(typeOf(operand));
    std::vector<int64_t> target;
    for (int64_t i = 0; i < int64_t(labels.size()); ++i) {
      llvm::SmallVector<int64_t> index = indexOf(i, extents), own;
      llvm::SmallVector<int64_t> loops(map.getNumDims(), 0);
      for (unsigned d = 0; d < maps.back().getNumResults(); ++d)
        loops[maps.back().getDimPosition(d)] = index[d];
      for (unsigned d = 0; d < map.getNumResults(); ++d)
        own.push_back(loops[map.getDimPosition(d)]);
      target.push_back(flatOf(own, inner));
    }
    if (Status status = visit(operand, gather(labels, target, countOf(inner)));
        !status)
      return status;
  }
  return {};
}

Status EntryWalk::through(mlir::tensor::ExtractSliceOp op,
                          const Labels &labels) {
  std::optional<std::vector<int64_t>> places = placesOf(op);
  if (!places)
    return standsBetweenMaps(op, unit);
  return visit(op.getSource(),
               gather(labels, *places, countOf(extentsOf(op.getSourceType()))));
}

Status EntryWalk::through(mlir::tensor::ConcatOp op, const Labels &labels) {
  auto along = size_t(op.getDim());
  if (op.getResultType().isDynamicDim(unsigned(along)))
    return visitAll(op.getInputs(), labels);
  llvm::SmallVector<int64_t> extents = extentsOf(op.getResultType());
  int64_t first = 0;
  for (Value input : op.getInputs()) {
    llvm::SmallVector<int64_t> inner = extentsOf(typeOf(input));
    Labels part;
    for (int64_t i = 0; i < countOf(inner); ++i) {
      llvm::SmallVector<int64_t> index = indexOf(i, inner);
      index[along] += first;
      part.push_back(labels[size_t(flatOf(index, extents))]);
    }
    first += inner[along];
    if (Status status = visit(input, part); !status)
      return status;
  }
  return {};
}

Status EntryWalk::checkUses() const {
  for (const auto &[value, labels] : known)
    for (mlir::OpOperand &use : value.getUses()) {
      mlir::Operation *user = use.getOwner();
      if (isEnd(use) || mlir::isa<mlir::tensor::DimOp>(user) ||
          llvm::any_of(user->getResults(),
                       [&](Value result) { return known.count(result); }))
        continue;
      auto slice = mlir::dyn_cast<mlir::tensor::ExtractSliceOp>(user);
      if (std::optional<std::vector<int64_t>> places =
              slice ? placesOf(slice) : std::nullopt;
          places && llvm::all_of(*places, [&](int64_t place) {
            return labels[size_t(place)] == kNone;
          }))
        continue;
      return makeError("'",
                       value.getDefiningOp()->getName().getStringRef().str(),
                       "' between its maps, which '",
                       user->getName().getStringRef().str(), "' uses too");
    }
  return {};
}

} // namespace linnet::compress
