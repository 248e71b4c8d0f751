//===- FixShapes.cpp - a function for given sizes -------------------------===//

#include "FixShapes.h"

#include "dialects/Linnet/Linnet.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;

namespace linnet {
namespace {

/// Sizes whose values are known by now as attributes.
SmallVector<OpFoldResult> known(OpBuilder &b, ArrayRef<OpFoldResult> sizes) {
  SmallVector<OpFoldResult> result(sizes);
  for (OpFoldResult &size : result)
    if (std::optional<int64_t> value = getConstantIntValue(size))
      size = b.getIndexAttr(*value);
  return result;
}

RankedTensorType withSizes(Type type, ArrayRef<OpFoldResult> sizes) {
  SmallVector<int64_t> shape;
  for (OpFoldResult size : sizes)
    shape.push_back(getConstantIntValue(size).value_or(ShapedType::kDynamic));
  return cast<RankedTensorType>(type).clone(shape);
}

/// The same view of operands whose types have changed, or null.
Value rebuildView(OpBuilder &b, Operation *op) {
  Location loc = op->getLoc();
  if (auto empty = dyn_cast<tensor::EmptyOp>(op))
    return tensor::EmptyOp::create(b, loc, known(b, empty.getMixedSizes()),
                                   empty.getType().getElementType());
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op))
    return tensor::CollapseShapeOp::create(b, loc, collapse.getSrc(),
                                           collapse.getReassociationIndices());
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op)) {
    SmallVector<OpFoldResult> sizes = known(b, expand.getMixedOutputShape());
    return tensor::ExpandShapeOp::create(
        b, loc, withSizes(expand.getType(), sizes), expand.getSrc(),
        expand.getReassociationIndices(), sizes);
  }
  if (auto concat = dyn_cast<tensor::ConcatOp>(op))
    return tensor::ConcatOp::create(b, loc, concat.getDim(),
                                    concat.getInputs());
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
    SmallVector<OpFoldResult> sizes = known(b, slice.getMixedSizes()), kept;
    llvm::SmallBitVector dropped = slice.getDroppedDims();
    for (auto [d, size] : llvm::enumerate(sizes))
      if (!dropped[d])
        kept.push_back(size);
    return tensor::ExtractSliceOp::create(
        b, loc, withSizes(slice.getType(), kept), slice.getSource(),
        known(b, slice.getMixedOffsets()), sizes,
        known(b, slice.getMixedStrides()));
  }
  return {};
}

/// Sets the result types that follow from the operands'.
void inferTypes(Operation *op) {
  SmallVector<Type> types(op->getResultTypes());
  auto tensor = op->getNumOperands()
                    ? dyn_cast<RankedTensorType>(op->getOperand(0).getType())
                    : RankedTensorType();
  if (auto structured = dyn_cast<DestinationStyleOpInterface>(op)) {
    types = llvm::to_vector(structured.getDpsInits().getTypes());
  } else if (op->hasTrait<OpTrait::Elementwise>() && tensor) {
    for (Type &type : types)
      type = tensor.clone(getElementTypeOrSelf(type));
  } else if (auto inferring = dyn_cast<InferTypeOpInterface>(op)) {
    types.clear();
    if (failed(inferring.inferReturnTypes(
            op->getContext(), op->getLoc(), op->getOperands(),
            op->getDiscardableAttrDictionary(), op->getPropertiesStorage(),
            op->getRegions(), types)))
      return;
  }
  for (auto [result, type] : llvm::zip(op->getResults(), types))
    result.setType(type);
}

func::FuncOp cellOf(mlir::linnet::RecurrenceOp op) {
  return SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(op,
                                                            op.getCellAttr());
}

/// Gives a recurrence a cell of its own for the operands' sizes.
void fixRecurrence(mlir::linnet::RecurrenceOp op) {
  ArrayRef<int64_t> whole =
      cast<RankedTensorType>(op.getInputs()[0].getType()).getShape();
  for (OpResult result : op->getResults()) {
    auto type = cast<RankedTensorType>(result.getType());
    SmallVector<int64_t> shape(type.getShape());
    shape[0] = whole[0];
    if (result.getResultNumber() < op.getOutputs().size())
      shape[1] = whole[1];
    result.setType(type.clone(shape));
  }
  func::FuncOp cell = cellOf(op).clone();
  SymbolTable symbols(op->getParentOfType<ModuleOp>());
  op.setCell(symbols.insert(cell));
  fixShapes(cell, op.getCellType().getInputs());
}

void fixOp(Operation *op) {
  if (auto recurrence = dyn_cast<mlir::linnet::RecurrenceOp>(op))
    return fixRecurrence(recurrence);
  OpBuilder b(op);
  SmallVector<Value> values;
  bool isIndex = op->getNumResults() == 1 &&
                 op->getResult(0).getType().isIndex() &&
                 !op->hasTrait<OpTrait::ConstantLike>();
  if (isIndex && succeeded(b.tryFold(op, values))) {
    op->replaceAllUsesWith(values);
    op->erase();
  } else if (Value view = rebuildView(b, op)) {
    op->replaceAllUsesWith(ValueRange(view));
    op->erase();
  } else {
    inferTypes(op);
  }
}

/// Whether `function` is one block whose sizes follow from its arguments'.
bool canFix(func::FuncOp function) {
  if (!function.getBody().hasOneBlock())
    return false;
  return llvm::all_of(function.getBody().front(), [](Operation &op) {
    if (auto recurrence = dyn_cast<mlir::linnet::RecurrenceOp>(op))
      return canFix(cellOf(recurrence));
    return !isa<CallOpInterface, mlir::linnet::StackOp>(op);
  });
}

} // namespace

void fixShapes(func::FuncOp function, ArrayRef<Type> arguments) {
  if (!canFix(function))
    return;
  Block &body = function.getBody().front();
  for (auto [argument, type] : llvm::zip(body.getArguments(), arguments))
    argument.setType(type);
  for (Operation &op : llvm::make_early_inc_range(body.without_terminator()))
    fixOp(&op);
  function.setType(FunctionType::get(function.getContext(), arguments,
                                     body.getTerminator()->getOperandTypes()));
}

} // namespace linnet
