//===- ConvolutionForm.cpp - a scan as a convolution ----------------------===//

#include "passes/Form/ConvolutionForm.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

using namespace mlir;
using namespace mlir::linnet;

/// Whether a scan's operand has one entry for all rows of the batch and tokens.
static bool isInvariant(Value operand) {
  auto type = cast<RankedTensorType>(operand.getType());
  return type.getDimSize(0) == 1 && type.getDimSize(1) == 1;
}

std::string linnet::getConvolutionObstacle(ScanOp op) {
  auto value = cast<RankedTensorType>(op.getValue().getType());
  if (value.getDimSize(1) == 1)
    return "it has one token";
  for (Value parameter : op.getParameters())
    if (!isInvariant(parameter))
      return "its transition varies along the batch or time";
  if (!isInvariant(op.getKey()))
    return "its key varies along the batch or time";
  if (!isInvariant(op.getQuery()))
    return "its query varies along the batch or time";
  if (op.getMicroSteps() > 1)
    return "it takes several steps per token";
  if (op.getReverse())
    return "it runs from the last token to the first";
  if (op.getReadout() == Readout::Pre)
    return "it reads the state before the token";
  if (op.getInitial())
    return "it starts from a state";
  if (op.getResets())
    return "it has resets";
  if (!op.getState().use_empty())
    return "its state is used";
  // All but the value's batch and time.
  for (Value operand : op->getOperands()) {
    auto type = cast<RankedTensorType>(operand.getType());
    if (llvm::is_contained(type.getShape(), 0))
      return "a dimension is zero";
    if (llvm::any_of(type.getShape().drop_front(type == value ? 2 : 0),
                     ShapedType::isDynamic))
      return "its shapes are dynamic";
  }
  return "";
}

/// `operand` without its dimensions of batch and time, which are one.
static Value dropBatchAndTime(ImplicitLocOpBuilder &b, Value operand) {
  int64_t rank = cast<RankedTensorType>(operand.getType()).getRank();
  SmallVector<ReassociationIndices> groups{{0, 1, 2}};
  for (int64_t d = 3; d < rank; ++d)
    groups.push_back({d});
  return tensor::CollapseShapeOp::create(b, operand, groups);
}

void linnet::rewriteAsConvolution(ScanOp op, int64_t tokens) {
  ImplicitLocOpBuilder b(op.getLoc(), op);
  auto type = cast<RankedTensorType>(op.getValue().getType());
  int64_t heads = type.getDimSize(2), values = type.getDimSize(3);
  SmallVector<Value> parameters;
  bool varies = false;
  for (auto [operand, letters] :
       llvm::zip(op.getParameters(), op.getTransition().getOperandDims())) {
    parameters.push_back(dropBatchAndTime(b, operand));
    size_t d = letters.find('v');
    varies |= d != StringRef::npos &&
              cast<RankedTensorType>(operand.getType()).getDimSize(d + 1) > 1;
  }
  auto filterType = RankedTensorType::get(
      {varies ? heads * values : heads, tokens}, type.getElementType());
  Value filter =
      SsmKernelOp::create(b, filterType, dropBatchAndTime(b, op.getQuery()),
                          dropBatchAndTime(b, op.getKey()), parameters,
                          op.getTransition(), op.getScaleAttr());
  SmallVector<ReassociationIndices> channels{{0}, {1}, {2, 3}};
  Value input = tensor::CollapseShapeOp::create(b, op.getValue(), channels);
  Value output = LongConvOp::create(b, input, filter, /*skip=*/Value(),
                                    /*tail=*/Value())
                     .getResult();
  op.getResult().replaceAllUsesWith(
      tensor::ExpandShapeOp::create(b, type, output, channels));
  op.erase();
}
