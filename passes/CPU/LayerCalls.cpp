//===- LayerCalls.cpp - functions, calls and stacks on the CPU ------------===//
//
// A lowered function takes
//   (invocation, weight base, state base, frame, tokens, thread, threads,
//    one pointer or index per argument that is no state,
//    one pointer per result that is no state)
// so that one function serves every layer of its kind: the bases say which
// layer's weights and states it works on.
//
//===----------------------------------------------------------------------===//

#include "passes/CPU/FunctionLowering.h"

#include "dialects/Linnet/Linnet.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::linnet;

const OpLoweringMap &linnet::getOpLowerings() {
  static const OpLoweringMap map = [] {
    OpLoweringMap all;
    addLinearLowering(all);
    addAttentionLowering(all);
    addNormLowering(all);
    addActivationLowering(all);
    addRotaryLowering(all);
    addEmbeddingLowering(all);
    addShortConvLowering(all);
    addScanLowering(all);
    addLogCumsumExpLowering(all);
    addLongConvLowering(all);
    addSsmKernelLowering(all);
    addRouteLowering(all);
    addExpertsLowering(all);
    addElementwiseLowering(all);
    return all;
  }();
  return map;
}

/// Trailing arguments of a function that are states of the model.
static unsigned countStates(func::FuncOp source) {
  unsigned count = 0;
  for (unsigned i = 0, e = source.getNumArguments(); i < e; ++i)
    count += source.getArgAttr(i, "linnet.state") != nullptr;
  return count;
}

FunctionLowering::FunctionLowering(KernelTable &table, func::FuncOp source,
                                   int64_t maxTokens)
    : table(table), source(source), tokensBound(maxTokens),
      b(source.getLoc(), source.getContext()) {}

func::FuncOp FunctionLowering::createTarget() {
  MLIRContext *context = b.getContext();
  Type pointer = LLVM::LLVMPointerType::get(context);
  Type index = b.getIndexType(), i64 = b.getI64Type();
  SmallVector<Type> types{pointer, i64, i64};
  if (!isPhase()) {
    types = {pointer, i64, i64, i64, index, index, index};
    for (BlockArgument argument :
         source.getArguments().drop_back(result.stateArguments))
      types.push_back(argument.getType().isIndex() ? index : pointer);
    types.append(source.getNumResults() - result.stateArguments, pointer);
  }
  // Its final name is still the source's.
  auto target = func::FuncOp::create(b, (source.getName() + "_lowered").str(),
                                     FunctionType::get(context, types, {}));
  if (!isPhase())
    target.setPrivate();
  return target;
}

Value FunctionLowering::bindContext(Block *entry) {
  invocation = entry->getArgument(0);
  if (!isPhase()) {
    weightBase = entry->getArgument(1);
    stateBase = entry->getArgument(2);
    frame = entry->getArgument(3);
    tokens = entry->getArgument(4);
    thread = entry->getArgument(5);
    threads = entry->getArgument(6);
    return {};
  }
  auto constant = [&](int64_t value) {
    return Value(arith::ConstantOp::create(b, b.getI64IntegerAttr(value)));
  };
  auto toIndex = [&](Value value) {
    return Value(arith::IndexCastOp::create(b, b.getIndexType(), value));
  };
  auto base = source->getAttrOfType<IntegerAttr>("linnet.weight_base");
  weightBase = constant(base ? base.getInt() : 0);
  stateBase = constant(0);
  frame = constant(0);
  thread = toIndex(entry->getArgument(1));
  threads = toIndex(entry->getArgument(2));
  tokens = toIndex(field(InvocationField::Tokens, b.getI64Type()));
  return toIndex(field(InvocationField::Position, b.getI64Type()));
}

MemRefType FunctionLowering::externalType(RankedTensorType type) const {
  MemRefType bounded = boundedType(type);
  if (!isPhase() || !hasDynamicTokens(type) || type.getDimSize(0) == 1)
    return bounded;
  // Batch rows of a tensor that a user owns lie `tokens` apart.
  auto [strides, offset] = bounded.getStridesAndOffset();
  strides[0] = ShapedType::kDynamic;
  return MemRefType::get(
      bounded.getShape(), bounded.getElementType(),
      StridedLayoutAttr::get(bounded.getContext(), 0, strides));
}

