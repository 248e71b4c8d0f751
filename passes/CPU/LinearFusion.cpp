//===- LinearFusion.cpp - what linear maps compute besides ----------------===//
//
// A tensor that is read or written once more is a pass over memory and a
// barrier more.
//
//===----------------------------------------------------------------------===//

#include "passes/CPU/LinearFusion.h"

#include "passes/CPU/LinearPanels.h"
#include "passes/CPU/RowLoops.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Remarks.h"

using namespace mlir;
using namespace mlir::linnet;

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

namespace {
/// A tensor that is the sum of a map's result and others.
struct FusedSum {
  /// Null if there is none.
  Value result;
  SmallVector<Value> others;
};
} // namespace

/// Whether the scalars that `body` computes are the sum of the first `terms` of
/// its arguments, each once.
static bool isSumOfArguments(Block &body, unsigned terms) {
  auto arguments = body.getArguments();
  if (!llvm::all_of(arguments.take_front(terms),
                    [](Value term) { return term.hasOneUse(); }) ||
      !llvm::all_of(arguments.drop_front(terms),
                    [](Value old) { return old.use_empty(); }))
    return false;
  unsigned sums = 0;
  for (Operation &inner : body.without_terminator()) {
    if (!isa<arith::AddFOp>(inner) || !inner.getResult(0).hasOneUse())
      return false;
    ++sums;
  }
  return sums + 1 == terms;
}

/// The terms of `op` if it is a sum of tensors of one shape, as such or after
/// it became a loop; none otherwise.
static SmallVector<Value> termsOf(Operation *op) {
  if (auto sum = dyn_cast<arith::AddFOp>(op))
    return {sum.getLhs(), sum.getRhs()};
  auto loop = dyn_cast<linalg::GenericOp>(op);
  if (!loop || loop.getNumResults() != 1 || !loop.hasPureTensorSemantics() ||
      loop.getNumParallelLoops() != loop.getNumLoops() ||
      !llvm::all_of(loop.getIndexingMapsArray(),
                    [](AffineMap map) { return map.isIdentity(); }) ||
      !isSumOfArguments(*loop.getBlock(), loop.getNumDpsInputs()))
    return {};
  return loop.getDpsInputs();
}

/// The sum of `op`'s result, which nothing else uses, and tensors that are
/// there before `op`.
static FusedSum findFusedSum(LinearOp op) {
  Value result = op.getResult();
  if (result.use_empty() || !panelFormOf(op.getStructure()))
    return {};
  Operation *sum = *result.user_begin();
  SmallVector<Value> terms = termsOf(sum);
  // Loops also name a tensor whose entries they overwrite.
  if (llvm::count(terms, result) != 1 || sum->getBlock() != op->getBlock() ||
      !llvm::all_of(result.getUsers(),
                    [&](Operation *user) { return user == sum; }))
    return {};
  FusedSum found;
  for (Value other : terms) {
    if (other == result)
      continue;
    Operation *source = other.getDefiningOp();
    bool isThere = source ? !isa<arith::ConstantOp>(source) &&
                                source->getBlock() == op->getBlock() &&
                                source->isBeforeInBlock(op)
                          : other.getParentBlock() == op->getBlock();
    if (!isThere || other.getType() != result.getType())
      return {};
    found.others.push_back(other);
  }
  found.result = sum->getResult(0);
  return found;
}

/// The map whose kernel writes what `sum` computes; null if none does.
static LinearOp findMapOfSum(Operation *sum) {
  for (Value term : termsOf(sum))
    if (auto map = term.getDefiningOp<LinearOp>();
        map && findFusedSum(map).result == sum->getResult(0))
      return map;
  return {};
}

bool linnet::isFusedSum(Operation *sum) { return bool(findMapOfSum(sum)); }

//===----------------------------------------------------------------------===//
// Permutations
//===----------------------------------------------------------------------===//

