//===- EmbeddingKernel.cpp - rows of a table, and positions ---------------===//

#include "passes/CPU/RowLoops.h"

#include "dialects/Linnet/Linnet.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mlir::linnet;

static LogicalResult lowerEmbedding(FunctionLowering &f, Operation *source) {
  auto op = cast<EmbeddingOp>(source);
  // Few of the rows are read: they stay as the file has them.
  auto tableType = cast<RankedTensorType>(op.getTable().getType());
  std::optional<Buffer> table = f.weight(
      op.getTable(),
      {f.builder().getNamedAttr("kind", f.builder().getStringAttr("raw"))},
      MemRefType::get(tableType.getShape(), tableType.getElementType()));
  if (!table)
    table = denseRows(f, op, op.getTable());
  Buffer ids = f.buffer(op.getIds()), y = denseRows(f, op, op.getResult());
  f.call(op, "embedding",
         {KernelArgument::read(ids), KernelArgument::read(*table),
          KernelArgument::write(y)},
         [&](KernelBuilder &k) {
           forVectors(k, 2, [&](ArrayRef<Value> at, Value valid) {
             Value id = k.loadScalar(k.argument(0), at.drop_back());
             id = arith::IndexCastOp::create(k, k.getIndexType(), id);
             Value entries =
                 k.loadColumns(k.argument(1), {id, at.back()}, valid);
             k.storeColumns(entries, k.argument(2), at, valid);
           });
         });
  return success();
}

static LogicalResult lowerPositions(FunctionLowering &f, Operation *source) {
  auto op = cast<PositionsOp>(source);
  Buffer y = f.buffer(op.getResult());
  f.call(op, "positions",
         {KernelArgument::write(y),
          KernelArgument::index(f.index(op.getPosition()))},
         [&](KernelBuilder &k) {
           SmallVector<Value> sizes;
           Value items = countRows(k, 0, 2, sizes);
           k.share(items, [&](Value item) {
             SmallVector<Value> place = k.delinearize(item, sizes);
             Value position = k.add(k.argument(1), place[1]);
             k.storeScalar(
                 arith::IndexCastOp::create(k, k.getI32Type(), position),
                 k.argument(0), place);
           });
         });
  return success();
}

void linnet::addEmbeddingLowering(OpLoweringMap &map) {
  map[EmbeddingOp::getOperationName()] = lowerEmbedding;
  map[PositionsOp::getOperationName()] = lowerPositions;
}
