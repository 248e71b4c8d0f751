//===- KernelBuilder.cpp - emits the body of one CPU kernel ---------------===//

#include "passes/CPU/KernelBuilder.h"

#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::linnet;

KernelBuilder::KernelBuilder(func::FuncOp function,
                             ArrayRef<KernelArgumentType> arguments,
                             const CpuTarget &target)
    : ImplicitLocOpBuilder(function.getLoc(), function.getContext()),
      target(target), function(function), arguments(arguments) {
  Block *entry = function.addEntryBlock();
  setInsertionPointToStart(entry);
  unsigned count = arguments.size();
  tokens = entry->getArgument(count);
  thread = entry->getArgument(count + 1);
  threads = entry->getArgument(count + 2);
  scratchPointer = entry->getArgument(count + 3);
  for (unsigned i = 0; i < count; ++i) {
    Value value = entry->getArgument(i);
    values.push_back(arguments[i].type ? makeMemRef(value, arguments[i].type)
                                       : value);
  }
}

void KernelBuilder::finish() { func::ReturnOp::create(*this); }

Value KernelBuilder::makeMemRef(Value pointer, MemRefType type) {
  LLVMTypeConverter converter(getContext());
  auto [strides, offset] = type.getStridesAndOffset();
  auto descriptor =
      MemRefDescriptor::poison(*this, getLoc(), converter.convertType(type));
  descriptor.setAllocatedPtr(*this, getLoc(), pointer);
  descriptor.setAlignedPtr(*this, getLoc(), pointer);
  descriptor.setConstantOffset(*this, getLoc(), 0);
  for (unsigned d = 0, rank = type.getRank(); d < rank; ++d) {
    descriptor.setConstantSize(*this, getLoc(), d, type.getDimSize(d));
    if (!ShapedType::isDynamic(strides[d])) {
      descriptor.setConstantStride(*this, getLoc(), d, strides[d]);
      continue;
    }
    // A caller's tensor of several batch rows: rows lie tokens apart.
    int64_t inner = 1;
    for (unsigned e = d + 2; e < rank; ++e)
      inner *= type.getDimSize(e);
    Value stride = arith::IndexCastOp::create(*this, getI64Type(),
                                              mul(tokens, cst(inner)));
    descriptor.setStride(*this, getLoc(), d, stride);
  }
  return UnrealizedConversionCastOp::create(*this, TypeRange(type),
                                            ValueRange(Value(descriptor)))
      .getResult(0);
}

Value KernelBuilder::extent(unsigned number, unsigned dim) {
  const KernelArgumentType &argument = arguments[number];
  if (argument.dynamicTokens && dim == 1)
    return tokens;
  return cst(argument.type.getDimSize(dim));
}

Value KernelBuilder::scratch(ArrayRef<int64_t> shape, Type element) {
  auto type = MemRefType::get(shape, element);
  int64_t bytes = type.getNumElements() * element.getIntOrFloatBitWidth() / 8;
  Value pointer = LLVM::GEPOp::create(
      *this, LLVM::LLVMPointerType::get(getContext()), getI8Type(),
      scratchPointer, ArrayRef<LLVM::GEPArg>{int32_t(scratchOffset)});
  scratchOffset += (bytes + 63) / 64 * 64;
  return makeMemRef(pointer, type);
}

Value KernelBuilder::view(Value address, MemRefType type) {
  Type pointer = LLVM::LLVMPointerType::get(getContext());
  return makeMemRef(LLVM::IntToPtrOp::create(*this, pointer, address), type);
}

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

Value KernelBuilder::cst(int64_t value) {
  return arith::ConstantIndexOp::create(*this, value);
}
Value KernelBuilder::f32(double value) {
  return arith::ConstantOp::create(*this, getF32FloatAttr(value));
}
VectorType KernelBuilder::vector(int64_t lanes, Type element) {
  return VectorType::get({lanes}, element ? element : getF32Type());
}
Value KernelBuilder::splat(Value scalar, int64_t lanes) {
  return vector::BroadcastOp::create(*this, vector(lanes, scalar.getType()),
                                     scalar);
}

