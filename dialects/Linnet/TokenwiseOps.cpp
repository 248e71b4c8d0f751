//===- TokenwiseOps.cpp - operations in which tokens do not meet ----------===//

#include "dialects/Linnet/Linnet.h"

using namespace mlir;
using namespace mlir::linnet;

static int64_t rankOf(Operation *op, unsigned number) {
  auto type = dyn_cast<RankedTensorType>(op->getOperand(number).getType());
  return type ? type.getRank() : 0;
}

/// All dimensions but the last of the first operand; the rest are weights.
static int64_t rowsOfFirst(Operation *op, unsigned number) {
  return number == 0 ? rankOf(op, 0) - 1 : 0;
}

int64_t LinearOp::getTokenwiseDims(unsigned number) {
  return rowsOfFirst(*this, number);
}

int64_t EmbeddingOp::getTokenwiseDims(unsigned number) {
  return number == 0 ? rankOf(*this, 0) : 0;
}

// A token's position is its own: `position` counts the tokens before.
int64_t PositionsOp::getTokenwiseDims(unsigned number) {
  return rankOf(*this, number);
}

int64_t NormOp::getTokenwiseDims(unsigned number) {
  Value operand = getOperand(number);
  return operand == getInput() || operand == getGate()
             ? rankOf(*this, number) - 1
             : 0;
}

int64_t ActivationOp::getTokenwiseDims(unsigned number) {
  return rankOf(*this, number);
}

int64_t GluOp::getTokenwiseDims(unsigned number) {
  return rankOf(*this, number);
}

int64_t ThresholdOp::getTokenwiseDims(unsigned number) {
  return rowsOfFirst(*this, number);
}

int64_t RotaryOp::getTokenwiseDims(unsigned number) {
  return rowsOfFirst(*this, number);
}

int64_t RouteOp::getTokenwiseDims(unsigned number) {
  return rowsOfFirst(*this, number);
}

// x, the choices and their weights; behind them the factors.
int64_t ExpertsOp::getTokenwiseDims(unsigned number) {
  return number < 3 ? rankOf(*this, number) - 1 : 0;
}
