//===- FunctionLowering.cpp - one model function to kernel calls ----------===//
//
// Buffers, calls of kernels, barriers. The workspace plan is in
// WorkspacePlan.cpp, calls between functions in LayerCalls.cpp.
//
//===----------------------------------------------------------------------===//

#include "passes/CPU/FunctionLowering.h"

#include "dialects/Linnet/Linnet.h"
#include "passes/CPU/RowLoops.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Remarks.h"

using namespace mlir;
using namespace mlir::linnet;

//===----------------------------------------------------------------------===//
// KernelTable
//===----------------------------------------------------------------------===//

func::FuncOp KernelTable::get(StringRef name, StringRef identity, Location loc,
                              ArrayRef<KernelArgumentType> arguments,
                              llvm::function_ref<void(KernelBuilder &)> emit) {
  func::FuncOp &kernel = byIdentity[identity];
  if (kernel)
    return kernel;
  MLIRContext *context = module.getContext();
  Type pointer = LLVM::LLVMPointerType::get(context);
  Type index = IndexType::get(context);
  SmallVector<Type> types;
  for (const KernelArgumentType &argument : arguments)
    types.push_back(argument.type ? pointer : index);
  types.append({index, index, index, pointer});
  std::string symbol = ("kernel_" + name + "_" + Twine(names[name]++)).str();
  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  // Kernels are shared by several operations: no single location is theirs.
  kernel = func::FuncOp::create(builder, UnknownLoc::get(context), symbol,
                                FunctionType::get(context, types, {}));
  kernel.setPrivate();
  KernelBuilder body(kernel, arguments, target);
  emit(body);
  body.finish();
  scratchBytes = std::max(scratchBytes, body.scratchBytes());
  ++kernels;
  return kernel;
}

//===----------------------------------------------------------------------===//
// Buffers
//===----------------------------------------------------------------------===//

/// Operations that only rename a tensor's entries. A weight reaches kernels
/// as f32, so that widening one changes nothing.
static bool isView(Operation *op) {
  if (isa_and_nonnull<arith::ExtFOp>(op) &&
      op->getOperand(0).getDefiningOp<WeightOp>())
    return true;
  return isa_and_nonnull<tensor::ExtractSliceOp, tensor::ExpandShapeOp,
                         tensor::CollapseShapeOp, tensor::CastOp>(op);
}

bool FunctionLowering::hasDynamicTokens(Type type) const {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.getRank() > 1 && tensor.isDynamicDim(1);
}

MemRefType FunctionLowering::boundedType(RankedTensorType type) const {
  SmallVector<int64_t> dims(type.getShape());
  if (hasDynamicTokens(type))
    dims[1] = tokensBound;
  return MemRefType::get(dims, type.getElementType());
}

Value FunctionLowering::field(InvocationField number, Type type) {
  Type pointer = LLVM::LLVMPointerType::get(b.getContext());
  Value address =
      LLVM::GEPOp::create(b, pointer, b.getI64Type(), invocation,
                          ArrayRef<LLVM::GEPArg>{int32_t(unsigned(number))});
  return LLVM::LoadOp::create(b, type, address);
}

Value FunctionLowering::tableAddress(InvocationField table, Value base,
                                     int64_t offset) {
  Type pointer = LLVM::LLVMPointerType::get(b.getContext());
  Value tablePointer = field(table, pointer);
  Value slot = arith::AddIOp::create(
      b, base, arith::ConstantOp::create(b, b.getI64IntegerAttr(offset)));
  return LLVM::GEPOp::create(b, pointer, pointer, tablePointer,
                             ArrayRef<LLVM::GEPArg>{slot});
}

Value FunctionLowering::tableEntry(InvocationField table, Value base,
                                   int64_t offset) {
  return LLVM::LoadOp::create(b, LLVM::LLVMPointerType::get(b.getContext()),
                              tableAddress(table, base, offset));
}

