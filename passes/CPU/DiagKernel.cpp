//===- DiagKernel.cpp - entries times numbers -----------------------------===//

#include "passes/CPU/DiagKernel.h"

#include "passes/CPU/RowLoops.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mlir::linnet;

LogicalResult linnet::lowerDiag(FunctionLowering &f, LinearOp op) {
  auto diag = cast<DiagStructureAttr>(op.getStructure());
  Buffer values = denseRows(f, op, op.getFactors()[0]);
  Buffer x = denseRows(f, op, op.getInput()), y = f.buffer(op.getResult());
  SmallVector<KernelArgument> arguments{KernelArgument::read(x),
                                        KernelArgument::read(values),
                                        KernelArgument::write(y)};
  if (op.getBias())
    arguments.push_back(KernelArgument::read(f.buffer(op.getBias())));
  f.call(op, "diag", arguments, [&](KernelBuilder &k) {
    int64_t inputs = diag.getInputs();
    forVectors(k, 2, [&](ArrayRef<Value> at, Value valid) {
      Value column = at.back(), given = valid;
      // Behind the last input there is nothing to load.
      if (diag.getOutputs() > inputs) {
        given = k.maximum(k.cst(0), k.sub(k.cst(inputs), column));
        given = k.minimum(given, valid ? valid : k.cst(k.target.lanes));
      }
      Value entries =
          arith::MulFOp::create(k, k.loadColumns(k.argument(0), at, given),
                                k.loadColumns(k.argument(1), column, given));
      if (op.getBias())
        entries = arith::AddFOp::create(
            k, entries, k.loadColumns(k.argument(3), column, valid));
      k.storeColumns(entries, k.argument(2), at, valid);
    });
  });
  return success();
}
