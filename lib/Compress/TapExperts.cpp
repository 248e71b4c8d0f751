//===- TapExperts.cpp - mixtures of experts in taps -----------------------===//

#include "TapExperts.h"

#include "LinearMaps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace linnet::compress {

namespace ir = mlir::linnet;
using mlir::Value;

constexpr const char *kMaskedKey = ".masked";

std::string maskOf(const std::string &name) { return name + kMaskedKey; }

/// The matrix of the map that makes the logits of `route`; null if there is
/// none.
static ir::WeightOp routerOf(ir::RouteOp route) {
  auto linear = route.getLogits().getDefiningOp<ir::LinearOp>();
  return linear ? linear.getFactors()[0].getDefiningOp<ir::WeightOp>()
                : ir::WeightOp();
}

MaskedRouters::MaskedRouters(mlir::func::FuncOp layer) {
  llvm::SmallVector<ir::RouteOp> routes;
  layer.walk([&](ir::RouteOp route) { routes.push_back(route); });
  for (ir::RouteOp route : routes) {
    ir::WeightOp router = routerOf(route);
    if (!router || !router.getLayer())
      continue;
    auto linear = route.getLogits().getDefiningOp<ir::LinearOp>();
    mask(route, linear.getBias(), router, [linear](Value bias) mutable {
      linear.getBiasMutable().assign(bias ? mlir::ValueRange(bias)
                                          : mlir::ValueRange());
    });
    // Of the choice, which counts beside them.
    if (Value bias = route.getBias())
      mask(route, bias, router, [route](Value bias) mutable {
        route.getBiasMutable().assign(bias);
      });
  }
}

void MaskedRouters::mask(ir::RouteOp route, Value bias, ir::WeightOp router,
                         SetBias set) {
  ir::WeightOp stored = bias ? findWeight(bias) : ir::WeightOp();
  if (bias && !stored)
    return;
  std::string key = maskOf((stored ? stored : router).getKey().str());
  added[key] = {TapVector::Kind::Masked,
                stored ? stored.getKey().str() : std::string(),
                router.getKey().str()};
  mlir::OpBuilder b(router);
  auto logits = mlir::cast<mlir::RankedTensorType>(route.getLogits().getType());
  auto masked = ir::WeightOp::create(
      b, route.getLoc(),
      mlir::RankedTensorType::get({logits.getShape().back()}, b.getF32Type()),
      key, router.getLayer());
  set(masked.getResult());
  undo.push_back([masked, bias, set]() mutable {
    set(bias);
    masked->erase();
  });
}

MaskedRouters::~MaskedRouters() {
  for (const std::function<void()> &step : undo)
    step();
}

std::optional<ExpertOutputs> ExpertOutputs::create(ir::ExpertsOp experts) {
  auto route = experts.getIndices().getDefiningOp<ir::RouteOp>();
  ir::WeightOp router = route ? routerOf(route) : ir::WeightOp();
  if (!router || experts.getWeights() != route.getWeights())
    return std::nullopt;
  ExpertOutputs result;
  result.routerKey = router.getKey().str();
  mlir::OpBuilder b(experts);
  mlir::Location loc = experts.getLoc();
  auto keep = [&](auto op) {
    result.added.push_back(op);
    return op->getResult(0);
  };
  llvm::SmallVector<mlir::OpFoldResult> sizes;
  for (int64_t d = 0; d < 2; ++d) {
    Value number = keep(mlir::arith::ConstantIndexOp::create(b, loc, d));
    sizes.push_back(
        keep(mlir::tensor::DimOp::create(b, loc, experts.getInput(), number)));
  }
  sizes.push_back(b.getIndexAttr(1));
  llvm::SmallVector<mlir::OpFoldResult> ones(3, b.getIndexAttr(1));
  for (int64_t choice = 0; choice < int64_t(route.getK()); ++choice) {
    llvm::SmallVector<mlir::OpFoldResult> offsets(2, b.getIndexAttr(0));
    offsets.push_back(b.getIndexAttr(choice));
    auto take = [&](Value of) {
      return keep(mlir::tensor::ExtractSliceOp::create(b, loc, of, offsets,
                                                       sizes, ones));
    };
    Value index = take(experts.getIndices()),
          weight = take(experts.getWeights());
    result.outputs.push_back(keep(ir::ExpertsOp::create(
        b, loc, experts.getActivation(), experts.getInput(), index, weight,
        experts.getFactors())));
  }
  return result;
}

ExpertOutputs::~ExpertOutputs() {
  for (mlir::Operation *op : llvm::reverse(added))
    op->erase();
}

} // namespace linnet::compress