Buffer FunctionLowering::viewOf(Operation *op) {
  Buffer source = buffer(op->getOperand(0));
  auto [strides, offset] = source.type.getStridesAndOffset();
  SmallVector<int64_t> newStrides;
  MemRefType bounded =
      boundedType(cast<RankedTensorType>(op->getResult(0).getType()));
  int64_t start = 0;
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
    auto dropped = slice.getDroppedDims();
    for (int64_t d = 0, rank = strides.size(); d < rank; ++d) {
      int64_t begin =
          getConstantIntValue(slice.getMixedOffsets()[d]).value_or(0);
      int64_t step =
          getConstantIntValue(slice.getMixedStrides()[d]).value_or(1);
      if (begin)
        start += begin * strides[d];
      if (!dropped.test(d))
        newStrides.push_back(
            ShapedType::isDynamic(strides[d]) ? strides[d] : strides[d] * step);
    }
  } else if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op)) {
    for (auto [group, stride] :
         llvm::zip(expand.getReassociationIndices(), strides)) {
      SmallVector<int64_t> inner(group.size(), stride);
      for (int64_t i = int64_t(group.size()) - 2; i >= 0; --i)
        inner[i] = inner[i + 1] * bounded.getDimSize(group[i + 1]);
      llvm::append_range(newStrides, inner);
    }
  } else if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op)) {
    for (const ReassociationIndices &group :
         collapse.getReassociationIndices()) {
      // A group is as dense as its last dimension of more than one entry.
      int64_t stride = strides[group.back()];
      for (int64_t d : llvm::reverse(group))
        if (source.type.getDimSize(d) != 1) {
          stride = strides[d];
          break;
        }
      newStrides.push_back(stride);
    }
  } else {
    newStrides = SmallVector<int64_t>(strides);
  }
  Buffer view = source;
  // A weight read as f32 stays f32 whatever the tensor says.
  view.type = MemRefType::get(bounded.getShape(), source.type.getElementType());
  // Only entries that lie apart need a layout.
  auto [dense, denseOffset] = bounded.getStridesAndOffset();
  for (auto [size, stride, denseStride] :
       llvm::zip(bounded.getShape(), newStrides, dense))
    if (size != 1 && stride != denseStride)
      view.type = MemRefType::get(
          bounded.getShape(), source.type.getElementType(),
          StridedLayoutAttr::get(b.getContext(), 0, newStrides));
  view.dynamicTokens = hasDynamicTokens(op->getResult(0).getType());
  if (start) {
    // An i1 takes a byte, and a table may be larger than 2 GiB.
    int64_t bytes = (source.type.getElementTypeBitWidth() + 7) / 8;
    Value offset =
        arith::ConstantOp::create(b, b.getI64IntegerAttr(start * bytes));
    view.pointer =
        LLVM::GEPOp::create(b, source.pointer.getType(), b.getI8Type(),
                            source.pointer, ArrayRef<LLVM::GEPArg>{offset});
  }
  return view;
}

Buffer FunctionLowering::buffer(Value tensor) {
  auto found = buffers.find(tensor);
  if (found != buffers.end())
    return found->second;
  Operation *op = tensor.getDefiningOp();
  Buffer fresh;
  if (isView(op)) {
    fresh = viewOf(op);
  } else if (isLoaded(op)) {
    auto type = cast<RankedTensorType>(tensor.getType());
    fresh = *weight(tensor, {b.getNamedAttr("kind", b.getStringAttr("f32"))},
                    MemRefType::get(type.getShape(), b.getF32Type()));
  } else if (isState(tensor)) {
    fresh =
        state(tensor, boundedType(cast<RankedTensorType>(tensor.getType())));
  } else {
    auto preset = assigned.find(tensor);
    fresh = preset != assigned.end() ? preset->second : allocate(tensor);
  }
  return buffers[tensor] = fresh;
}

