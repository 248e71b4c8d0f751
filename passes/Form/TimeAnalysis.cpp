//===- TimeAnalysis.cpp - where the tokens of a function meet -------------===//

#include "passes/Form/TimeAnalysis.h"

#include "dialects/Linnet/Linnet.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mlir::linnet;

static constexpr StringRef kMixed = "its operands have tokens along different "
                                    "dimensions";

TimeDim TimeAnalysis::timeOf(Value value) const {
  auto found = times.find(value);
  return found == times.end() ? TimeDim() : TimeDim(found->second);
}

void TimeAnalysis::setTime(Value value, TimeDim dim) {
  if (dim)
    times[value] = *dim;
  else
    times.erase(value);
}

/// In the place of a dimension: the number of tokens before the first.
static constexpr int64_t kPosition = -1;

/// Takes over an operand's time; false if another one has a different one.
static bool join(TimeDim &time, TimeDim other) {
  if (other && time && *time != *other)
    return false;
  if (other)
    time = other;
  return true;
}

LogicalResult TimeAnalysis::check(func::FuncOp function) {
  TimeDims arguments(function.getNumArguments());
  bool hasPosition = false;
  for (auto [type, time] : llvm::zip(function.getArgumentTypes(), arguments)) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (tensor && tensor.getRank() > 1 && tensor.isDynamicDim(1))
      time = 1;
    if (type.isIndex() && !hasPosition) {
      time = kPosition;
      hasPosition = true;
    }
  }
  return visit(function, arguments);
}

FailureOr<TimeAnalysis::TimeDims> TimeAnalysis::visit(func::FuncOp function,
                                                      TimeDims arguments) {
  for (const Visited &before : visited)
    if (before.function == function && before.arguments == arguments)
      return before.results;
  if (!llvm::hasSingleElement(function.getBody()))
    return function.emitOpError("expected a body of one block");
  for (auto [argument, dim] : llvm::zip(function.getArguments(), arguments))
    setTime(argument, dim);
  Block &body = function.getBody().front();
  for (Operation &op : body.without_terminator()) {
    auto obstacle = visitOp(op);
    if (failed(obstacle))
      return failure();
    if (!obstacle->empty())
      return op.emitOpError("cannot run token by token: ") << *obstacle;
  }
  TimeDims results;
  for (Value value : body.getTerminator()->getOperands())
    results.push_back(timeOf(value));
  visited.push_back({function, arguments, results});
  return results;
}

FailureOr<std::string> TimeAnalysis::visitOp(Operation &op) {
  for (Value result : op.getResults())
    setTime(result, {});
  for (Region &region : op.getRegions()) {
    WalkResult inside = region.walk([&](Operation *nested) {
      return llvm::any_of(nested->getOperands(),
                          [&](Value v) { return timeOf(v); })
                 ? WalkResult::interrupt()
                 : WalkResult::advance();
    });
    if (inside.wasInterrupted())
      return std::string("its body reads tokens beside its operands");
  }
  if (isa<StatefulOpInterface>(op))
    return visitStateful(op);
  if (auto call = dyn_cast<func::CallOp>(op)) {
    TimeDims arguments;
    for (Value operand : op.getOperands())
      arguments.push_back(timeOf(operand));
    return visitCall(op, lookup(call.getCallee()), arguments);
  }
  if (isa<StackOp>(op))
    return visitStack(op);
  if (isa<tensor::EmptyOp>(op))
    return visitEmpty(op);
  if (llvm::none_of(op.getOperands(),
                    [&](Value operand) { return timeOf(operand); }))
    return std::string();
  if (isa<TokenwiseOpInterface>(op))
    return visitTokenwise(op);
  if (isa<linalg::LinalgOp>(op))
    return visitLinalg(op);
  if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op))
    return visitReshape(op);
  if (isa<tensor::ExtractSliceOp>(op))
    return visitSlice(op);
  if (isa<tensor::ConcatOp>(op))
    return visitConcat(op);
  if (isa<tensor::DimOp>(op))
    return visitDim(op);
  if (OpTrait::hasElementwiseMappableTraits(&op) || isa<tensor::CastOp>(op))
    return visitElementwise(op);
  return std::string("what it does with tokens is not known");
}

//===----------------------------------------------------------------------===//
// Operations with state, and calls
//===----------------------------------------------------------------------===//

