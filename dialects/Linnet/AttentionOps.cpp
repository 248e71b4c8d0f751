//===- AttentionOps.cpp - the quadratic mixer -----------------------------===//

#include "dialects/Linnet/Linnet.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace mlir::linnet;

LogicalResult AttentionOp::inferReturnTypes(MLIRContext *,
                                            std::optional<Location> loc,
                                            Adaptor adaptor,
                                            SmallVectorImpl<Type> &types) {
  auto query = cast<RankedTensorType>(adaptor.getQuery().getType());
  // Without values the keys are also values; what is wrong is said by verify().
  Value held = adaptor.getValue() ? adaptor.getValue() : adaptor.getKey();
  auto value = cast<RankedTensorType>(held.getType());
  if (query.getRank() != 4 || value.getRank() != 4)
    return emitOptionalError(
        loc, "expected query, key and value of rank 4, but got ", query,
        " and ", value);
  std::optional<int64_t> width = adaptor.getValueWidth();
  if (width && *width < 1)
    return emitOptionalError(
        loc, "expected a value_width of 1 or more, but got ", *width);
  SmallVector<int64_t> dims(query.getShape());
  dims[3] = width.value_or(value.getDimSize(3));
  types.push_back(RankedTensorType::get(dims, query.getElementType()));
  llvm::append_range(types, adaptor.getCache().getTypes());
  return success();
}

/// Whether two dimensions can be the same size.
static bool agree(int64_t a, int64_t b) {
  return a == b || ShapedType::isDynamic(a) || ShapedType::isDynamic(b);
}

/// C1 and C2: what query, key and value must have in common.
static LogicalResult verifyHeads(AttentionOp op, RankedTensorType q,
                                 RankedTensorType k, RankedTensorType v) {
  if (q.getRank() != 4 || k.getRank() != 4 || v.getRank() != 4)
    return op.emitOpError("expected query, key and value of rank 4, but got ")
           << q << ", " << k << " and " << v;
  if (!agree(q.getDimSize(0), k.getDimSize(0)) ||
      !agree(q.getDimSize(0), v.getDimSize(0)))
    return op.emitOpError(
               "expected query, key and value of one batch, but got ")
           << q << ", " << k << " and " << v;
  if (!agree(q.getDimSize(3), k.getDimSize(3)))
    return op.emitOpError("expected query and key of equal width, but got ")
           << q << " and " << k;
  if (!agree(k.getDimSize(2), v.getDimSize(2)) ||
      !agree(k.getDimSize(1), v.getDimSize(1)))
    return op.emitOpError(
               "expected key and value of equal heads and length, but got ")
           << k << " and " << v;
  for (RankedTensorType type : {q, k, v})
    if (type.isDynamicDim(2) || type.isDynamicDim(3))
      return op.emitOpError("expected static heads and widths, but got ")
             << type;
  if (k.getDimSize(2) == 0 || q.getDimSize(2) % k.getDimSize(2))
    return op.emitOpError("expected the key heads to divide ")
           << q.getDimSize(2) << " query heads, but got " << k.getDimSize(2);
  return success();
}

/// C5: bias [B or 1, H or 1, T, S] and key mask [B, S].
static LogicalResult verifyMasks(AttentionOp op, RankedTensorType q,
                                 RankedTensorType k) {
  if (Value bias = op.getBias()) {
    auto type = cast<RankedTensorType>(bias.getType());
    auto fits = [&](int64_t d, int64_t full) {
      return agree(type.getDimSize(d), full);
    };
    if (type.getRank() != 4 ||
        !(type.getDimSize(0) == 1 || fits(0, q.getDimSize(0))) ||
        !(type.getDimSize(1) == 1 || fits(1, q.getDimSize(2))) ||
        !fits(2, q.getDimSize(1)) || !fits(3, k.getDimSize(1)))
      return op.emitOpError("expected a bias [B or 1, H or 1, T, S], but got ")
             << type;
  }
  if (Value mask = op.getKeyMask()) {
    auto type = cast<RankedTensorType>(mask.getType());
    if (type.getRank() != 2 || !agree(type.getDimSize(0), k.getDimSize(0)) ||
        !agree(type.getDimSize(1), k.getDimSize(1)) ||
        !type.getElementType().isIntOrIndex())
      return op.emitOpError("expected an integer key_mask [B, S], but got ")
             << type;
  }
  return success();
}

