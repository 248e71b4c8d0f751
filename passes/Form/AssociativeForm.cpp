//===- AssociativeForm.cpp - a scan by segments of time -------------------===//
//
// A segment takes the state S before it to A S + L, where L is what it leaves
// of zeros and A its transition. Both are scans over all segments at once, as
// rows of the batch: L of the tokens themselves, A of what they make of the
// identity (or of ones, where a transition only scales entries) while nothing
// is written. One pass over the segments combines them, and a last scan starts
// every segment from its state. See Blelloch 1990, "Prefix sums and their
// applications", with segments for leaves.
//
//===----------------------------------------------------------------------===//

#include "passes/Form/AssociativeForm.h"
#include "passes/Form/TransitionTerms.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

using namespace mlir;
using namespace mlir::linnet;

/// Segments wanted: as many as a large machine has cores.
static constexpr int64_t kMostSegments = 16;

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

static ArrayRef<int64_t> shapeOf(Value value) {
  return typeOf(value).getShape();
}

/// Below this length segments are not worth their states.
static constexpr int64_t kFewestTokens = 2;

/// A divisor of the number of tokens, 1 if none is small enough.
static int64_t countSegments(int64_t tokens) {
  int64_t segments = std::min(kMostSegments, tokens / kFewestTokens);
  while (segments > 1 && tokens % segments)
    --segments;
  return segments;
}

std::string linnet::getAssociativeObstacle(ScanOp op) {
  if (op.getMicroSteps() > 1)
    return "it takes several steps per token";
  for (Type type : op->getOperandTypes()) {
    if (!cast<RankedTensorType>(type).hasStaticShape())
      return "its shapes are dynamic";
    if (llvm::is_contained(cast<RankedTensorType>(type).getShape(), 0))
      return "a dimension is zero";
  }
  int64_t batch = shapeOf(op.getValue())[0], tokens = shapeOf(op.getValue())[1];
  if (countSegments(tokens) <= 1)
    return "its number of tokens has no divisor up to " +
           std::to_string(kMostSegments);
  for (Value operand : op->getOperands()) {
    if (operand == op.getInitial())
      continue;
    // Rows of the batch become segments of rows.
    ArrayRef<int64_t> shape = shapeOf(operand);
    if (batch != 1 && (shape[0] == 1) != (shape[1] == 1))
      return "an operand varies along only one of batch and time";
  }
  return "";
}

namespace {
class SegmentedScan {
public:
  explicit SegmentedScan(ScanOp op)
      : b(op.getLoc(), op), op(op), form(op.getTransition().getNormalForm()),
        batch(shapeOf(op.getValue())[0]), tokens(shapeOf(op.getValue())[1]),
        segments(countSegments(tokens)), heads(shapeOf(op.getValue())[2]),
        keys(shapeOf(op.getKey())[3]), values(shapeOf(op.getValue())[3]) {}

  void rewrite() {
    for (Value parameter : op.getParameters())
      parameters.push_back(split(parameter));
    if (op.getResets())
      resets = split(op.getResets());
    Value query = split(op.getQuery()), key = split(op.getKey()),
          value = split(op.getValue());
    Value left = scan(query, key, value, /*bonus=*/Value(), /*initial=*/Value(),
                      /*scale=*/1)
                     .getState();
    auto [starts, last] = combine(transitions(), left);
    Value bonus = op.getBonus() ? split(op.getBonus()) : Value();
    ScanOp whole =
        scan(query, key, value, bonus, starts, op.getScale().convertToDouble());
    op.getResult().replaceAllUsesWith(tensor::CollapseShapeOp::create(
        b, op.getResult().getType(), unfold(whole.getResult()),
        groups(/*rank=*/5, /*first=*/1)));
    op.getState().replaceAllUsesWith(last);
    op.erase();
  }

private:
  /// Dimensions `first` and the one behind it as one, of `rank`.
  static SmallVector<ReassociationIndices> groups(int64_t rank, int64_t first) {
    SmallVector<ReassociationIndices> result;
    for (int64_t d = 0; d < rank; ++d)
      if (d == first + 1)
        result.back().push_back(d);
      else
        result.push_back({d});
    return result;
  }