std::string TimeAnalysis::visitStateful(Operation &op) {
  auto stateful = cast<StatefulOpInterface>(op);
  std::string obstacle = stateful.getStreamingObstacle();
  if (!obstacle.empty())
    return obstacle;
  SmallVector<unsigned> along = stateful.getTimeOperands();
  bool timed = false;
  for (OpOperand &operand : op.getOpOperands()) {
    TimeDim time = timeOf(operand.get());
    unsigned number = operand.getOperandNumber();
    if (time && (*time != 1 || !llvm::is_contained(along, number)))
      return "operand " + std::to_string(number) +
             " has tokens where it takes none";
    timed |= bool(time);
  }
  if (!timed)
    return "none of its operands has tokens";
  for (OpResult result : op.getResults()) {
    auto type = cast<RankedTensorType>(result.getType());
    if (type.getRank() > 1 && type.isDynamicDim(1)) {
      setTime(result, 1);
      continue;
    }
    // A state after the last token is one after every token only outside.
    for (Operation *user : result.getUsers())
      if (!user->hasTrait<OpTrait::IsTerminator>())
        return "its final state is used by '" +
               user->getName().getStringRef().str() + "'";
  }
  return "";
}

FailureOr<std::string> TimeAnalysis::visitCall(Operation &op,
                                               func::FuncOp callee,
                                               TimeDims arguments) {
  if (!callee || callee.isExternal())
    return std::string("the function it calls has no body");
  auto results = visit(callee, arguments);
  if (failed(results))
    return failure();
  for (auto [result, time] : llvm::zip(op.getResults(), *results))
    setTime(result, time);
  return std::string();
}

FailureOr<std::string> TimeAnalysis::visitStack(Operation &op) {
  auto stack = cast<StackOp>(op);
  TimeDims carried, invariants;
  for (Value value : stack.getCarried())
    carried.push_back(timeOf(value));
  for (Value value : stack.getInvariants())
    invariants.push_back(timeOf(value));
  for (auto name : stack.getFunctions().getAsRange<FlatSymbolRefAttr>()) {
    TimeDims arguments = carried;
    arguments.push_back({}); // the layer's number
    llvm::append_range(arguments, invariants);
    func::FuncOp callee = lookup(name.getValue());
    if (!callee || callee.isExternal())
      return "@" + name.getValue().str() + " has no body";
    auto results = visit(callee, arguments);
    if (failed(results))
      return failure();
    if (ArrayRef<TimeDim>(*results).take_front(carried.size()) !=
        ArrayRef<TimeDim>(carried))
      return "@" + name.getValue().str() +
             " returns tokens along other dimensions than it takes";
  }
  for (auto [result, time] : llvm::zip(op.getResults(), carried))
    setTime(result, time);
  return std::string();
}

//===----------------------------------------------------------------------===//
// Operations without state
//===----------------------------------------------------------------------===//

std::string TimeAnalysis::visitTokenwise(Operation &op) {
  auto tokenwise = cast<TokenwiseOpInterface>(op);
  TimeDim time;
  for (OpOperand &operand : op.getOpOperands()) {
    TimeDim own = timeOf(operand.get());
    unsigned number = operand.getOperandNumber();
    if (operand.get().getType().isIndex()) {
      if (own != TimeDim(kPosition))
        return "its position is not the number of tokens before";
      continue;
    }
    if (own && *own >= tokenwise.getTokenwiseDims(number))
      return "it combines the entries along dimension " + std::to_string(*own) +
             " of operand " + std::to_string(number);
    if (!join(time, own))
      return kMixed.str();
  }
  for (Value result : op.getResults())
    setTime(result, time);
  return "";
}

std::string TimeAnalysis::visitElementwise(Operation &op) {
  TimeDim time;
  for (Value operand : op.getOperands())
    if (!join(time, timeOf(operand)))
      return kMixed.str();
  if (time == TimeDim(kPosition))
    return ""; // another number
  for (Value result : op.getResults())
    setTime(result, time);
  return "";
}

/// Time has to be one parallel loop, and only dimensions of time may run
/// along it.
std::string TimeAnalysis::visitLinalg(Operation &op) {
  auto structured = cast<linalg::LinalgOp>(op);
  std::optional<unsigned> loop;
  for (OpOperand &operand : op.getOpOperands()) {
    TimeDim time = timeOf(operand.get());
    if (!time)
      continue;
    auto dim = dyn_cast<AffineDimExpr>(
        structured.getMatchingIndexingMap(&operand).getResult(*time));
    if (!dim)
      return "it reads tokens around the one it computes";
    if (loop && *loop != dim.getPosition())
      return kMixed.str();
    loop = dim.getPosition();
  }
  if (structured.getIteratorTypesArray()[*loop] !=
      utils::IteratorType::parallel)
    return "it reduces along the tokens";
  AffineExpr along = getAffineDimExpr(*loop, op.getContext());
  for (OpOperand &operand : op.getOpOperands()) {
    AffineMap map = structured.getMatchingIndexingMap(&operand);
    for (auto [d, expr] : llvm::enumerate(map.getResults())) {
      bool own = timeOf(operand.get()) == TimeDim(int64_t(d));
      // An output made here, whose dimension is time from now on.
      bool made = structured.isDpsInit(&operand) && expr == along;
      if (!own && !made && expr.isFunctionOfDim(*loop))
        return "operand " + std::to_string(operand.getOperandNumber()) +
               " without tokens is read by a token's number";
    }
  }
  WalkResult reads = op.walk([&](linalg::IndexOp index) {
    return index.getDim() == *loop ? WalkResult::interrupt()
                                   : WalkResult::advance();
  });
  if (reads.wasInterrupted())
    return "it reads a token's number";
  for (auto [result, init] :
       llvm::zip(op.getResults(), structured.getDpsInitsMutable()))
    for (auto [d, expr] :
         llvm::enumerate(structured.getMatchingIndexingMap(&init).getResults()))
      if (expr == along)
        setTime(result, int64_t(d));
  return "";
}