/// Creates the float or integer variant of an operation by operand type.
template <typename FloatOp, typename IntOp>
static Value binary(ImplicitLocOpBuilder &b, Value x, Value y) {
  if (isa<FloatType>(getElementTypeOrSelf(x.getType())))
    return FloatOp::create(b, x, y);
  return IntOp::create(b, x, y);
}
Value KernelBuilder::add(Value a, Value b) {
  return binary<arith::AddFOp, arith::AddIOp>(*this, a, b);
}
Value KernelBuilder::sub(Value a, Value b) {
  return binary<arith::SubFOp, arith::SubIOp>(*this, a, b);
}
Value KernelBuilder::mul(Value a, Value b) {
  return binary<arith::MulFOp, arith::MulIOp>(*this, a, b);
}
Value KernelBuilder::minimum(Value a, Value b) {
  return binary<arith::MinimumFOp, arith::MinSIOp>(*this, a, b);
}
Value KernelBuilder::maximum(Value a, Value b) {
  return binary<arith::MaximumFOp, arith::MaxSIOp>(*this, a, b);
}
Value KernelBuilder::ceilDiv(Value a, int64_t b) { return ceilDiv(a, cst(b)); }
Value KernelBuilder::ceilDiv(Value a, Value b) {
  return arith::DivUIOp::create(*this, add(a, sub(b, cst(1))), b);
}
Value KernelBuilder::fma(Value a, Value b, Value c) {
  if (isa<VectorType>(a.getType()))
    return vector::FMAOp::create(*this, a, b, c);
  return add(mul(a, b), c);
}
Value KernelBuilder::less(Value a, Value b) {
  return arith::CmpIOp::create(*this, arith::CmpIPredicate::slt, a, b);
}

//===----------------------------------------------------------------------===//
// Control flow
//===----------------------------------------------------------------------===//

