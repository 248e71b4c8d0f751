//===- GlueEval.cpp - constants and elementwise operations ----------------===//

#include "Interpreter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

namespace linnet::reference {

/// Applies the scalar function of `op` to scalars or to tensors of one shape.
static Status evalElementwise(Operation *op, Scope &scope) {
  ScalarFunction function = findScalarFunction(op);
  if (!function)
    return makeError("unknown to the reference evaluator for type ",
                     formatType(op->getOperand(0).getType()));
  llvm::SmallVector<const HostTensor *> operands;
  for (Value operand : op->getOperands())
    operands.push_back(&scope.get(operand));
  // The last operand has the result's shape; a select's condition may be a
  // scalar.
  HostTensor y = *operands.back();
  for (const HostTensor *operand : operands)
    if (!operand->shape.empty())
      if (Status status = expectShape("an operand", operand->shape, y.shape);
          !status)
        return status;
  llvm::SmallVector<double> x(operands.size());
  for (int64_t i = 0; i < y.size(); ++i) {
    for (auto [number, operand] : llvm::enumerate(operands))
      x[number] = operand->values[operand->shape.empty() ? 0 : i];
    y.values[i] = function(x.data());
  }
  return scope.set(op->getResult(0), std::move(y));
}

static Status evalConstant(mlir::arith::ConstantOp op, Scope &scope) {
  mlir::Attribute attribute = op.getValue();
  if (std::optional<double> scalar = scalarOfAttribute(attribute))
    return scope.set(op.getResult(), HostTensor::scalar(*scalar));
  auto dense = mlir::dyn_cast<mlir::DenseElementsAttr>(attribute);
  if (!dense || !dense.getElementType().isIntOrIndexOrFloat())
    return makeError("unsupported constant of type ", formatType(op.getType()));
  Result<HostTensor> y = makeZeros(dense.getType().getShape());
  if (!y)
    return y.error();
  auto fill = [&](auto values) -> Status {
    int64_t i = 0;
    for (mlir::Attribute value : values) {
      std::optional<double> scalar = scalarOfAttribute(value);
      if (!scalar)
        return makeError("unsupported constant of type ",
                         formatType(op.getType()));
      y->values[i++] = *scalar;
    }
    return {};
  };
  if (Status status = fill(dense.getValues<mlir::Attribute>()); !status)
    return status;
  return scope.set(op.getResult(), y.take());
}

/// Registers every elementwise operation that has a scalar function.
static void addElementwise(OpTable &table,
                           llvm::ArrayRef<llvm::StringLiteral> names) {
  for (StringRef name : names)
    table.addNamed(name, evalElementwise);
}

void addGlueOps(OpTable &table) {
  table.add(evalConstant);
  addElementwise(table,
                 {"arith.addf", "arith.subf", "arith.mulf", "arith.divf",
                  "arith.remf", "arith.negf", "arith.maximumf",
                  "arith.minimumf", "arith.maxnumf", "arith.minnumf",
                  "arith.extf", "arith.truncf", "arith.sitofp", "arith.uitofp",
                  "arith.fptosi", "arith.cmpf", "arith.select"});
  addElementwise(table,
                 {"arith.addi", "arith.subi", "arith.muli", "arith.divsi",
                  "arith.remsi", "arith.andi", "arith.ori", "arith.xori",
                  "arith.minsi", "arith.maxsi", "arith.cmpi", "arith.extsi",
                  "arith.extui", "arith.trunci", "arith.index_cast"});
  addElementwise(table,
                 {"math.exp", "math.exp2", "math.expm1", "math.log",
                  "math.log2", "math.log1p", "math.sqrt", "math.rsqrt",
                  "math.sin", "math.cos", "math.tanh", "math.erf", "math.absf",
                  "math.powf", "math.fma", "math.floor", "math.ceil"});
}

} // namespace linnet::reference