  /// [B, T, ...] as [B * segments, T / segments, ...].
  Value split(Value operand) {
    ArrayRef<int64_t> shape = shapeOf(operand);
    int64_t rank = typeOf(operand).getRank();
    if (shape[1] == 1)
      return operand;
    SmallVector<int64_t> unfolded{shape[0], segments, shape[1] / segments};
    llvm::append_range(unfolded, shape.drop_front(2));
    Value open = tensor::ExpandShapeOp::create(
        b, typeOf(operand).clone(unfolded), operand, groups(rank + 1, 1));
    return tensor::CollapseShapeOp::create(b, open, groups(rank + 1, 0));
  }

  /// [B * segments, ...] as [B, segments, ...].
  Value unfold(Value tensor) {
    SmallVector<int64_t> shape{batch, segments};
    llvm::append_range(shape, shapeOf(tensor).drop_front(1));
    return tensor::ExpandShapeOp::create(
        b, typeOf(tensor).clone(shape), tensor,
        groups(typeOf(tensor).getRank() + 1, 0));
  }

  Value filled(ArrayRef<int64_t> shape, float entry) {
    Type f32 = typeOf(op.getValue()).getElementType();
    Value constant =
        arith::ConstantOp::create(b, b.getFloatAttr(f32, double(entry)));
    Value empty = tensor::EmptyOp::create(b, shape, f32);
    return linalg::FillOp::create(b, constant, empty).getResult(0);
  }

  ScanOp scan(Value query, Value key, Value value, Value bonus, Value initial,
              double scale) {
    return ScanOp::create(b, query, key, value, parameters, bonus, initial,
                          resets, op.getTransition(), APFloat(scale),
                          op.getReadout(), op.getReverse(), ScanForm::Auto);
  }

  bool scalesEntries() const {
    return !form.hasPerturbation() && !form.hasPhase() && !form.hasMixing();
  }

  /// The transition of every segment: [B * segments, H, K, V] factors of the
  /// entries, or matrices [B * segments, H, K, K].
  Value transitions() {
    int64_t columns = scalesEntries() ? values : keys;
    SmallVector<int64_t> shape{batch * segments, heads, keys, columns};
    Value start = filled(shape, 1);
    if (!scalesEntries())
      start =
          linalg::GenericOp::create(
              b, start.getType(), ValueRange(), start,
              b.getMultiDimIdentityMap(4),
              SmallVector<utils::IteratorType>(4,
                                               utils::IteratorType::parallel),
              [](OpBuilder &nested, Location loc, ValueRange args) {
                Value row = linalg::IndexOp::create(nested, loc, 2),
                      column = linalg::IndexOp::create(nested, loc, 3);
                Value same = arith::CmpIOp::create(
                    nested, loc, arith::CmpIPredicate::eq, row, column);
                Value zero = arith::ConstantOp::create(
                    nested, loc, nested.getZeroAttr(args[0].getType()));
                linalg::YieldOp::create(nested, loc,
                                        ValueRange(arith::SelectOp::create(
                                            nested, loc, same, args[0], zero)));
              })
              .getResult(0);
    Value none = filled({1, 1, 1, keys}, 0);
    // A delta rule's matrix follows from its key, which then writes zeros.
    Value key = form.tied ? split(op.getKey()) : none;
    Value value =
        filled({batch * segments, tokens / segments, heads, columns}, 0);
    return scan(none, key, value, /*bonus=*/Value(), start, /*scale=*/1)
        .getState();
  }

