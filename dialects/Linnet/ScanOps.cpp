//===- ScanOps.cpp - the recurrence and the short convolution -------------===//

#include "dialects/Linnet/Linnet.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace mlir::linnet;

bool linnet::fitsByBroadcast(char letter, int64_t size, int64_t full) {
  if (letter == 'm' && size == 0)
    return false; // no rows make no block, not even of a state without rows
  if (size == full || size == 1 || ShapedType::isDynamic(size) ||
      ShapedType::isDynamic(full))
    return true;
  return (letter == 'h' || letter == 'm') && size > 0 && full % size == 0;
}

namespace {
/// The full extents behind the letters of an operand's dimensions.
struct ScanExtents {
  int64_t b, t, h, k, v;
  int64_t get(char letter) const {
    switch (letter) {
    case 'b':
      return b;
    case 't':
      return t;
    case 'h':
      return h;
    case 'k':
    case 'm':
      return k;
    case 'p':
      return ShapedType::isDynamic(k) ? k : k / 2;
    default:
      return v;
    }
  }
};
} // namespace

/// Checks one operand against its letters (batch first).
static LogicalResult verifyOperand(Operation *op, StringRef name, Value operand,
                                   StringRef letters, const ScanExtents &full,
                                   int64_t groups = 1) {
  auto type = cast<RankedTensorType>(operand.getType());
  bool fits = type.getRank() == static_cast<int64_t>(letters.size());
  for (int64_t d = 0; fits && d < type.getRank(); ++d) {
    int64_t size = type.getDimSize(d), whole = full.get(letters[d]);
    if (letters[d] == 'h' && groups > 1 && size != 1) {
      // Every step's group fits by itself.
      fits = size % groups == 0;
      size /= groups;
    }
    fits = fits && fitsByBroadcast(letters[d], size, whole);
  }
  if (fits)
    return success();
  InFlightDiagnostic diag = op->emitOpError("expected ")
                            << name << " of shape [";
  llvm::interleaveComma(letters, diag, [&](char letter) {
    diag << StringRef(&letter, 1).upper();
  });
  diag << "] (or a size that broadcasts)";
  if (groups > 1)
    diag << " with " << groups << " groups of heads";
  return diag << ", but got " << type;
}

/// The checks scan and step share; `time` is "t" or "".
template <typename OpT>
static LogicalResult verifyRecurrence(OpT op, StringRef time) {
  auto v = cast<RankedTensorType>(op.getValue().getType());
  auto k = cast<RankedTensorType>(op.getKey().getType());
  int64_t rank = 3 + time.size();
  if (v.getRank() != rank || k.getRank() != rank)
    return op.emitOpError("expected key and value of rank ")
           << rank << ", but got " << k << " and " << v;
  int64_t steps = op.getMicroSteps(), heads = v.getDimSize(rank - 2);
  if (steps > 1 && (ShapedType::isDynamic(heads) || heads % steps != 0))
    return op.emitOpError("expected heads of the value that ")
           << steps << " micro-steps divide, but got " << v;
  if (steps > 1 && op.getReadout() == Readout::Pre)
    return op.emitOpError("expected readout post with micro-steps");
  ScanExtents full{v.getDimSize(0), time.empty() ? 1 : v.getDimSize(1),
                   ShapedType::isDynamic(heads) ? heads : heads / steps,
                   k.getDimSize(rank - 1), v.getDimSize(rank - 1)};
  auto check = [&](StringRef name, Value operand, StringRef letters,
                   int64_t groups = 1) {
    std::string dims = letters.str();
    if (time.empty())
      llvm::erase(dims, 't');
    return verifyOperand(op, name, operand, dims, full, groups);
  };
  if (failed(check("the key", op.getKey(), "bthk", steps)) ||
      failed(check("the query", op.getQuery(), "bthk")))
    return failure();
  SmallVector<StringRef> dims = op.getTransition().getOperandDims();
  if (dims.size() != op.getParameters().size())
    return op.emitOpError("expected ")
           << dims.size() << " transition operands, but got "
           << op.getParameters().size();
  if (op.getTransition().getNormalForm().hasPhase() && full.k % 2 &&
      !ShapedType::isDynamic(full.k))
    return op.emitOpError("expected an even key width for a complex state, "
                          "but got ")
           << full.k;
  for (auto [index, pair] :
       llvm::enumerate(llvm::zip(op.getParameters(), dims)))
    if (failed(check("transition operand " + std::to_string(index),
                     std::get<0>(pair), "b" + std::get<1>(pair).str(), steps)))
      return failure();
  if (op.getBonus()) {
    if (op.getReadout() != Readout::Pre)
      return op.emitOpError("expected readout pre with a bonus");
    if (failed(check("the bonus", op.getBonus(), "bthk")))
      return failure();
  }
  SmallVector<int64_t> state{full.b, full.h, full.k, full.v};
  for (Value value : {Value(op.getInitial()), Value(op.getState())}) {
    if (!value)
      continue;
    auto type = cast<RankedTensorType>(value.getType());
    if (failed(verifyCompatibleShape(type.getShape(), state)))
      return op.emitOpError("expected a state [B, ")
             << full.h << ", " << full.k << ", " << full.v << "], but got "
             << type;
  }
  return success();
}