Value FunctionLowering::index(Value value) {
  auto found = indices.find(value);
  if (found != indices.end())
    return found->second;
  if (auto constant = getConstantIntValue(value))
    return arith::ConstantIndexOp::create(b, *constant);
  if (auto dim = value.getDefiningOp<tensor::DimOp>()) {
    auto type = cast<RankedTensorType>(dim.getSource().getType());
    int64_t number = dim.getConstantIndex().value_or(0);
    if (type.isDynamicDim(number))
      return tokens;
    return arith::ConstantIndexOp::create(b, type.getDimSize(number));
  }
  // Arithmetic on positions.
  Operation *op = value.getDefiningOp();
  if (!op || !isPure(op) || op->getNumResults() != 1)
    return {};
  IRMapping mapping;
  for (Value operand : op->getOperands()) {
    Value lowered = operand.getType().isIndex() ? index(operand) : Value();
    if (!lowered)
      return {};
    mapping.map(operand, lowered);
  }
  return indices[value] = b.clone(*op, mapping)->getResult(0);
}

std::optional<Buffer> FunctionLowering::weight(Value tensor,
                                               ArrayRef<NamedAttribute> layout,
                                               MemRefType place) {
  Operation *source = tensor.getDefiningOp();
  if (!isLoaded(source))
    return std::nullopt;
  WeightSlot slot{b.getStringAttr(""), false,
                  cast<RankedTensorType>(tensor.getType()),
                  b.getDictionaryAttr(layout)};
  Attribute identity;
  if (auto basis = dyn_cast<SeededBasisOp>(source)) {
    SmallVector<NamedAttribute> seeded(layout);
    seeded.push_back(b.getNamedAttr("seed", basis.getSeedAttr()));
    slot.layout = b.getDictionaryAttr(seeded);
    // A tensor has one shape, a seed any.
    identity = TypeAttr::get(slot.type);
  } else {
    auto op = cast<WeightOp>(source);
    slot.key = op.getKeyAttr();
    slot.perLayer = bool(op.getLayer());
    identity = slot.key;
  }
  auto [entry, inserted] =
      weightNumbers.try_emplace({identity, slot.layout}, result.weights.size());
  if (inserted)
    result.weights.push_back(slot);
  Buffer fresh;
  fresh.pointer =
      tableEntry(InvocationField::Weights, weightBase, entry->second);
  fresh.type = place;
  return fresh;
}

Buffer FunctionLowering::weightTable(WeightOp op,
                                     ArrayRef<NamedAttribute> layout) {
  auto dictionary = b.getDictionaryAttr(layout);
  auto type = cast<RankedTensorType>(op.getType());
  int64_t members = type.getDimSize(0);
  auto [entry, inserted] = weightNumbers.try_emplace(
      {op.getKeyAttr(), dictionary}, result.weights.size());
  auto member = RankedTensorType::get(type.getShape().drop_front(),
                                      type.getElementType());
  // Neighbours in the table of weights: it is the table wanted.
  for (int64_t i = 0; inserted && i < members; ++i)
    result.weights.push_back({b.getStringAttr(resolveMemberKey(op.getKey(), i)),
                              bool(op.getLayer()), member, dictionary});
  Buffer fresh;
  fresh.pointer =
      tableAddress(InvocationField::Weights, weightBase, entry->second);
  fresh.type = MemRefType::get({members}, b.getI64Type());
  return fresh;
}

Buffer FunctionLowering::derivedWeight(ArrayRef<NamedAttribute> layout,
                                       MemRefType type) {
  auto dictionary = b.getDictionaryAttr(layout);
  auto key = b.getStringAttr("");
  auto [entry, inserted] =
      weightNumbers.try_emplace({key, dictionary}, result.weights.size());
  if (inserted)
    result.weights.push_back(
        {key, false, RankedTensorType::get({0}, b.getF32Type()), dictionary});
  Buffer fresh;
  fresh.pointer =
      tableEntry(InvocationField::Weights, weightBase, entry->second);
  fresh.type = type;
  return fresh;
}

