//===- Pointwise.cpp - structured computations in kernels -----------------===//
//
// Iterates over the entries of the first output, in vectors where every
// operand has its entries side by side (or one for all) along the output's
// last dimension. Narrow floats are computed in f32, as everywhere.
//
//===----------------------------------------------------------------------===//

#include "passes/CPU/Pointwise.h"

#include "passes/CPU/RowLoops.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mlir::linnet;

TypedAttr linnet::splatConstant(Value value) {
  Attribute attr;
  if (!value || !matchPattern(value, m_Constant(&attr)))
    return {};
  if (auto dense = dyn_cast<DenseElementsAttr>(attr)) {
    if (!dense.isSplat())
      return {};
    attr = dense.getSplatValue<Attribute>();
  }
  if (isa<FloatAttr, IntegerAttr>(attr))
    return cast<TypedAttr>(attr);
  return {};
}

/// What values of this element type are in a kernel.
static Type computedType(Type type) {
  return isa<FloatType>(type) ? Float32Type::get(type.getContext()) : type;
}

/// A constant as computed.
static Value emitConstant(KernelBuilder &k, TypedAttr attr) {
  if (auto real = dyn_cast<FloatAttr>(attr))
    return k.f32(real.getValueAsDouble());
  return arith::ConstantOp::create(k, attr);
}

/// Whether entries of this type are loaded and stored as computed or widened.
static bool isSupported(Type type) {
  return type.isF32() || type.isBF16() || type.isF16() || type.isIntOrIndex();
}

LogicalResult Pointwise::check() {
  auto checkOperand = [&](const PointwiseOperand &operand) {
    for (AffineExpr result : operand.map.getResults())
      if (!isa<AffineDimExpr, AffineConstantExpr>(result))
        return false;
    return true;
  };
  if (!llvm::all_of(inputs, checkOperand) ||
      !llvm::all_of(outputs, checkOperand))
    return op->emitOpError(
        "expected indexing maps of dimensions and constants");
  for (const PointwiseOperand &operand :
       llvm::concat<PointwiseOperand>(inputs, outputs))
    if (!isSupported(getElementTypeOrSelf(operand.tensor.getType())))
      return op->emitOpError("expected entries of at most 32 bits, but got ")
             << operand.tensor.getType();
  for (const PointwiseOperand &input : inputs)
    if (!input.constant && !isa<RankedTensorType>(input.tensor.getType()))
      return op->emitOpError(
                 "expected tensors and constants as operands, but got ")
             << input.tensor.getType();
  llvm::SmallDenseSet<unsigned> written;
  for (AffineExpr result : outputs.front().map.getResults())
    if (auto dim = dyn_cast<AffineDimExpr>(result))
      if (!written.insert(dim.getPosition()).second)
        return op->emitOpError("expected each dimension once in the output");
  for (const PointwiseOperand &output : outputs) {
    unsigned own = 0;
    for (AffineExpr result : output.map.getResults()) {
      auto dim = dyn_cast<AffineDimExpr>(result);
      own += dim && written.contains(dim.getPosition());
    }
    if (own != written.size() || output.map.getNumResults() != written.size())
      return op->emitOpError("expected outputs over the same dimensions");
  }
  if (!body)
    return success();
  for (Operation &inner : body->without_terminator()) {
    if (inner.getNumRegions() ||
        (!inner.hasTrait<OpTrait::Elementwise>() &&
         !isa<arith::ConstantOp, linalg::IndexOp>(inner)))
      return op->emitOpError("expected elementwise operations inside, but got ")
             << inner.getName();
    for (Value operand : inner.getOperands())
      if (operand.getParentBlock() != body && !splatConstant(operand))
        return op->emitOpError("expected no values from outside but constants");
  }
  for (Value operand : body->getTerminator()->getOperands())
    if (operand.getParentBlock() != body && !splatConstant(operand))
      return op->emitOpError("expected no values from outside but constants");
  return success();
}

bool Pointwise::usesOld(unsigned output) const {
  return body && !body->getArgument(inputs.size() + output).use_empty();
}