/// Result types of scan and step.
static void inferRecurrence(Value key, Value value, int64_t microSteps,
                            SmallVectorImpl<Type> &types) {
  auto v = cast<RankedTensorType>(value.getType());
  auto k = cast<RankedTensorType>(key.getType());
  int64_t rank = v.getRank();
  if (rank < 3 || k.getRank() != rank) {
    types.append({v, v}); // The verifier explains.
    return;
  }
  SmallVector<int64_t> out(v.getShape());
  int64_t &heads = out[rank - 2];
  if (!ShapedType::isDynamic(heads) && microSteps > 0)
    heads /= microSteps;
  types.push_back(RankedTensorType::get(out, v.getElementType()));
  types.push_back(RankedTensorType::get(
      {out[0], heads, k.getDimSize(rank - 1), out[rank - 1]},
      v.getElementType()));
}

LogicalResult ScanOp::inferReturnTypes(MLIRContext *, std::optional<Location>,
                                       Adaptor adaptor,
                                       SmallVectorImpl<Type> &types) {
  inferRecurrence(adaptor.getKey(), adaptor.getValue(), adaptor.getMicroSteps(),
                  types);
  return success();
}

LogicalResult ScanOp::verify() {
  if (failed(verifyRecurrence(*this, "t")))
    return failure();
  auto v = cast<RankedTensorType>(getValue().getType());
  if (getResets() &&
      failed(verifyCompatibleShape(getResets().getType().getShape(),
                                   v.getShape().take_front(2))))
    return emitOpError("expected resets [B, T] of the value's ")
           << v << ", but got " << getResets().getType();
  SmallVector<ScanForm> legal = getTransition().getLegalForms();
  if (getForm() == ScanForm::Auto || llvm::is_contained(legal, getForm()))
    return success();
  InFlightDiagnostic diag = emitOpError("expected a form out of ");
  llvm::interleaveComma(
      legal, diag, [&](ScanForm form) { diag << stringifyScanForm(form); });
  return diag << " for its transition, but got "
              << stringifyScanForm(getForm());
}

SmallVector<StateSpec> ScanOp::getStateSpecs(int64_t) {
  return {{"state", cast<RankedTensorType>(getState().getType()), false}};
}

std::string ScanOp::getStreamingObstacle() {
  return getReverse() ? "a reverse scan reads later tokens" : "";
}

ValueRange ScanOp::getStates() { return OperandRange(getInitialMutable()); }