Value FunctionLowering::extent(const Buffer &place, unsigned dim) {
  if (place.dynamicTokens && dim == 1)
    return tokens;
  return arith::ConstantIndexOp::create(b, place.type.getDimSize(dim));
}

bool FunctionLowering::isState(Value tensor) const {
  auto argument = dyn_cast<BlockArgument>(tensor);
  return argument && stateNumbers.contains(tensor);
}

Buffer FunctionLowering::state(Value tensor, MemRefType physical) {
  unsigned number = stateNumbers.lookup(tensor);
  if (number == ~0u) {
    auto argument = cast<BlockArgument>(tensor);
    auto name = dyn_cast_or_null<StringAttr>(
        source.getArgAttr(argument.getArgNumber(), "linnet.state"));
    if (!name)
      name = b.getStringAttr(source.getName() + "." +
                             Twine(argument.getArgNumber()));
    number = stateNumbers[tensor] = result.states.size();
    bool append =
        source.getArgAttr(argument.getArgNumber(), "linnet.append") != nullptr;
    result.states.push_back(
        {name, cast<RankedTensorType>(tensor.getType()), 0, append});
  }
  int64_t bytes =
      physical.getNumElements() * physical.getElementTypeBitWidth() / 8;
  result.states[number].bytes = std::max(result.states[number].bytes, bytes);
  Buffer fresh;
  fresh.pointer = tableEntry(InvocationField::States, stateBase, number);
  fresh.type = physical;
  fresh.root = tensor;
  return fresh;
}

Buffer FunctionLowering::prepareState(Value initial, Value stateResult) {
  if (initial && isState(initial)) {
    Buffer place = buffer(initial);
    buffers[stateResult] = place;
    return place;
  }
  Buffer place = buffer(stateResult);
  Operation *op = stateResult.getDefiningOp();
  if (initial) {
    copy(op, buffer(initial), place);
    return place;
  }
  call(
      op, "zero", {KernelArgument::write(place)},
      [](KernelBuilder &k) {
        MemRefType type = k.argumentType(0);
        k.share(k.cst(type.getNumElements()), [&](Value item) {
          SmallVector<Value> sizes;
          for (int64_t size : type.getShape())
            sizes.push_back(k.cst(size));
          k.storeScalar(k.f32(0), k.argument(0), k.delinearize(item, sizes));
        });
      },
      "zero");
  return place;
}

//===----------------------------------------------------------------------===//
// Calls of kernels
//===----------------------------------------------------------------------===//

void FunctionLowering::barrier() {
  Type pointer = LLVM::LLVMPointerType::get(b.getContext());
  Value function = field(InvocationField::Barrier, pointer);
  Value argument = field(InvocationField::BarrierArgument, pointer);
  auto type = LLVM::LLVMFunctionType::get(
      LLVM::LLVMVoidType::get(b.getContext()), {pointer});
  LLVM::CallOp::create(b, type, ValueRange{function, argument});
  readSince.clear();
  writtenSince.clear();
  calledSince = false;
  ++table.barriers;
}

void FunctionLowering::orderAfter(ArrayRef<KernelArgument> arguments) {
  auto overlaps = [](const Range &a, const Range &range) {
    if (a.root || range.root)
      return a.root == range.root;
    return a.begin < range.end && range.begin < a.end;
  };
  auto rangeOf = [](const Buffer &buffer) {
    return Range{buffer.root, buffer.begin, buffer.end};
  };
  auto tracked = [](const Buffer &buffer) { return buffer.root || buffer.end; };
  bool conflict = false;
  for (const KernelArgument &argument : arguments) {
    if (!argument.buffer.pointer || !tracked(argument.buffer))
      continue;
    Range range = rangeOf(argument.buffer);
    auto hits = [&](const Range &other) { return overlaps(range, other); };
    conflict |= llvm::any_of(writtenSince, hits);
    if (argument.access != KernelArgument::Read)
      conflict |= llvm::any_of(readSince, hits);
  }
  if (conflict)
    barrier();
  for (const KernelArgument &argument : arguments) {
    if (!argument.buffer.pointer || !tracked(argument.buffer))
      continue;
    if (argument.access != KernelArgument::Write)
      readSince.push_back(rangeOf(argument.buffer));
    if (argument.access != KernelArgument::Read)
      writtenSince.push_back(rangeOf(argument.buffer));
  }
}

