//===- ScanOperands.cpp - reading the operands of a scan ------------------===//

#include "passes/CPU/ScanOperands.h"

#include "passes/CPU/RowLoops.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mlir::linnet;

SmallVector<Value> ScanOperand::indices(KernelBuilder &k,
                                        const ScanPlace &place, Value row,
                                        Value column) const {
  SmallVector<Value> result;
  for (auto [letter, size] : llvm::zip(letters, sizes)) {
    if (size == 1) {
      result.push_back(k.cst(0));
      continue;
    }
    switch (letter) {
    case 'b':
      result.push_back(place.batch);
      break;
    case 't':
      result.push_back(place.token);
      break;
    case 'h': {
      Value head = byStep ? place.stepHead : place.head;
      result.push_back(size == heads ? head
                                     : Value(arith::DivUIOp::create(
                                           k, head, k.cst(heads / size))));
      break;
    }
    case 'm':
      result.push_back(place.mixed);
      break;
    case 'k':
    case 'p':
      result.push_back(row);
      break;
    default:
      result.push_back(column);
      break;
    }
  }
  return result;
}

Value ScanOperand::load(KernelBuilder &k, const ScanPlace &place, Value row,
                        Value column, char along, Value valid) const {
  SmallVector<Value> entry = indices(k, place, row, column);
  if (along && letters.back() == along && varies(along))
    return k.loadColumns(k.argument(argument), entry, valid);
  return k.loadScalar(k.argument(argument), entry);
}

ScanOperands
linnet::collectScanOperands(FunctionLowering &f, ScanOp op,
                            SmallVectorImpl<KernelArgument> &arguments) {
  ScanOperands operands;
  auto valueType = cast<RankedTensorType>(op.getValue().getType());
  operands.steps = op.getMicroSteps();
  operands.heads = valueType.getDimSize(2) / operands.steps;
  operands.values = valueType.getDimSize(3);
  operands.keys = cast<RankedTensorType>(op.getKey().getType()).getDimSize(3);
  auto read = [&](Value tensor, StringRef letters, int64_t steps = 1) {
    ScanOperand operand;
    operand.argument = arguments.size();
    operand.letters = letters;
    operand.heads = operands.heads * steps;
    operand.byStep = steps > 1;
    Buffer place = denseRows(f, op, tensor);
    operand.sizes = SmallVector<int64_t>(place.type.getShape());
    arguments.push_back(KernelArgument::read(place));
    return operand;
  };
  operands.query = read(op.getQuery(), "bthk");
  operands.key = read(op.getKey(), "bthk", operands.steps);
  operands.value = read(op.getValue(), "bthv", operands.steps);
  for (auto [parameter, letters] :
       llvm::zip(op.getParameters(), op.getTransition().getOperandDims()))
    operands.parameters.push_back(
        read(parameter, "b" + letters.str(), operands.steps));
  if (op.getBonus())
    operands.bonus = read(op.getBonus(), "bthk");
  if (op.getResets())
    operands.resets = read(op.getResets(), "bt");
  operands.result = arguments.size();
  arguments.push_back(KernelArgument::write(denseRows(f, op, op.getResult())));
  operands.state = arguments.size();
  arguments.push_back(
      KernelArgument::update(f.prepareState(op.getInitial(), op.getState())));
  return operands;
}