SmallVector<unsigned> Pointwise::reducedDims() const {
  SmallVector<unsigned> dims;
  for (unsigned d = 0; d < rank; ++d)
    if (!outputs.front().map.isFunctionOfDim(d))
      dims.push_back(d);
  return dims;
}

bool Pointwise::reduces() const { return !reducedDims().empty(); }

/// Everything the kernel's code depends on beside the argument types.
std::string Pointwise::describe() const {
  std::string text;
  llvm::raw_string_ostream out(text);
  for (const PointwiseOperand &input : inputs) {
    out << input.map;
    if (input.constant)
      out << input.constant;
    out << ' ';
  }
  for (auto [i, output] : llvm::enumerate(outputs))
    out << "-> " << output.map << (usesOld(i) ? "+ " : " ");
  DenseMap<Value, int> numbers;
  auto describeOp = [&](Operation &inner) {
    out << '\n' << inner.getName() << inner.getAttrDictionary();
    for (Value operand : inner.getOperands()) {
      auto number = numbers.find(operand);
      if (number != numbers.end())
        out << " %" << number->second;
      else if (TypedAttr constant = splatConstant(operand))
        out << ' ' << constant;
    }
    out << " : " << inner.getResultTypes();
    for (Value result : inner.getResults())
      numbers.try_emplace(result, numbers.size());
  };
  if (!body) {
    describeOp(*op);
    return text;
  }
  for (Value argument : body->getArguments())
    numbers.try_emplace(argument, numbers.size());
  for (Operation &inner : *body)
    describeOp(inner);
  return text;
}

SmallVector<Value> Pointwise::place(KernelBuilder &k,
                                    const PointwiseOperand &operand,
                                    ArrayRef<Value> dims) const {
  SmallVector<Value> result;
  for (AffineExpr expr : operand.map.getResults()) {
    if (auto dim = dyn_cast<AffineDimExpr>(expr))
      result.push_back(dims[dim.getPosition()]);
    else
      result.push_back(k.cst(cast<AffineConstantExpr>(expr).getValue()));
  }
  // A tensor without dimensions is a memref of one entry.
  if (result.empty())
    result.push_back(k.cst(0));
  return result;
}

/// The last dimension of the first output: the one vectors extend along.
static std::optional<unsigned> vectorDim(const PointwiseOperand &output) {
  if (output.map.getNumResults() == 0)
    return std::nullopt;
  auto dim = dyn_cast<AffineDimExpr>(output.map.getResults().back());
  return dim ? std::optional<unsigned>(dim.getPosition()) : std::nullopt;
}

Value Pointwise::load(KernelBuilder &k, const PointwiseOperand &operand,
                      ArrayRef<Value> dims, Value valid, bool vector) const {
  Value scalar;
  if (operand.constant) {
    scalar = emitConstant(k, operand.constant);
  } else {
    Value memref = k.argument(operand.argument);
    SmallVector<Value> entry = place(k, operand, dims);
    if (vector && operand.map.isFunctionOfDim(*vectorDim(outputs.front())))
      return k.loadColumns(memref, entry, valid);
    scalar = k.loadScalar(memref, entry);
  }
  return vector ? k.splat(scalar, k.target.lanes) : scalar;
}

void Pointwise::store(KernelBuilder &k, Value value,
                      const PointwiseOperand &operand, ArrayRef<Value> dims,
                      Value valid) const {
  Value memref = k.argument(operand.argument);
  Type stored = cast<MemRefType>(memref.getType()).getElementType();
  if (getElementTypeOrSelf(value.getType()) != stored) {
    Type type = stored;
    if (auto vectorType = dyn_cast<VectorType>(value.getType()))
      type = vectorType.clone(stored);
    value = arith::TruncFOp::create(k, type, value);
  }
  SmallVector<Value> entry = place(k, operand, dims);
  if (isa<VectorType>(value.getType()))
    k.storeColumns(value, memref, entry, valid);
  else
    k.storeScalar(value, memref, entry);
}