/// The first of the last dimension's entries that `slice` takes, of all rows.
static std::optional<int64_t> firstColumn(tensor::ExtractSliceOp slice) {
  RankedTensorType source = slice.getSourceType();
  unsigned last = source.getRank() - 1;
  if (slice.getType().getRank() != source.getRank() ||
      !areAllConstantIntValue(slice.getMixedStrides(), 1) ||
      slice.getType().getShape().drop_back() != source.getShape().drop_back())
    return std::nullopt;
  for (OpFoldResult offset : ArrayRef(slice.getMixedOffsets()).take_front(last))
    if (!isConstantIntValue(offset, 0))
      return std::nullopt;
  return getConstantIntValue(slice.getMixedOffsets()[last]);
}

/// Whether a kernel that reads `x` some operations later finds it as it is now:
/// rows whose entries lie side by side, and no state, which may change.
static bool staysInRows(const FunctionLowering &f, Value x) {
  while (isa_and_nonnull<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(
      x.getDefiningOp()))
    x = x.getDefiningOp()->getOperand(0);
  if (isa<BlockArgument>(x))
    return !f.isState(x);
  Operation *source = x.getDefiningOp();
  // States come behind the first result; a function may return nothing else.
  return cast<OpResult>(x).getResultNumber() == 0 &&
         source->getDialect()->getNamespace() != "tensor" &&
         !isLoaded(source) &&
         !isa<CallOpInterface, StackOp, arith::ExtFOp>(source);
}

/// Whether every kernel that reads `value`, in `block`, finds entries by an
/// order.
static bool isReadByOrder(Value value, Block *block) {
  return llvm::all_of(value.getUses(), [&](OpOperand &use) {
    Operation *user = use.getOwner();
    if (user->getBlock() != block)
      return false;
    if (isa<tensor::DimOp>(user))
      return true;
    if (auto slice = dyn_cast<tensor::ExtractSliceOp>(user))
      return firstColumn(slice) && isReadByOrder(slice, block);
    if (auto map = dyn_cast<LinearOp>(user)) {
      auto form = panelFormOf(map.getStructure());
      // Patterns and lists of inputs are read in rows.
      return use.getOperandNumber() == 0 && form && !form->pattern &&
             !map.getSkipsZeros();
    }
    LinearOp map = findMapOfSum(user);
    return map && !map.getSkipsZeros();
  });
}

bool linnet::isReadInOrder(const FunctionLowering &f, Operation *op) {
  auto map = dyn_cast<LinearOp>(op);
  return map && isa<PermutationStructureAttr>(map.getStructure()) &&
         !map.getBias() && !map.getResult().use_empty() &&
         staysInRows(f, map.getInput()) &&
         isReadByOrder(map.getResult(), map->getBlock());
}

OrderedRows linnet::rowsOf(FunctionLowering &f, Value tensor) {
  Value source = tensor;
  int64_t begin = 0;
  while (auto slice = source.getDefiningOp<tensor::ExtractSliceOp>()) {
    std::optional<int64_t> first = firstColumn(slice);
    if (!first)
      break;
    begin += *first;
    source = slice.getSource();
  }
  auto map = source.getDefiningOp<LinearOp>();
  if (!map || !isReadInOrder(f, map))
    return {f.buffer(tensor), std::nullopt};
  Buffer order = wholeFactor(f, map, map.getFactors()[0]);
  ImplicitLocOpBuilder &b = f.builder();
  order.type =
      MemRefType::get({cast<ShapedType>(tensor.getType()).getShape().back()},
                      order.type.getElementType());
  if (begin)
    order.pointer = LLVM::GEPOp::create(
        b, order.pointer.getType(), order.type.getElementType(), order.pointer,
        ArrayRef<LLVM::GEPArg>{int32_t(begin)});
  return {f.buffer(map.getInput()), order};
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

LinearResult linnet::resultOf(FunctionLowering &f, LinearOp op) {
  FusedSum sum = findFusedSum(op);
  if (!sum.result)
    return {f.buffer(op.getResult()), {}};
  remark::passed(
      op.getLoc(),
      remark::RemarkOpts::name("sum fused").category("linnet-lower-cpu"));
  LinearResult result{f.buffer(sum.result), {}};
  for (Value other : sum.others) {
    OrderedRows rows = rowsOf(f, other);
    if (!rows.order)
      rows.place = denseRows(f, op, other);
    result.addends.push_back(rows);
  }
  return result;
}
