//===- RecurrenceCalls.cpp - a cell called token by token -----------------===//
//
// A loop over the tokens calls the lowered cell. It works in place where the
// entries of a token lie side by side; states go back and forth between two
// buffers, since a cell may read the old state after it wrote the new one.
//
//===----------------------------------------------------------------------===//

#include "passes/CPU/FunctionLowering.h"

#include "dialects/Linnet/Linnet.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mlir::linnet;

/// Strides of [B, T, ...] with the entries of a token side by side.
static SmallVector<int64_t> tokenMajorStrides(ArrayRef<int64_t> shape) {
  SmallVector<int64_t> strides(shape.size());
  int64_t entries = 1;
  for (int64_t d = int64_t(shape.size()) - 1; d >= 0; --d)
    if (d != 1) {
      strides[d] = entries;
      entries *= shape[d];
    }
  strides[1] = entries;
  return strides;
}

/// Whether a token is dense; the tokens may lie apart.
static bool hasDenseTokens(MemRefType type) {
  auto [strides, offset] = type.getStridesAndOffset();
  SmallVector<int64_t> dense = tokenMajorStrides(type.getShape());
  for (auto [d, size] : llvm::enumerate(type.getShape()))
    if (d == 1 ? ShapedType::isDynamic(strides[d])
               : size != 1 && strides[d] != dense[d])
      return false;
  return true;
}

Buffer FunctionLowering::tokenMajor(Buffer place) {
  if (hasDenseTokens(place.type))
    return place;
  ArrayRef<int64_t> shape = place.type.getShape();
  Type element = place.type.getElementType();
  Buffer dense = temporary(shape, element);
  dense.type = MemRefType::get(
      shape, element,
      StridedLayoutAttr::get(b.getContext(), 0, tokenMajorStrides(shape)));
  dense.dynamicTokens = place.dynamicTokens;
  return dense;
}

/// Where token `token` (index) of a buffer with dense tokens begins.
static Value tokenAddress(ImplicitLocOpBuilder &b, const Buffer &place,
                          Value token) {
  auto [strides, offset] = place.type.getStridesAndOffset();
  int64_t bytes = strides[1] * ((place.type.getElementTypeBitWidth() + 7) / 8);
  Value distance = arith::MulIOp::create(
      b, arith::IndexCastOp::create(b, b.getI64Type(), token),
      arith::ConstantOp::create(b, b.getI64IntegerAttr(bytes)));
  return LLVM::GEPOp::create(b, place.pointer.getType(), b.getI8Type(),
                             place.pointer, ArrayRef<LLVM::GEPArg>{distance});
}

/// Why the kernels cannot run `op`; empty if they can.
static std::string findObstacle(FunctionLowering &f, RecurrenceOp op) {
  for (Value value : op.getOperands())
    if (auto type = dyn_cast<RankedTensorType>(value.getType()))
      if (f.buffer(value).type.getElementType() != type.getElementType())
        return "expected weights of f32 as operands (others are read inside "
               "the cell)";
  // A state is updated where it is.
  DenseSet<Value> seen;
  for (Value state : op.getInitial())
    if (f.isState(state) && !seen.insert(state).second)
      return "expected initial states that differ";
  return "";
}

LogicalResult FunctionLowering::lowerRecurrence(
    RecurrenceOp op, const llvm::StringMap<LoweredFunction> &lowered) {
  auto callee = lowered.find(op.getCell());
  if (callee == lowered.end())
    return op.emitOpError("expected a lowered function @") << op.getCell();
  std::string obstacle = findObstacle(*this, op);
  if (!obstacle.empty())
    return op.emitOpError() << obstacle;

  // All addresses are known in front of the loop.
  SmallVector<Buffer> inputs, outputs, places, even;
  for (Value value : op.getInputs()) {
    Buffer place = buffer(value);
    inputs.push_back(tokenMajor(place));
    if (inputs.back().pointer != place.pointer)
      copy(op, place, inputs.back());
  }
  SmallVector<Value> invariants;
  for (Value value : op.getInvariants())
    invariants.push_back(isa<RankedTensorType>(value.getType())
                             ? contiguous(op, buffer(value)).pointer
                             : index(value));
  SmallVector<Value> pointers, others;
  for (auto [number, value] : llvm::enumerate(op.getFinal())) {
    Value initial = op.getInitial().empty() ? Value() : op.getInitial()[number];
    places.push_back(prepareState(initial, value));
    even.push_back(contiguous(op, places.back()));
    MemRefType type = even.back().type;
    pointers.push_back(even.back().pointer);
    others.push_back(temporary(type.getShape(), type.getElementType()).pointer);
  }
  for (Value value : op.getOutputs())
    outputs.push_back(tokenMajor(buffer(value)));
  Value count = extent(inputs.front(), 1);
  Value zero = arith::ConstantIndexOp::create(b, 0);
  Value one = arith::ConstantIndexOp::create(b, 1);
  if (calledSince)
    barrier();

  size_t states = pointers.size();
  llvm::append_range(pointers, others);
  auto loop = scf::ForOp::create(b, zero, count, one, pointers);
  Value all = tokens;
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    Value token = loop.getInductionVar();
    if (op.getReverse())
      token =
          arith::SubIOp::create(b, arith::SubIOp::create(b, count, one), token);
    ValueRange carried = loop.getRegionIterArgs();
    SmallVector<Value> operands;
    for (const Buffer &place : inputs)
      operands.push_back(tokenAddress(b, place, token));
    llvm::append_range(operands, invariants);
    llvm::append_range(operands, carried.take_front(states));
    for (const Buffer &place : outputs)
      operands.push_back(tokenAddress(b, place, token));
    llvm::append_range(operands, carried.drop_front(states));
    tokens = one;
    if (failed(lowerCall(op, callee->second, operands, std::nullopt)))
      return failure();
    SmallVector<Value> next(carried.drop_front(states));
    llvm::append_range(next, carried.take_front(states));
    scf::YieldOp::create(b, next);
  }
  tokens = all;

  // The last states are in either buffer: where they belong already, each
  // thread copies entries onto themselves.
  for (auto [i, place] : llvm::enumerate(places)) {
    Buffer last = even[i];
    last.pointer = loop.getResult(i);
    copy(op, last, place);
  }
  for (auto [value, place] : llvm::zip(op.getOutputs(), outputs))
    if (Buffer result = buffer(value); result.pointer != place.pointer)
      copy(op, place, result);
  // Their ranges are free again, but not read to the end.
  barrier();
  return success();
}
