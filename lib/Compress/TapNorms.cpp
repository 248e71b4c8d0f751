//===- TapNorms.cpp - norms over fewer entries in taps --------------------===//

#include "TapNorms.h"

#include "LinearMaps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace linnet::compress {

namespace ir = mlir::linnet;
using mlir::Value;

/// Behind the key of a norm's weight: the factor of its input, and the weight
/// divided by it.
constexpr const char *kFactorKey = ".factor", *kScaledKey = ".scaled";

bool canMask(ir::NormOp norm) {
  return norm.getKind() == ir::NormKind::Rms && norm.getWeight() &&
         findWeight(norm.getWeight()) && !norm.getBias() &&
         !norm.getUnitOffset();
}

Value multiplyLast(mlir::OpBuilder &b, mlir::Location loc, Value x,
                   Value factor, std::vector<mlir::Operation *> &added) {
  auto type = mlir::cast<mlir::RankedTensorType>(x.getType());
  auto keep = [&](auto op) {
    added.push_back(op);
    return op;
  };
  llvm::SmallVector<Value> sizes;
  for (int64_t d = 0; d < type.getRank(); ++d)
    if (type.isDynamicDim(unsigned(d))) {
      auto number = keep(mlir::arith::ConstantIndexOp::create(b, loc, d));
      sizes.push_back(
          keep(mlir::tensor::DimOp::create(b, loc, x, number->getResult(0)))
              ->getResult(0));
    }
  auto empty = keep(mlir::tensor::EmptyOp::create(
      b, loc, type.getShape(), type.getElementType(), sizes));
  auto rank = unsigned(type.getRank());
  auto width =
      unsigned(mlir::cast<mlir::ShapedType>(factor.getType()).getRank());
  mlir::AffineMap all = b.getMultiDimIdentityMap(rank),
                  last = all.getMinorSubMap(width);
  llvm::SmallVector<mlir::utils::IteratorType> loops(
      rank, mlir::utils::IteratorType::parallel);
  auto product = keep(mlir::linalg::GenericOp::create(
      b, loc, mlir::TypeRange(type), mlir::ValueRange{x, factor},
      mlir::ValueRange{empty->getResult(0)},
      llvm::ArrayRef<mlir::AffineMap>{all, last, all}, loops,
      [](mlir::OpBuilder &inner, mlir::Location at, mlir::ValueRange values) {
        Value y = mlir::arith::MulFOp::create(inner, at, values[0], values[1]);
        mlir::linalg::YieldOp::create(inner, at, y);
      }));
  return product->getResult(0);
}

MaskedNorms::MaskedNorms(mlir::func::FuncOp layer) {
  for (ir::NormOp norm : normsOverHeads(layer))
    mask(norm);
}

void MaskedNorms::mask(ir::NormOp norm) {
  ir::WeightOp stored = findWeight(norm.getWeight());
  if (!stored.getLayer())
    return;
  std::string key = stored.getKey().str();
  mlir::OpBuilder b(norm);
  auto makeVector = [&](const char *suffix, TapVector::Kind kind) {
    added[key + suffix] = {kind, key, key};
    auto shape = mlir::cast<mlir::ShapedType>(stored.getType()).getShape();
    return ir::WeightOp::create(
        b, norm.getLoc(), mlir::RankedTensorType::get(shape, b.getF32Type()),
        key + suffix, stored.getLayer());
  };
  ir::WeightOp factor = makeVector(kFactorKey, TapVector::Kind::Factor),
               scaled = makeVector(kScaledKey, TapVector::Kind::Scaled);
  std::vector<mlir::Operation *> ops{factor, scaled};
  Value input = norm.getInput(), weight = norm.getWeight();
  norm.getInputMutable().assign(
      multiplyLast(b, norm.getLoc(), input, factor.getResult(), ops));
  norm.getWeightMutable().assign(scaled.getResult());
  undo.push_back([norm, input, weight, ops]() mutable {
    norm.getInputMutable().assign(input);
    norm.getWeightMutable().assign(weight);
    for (mlir::Operation *op : llvm::reverse(ops))
      op->erase();
  });
}

MaskedNorms::~MaskedNorms() {
  for (const std::function<void()> &step : undo)
    step();
}

} // namespace linnet::compress