/// The group of dimensions that time is in has no other entries.
std::string TimeAnalysis::visitReshape(Operation &op) {
  if (!timeOf(op.getOperand(0)))
    return "a size is made of the number of tokens before";
  Value source = op.getOperand(0);
  int64_t time = *timeOf(source);
  bool collapses = isa<tensor::CollapseShapeOp>(op);
  auto groups =
      collapses ? cast<tensor::CollapseShapeOp>(op).getReassociationIndices()
                : cast<tensor::ExpandShapeOp>(op).getReassociationIndices();
  auto type =
      cast<RankedTensorType>((collapses ? source : op.getResult(0)).getType());
  for (auto [number, group] : llvm::enumerate(groups)) {
    if (collapses ? !llvm::is_contained(group, time) : int64_t(number) != time)
      continue;
    TimeDim open;
    for (int64_t d : group) {
      if (type.getDimSize(d) == 1)
        continue;
      if (open)
        return collapses ? "it joins tokens with other entries"
                         : "it takes tokens apart";
      open = d;
    }
    setTime(op.getResult(0), collapses ? TimeDim(int64_t(number)) : open);
  }
  return "";
}

/// All tokens, or it is another sequence.
std::string TimeAnalysis::visitSlice(Operation &op) {
  auto slice = cast<tensor::ExtractSliceOp>(op);
  TimeDim time = timeOf(slice.getSource());
  if (!time)
    return "it takes a part whose place depends on tokens";
  auto isDimOfTime = [&](OpFoldResult size) {
    auto value = dyn_cast<Value>(size);
    auto dim = value ? value.getDefiningOp<tensor::DimOp>() : tensor::DimOp();
    return dim && timeOf(dim.getSource()) &&
           dim.getConstantIndex() == timeOf(dim.getSource());
  };
  if (!isConstantIntValue(slice.getMixedOffsets()[*time], 0) ||
      !isConstantIntValue(slice.getMixedStrides()[*time], 1) ||
      !isDimOfTime(slice.getMixedSizes()[*time]))
    return "it takes some of the tokens";
  llvm::SmallBitVector dropped = slice.getDroppedDims();
  int64_t before = 0;
  for (int64_t d = 0; d < *time; ++d)
    before += dropped[d] ? 0 : 1;
  setTime(slice.getResult(), before);
  return "";
}

std::string TimeAnalysis::visitConcat(Operation &op) {
  auto concat = cast<tensor::ConcatOp>(op);
  std::string obstacle = visitElementwise(op);
  if (obstacle.empty() &&
      timeOf(concat.getResult()) == TimeDim(int64_t(concat.getDim())))
    return "it joins sequences along time";
  return obstacle;
}

std::string TimeAnalysis::visitEmpty(Operation &op) {
  auto empty = cast<tensor::EmptyOp>(op);
  unsigned next = 0;
  for (auto [d, size] : llvm::enumerate(empty.getType().getShape())) {
    if (!ShapedType::isDynamic(size))
      continue;
    auto dim = empty.getDynamicSizes()[next++].getDefiningOp<tensor::DimOp>();
    if (dim && timeOf(dim.getSource()) &&
        dim.getConstantIndex() == timeOf(dim.getSource()))
      setTime(empty, int64_t(d));
  }
  return "";
}

/// The number of tokens may be a size, but no number to compute with.
std::string TimeAnalysis::visitDim(Operation &op) {
  auto dim = cast<tensor::DimOp>(op);
  std::optional<int64_t> constant = dim.getConstantIndex();
  if (constant && constant != timeOf(dim.getSource()))
    return "";
  for (Operation *user : op.getUsers())
    if (!isa<tensor::EmptyOp, tensor::ExpandShapeOp, tensor::ExtractSliceOp>(
            user))
      return "the number of tokens is used by '" +
             user->getName().getStringRef().str() + "'";
  return "";
}
