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
  auto value = cast<RankedTensorType>(adaptor.getValue().getType());
  if (query.getRank() != 4 || value.getRank() != 4)
    return emitOptionalError(loc, "expected query and value of rank 4, but got ",
                             query, " and ", value);
  SmallVector<int64_t> dims(query.getShape());
  dims[3] = value.getDimSize(3);
  types.push_back(RankedTensorType::get(dims, query.getElementType()));
  llvm::append_range(types, adaptor.getCache().getTypes());
  return success();
}

/// Whether two dimensions can be the same size.
static bool agree(int64_t a, int64_t b) {
  return a == b || ShapedType::isDynamic(a) || ShapedType::isDynamic(b);
}

LogicalResult AttentionOp::verify() {
  auto q = cast<RankedTensorType>(getQuery().getType());
  auto k = cast<RankedTensorType>(getKey().getType());
  auto v = cast<RankedTensorType>(getValue().getType());
  if (q.getRank() != 4 || k.getRank() != 4 || v.getRank() != 4)
    return emitOpError("expected query, key and value of rank 4, but got ")
           << q << ", " << k << " and " << v;
  if (!agree(q.getDimSize(3), k.getDimSize(3)))
    return emitOpError("expected query and key of equal width, but got ")
           << q.getDimSize(3) << " and " << k.getDimSize(3);
  if (!agree(k.getDimSize(2), v.getDimSize(2)) || !agree(k.getDimSize(1), v.getDimSize(1)))
    return emitOpError("expected key and value of equal heads and length, but got ")
           << k << " and " << v;
  if (k.getDimSize(2) <= 0 || q.getDimSize(2) % k.getDimSize(2))
    return emitOpError("expected the key heads to divide ")
           << q.getDimSize(2) << " query heads, but got " << k.getDimSize(2);
  if (getWindow() && *getWindow() <= 0)
    return emitOpError("expected a positive window, but got ") << *getWindow();
  if (getSoftCap() && getSoftCap()->convertToDouble() <= 0)
    return emitOpError("expected a positive soft_cap");
  if (getCache().empty())
    return success();
  if (getCache().size() != 2 || !getPosition())
    return emitOpError("expected a cache of keys and values and a position, but got ")
           << getCache().size() << " caches";
  if (getBias() || getKeyMask())
    return emitOpError("expected no bias and no key_mask with a cache");
  for (auto [cache, tensor] : llvm::zip(getCache(), ValueRange{getKey(), getValue()})) {
    auto have = cast<RankedTensorType>(cache.getType());
    auto want = cast<RankedTensorType>(tensor.getType());
    if (have.getRank() != 4 || have.getShape().drop_front(2) != want.getShape().drop_front(2))
      return emitOpError("expected a cache [B, C, ")
             << want.getDimSize(2) << ", " << want.getDimSize(3) << "], but got " << have;
  }
  return success();
}

SmallVector<StateSpec> AttentionOp::getStateSpecs(int64_t maxContext) {
  SmallVector<StateSpec> specs;
  for (auto [name, value] : {std::pair("keys", getKey()), std::pair("values", getValue())}) {
    auto type = cast<RankedTensorType>(value.getType());
    SmallVector<int64_t> dims(type.getShape());
    dims[1] = maxContext;
    specs.push_back({name, RankedTensorType::get(dims, type.getElementType()), true});
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

SmallVector<unsigned> AttentionOp::getTimeOperands() { return {0, 1, 2}; }

StatefulResult AttentionOp::threadState(OpBuilder &builder, ValueRange states,
                                        Value position) {
  auto threaded = AttentionOp::create(
      builder, getLoc(), getQuery(), getKey(), getValue(), Value(), Value(),
      states, position, getScaleAttr(), getCausalAttr(), getWindowAttr(),
      getSoftCapAttr());
  return {{threaded.getResult()}, SmallVector<Value>(threaded.getNewCache())};
}