void FunctionLowering::call(Operation *op, StringRef name,
                            ArrayRef<KernelArgument> arguments,
                            llvm::function_ref<void(KernelBuilder &)> emit,
                            StringRef identity) {
  std::string key;
  llvm::raw_string_ostream stream(key);
  stream << name << '|' << identity << '|';
  if (identity.empty()) {
    op->getAttrDictionary().print(stream);
    // Regions (linalg.generic) are part of what the kernel computes.
    if (op->getNumRegions())
      op->print(
          stream,
          OpPrintingFlags().useLocalScope().printGenericOpForm().skipRegions(
              false));
  }
  SmallVector<KernelArgumentType> types;
  SmallVector<Value> operands;
  for (const KernelArgument &argument : arguments) {
    if (argument.indexValue) {
      types.push_back({});
      operands.push_back(argument.indexValue);
      stream << ";index";
      continue;
    }
    types.push_back({argument.buffer.type, argument.buffer.dynamicTokens});
    operands.push_back(argument.buffer.pointer);
    stream << ';' << argument.buffer.type
           << (argument.buffer.dynamicTokens ? "t" : "");
  }
  orderAfter(arguments);
  func::FuncOp kernel = table.get(name, key, op->getLoc(), types, emit);
  Type pointer = LLVM::LLVMPointerType::get(b.getContext());
  Value scratch = field(InvocationField::Scratch, pointer);
  Value stride = field(InvocationField::ScratchStride, b.getI64Type());
  Value mine = arith::MulIOp::create(
      b, stride, arith::IndexCastOp::create(b, b.getI64Type(), thread));
  scratch = LLVM::GEPOp::create(b, pointer, b.getI8Type(), scratch,
                                ArrayRef<LLVM::GEPArg>{mine});
  operands.append({tokens, thread, threads, scratch});
  func::CallOp::create(b, op->getLoc(), kernel, operands);
  calledSince = true;
  ++table.calls;
}

void FunctionLowering::fallback(Operation *op, StringRef reason) {
  remark::missed(op->getLoc(), remark::RemarkOpts::name("fallback")
                                   .category("linnet-lower-cpu")
                                   .function(source.getName()))
      << remark::reason("{0}", reason);
  std::string where;
  llvm::raw_string_ostream stream(where);
  if (auto named = op->getLoc()->findInstanceOf<NameLoc>())
    stream << named.getName().getValue() << ": ";
  stream << op->getName() << ": " << reason;
  table.fallbacks.insert(b.getStringAttr(where));
}

void FunctionLowering::copy(Operation *op, Buffer from, Buffer to) {
  call(
      op, "copy", {KernelArgument::read(from), KernelArgument::write(to)},
      [](KernelBuilder &k) {
        MemRefType type = k.argumentType(1);
        int64_t rank = type.getRank();
        SmallVector<Value> sizes;
        Value rows = countRows(k, 1, rank - 1, sizes);
        Value columns = rank ? k.extent(1, rank - 1) : k.cst(1);
        k.share(rows, [&](Value row) {
          SmallVector<Value> place = k.delinearize(row, sizes);
          k.loop(columns, [&](Value column) {
            SmallVector<Value> entry = place;
            if (rank)
              entry.push_back(column);
            Value value = memref::LoadOp::create(k, k.argument(0), entry);
            k.storeScalar(value, k.argument(1), entry);
          });
        });
      },
      "copy");
}
