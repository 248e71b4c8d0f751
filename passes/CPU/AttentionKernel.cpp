//===- AttentionKernel.cpp - softmax attention on the CPU -----------------===//
//
// Keys are kept packed, [block][D][keys], so that scores are register tiles
// over keys; values row by row, so that outputs are register tiles over value
// columns. Keys that are values as well lie row by row, once. A cache is kept
// in that form; without one the operation writes it to the workspace first.
//
//===----------------------------------------------------------------------===//

#include "dialects/Linnet/Linnet.h"
#include "passes/CPU/AttendKernel.h"
#include "passes/CPU/FunctionLowering.h"

using namespace mlir;
using namespace mlir::linnet;

/// Writes keys and values of this step into the store.
static void emitStore(KernelBuilder &k, AttentionOp op,
                      const AttentionShape &shape) {
  enum { Position, Key, Keys, Val, Values };
  int64_t keyBlock = k.target.panelWidth();
  Value count = k.extent(Key, 1);
  SmallVector<Value> sizes{k.cst(shape.batch), count, k.cst(shape.keyHeads)};
  k.share(k.mul(k.mul(sizes[0], count), sizes[2]), [&](Value item) {
    SmallVector<Value> at = k.delinearize(item, sizes);
    Value slot = k.add(k.argument(Position), at[1]);
    auto storeRow = [&](unsigned from, unsigned to, int64_t width) {
      k.forColumns(width, [&](Value column, Value valid) {
        Value value = k.loadColumns(k.argument(from),
                                    {at[0], at[1], at[2], column}, valid);
        k.store(value, k.argument(to), {at[0], at[2], slot, column});
      });
    };
    if (op.valuesAreKeys())
      return storeRow(Key, Keys, shape.keyWidth);
    Value block = arith::DivUIOp::create(k, slot, k.cst(keyBlock));
    Value lane = arith::RemUIOp::create(k, slot, k.cst(keyBlock));
    k.loop(shape.keyWidth, [&](Value d) {
      Value value = k.loadScalar(k.argument(Key), {at[0], at[1], at[2], d});
      k.storeScalar(value, k.argument(Keys), {at[0], at[2], block, d, lane});
    });
    storeRow(Val, Values, shape.valueWidth);
  });
}

static LogicalResult lowerAttention(FunctionLowering &f, Operation *operation) {
  auto op = cast<AttentionOp>(operation);
  Buffer q = f.buffer(op.getQuery()), key = f.buffer(op.getKey());
  Buffer out = f.buffer(op.getResult());
  AttentionShape shape{q.type.getDimSize(0), q.type.getDimSize(2),
                       key.type.getDimSize(2), key.type.getDimSize(3),
                       op.getWidthOfValues()};
  bool cached = !op.getCache().empty();
  if (cached && !f.isState(op.getCache()[0]))
    return op.emitOpError("expected the cache to be a state of the model");
  ImplicitLocOpBuilder &b = f.builder();
  int64_t length =
      cached ? cast<RankedTensorType>(op.getCache()[0].getType()).getDimSize(1)
             : key.type.getDimSize(1);
  int64_t width = f.target().panelWidth();
  int64_t blocks = llvm::divideCeil(length, width);
  auto rowsOf = [&](int64_t entries) {
    return MemRefType::get({shape.batch, shape.keyHeads, blocks * width,
                            int64_t(llvm::alignTo(entries, f.target().lanes))},
                           b.getF32Type());
  };
  // What is stored of keys and, unless these are the same, values.
  SmallVector<MemRefType> types;
  if (op.valuesAreKeys())
    types = {rowsOf(shape.keyWidth)};
  else
    types = {MemRefType::get(
                 {shape.batch, shape.keyHeads, blocks, shape.keyWidth, width},
                 b.getF32Type()),
             rowsOf(shape.valueWidth)};
  Value position =
      cached ? f.index(op.getPosition()) : arith::ConstantIndexOp::create(b, 0);
  SmallVector<KernelArgument> stored{KernelArgument::index(position)};
  SmallVector<Buffer> places;
  for (auto [i, type] : llvm::enumerate(types)) {
    places.push_back(cached ? f.state(op.getCache()[i], type)
                            : f.temporary(type.getShape(), b.getF32Type()));
    stored.push_back(KernelArgument::read(f.buffer(op.getCached()[i])));
    stored.push_back(KernelArgument::update(places.back()));
  }
  f.call(
      op, "attention_store", stored,
      [&](KernelBuilder &k) { emitStore(k, op, shape); }, "store");
  // Without a cache the kernel needs the number of keys, with one the position.
  Value lengthOrPosition = position;
  if (!cached)
    lengthOrPosition = f.extent(key, 1);
  SmallVector<KernelArgument> arguments{
      KernelArgument::read(q), KernelArgument::read(places.front()),
      KernelArgument::read(places.back()), KernelArgument::write(out),
      KernelArgument::index(lengthOrPosition)};
  int64_t maskNumber = -1, biasNumber = -1;
  if (op.getKeyMask()) {
    maskNumber = arguments.size();
    arguments.push_back(KernelArgument::read(f.buffer(op.getKeyMask())));
  }
  if (op.getBias()) {
    biasNumber = arguments.size();
    arguments.push_back(KernelArgument::read(f.buffer(op.getBias())));
  }
  f.call(op, cached ? "attention_cached" : "attention", arguments,
         [&](KernelBuilder &k) {
           emitAttend(k, op, shape, maskNumber, biasNumber);
         });
  return success();
}

void linnet::addAttentionLowering(OpLoweringMap &map) {
  map[AttentionOp::getOperationName()] = lowerAttention;
}