void FunctionLowering::bindValues(Block *entry, Value position) {
  unsigned plainArguments = source.getNumArguments() - result.stateArguments;
  unsigned plainResults = source.getNumResults() - result.stateArguments;
  Value zero = arith::ConstantOp::create(b, b.getI64IntegerAttr(0));
  auto place = [&](Type type, Value pointer, Value root) {
    auto tensor = cast<RankedTensorType>(type);
    Buffer buffer;
    buffer.pointer = pointer;
    buffer.type = externalType(tensor);
    buffer.dynamicTokens = hasDynamicTokens(tensor);
    buffer.root = root;
    return buffer;
  };
  unsigned input = 0;
  for (BlockArgument argument : source.getArguments()) {
    unsigned number = argument.getArgNumber();
    Value given = isPhase() || number >= plainArguments
                      ? Value()
                      : entry->getArgument(kContextArguments + number);
    if (number >= plainArguments)
      stateNumbers[argument] = ~0u;
    else if (argument.getType().isIndex())
      indices[argument] = isPhase() ? position : given;
    else
      buffers[argument] =
          place(argument.getType(),
                isPhase() ? tableEntry(InvocationField::Inputs, zero, input++)
                          : given,
                argument);
  }
  Operation *terminator = source.getBody().front().getTerminator();
  for (unsigned i = 0; i < plainResults; ++i) {
    Value pointer =
        isPhase() ? tableEntry(InvocationField::Outputs, zero, i)
                  : entry->getArgument(kContextArguments + plainArguments + i);
    outputs.push_back(
        place(terminator->getOperand(i).getType(), pointer, pointer));
  }
}

FailureOr<LoweredFunction>
FunctionLowering::run(const llvm::StringMap<LoweredFunction> &lowered) {
  result.stateArguments = countStates(source);
  std::string name = source.getName().str();
  b.setInsertionPointAfter(source);
  func::FuncOp target = createTarget();
  Block *entry = target.addEntryBlock();
  b.setInsertionPointToStart(entry);
  Value position = bindContext(entry);
  bindValues(entry, position);
  assignReturns();
  Block &body = source.getBody().front();
  for (Operation &op : body.without_terminator()) {
    b.setLoc(op.getLoc());
    if (failed(lowerOp(op, lowered)))
      return failure();
    releaseDead(&op);
  }
  finishReturn(body.getTerminator());
  func::ReturnOp::create(b);
  target.setName(name);
  result.function = target;
  if (isPhase())
    for (StringRef attr : {"linnet.phase", "linnet.max_tokens"})
      target->setAttr(attr, source->getAttr(attr));
  return result;
}

void FunctionLowering::assignReturns() {
  Operation *terminator = source.getBody().front().getTerminator();
  bool selectsRows =
      source->getAttrOfType<StringAttr>("linnet.phase") &&
      source->getAttrOfType<StringAttr>("linnet.phase").getValue() == "prefill";
  for (auto [i, place] : llvm::enumerate(outputs)) {
    Value value = terminator->getOperand(i);
    Operation *op = value.getDefiningOp();
    // Values that are views, arguments, weights or returned twice are copied;
    // so is what a prefill returns, unless it comes from the head.
    bool direct = op && !assigned.contains(value) &&
                  op->getName().getDialectNamespace() != "tensor" &&
                  !isLoaded(op);
    if (selectsRows)
      direct &= isHeadCall(op) && place.type.getDimSize(0) == 1;
    if (isa_and_nonnull<CallOpInterface, StackOp>(op))
      direct &= place.type.getLayout().isIdentity();
    if (direct)
      assigned[value] = place;
  }
}

bool FunctionLowering::isHeadCall(Operation *op) const {
  auto call = dyn_cast_or_null<func::CallOp>(op);
  auto phase = source->getAttrOfType<StringAttr>("linnet.phase");
  return call && phase && phase.getValue() == "prefill" &&
         call.getCallee().starts_with("head");
}

/// The first row wanted (index), at most the tokens of the step.
Value FunctionLowering::firstRow() {
  Value row = arith::IndexCastOp::create(
      b, b.getIndexType(), field(InvocationField::FirstRow, b.getI64Type()));
  return arith::MinSIOp::create(b, row, tokens);
}

