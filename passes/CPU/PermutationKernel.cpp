//===- PermutationKernel.cpp - entries in another order -------------------===//

#include "passes/CPU/PermutationKernel.h"

#include "passes/CPU/LinearFusion.h"
#include "passes/CPU/LinearPanels.h"
#include "passes/CPU/RowLoops.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Remarks.h"

using namespace mlir;
using namespace mlir::linnet;

LogicalResult linnet::lowerPermutation(FunctionLowering &f, LinearOp op) {
  if (isReadInOrder(f, op)) {
    remark::passed(op.getLoc(), remark::RemarkOpts::name("permutation fused")
                                    .category("linnet-lower-cpu"));
    return success();
  }
  Value factor = op.getFactors()[0];
  auto type = cast<RankedTensorType>(factor.getType());
  Buffer order = wholeFactor(f, op, factor);
  Buffer x = denseRows(f, op, op.getInput()), y = f.buffer(op.getResult());
  SmallVector<KernelArgument> arguments{KernelArgument::read(x),
                                        KernelArgument::read(order),
                                        KernelArgument::write(y)};
  if (op.getBias())
    arguments.push_back(KernelArgument::read(f.buffer(op.getBias())));
  f.call(op, "permutation", arguments, [&](KernelBuilder &k) {
    int64_t lanes = k.target.lanes;
    auto element = k.argumentType(0).getElementType();
    // A file may hold any numbers; memory stays in bounds.
    Value last = k.splat(arith::ConstantOp::create(
                             k, k.getI32IntegerAttr(type.getDimSize(0) - 1)),
                         lanes);
    Value zeros = arith::ConstantOp::create(
        k, cast<TypedAttr>(k.getZeroAttr(k.vector(lanes, element))));
    forVectors(k, 2, [&](ArrayRef<Value> at, Value valid) {
      Value from = arith::MinUIOp::create(
          k, k.loadColumns(k.argument(1), at.back(), valid), last);
      Value mask = vector::CreateMaskOp::create(
          k, k.vector(lanes, k.getI1Type()), valid ? valid : k.cst(lanes));
      SmallVector<Value> row(at);
      row.back() = k.cst(0);
      Value entries = k.widen(vector::GatherOp::create(
          k, k.vector(lanes, element), k.argument(0), row, from, mask, zeros));
      if (op.getBias())
        entries = arith::AddFOp::create(
            k, entries, k.loadColumns(k.argument(3), at.back(), valid));
      k.storeColumns(entries, k.argument(2), at, valid);
    });
  });
  return success();
}