/// C6: one source of values.
static LogicalResult verifyValueWidth(AttentionOp op, RankedTensorType k) {
  std::optional<int64_t> width = op.getValueWidth();
  if (bool(width) != op.valuesAreKeys())
    return op.emitOpError("expected either values or value_width, but got ")
           << (width ? "both" : "neither");
  if (width && k.getRank() == 4 && *width > k.getDimSize(3))
    return op.emitOpError("expected a value_width of at most the keys' width, "
                          "but got ")
           << *width << " for " << k;
  return success();
}

/// C3: the cache, its position, and what a cache excludes.
static LogicalResult verifyCache(AttentionOp op, RankedTensorType q,
                                 RankedTensorType k) {
  if (op.getCache().empty() && !op.getPosition())
    return success();
  SmallVector<Value> tokens = op.getCached();
  if (op.getCache().size() != tokens.size() || !op.getPosition())
    return op.emitOpError("expected a cache of ")
           << (op.valuesAreKeys() ? "keys" : "keys and values")
           << " and a position, but got " << op.getCache().size()
           << " caches and " << (op.getPosition() ? "a" : "no") << " position";
  if (op.getBias() || op.getKeyMask())
    return op.emitOpError("expected no bias and no key_mask with a cache");
  if (!agree(q.getDimSize(1), k.getDimSize(1)))
    return op.emitOpError(
               "expected as many keys as queries with a cache, but got ")
           << k << " and " << q;
  for (auto [cache, tensor] : llvm::zip(op.getCache(), tokens)) {
    auto have = cast<RankedTensorType>(cache.getType());
    auto want = cast<RankedTensorType>(tensor.getType());
    if (have.getRank() != 4 || !agree(have.getDimSize(0), want.getDimSize(0)) ||
        have.getShape().drop_front(2) != want.getShape().drop_front(2))
      return op.emitOpError("expected a cache [B, C, ")
             << want.getDimSize(2) << ", " << want.getDimSize(3)
             << "], but got " << have;
  }
  return success();
}

LogicalResult AttentionOp::verify() {
  auto q = cast<RankedTensorType>(getQuery().getType());
  auto k = cast<RankedTensorType>(getKey().getType());
  if (failed(verifyValueWidth(*this, k)))
    return failure();
  auto v = cast<RankedTensorType>(getCached().back().getType());
  if (failed(verifyHeads(*this, q, k, v)))
    return failure();
  if (getWindow() && static_cast<int64_t>(*getWindow()) <= 0)
    return emitOpError("expected a positive window, but got ")
           << static_cast<int64_t>(*getWindow());
  if (getSoftCap() && !(getSoftCap()->convertToDouble() > 0))
    return emitOpError("expected a positive soft_cap, but got ")
           << getSoftCap()->convertToDouble();
  if (failed(verifyMasks(*this, q, k)))
    return failure();
  return verifyCache(*this, q, k);
}

SmallVector<StateSpec> AttentionOp::getStateSpecs(int64_t maxContext) {
  static constexpr const char *kNames[] = {"keys", "values"};
  SmallVector<StateSpec> specs;
  SmallVector<Value> cached = getCached();
  for (auto [name, value] : llvm::zip(ArrayRef<const char *>(kNames), cached)) {
    auto type = cast<RankedTensorType>(value.getType());
    SmallVector<int64_t> dims(type.getShape());
    dims[1] = maxContext;
    specs.push_back(
        {name, RankedTensorType::get(dims, type.getElementType()), true});
  }
  return specs;
}

std::string AttentionOp::getStreamingObstacle() {
  if (!getCausal())
    return "attention without causal mask reads later tokens";
  if (getBias() || getKeyMask())
    return "attention with a bias or key mask has no cached form";
  return "";
}

ValueRange AttentionOp::getStates() { return getCache(); }

SmallVector<unsigned> AttentionOp::getTimeOperands() {
  SmallVector<unsigned> numbers{0, 1};
  if (!valuesAreKeys())
    numbers.push_back(2);
  return numbers;
}

StatefulResult AttentionOp::threadState(OpBuilder &builder, ValueRange states,
                                        Value position) {
  auto threaded = AttentionOp::create(
      builder, getLoc(), getQuery(), getKey(), getValue(), Value(), Value(),
      states, position, getScaleAttr(), getCausalAttr(), getWindowAttr(),
      getSoftCapAttr(), getValueWidthAttr());
  return {{threaded.getResult()}, SmallVector<Value>(threaded.getNewCache())};
}
