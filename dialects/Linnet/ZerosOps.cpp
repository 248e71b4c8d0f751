//===- ZerosOps.cpp - where zeros come from -------------------------------===//

#include "dialects/Linnet/Linnet.h"

using namespace mlir;
using namespace mlir::linnet;

/// Whether an activation is zero on half of the numbers.
static bool cutsOff(Activation kind) {
  return kind == Activation::Relu || kind == Activation::Relu2;
}

/// Whether an activation of zero is zero.
static bool keepsZero(Activation kind) {
  return kind != Activation::Sigmoid && kind != Activation::Softplus;
}

bool ActivationOp::makesZeros() { return cutsOff(getKind()); }

SmallVector<unsigned> ActivationOp::getZeroOperands() {
  return keepsZero(getKind()) ? SmallVector<unsigned>{0}
                              : SmallVector<unsigned>{};
}

bool GluOp::makesZeros() { return cutsOff(getKind()); }

SmallVector<unsigned> GluOp::getZeroOperands() {
  return keepsZero(getKind()) ? SmallVector<unsigned>{0, 1}
                              : SmallVector<unsigned>{1};
}

bool ThresholdOp::makesZeros() { return true; }

SmallVector<unsigned> ThresholdOp::getZeroOperands() { return {0}; }