/// `place` from token `row` on.
static Buffer fromRow(ImplicitLocOpBuilder &b, Buffer place, Value row) {
  auto [strides, offset] = place.type.getStridesAndOffset();
  int64_t bytes = strides[1] * (place.type.getElementTypeBitWidth() / 8);
  Value offsetBytes = arith::MulIOp::create(
      b, arith::IndexCastOp::create(b, b.getI64Type(), row),
      arith::ConstantOp::create(b, b.getI64IntegerAttr(bytes)));
  place.pointer =
      LLVM::GEPOp::create(b, place.pointer.getType(), b.getI8Type(),
                          place.pointer, ArrayRef<LLVM::GEPArg>{offsetBytes});
  return place;
}

void FunctionLowering::finishReturn(Operation *terminator) {
  auto phase = source->getAttrOfType<StringAttr>("linnet.phase");
  bool selectsRows = phase && phase.getValue() == "prefill";
  for (auto [i, place] : llvm::enumerate(outputs)) {
    Value value = terminator->getOperand(i);
    auto preset = assigned.find(value);
    if (preset != assigned.end() && preset->second.pointer == place.pointer)
      continue;
    Buffer from = buffer(value);
    Value all = tokens;
    bool head = isHeadCall(value.getDefiningOp());
    if (selectsRows && place.dynamicTokens) {
      Value row = firstRow();
      if (!head)
        from = fromRow(b, from, row);
      tokens = arith::SubIOp::create(b, all, row);
    }
    copy(terminator, from, place);
    tokens = all;
  }
}

LogicalResult
FunctionLowering::lowerOp(Operation &op,
                          const llvm::StringMap<LoweredFunction> &lowered) {
  if (auto weight = dyn_cast<WeightOp>(op); weight && weight.isStacked())
    for (Operation *user : weight->getUsers())
      if (!isa<ExpertsOp>(user))
        return weight.emitOpError("expected a stacked weight to be used by "
                                  "linnet.experts only, but got ")
               << user->getName();
  if (isLoaded(&op) ||
      isa<tensor::EmptyOp, tensor::DimOp, tensor::ExtractSliceOp,
          tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp>(op))
    return success(); // Materialised where used.
  if (op.getNumResults() == 1 && op.getResult(0).getType().isIndex() &&
      isa<arith::ConstantOp>(op))
    return success();
  if (auto call = dyn_cast<func::CallOp>(op)) {
    auto callee = lowered.find(call.getCallee());
    if (callee == lowered.end())
      return op.emitOpError("expected a lowered function @")
             << call.getCallee();
    return lowerFuncCall(call, callee->second);
  }
  if (isa<StackOp>(op))
    return lowerStack(&op, lowered);
  // Kernels of the dialect compute and write f32; glue narrows.
  if (isa<LinnetDialect>(op.getDialect()))
    for (Type type : op.getResultTypes())
      if (Type element = getElementTypeOrSelf(type);
          isa<FloatType>(element) && !element.isF32())
        return op.emitOpError("expected results of f32 (narrow them with "
                              "arith.truncf), but got ")
               << type;
  if (auto recurrence = dyn_cast<RecurrenceOp>(op))
    return lowerRecurrence(recurrence, lowered);
  auto found = getOpLowerings().find(op.getName().getStringRef());
  if (found == getOpLowerings().end())
    return op.emitOpError("expected an operation with a CPU kernel");
  return found->second(*this, &op);
}