SmallVector<Value> Pointwise::compute(KernelBuilder &k,
                                      ArrayRef<Value> arguments,
                                      ArrayRef<Value> dims, bool vector) const {
  IRMapping mapping;
  auto shaped = [&](Type type) -> Type {
    type = computedType(getElementTypeOrSelf(type));
    return vector ? Type(VectorType::get({k.target.lanes}, type)) : type;
  };
  auto known = [&](Value value) {
    if (!mapping.contains(value)) {
      Value scalar = emitConstant(k, splatConstant(value));
      mapping.map(value, vector ? k.splat(scalar, k.target.lanes) : scalar);
    }
    return mapping.lookup(value);
  };
  auto computeOp = [&](Operation &inner, ValueRange operands) {
    // Widening and narrowing between types that are computed alike.
    if (isa<arith::ExtFOp, arith::TruncFOp>(inner)) {
      mapping.map(inner.getResult(0), operands[0]);
      return;
    }
    SmallVector<Type> types =
        llvm::map_to_vector(inner.getResultTypes(), shaped);
    OperationState state(k.getLoc(), inner.getName(), operands, types,
                         llvm::to_vector(inner.getDiscardableAttrs()));
    state.propertiesAttr = inner.getPropertiesAsAttribute();
    Operation *copy = k.create(state);
    mapping.map(inner.getResults(), copy->getResults());
  };
  if (!body) {
    computeOp(*op, arguments);
    return {mapping.lookup(op->getResult(0))};
  }
  for (auto [argument, value] : llvm::zip(body->getArguments(), arguments))
    if (value)
      mapping.map(argument, value);
  for (Operation &inner : body->without_terminator()) {
    if (auto index = dyn_cast<linalg::IndexOp>(inner)) {
      mapping.map(index.getResult(), dims[index.getDim()]);
      continue;
    }
    if (isa<arith::ConstantOp>(inner)) {
      known(inner.getResult(0));
      continue;
    }
    SmallVector<Value> operands;
    for (Value operand : inner.getOperands())
      operands.push_back(known(operand));
    computeOp(inner, operands);
  }
  SmallVector<Value> results;
  for (Value operand : body->getTerminator()->getOperands())
    results.push_back(known(operand));
  return results;
}

bool Pointwise::canVectorise(KernelBuilder &k) const {
  std::optional<unsigned> dim = vectorDim(outputs.front());
  if (!dim || reduces())
    return false;
  auto fits = [&](const PointwiseOperand &operand, bool write) {
    if (operand.argument < 0)
      return true;
    MemRefType type = k.argumentType(operand.argument);
    // Vectors of i1 are packed in memory, entries are not.
    if (type.getElementType().isInteger(1))
      return false;
    if (!operand.map.isFunctionOfDim(*dim))
      return !write;
    unsigned uses = 0;
    for (AffineExpr expr : operand.map.getResults())
      uses += expr.isFunctionOfDim(*dim);
    auto [strides, offset] = type.getStridesAndOffset();
    return uses == 1 && operand.map.getResults().back().isFunctionOfDim(*dim) &&
           strides.back() == 1;
  };
  if (body && !body->getOps<linalg::IndexOp>().empty())
    return false;
  return llvm::all_of(inputs,
                      [&](auto &input) { return fits(input, false); }) &&
         llvm::all_of(outputs,
                      [&](auto &output) { return fits(output, true); });
}

SmallVector<Value> Pointwise::dimsOf(ArrayRef<Value> at) const {
  SmallVector<Value> dims(rank);
  for (auto [expr, value] : llvm::zip(outputs.front().map.getResults(), at))
    dims[cast<AffineDimExpr>(expr).getPosition()] = value;
  return dims;
}

