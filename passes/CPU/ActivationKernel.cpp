//===- ActivationKernel.cpp - activations, gates and thresholds -----------===//

#include "passes/CPU/ActivationMath.h"
#include "passes/CPU/RowLoops.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mlir::linnet;

static LogicalResult lowerActivation(FunctionLowering &f, Operation *source) {
  auto op = cast<ActivationOp>(source);
  Buffer x = denseRows(f, op, op.getInput()),
         y = denseRows(f, op, op.getResult());
  f.call(op, "activation", {KernelArgument::read(x), KernelArgument::write(y)},
         [&](KernelBuilder &k) {
           forVectors(k, 1, [&](ArrayRef<Value> at, Value valid) {
             Value value = k.loadColumns(k.argument(0), at, valid);
             k.storeColumns(emitActivation(k, op.getKind(), value),
                            k.argument(1), at, valid);
           });
         });
  return success();
}

static LogicalResult lowerGlu(FunctionLowering &f, Operation *source) {
  auto op = cast<GluOp>(source);
  Buffer gate = denseRows(f, op, op.getGate()),
         up = denseRows(f, op, op.getUp());
  Buffer y = denseRows(f, op, op.getResult());
  f.call(op, "glu",
         {KernelArgument::read(gate), KernelArgument::read(up),
          KernelArgument::write(y)},
         [&](KernelBuilder &k) {
           forVectors(k, 2, [&](ArrayRef<Value> at, Value valid) {
             Value activated = emitActivation(
                 k, op.getKind(), k.loadColumns(k.argument(0), at, valid));
             Value other = k.loadColumns(k.argument(1), at, valid);
             k.storeColumns(k.mul(activated, other), k.argument(2), at, valid);
           });
         });
  return success();
}

static LogicalResult lowerThreshold(FunctionLowering &f, Operation *source) {
  auto op = cast<ThresholdOp>(source);
  Buffer x = denseRows(f, op, op.getInput()),
         thresholds = denseRows(f, op, op.getThresholds()),
         y = denseRows(f, op, op.getResult());
  f.call(
      op, "threshold",
      {KernelArgument::read(x), KernelArgument::read(thresholds),
       KernelArgument::write(y)},
      [&](KernelBuilder &k) {
        forVectors(k, 2, [&](ArrayRef<Value> at, Value valid) {
          Value value = k.loadColumns(k.argument(0), at, valid);
          Value threshold = k.loadColumns(k.argument(1), at.back(), valid);
          // Ordered: NaN is not small.
          Value isSmall =
              arith::CmpFOp::create(k, arith::CmpFPredicate::OLE,
                                    math::AbsFOp::create(k, value), threshold);
          k.storeColumns(arith::SelectOp::create(
                             k, isSmall, k.splat(0.0, k.target.lanes), value),
                         k.argument(2), at, valid);
        });
      });
  return success();
}

void linnet::addActivationLowering(OpLoweringMap &map) {
  map[ActivationOp::getOperationName()] = lowerActivation;
  map[GluOp::getOperationName()] = lowerGlu;
  map[ThresholdOp::getOperationName()] = lowerThreshold;
}