LogicalResult FunctionLowering::lowerCall(Operation *op,
                                          const LoweredFunction &callee,
                                          ArrayRef<Value> operands,
                                          std::optional<int64_t> layer) {
  // The callee's slots follow this function's.
  auto at = [&](Value base, size_t offset) {
    return Value(arith::AddIOp::create(
        b, base, arith::ConstantOp::create(b, b.getI64IntegerAttr(offset))));
  };
  Value weights = at(weightBase, result.weights.size());
  Value states = at(stateBase, result.states.size());
  for (WeightSlot slot : callee.weights) {
    if (slot.perLayer && layer) {
      slot.key = b.getStringAttr(resolveWeightKey(slot.key.getValue(), *layer));
      slot.perLayer = false;
    }
    result.weights.push_back(slot);
  }
  for (StateSlot slot : callee.states) {
    if (layer)
      slot.name = b.getStringAttr(slot.name.getValue() + "." + Twine(*layer));
    result.states.push_back(slot);
  }
  SmallVector<Value> arguments{invocation, weights, states, at(frame, frameEnd),
                               tokens,     thread,  threads};
  llvm::append_range(arguments, operands);
  // A function starts and ends in step with all threads.
  if (calledSince)
    barrier();
  func::CallOp::create(b, op->getLoc(), callee.function, arguments);
  barrier();
  result.frameBytes = std::max(result.frameBytes, frameEnd + callee.frameBytes);
  return success();
}

/// Functions take dense tensors: a view is copied first.
Buffer FunctionLowering::contiguous(Operation *op, Buffer place) {
  if (place.type.getLayout().isIdentity())
    return place;
  Buffer dense = temporary(place.type.getShape(), place.type.getElementType());
  dense.dynamicTokens = place.dynamicTokens;
  copy(op, place, dense);
  return dense;
}

LogicalResult FunctionLowering::lowerFuncCall(func::CallOp call,
                                              const LoweredFunction &callee) {
  unsigned states = callee.stateArguments;
  SmallVector<Value> operands;
  bool head = isHeadCall(call);
  Value all = tokens;
  Value row;
  if (head) {
    row = firstRow();
    tokens = arith::SubIOp::create(b, all, row);
  }
  for (Value operand : call.getOperands().drop_back(states)) {
    if (!isa<RankedTensorType>(operand.getType())) {
      operands.push_back(index(operand));
      continue;
    }
    Buffer place = contiguous(call, buffer(operand));
    if (head && place.dynamicTokens)
      place = fromRow(b, place, row);
    operands.push_back(place.pointer);
  }
  for (Value value : call.getResults().drop_back(states))
    operands.push_back(buffer(value).pointer);
  LogicalResult lowered = lowerCall(call, callee, operands, std::nullopt);
  tokens = all;
  return lowered;
}

LogicalResult
FunctionLowering::lowerStack(Operation *op,
                             const llvm::StringMap<LoweredFunction> &lowered) {
  auto stack = cast<StackOp>(op);
  unsigned carried = stack.getCarried().size();
  SmallVector<Buffer> input, even, odd;
  for (unsigned i = 0; i < carried; ++i) {
    if (!isa<RankedTensorType>(stack.getCarried()[i].getType()))
      return stack.emitOpError("expected tensors as carried values");
    input.push_back(contiguous(op, buffer(stack.getCarried()[i])));
    even.push_back(buffer(stack.getResults()[i]));
    odd.push_back(temporary(even.back().type.getShape(),
                            even.back().type.getElementType()));
  }
  SmallVector<Value> invariants;
  for (Value invariant : stack.getInvariants())
    invariants.push_back(isa<RankedTensorType>(invariant.getType())
                             ? contiguous(op, buffer(invariant)).pointer
                             : index(invariant));
  ArrayRef<int32_t> order = stack.getOrder();
  if (order.empty())
    for (auto [from, to] : llvm::zip(input, even))
      copy(op, from, to);
  for (auto [layer, number] : llvm::enumerate(order)) {
    auto name =
        cast<FlatSymbolRefAttr>(stack.getFunctions()[number]).getValue();
    auto callee = lowered.find(name);
    if (callee == lowered.end())
      return stack.emitOpError("expected a lowered function @") << name;
    // The last layer writes the result, the one before the other buffer.
    ArrayRef<Buffer> output = (order.size() - 1 - layer) % 2 == 0 ? even : odd;
    SmallVector<Value> operands;
    for (const Buffer &place : input)
      operands.push_back(place.pointer);
    operands.push_back(arith::ConstantIndexOp::create(b, layer));
    llvm::append_range(operands, invariants);
    for (const Buffer &place : output)
      operands.push_back(place.pointer);
    if (failed(lowerCall(op, callee->second, operands, layer)))
      return failure();
    input = SmallVector<Buffer>(output);
  }
  return success();
}