void Pointwise::emit(KernelBuilder &k) const {
  unsigned first = outputs.front().argument;
  auto entry = [&](ArrayRef<Value> at, Value valid, bool vector) {
    SmallVector<Value> dims = dimsOf(at), arguments;
    for (const PointwiseOperand &input : inputs)
      arguments.push_back(load(k, input, dims, valid, vector));
    for (auto [i, output] : llvm::enumerate(outputs))
      arguments.push_back(usesOld(i) ? load(k, output, dims, valid, vector)
                                     : Value());
    if (!body)
      arguments.resize(inputs.size());
    SmallVector<Value> results = compute(k, arguments, dims, vector);
    for (auto [result, output] : llvm::zip(results, outputs))
      store(k, result, output, dims, valid);
  };
  if (canVectorise(k))
    forVectors(k, first, [&](ArrayRef<Value> at, Value valid) {
      entry(at, valid, /*vector=*/true);
    });
  else
    forEntries(k, first, [&](ArrayRef<Value> at) {
      entry(at, Value(), /*vector=*/false);
    });
}

/// One entry of the outputs at a time, the results so far in registers.
void Pointwise::emitReduction(KernelBuilder &k) const {
  SmallVector<unsigned> reduced = reducedDims();
  auto extentOf = [&](unsigned dim) -> Value {
    for (const PointwiseOperand &input : inputs)
      if (input.argument >= 0)
        for (auto [d, expr] : llvm::enumerate(input.map.getResults()))
          if (expr == getAffineDimExpr(dim, k.getContext()))
            return k.extent(input.argument, d);
    return k.cst(1);
  };
  forEntries(k, outputs.front().argument, [&](ArrayRef<Value> at) {
    SmallVector<Value> dims = dimsOf(at), results;
    for (const PointwiseOperand &output : outputs)
      results.push_back(load(k, output, dims, Value(), /*vector=*/false));
    std::function<SmallVector<Value>(unsigned, ValueRange)> nest =
        [&](unsigned depth, ValueRange carried) -> SmallVector<Value> {
      if (depth == reduced.size()) {
        SmallVector<Value> arguments;
        for (const PointwiseOperand &input : inputs)
          arguments.push_back(load(k, input, dims, Value(), /*vector=*/false));
        llvm::append_range(arguments, carried);
        return compute(k, arguments, dims, /*vector=*/false);
      }
      return k.loop(k.cst(0), extentOf(reduced[depth]), k.cst(1), carried,
                    [&](Value iv, ValueRange inner) {
                      dims[reduced[depth]] = iv;
                      return nest(depth + 1, inner);
                    });
    };
    results = nest(0, results);
    for (auto [result, output] : llvm::zip(results, outputs))
      store(k, result, output, dims, Value());
  });
}

LogicalResult Pointwise::lower(FunctionLowering &f) {
  if (failed(check()))
    return failure();
  SmallVector<KernelArgument> arguments;
  bool reduction = reduces();
  auto atLeastOneDim = [](Buffer place) {
    if (place.type.getRank() == 0)
      place.type = MemRefType::get({1}, place.type.getElementType());
    return place;
  };
  for (PointwiseOperand &input : inputs) {
    if (input.constant)
      continue;
    input.argument = arguments.size();
    arguments.push_back(
        KernelArgument::read(atLeastOneDim(f.buffer(input.tensor))));
  }
  for (auto [i, output] : llvm::enumerate(outputs)) {
    Buffer place = atLeastOneDim(f.buffer(op->getResult(i)));
    output.argument = arguments.size();
    if (!reduction && !usesOld(i)) {
      arguments.push_back(KernelArgument::write(place));
      continue;
    }
    // The results so far start from the initial tensor.
    TypedAttr constant = splatConstant(output.tensor);
    if (!constant) {
      f.copy(op, atLeastOneDim(f.buffer(output.tensor)), place);
    } else {
      std::string value;
      llvm::raw_string_ostream(value) << constant;
      f.call(
          op, "fill", {KernelArgument::write(place)},
          [&](KernelBuilder &k) {
            forEntries(k, 0, [&](ArrayRef<Value> at) {
              k.storeScalar(emitConstant(k, constant), k.argument(0), at);
            });
          },
          value);
    }
    arguments.push_back(KernelArgument::update(place));
  }
  f.call(
      op, body ? "generic" : op->getName().stripDialect(), arguments,
      [&](KernelBuilder &k) { reduction ? emitReduction(k) : emit(k); },
      describe());
  return success();
}