SmallVector<unsigned> ScanOp::getTimeOperands() {
  SmallVector<unsigned> numbers{0, 1, 2};
  for (unsigned i = 0, e = getParameters().size(); i < e; ++i)
    numbers.push_back(3 + i);
  if (getBonus())
    numbers.push_back(3 + getParameters().size());
  if (getResets())
    numbers.push_back(getNumOperands() - 1);
  // Time-invariant operands have a time dimension of size one.
  llvm::erase_if(numbers, [&](unsigned number) {
    return cast<RankedTensorType>(getOperand(number).getType()).getDimSize(1) ==
               1 &&
           cast<RankedTensorType>(getValue().getType()).getDimSize(1) != 1;
  });
  return numbers;
}

StatefulResult ScanOp::threadState(OpBuilder &builder, ValueRange states,
                                   Value) {
  auto threaded = ScanOp::create(
      builder, getLoc(), getQuery(), getKey(), getValue(), getParameters(),
      getBonus(), states[0], getResets(), getTransition(), getScaleAttr(),
      getReadoutAttr(), getReverseAttr(), getFormAttr(), getMicroStepsAttr());
  return {{threaded.getResult(), threaded.getState()}, {threaded.getState()}};
}

LogicalResult StepOp::inferReturnTypes(MLIRContext *, std::optional<Location>,
                                       Adaptor adaptor,
                                       SmallVectorImpl<Type> &types) {
  inferRecurrence(adaptor.getKey(), adaptor.getValue(), adaptor.getMicroSteps(),
                  types);
  return success();
}

LogicalResult StepOp::verify() { return verifyRecurrence(*this, ""); }

//===----------------------------------------------------------------------===//
// short_conv
//===----------------------------------------------------------------------===//

static RankedTensorType tailType(Value input, Value weight) {
  auto x = cast<RankedTensorType>(input.getType());
  auto w = cast<RankedTensorType>(weight.getType());
  return RankedTensorType::get(
      {x.getDimSize(0), w.getDimSize(2) - 1, x.getDimSize(2)},
      x.getElementType());
}

LogicalResult ShortConvOp::inferReturnTypes(MLIRContext *,
                                            std::optional<Location> loc,
                                            Adaptor adaptor,
                                            SmallVectorImpl<Type> &types) {
  if (cast<RankedTensorType>(adaptor.getWeight().getType()).getDimSize(2) < 1)
    return emitOptionalError(loc, "expected a weight [C, 1, W], W >= 1");
  types.push_back(adaptor.getInput().getType());
  types.push_back(tailType(adaptor.getInput(), adaptor.getWeight()));
  return success();
}

LogicalResult ShortConvOp::verify() {
  int64_t channels = cast<ShapedType>(getInput().getType()).getDimSize(2);
  auto weight = cast<RankedTensorType>(getWeight().getType());
  if (weight.getDimSize(0) != channels || weight.getDimSize(1) != 1 ||
      weight.getDimSize(2) < 1)
    return emitOpError("expected a weight [")
           << channels << ", 1, W], but got " << weight;
  if (getBias() &&
      cast<ShapedType>(getBias().getType()).getDimSize(0) != channels)
    return emitOpError("expected a bias [")
           << channels << "], but got " << getBias().getType();
  auto want = tailType(getInput(), getWeight());
  if (getTail() &&
      failed(verifyCompatibleShape(
          cast<ShapedType>(getTail().getType()).getShape(), want.getShape())))
    return emitOpError("expected a tail ")
           << want << ", but got " << getTail().getType();
  return success();
}

SmallVector<StateSpec> ShortConvOp::getStateSpecs(int64_t) {
  return {{"tail", cast<RankedTensorType>(getNewTail().getType()), false}};
}

std::string ShortConvOp::getStreamingObstacle() { return ""; }

ValueRange ShortConvOp::getStates() { return OperandRange(getTailMutable()); }

SmallVector<unsigned> ShortConvOp::getTimeOperands() { return {0}; }

StatefulResult ShortConvOp::threadState(OpBuilder &builder, ValueRange states,
                                        Value) {
  auto threaded =
      ShortConvOp::create(builder, getLoc(), getInput(), getWeight(), getBias(),
                          states[0], getActivationAttr());
  return {{threaded.getResult(), threaded.getNewTail()},
          {threaded.getNewTail()}};
}
