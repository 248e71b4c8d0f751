//===- ExpertOps.cpp - mixtures of experts --------------------------------===//

#include "dialects/Linnet/Linnet.h"

using namespace mlir;
using namespace mlir::linnet;

/// Whether two dimensions can be the same size.
static bool agree(int64_t a, int64_t b) {
  return a == b || ShapedType::isDynamic(a) || ShapedType::isDynamic(b);
}

LogicalResult RouteOp::inferReturnTypes(MLIRContext *context,
                                        std::optional<Location> loc,
                                        Adaptor adaptor,
                                        SmallVectorImpl<Type> &types) {
  auto logits = cast<RankedTensorType>(adaptor.getLogits().getType());
  if (logits.getRank() == 0)
    return emitOptionalError(loc, "expected logits [B, T, E], but got ",
                             logits);
  SmallVector<int64_t> dims(logits.getShape());
  dims.back() = adaptor.getK();
  types.push_back(RankedTensorType::get(dims, IntegerType::get(context, 32)));
  types.push_back(RankedTensorType::get(dims, logits.getElementType()));
  return success();
}

LogicalResult RouteOp::verify() {
  auto logits = cast<RankedTensorType>(getLogits().getType());
  if (logits.getRank() != 3 || logits.isDynamicDim(2) ||
      !isa<FloatType>(logits.getElementType()))
    return emitOpError("expected logits [B, T, E] of static E, but got ")
           << logits;
  int64_t experts = logits.getDimSize(2), groups = getGroups(),
          kept = getTopGroups(), chosen = getK();
  if (getBias() &&
      cast<ShapedType>(getBias().getType()).getDimSize(0) != experts)
    return emitOpError("expected a bias of shape [")
           << experts << "], but got " << getBias().getType();
  if (experts % groups)
    return emitOpError("expected groups to divide ")
           << experts << ", but got " << groups;
  int64_t length = experts / groups;
  if (getGroupRule() == GroupRule::BestTwo && length < 2)
    return emitOpError("expected groups of 2 experts or more, but got ")
           << length;
  if (kept > groups)
    return emitOpError("expected at most ")
           << groups << " top_groups, but got " << kept;
  if (chosen > kept * length)
    return emitOpError("expected k of at most ")
           << kept * length << ", but got " << chosen;
  if (!(getEps().convertToDouble() >= 0))
    return emitOpError("expected eps of at least 0, but got ")
           << getEps().convertToDouble();
  return success();
}

int64_t ExpertsOp::getInnerWidth() {
  return cast<ShapedType>(getFactors().back().getType()).getDimSize(2);
}

bool ExpertsOp::isGated() {
  return getFactors().size() == 3 ||
         cast<ShapedType>(getFactors().front().getType()).getDimSize(1) !=
             getInnerWidth();
}

LogicalResult ExpertsOp::inferReturnTypes(MLIRContext *,
                                          std::optional<Location>,
                                          Adaptor adaptor,
                                          SmallVectorImpl<Type> &types) {
  types.push_back(adaptor.getInput().getType());
  return success();
}

LogicalResult ExpertsOp::verify() {
  auto x = cast<RankedTensorType>(getInput().getType());
  if (x.getRank() != 3 || x.isDynamicDim(2))
    return emitOpError("expected an input [B, T, D] of static D, but got ")
           << x;
  auto indices = cast<RankedTensorType>(getIndices().getType());
  auto weights = cast<RankedTensorType>(getWeights().getType());
  for (RankedTensorType type : {indices, weights})
    if (type.getRank() != 3 || type.isDynamicDim(2) ||
        !agree(type.getDimSize(0), x.getDimSize(0)) ||
        !agree(type.getDimSize(1), x.getDimSize(1)) ||
        type.getDimSize(2) != indices.getDimSize(2))
      return emitOpError("expected indices and weights [B, T, k], but got ")
             << indices << " and " << weights;
  if (getFactors().size() != 2 && getFactors().size() != 3)
    return emitOpError("expected 2 or 3 factors, but got ")
           << getFactors().size();
  auto down = cast<RankedTensorType>(getFactors().back().getType());
  if (down.getRank() != 3 || !down.hasStaticShape() || down.getDimSize(0) < 1 ||
      down.getDimSize(1) != x.getDimSize(2) || down.getDimSize(2) < 1)
    return emitOpError("expected down of shape [E, ")
           << x.getDimSize(2) << ", I], but got " << down;
  int64_t inner = down.getDimSize(2);
  for (Value factor : getFactors().drop_back()) {
    auto type = cast<RankedTensorType>(factor.getType());
    bool fits = type.getRank() == 3 && type.hasStaticShape() &&
                type.getDimSize(0) == down.getDimSize(0) &&
                type.getDimSize(2) == x.getDimSize(2);
    bool fused =
        getFactors().size() == 2 && fits && type.getDimSize(1) == 2 * inner;
    if (!fits || (type.getDimSize(1) != inner && !fused))
      return emitOpError("expected factors of shape [")
             << down.getDimSize(0) << ", " << inner << ", " << x.getDimSize(2)
             << "], but got " << type;
  }
  return success();
}