  /// Segment `number` of [B, segments, ...]: [B, ...].
  Value segment(Value tensor, int64_t number) {
    RankedTensorType type = typeOf(tensor);
    SmallVector<OpFoldResult> offsets(type.getRank(), b.getIndexAttr(0)),
        strides(type.getRank(), b.getIndexAttr(1)), sizes;
    for (int64_t size : type.getShape())
      sizes.push_back(b.getIndexAttr(size));
    offsets[1] = b.getIndexAttr(number);
    sizes[1] = b.getIndexAttr(1);
    SmallVector<int64_t> shape(type.getShape());
    shape.erase(shape.begin() + 1);
    return tensor::ExtractSliceOp::create(b, type.clone(shape), tensor, offsets,
                                          sizes, strides);
  }

  /// One matrix for all rows.
  TransitionAttrInterface matrixTransition() {
    NormalForm matrix;
    matrix.mixing = 0;
    return TransitionTerms::find(matrix, {"thkm"}, b.getContext());
  }

  /// factors * state, zero for a factor of zero: a segment with a reset keeps
  /// nothing of what stood before it, be it no number.
  Value scaled(Value state, Value factors) {
    auto body = [](OpBuilder &nested, Location loc, ValueRange args) {
      Value zero = arith::ConstantOp::create(
          nested, loc, nested.getZeroAttr(args[0].getType()));
      Value erased = arith::CmpFOp::create(
          nested, loc, arith::CmpFPredicate::OEQ, args[1], zero);
      Value product = arith::MulFOp::create(nested, loc, args[0], args[1]);
      linalg::YieldOp::create(nested, loc,
                              ValueRange(arith::SelectOp::create(
                                  nested, loc, erased, zero, product)));
    };
    AffineMap identity = b.getMultiDimIdentityMap(4);
    Value empty = tensor::EmptyOp::create(b, shapeOf(state),
                                          typeOf(state).getElementType());
    return linalg::GenericOp::create(b, state.getType(),
                                     ValueRange{state, factors}, empty,
                                     SmallVector<AffineMap>(3, identity),
                                     SmallVector<utils::IteratorType>(
                                         4, utils::IteratorType::parallel),
                                     body)
        .getResult(0);
  }

  /// A S for the transition A of a segment.
  Value applyTransition(Value transition, Value state) {
    if (scalesEntries())
      return scaled(state, transition);
    // One token of a recurrence of matrices.
    Value row = filled({1, 1, 1, keys}, 0),
          matrix = tensor::ExpandShapeOp::create(
              b, typeOf(transition).clone({batch, 1, heads, keys, keys}),
              transition, groups(/*rank=*/5, /*first=*/0)),
          value = filled({batch, 1, heads, values}, 0);
    return ScanOp::create(b, row, row, value, matrix, /*bonus=*/Value(), state,
                          matrixTransition(), APFloat(1.0))
        .getState();
  }

  /// The states before the segments [B * segments, H, K, V] and behind the
  /// last.
  std::pair<Value, Value> combine(Value transitions, Value left) {
    Value state = op.getInitial() ? op.getInitial()
                                  : filled({batch, heads, keys, values}, 0);
    SmallVector<Value> starts(segments);
    Value every = unfold(transitions), leaves = unfold(left);
    for (int64_t step = 0; step < segments; ++step) {
      int64_t number = op.getReverse() ? segments - 1 - step : step;
      starts[number] = tensor::ExpandShapeOp::create(
          b, typeOf(state).clone({batch, 1, heads, keys, values}), state,
          groups(/*rank=*/5, /*first=*/0));
      state = arith::AddFOp::create(
          b, applyTransition(segment(every, number), state),
          segment(leaves, number));
    }
    Value all = tensor::ConcatOp::create(b, /*dim=*/1, starts);
    return {tensor::CollapseShapeOp::create(b, all, groups(5, 0)), state};
  }

  ImplicitLocOpBuilder b;
  ScanOp op;
  NormalForm form;
  int64_t batch, tokens, segments, heads, keys, values;
  SmallVector<Value> parameters;
  Value resets;
};
} // namespace

void linnet::rewriteAsAssociative(ScanOp op) { SegmentedScan(op).rewrite(); }
