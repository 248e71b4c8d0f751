//===- LinalgEval.cpp - structured operations through their region --------===//
//
// linalg.generic and every named linalg operation with a region: loops over
// the iteration space, indexing maps that pick dimensions, the body applied to
// each point.
//
//===----------------------------------------------------------------------===//

#include "Interpreter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace linnet::reference {

namespace linalg = mlir::linalg;

namespace {
/// One operation of the body: registers in, register out.
struct Instruction {
  ScalarFunction function;
  llvm::SmallVector<unsigned> operands;
  unsigned result;
};

/// The scalar region as straight-line code over registers. The first registers
/// are the block arguments, the next the iteration indices.
class Body {
public:
  static Result<Body> create(linalg::LinalgOp op, Scope &scope);

  llvm::SmallVector<Instruction> instructions;
  llvm::SmallVector<unsigned> yields;
  llvm::SmallVector<double> registers;
};

/// An operand's address as a linear function of the iteration indices.
struct Access {
  int64_t base = 0;
  std::vector<int64_t> strides;
};
} // namespace

Result<Body> Body::create(linalg::LinalgOp op, Scope &scope) {
  Body body;
  mlir::Block *block = op.getBlock();
  llvm::DenseMap<Value, unsigned> numbers;
  for (Value argument : block->getArguments())
    numbers[argument] = numbers.size();
  unsigned firstIndex = block->getNumArguments();
  body.registers.resize(firstIndex + op.getNumLoops());
  auto numberOf = [&](Value value) {
    auto [entry, isNew] = numbers.try_emplace(value, body.registers.size());
    // A scalar from outside the region.
    if (isNew)
      body.registers.push_back(scope.get(value).values[0]);
    return entry->second;
  };
  for (Operation &inner : block->without_terminator()) {
    if (auto index = mlir::dyn_cast<linalg::IndexOp>(inner)) {
      numbers[index.getResult()] = firstIndex + index.getDim();
      continue;
    }
    std::optional<double> constant;
    if (auto attribute = mlir::dyn_cast<mlir::arith::ConstantOp>(inner))
      constant = scalarOfAttribute(attribute.getValue());
    ScalarFunction function;
    if (!constant && !(function = findScalarFunction(&inner)))
      return makeError("'", inner.getName().getStringRef().str(),
                       "' in its body is unknown to the reference evaluator");
    Instruction instruction{std::move(function), {}, 0};
    if (!constant)
      for (Value operand : inner.getOperands())
        instruction.operands.push_back(numberOf(operand));
    instruction.result = body.registers.size();
    numbers[inner.getResult(0)] = instruction.result;
    body.registers.push_back(constant.value_or(0));
    if (!constant)
      body.instructions.push_back(std::move(instruction));
  }
  for (Value value : block->getTerminator()->getOperands())
    body.yields.push_back(numberOf(value));
  return body;
}

/// The access that `map` describes; only dimensions and constants are known.
static Result<Access> makeAccess(mlir::AffineMap map,
                                 const HostTensor &tensor) {
  Access access;
  access.strides.assign(map.getNumDims(), 0);
  std::vector<int64_t> strides = stridesOf(tensor.shape);
  for (auto [d, expression] : llvm::enumerate(map.getResults())) {
    if (auto dim = mlir::dyn_cast<mlir::AffineDimExpr>(expression))
      access.strides[dim.getPosition()] += strides[d];
    else if (auto constant =
                 mlir::dyn_cast<mlir::AffineConstantExpr>(expression);
             constant && constant.getValue() >= 0 &&
             constant.getValue() < tensor.shape[d])
      access.base += constant.getValue() * strides[d];
    else
      return makeError("expected indexing maps that pick dimensions, but got ",
                       [&] {
                         std::string text;
                         llvm::raw_string_ostream(text) << map;
                         return text;
                       }());
  }
  return access;
}

/// The loop bounds, on which all operands must agree.
static Result<std::vector<int64_t>>
findBounds(linalg::LinalgOp op, ArrayRef<mlir::AffineMap> maps,
           ArrayRef<const HostTensor *> tensors) {
  std::vector<int64_t> bounds(op.getNumLoops(), -1);
  for (auto [map, tensor] : llvm::zip_equal(maps, tensors))
    for (auto [d, expression] : llvm::enumerate(map.getResults()))
      if (auto dim = mlir::dyn_cast<mlir::AffineDimExpr>(expression)) {
        int64_t &bound = bounds[dim.getPosition()];
        if (bound >= 0 && bound != tensor->shape[d])
          return makeError("expected loop ", dim.getPosition(), " to run to ",
                           bound, ", but got ", tensor->shape[d]);
        bound = tensor->shape[d];
      }
  if (llvm::is_contained(bounds, -1))
    return makeError("expected every loop to index some operand");
  return bounds;
}

Status evalLinalg(Operation *operation, Scope &scope) {
  auto op = mlir::cast<linalg::LinalgOp>(operation);
  if (!op.hasPureTensorSemantics())
    return makeError("expected tensors, but got memory references");
  llvm::SmallVector<mlir::AffineMap> maps = op.getIndexingMapsArray();
  llvm::SmallVector<const HostTensor *> tensors;
  for (Value operand : operation->getOperands())
    tensors.push_back(&scope.get(operand));
  Result<std::vector<int64_t>> bounds = findBounds(op, maps, tensors);
  if (!bounds)
    return bounds.error();
  Result<Body> body = Body::create(op, scope);
  if (!body)
    return body.error();
  std::vector<HostTensor> outputs;
  for (Value init : op.getDpsInits())
    outputs.push_back(scope.get(init));
  unsigned inputs = tensors.size() - outputs.size();
  std::vector<const double *> data;
  std::vector<Access> accesses;
  for (auto [number, map] : llvm::enumerate(maps)) {
    Result<Access> access = makeAccess(map, *tensors[number]);
    if (!access)
      return access.error();
    accesses.push_back(access.take());
    data.push_back(number < inputs ? tensors[number]->values.data()
                                   : outputs[number - inputs].values.data());
  }

  int64_t points = 1;
  for (int64_t bound : *bounds)
    points *= bound;
  unsigned loops = bounds->size();
  double *registers = body->registers.data();
  std::vector<int64_t> index(loops, 0);
  std::vector<int64_t> offsets(accesses.size());
  llvm::SmallVector<double> operands;
  for (int64_t point = 0; point < points; ++point) {
    for (size_t a = 0; a < accesses.size(); ++a) {
      offsets[a] = accesses[a].base;
      for (unsigned d = 0; d < loops; ++d)
        offsets[a] += accesses[a].strides[d] * index[d];
      registers[a] = data[a][offsets[a]];
    }
    for (unsigned d = 0; d < loops; ++d)
      registers[accesses.size() + d] = double(index[d]);
    for (const Instruction &instruction : body->instructions) {
      operands.clear();
      for (unsigned operand : instruction.operands)
        operands.push_back(registers[operand]);
      registers[instruction.result] = instruction.function(operands.data());
    }
    for (size_t o = 0; o < outputs.size(); ++o)
      outputs[o].values[offsets[inputs + o]] = registers[body->yields[o]];
    for (unsigned d = loops; d-- > 0;) {
      if (++index[d] < (*bounds)[d])
        break;
      index[d] = 0;
    }
  }
  for (auto [result, output] :
       llvm::zip_equal(operation->getResults(), outputs))
    if (Status status = scope.set(result, std::move(output)); !status)
      return status;
  return {};
}

} // namespace linnet::reference