void KernelBuilder::loop(Value lower, Value upper, Value step,
                         IndexedBody body) {
  auto forOp = scf::ForOp::create(*this, lower, upper, step);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(forOp.getBody());
  body(forOp.getInductionVar());
}
void KernelBuilder::loop(int64_t upper, IndexedBody body) {
  if (upper == 1)
    return body(cst(0));
  loop(cst(upper), body);
}
void KernelBuilder::loop(Value upper, IndexedBody body) {
  loop(cst(0), upper, cst(1), body);
}
SmallVector<Value> KernelBuilder::loop(Value lower, Value upper, Value step,
                                       ValueRange carried, CarriedBody body) {
  auto forOp = scf::ForOp::create(*this, lower, upper, step, carried);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(forOp.getBody());
  SmallVector<Value> next =
      body(forOp.getInductionVar(), forOp.getRegionIterArgs());
  if (!carried.empty())
    scf::YieldOp::create(*this, next);
  return SmallVector<Value>(forOp.getResults());
}
void KernelBuilder::onlyIf(Value condition, llvm::function_ref<void()> body) {
  auto ifOp = scf::IfOp::create(*this, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(ifOp.thenBlock());
  body();
}

std::pair<Value, Value> KernelBuilder::shareBounds(Value count) {
  auto bound = [&](Value index) {
    return Value(arith::DivUIOp::create(*this, mul(count, index), threads));
  };
  return {bound(thread), bound(add(thread, cst(1)))};
}
void KernelBuilder::share(Value count, IndexedBody body) {
  auto [lower, upper] = shareBounds(count);
  loop(lower, upper, cst(1), body);
}
SmallVector<Value> KernelBuilder::delinearize(Value index,
                                              ArrayRef<Value> sizes) {
  SmallVector<Value> coordinates(sizes.size());
  for (int64_t d = sizes.size() - 1; d > 0; --d) {
    coordinates[d] = arith::RemUIOp::create(*this, index, sizes[d]);
    index = arith::DivUIOp::create(*this, index, sizes[d]);
  }
  if (!sizes.empty())
    coordinates[0] = index;
  return coordinates;
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

Value KernelBuilder::widen(Value value) {
  Type element = getElementTypeOrSelf(value.getType());
  auto shaped = [&](Type type) -> Type {
    if (auto vectorType = dyn_cast<VectorType>(value.getType()))
      return vectorType.clone(type);
    return type;
  };
  if (element.isF32() || !isa<FloatType>(element))
    return value;
  if (element.isF64())
    return arith::TruncFOp::create(*this, shaped(getF32Type()), value);
  if (!element.isBF16())
    return arith::ExtFOp::create(*this, shaped(getF32Type()), value);
  // bf16 is the upper half of an f32; spelled out because generic extension
  // of bf16 vectors is scalarised on some targets.
  Value bits = arith::BitcastOp::create(*this, shaped(getI16Type()), value);
  Value wide = arith::ExtUIOp::create(*this, shaped(getI32Type()), bits);
  Value sixteen = arith::ConstantOp::create(*this, getI32IntegerAttr(16));
  if (auto vectorType = dyn_cast<VectorType>(value.getType()))
    sixteen = splat(sixteen, vectorType.getDimSize(0));
  Value shifted = arith::ShLIOp::create(*this, wide, sixteen);
  return arith::BitcastOp::create(*this, shaped(getF32Type()), shifted);
}

static Type elementType(Value memref) {
  return cast<MemRefType>(memref.getType()).getElementType();
}

Value KernelBuilder::load(Value memref, ValueRange indices, int64_t lanes) {
  return widen(vector::LoadOp::create(*this, vector(lanes, elementType(memref)),
                                      memref, indices));
}
void KernelBuilder::store(Value value, Value memref, ValueRange indices) {
  vector::StoreOp::create(*this, value, memref, indices);
}
Value KernelBuilder::load(Value memref, ValueRange indices, int64_t lanes,
                          Value valid) {
  Value mask =
      vector::CreateMaskOp::create(*this, vector(lanes, getI1Type()), valid);
  auto type = vector(lanes, elementType(memref));
  Value zero =
      arith::ConstantOp::create(*this, cast<TypedAttr>(getZeroAttr(type)));
  return widen(
      vector::MaskedLoadOp::create(*this, type, memref, indices, mask, zero));
}
void KernelBuilder::store(Value value, Value memref, ValueRange indices,
                          Value valid) {
  int64_t lanes = cast<VectorType>(value.getType()).getDimSize(0);
  Value mask =
      vector::CreateMaskOp::create(*this, vector(lanes, getI1Type()), valid);
  vector::MaskedStoreOp::create(*this, memref, indices, mask, value);
}
Value KernelBuilder::loadScalar(Value memref, ValueRange indices) {
  return widen(memref::LoadOp::create(*this, memref, indices));
}
void KernelBuilder::storeScalar(Value scalar, Value memref,
                                ValueRange indices) {
  memref::StoreOp::create(*this, scalar, memref, indices);
}

void KernelBuilder::forColumns(int64_t columns,
                               llvm::function_ref<void(Value, Value)> body) {
  int64_t whole = columns / target.lanes * target.lanes;
  if (whole == target.lanes)
    body(cst(0), Value());
  else if (whole > 0)
    loop(cst(0), cst(whole), cst(target.lanes),
         [&](Value column) { body(column, Value()); });
  if (whole < columns)
    body(cst(whole), cst(columns - whole));
}
Value KernelBuilder::loadColumns(Value memref, ValueRange indices,
                                 Value valid) {
  return valid ? load(memref, indices, target.lanes, valid)
               : load(memref, indices, target.lanes);
}
void KernelBuilder::storeColumns(Value value, Value memref, ValueRange indices,
                                 Value valid) {
  valid ? store(value, memref, indices, valid) : store(value, memref, indices);
}
Value KernelBuilder::reduceSum(Value value) {
  // Reassociation allowed: the lanes are summed as a tree.
  return vector::ReductionOp::create(*this, vector::CombiningKind::ADD, value,
                                     arith::FastMathFlags::reassoc);
}
Value KernelBuilder::reduceMax(Value value) {
  return vector::ReductionOp::create(*this, vector::CombiningKind::MAXIMUMF,
                                     value);
}
