//===- PermutationKernel.cpp - entries in another order -------------------===//

#include "passes/CPU/PermutationKernel.h"

#include "passes/CPU/RowLoops.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mlir::linnet;

LogicalResult linnet::lowerPermutation(FunctionLowering &f, LinearOp op) {
  Value factor = op.getFactors()[0];
  auto type = cast<RankedTensorType>(factor.getType());
  std::optional<Buffer> order = f.weight(
      factor,
      {f.builder().getNamedAttr("kind", f.builder().getStringAttr("raw"))},
      MemRefType::get(type.getShape(), type.getElementType()));
  if (!order)
    order = denseRows(f, op, factor);
  Buffer x = denseRows(f, op, op.getInput()), y = f.buffer(op.getResult());
  SmallVector<KernelArgument> arguments{KernelArgument::read(x),
                                        KernelArgument::read(*order),
                                        KernelArgument::write(y)};
  if (op.getBias())
    arguments.push_back(KernelArgument::read(f.buffer(op.getBias())));
  int64_t last = type.getDimSize(0) - 1;
  f.call(op, "permutation", arguments, [&](KernelBuilder &k) {
    forEntries(k, 2, [&](ArrayRef<Value> at) {
      Value from = arith::IndexCastOp::create(
          k, k.getIndexType(), k.loadScalar(k.argument(1), at.back()));
      // A file may hold any numbers; memory stays in bounds.
      from = arith::MinUIOp::create(k, from, k.cst(last));
      SmallVector<Value> source(at);
      source.back() = from;
      Value entry = k.loadScalar(k.argument(0), source);
      if (op.getBias())
        entry = arith::AddFOp::create(k, entry,
                                      k.loadScalar(k.argument(3), at.back()));
      k.storeScalar(entry, k.argument(2), at);
    });
  });
  return success();
}
