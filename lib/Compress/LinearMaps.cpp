//===- LinearMaps.cpp - the matrices that may be replaced -----------------===//

#include "LinearMaps.h"

#include "linnet/Support/Quote.h"

#include "mlir/Interfaces/CastInterfaces.h"
#include "llvm/ADT/STLExtras.h"

namespace linnet::compress {

namespace ir = mlir::linnet;

ir::WeightOp findWeight(mlir::Value value) {
  mlir::Operation *op = value.getDefiningOp();
  while (op && mlir::isa<mlir::CastOpInterface>(op))
    op = op->getOperand(0).getDefiningOp();
  return mlir::dyn_cast_if_present<ir::WeightOp>(op);
}

ir::LinearOp findMap(ir::WeightOp weight, std::string &obstacle) {
  if (!weight->hasOneUse()) {
    obstacle = "used by several operations";
    return {};
  }
  auto linear = mlir::dyn_cast<ir::LinearOp>(*weight->user_begin());
  if (!linear || linear.getBias() == weight.getResult()) {
    obstacle = "not the matrix of a linear map alone";
    return {};
  }
  if (!mlir::isa<ir::DenseStructureAttr>(linear.getStructure())) {
    obstacle = "a factor of another structure already";
    return {};
  }
  // Importers that read a matrix by its name name the map after it; only those
  // look for factors in its place (ModelBuilder::linear).
  auto name = mlir::dyn_cast<mlir::NameLoc>(linear.getLoc());
  if (!name || (name.getName() != weight.getKey() &&
                name.getName().str() + ".weight" != weight.getKey())) {
    obstacle = "its importer does not read factors in its place";
    return {};
  }
  return linear;
}

void nameMapsAfterWeights(mlir::ModuleOp module) {
  module.walk([](ir::LinearOp linear) {
    for (mlir::Value factor : linear.getFactors())
      if (auto weight = factor.getDefiningOp<ir::WeightOp>())
        linear->setLoc(mlir::NameLoc::get(weight.getKeyAttr()));
  });
}

bool isElementwise(mlir::Operation *op) {
  return mlir::isa<ir::GluOp, ir::ActivationOp>(op) ||
         mlir::OpTrait::hasElementwiseMappableTraits(op);
}

llvm::SetVector<mlir::Operation *> producersOf(mlir::Value value) {
  llvm::SetVector<mlir::Operation *> producers;
  llvm::SmallVector<mlir::Value> open{value};
  while (!open.empty()) {
    mlir::Value next = open.pop_back_val();
    mlir::Operation *op = next.getDefiningOp();
    bool known = op && producers.contains(op);
    if (!op || (!known && !next.hasOneUse()))
      return {};
    if (mlir::isa<ir::LinearOp>(op))
      producers.insert(op);
    else if (isElementwise(op))
      llvm::append_range(open, op->getOperands());
    else
      return {};
  }
  return producers;
}

std::vector<mlir::func::FuncOp> layersOf(mlir::ModuleOp module) {
  std::vector<mlir::func::FuncOp> layers;
  module.walk([&](ir::StackOp stack) {
    for (int32_t number : stack.getOrder())
      layers.push_back(module.lookupSymbol<mlir::func::FuncOp>(
          mlir::cast<mlir::FlatSymbolRefAttr>(stack.getFunctions()[number])
              .getValue()));
  });
  return layers;
}

LinearMaps findLinearMaps(mlir::ModuleOp module, const Archive &archive) {
  LinearMaps found;
  for (auto [number, layer] : llvm::enumerate(layersOf(module)))
    layer.walk([&](ir::WeightOp weight) {
      auto shape = mlir::cast<mlir::ShapedType>(weight.getType()).getShape();
      // A tensor that layers share is not the layer's own; vectors are no maps.
      if (!weight.getLayer() || shape.size() < 2)
        return;
      std::string name = ir::resolveWeightKey(weight.getKey(), number);
      if (weight.isStacked() || shape.size() > 2) {
        found.declined.push_back(name + ": a stack of matrices");
        return;
      }
      std::string obstacle;
      ir::LinearOp linear = findMap(weight, obstacle);
      if (!linear) {
        found.declined.push_back(name + ": " + obstacle);
        return;
      }
      const Archive::Tensor *tensor = archive.find(name);
      if (!tensor)
        return;
      auto structure =
          mlir::cast<ir::DenseStructureAttr>(linear.getStructure());
      bool outIn = structure.getStorage() == ir::Storage::OutIn;
      found.maps.push_back({name, shape[outIn ? 0 : 1], shape[outIn ? 1 : 0],
                            structure.getStorage(), tensor->dtype,
                            int64_t(number), layer.getSymName().str()});
    });
  return found;
}

Error nameMap(const LinearMap &map, const Error &error) {
  return makeError("tensor ", quoteName(map.name), ": ", error.str());
}

Result<Matrix> readMatrix(const LinearMap &map, const Archive &archive) {
  Result<const Archive::Tensor *> tensor = archive.require(map.name);
  if (!tensor)
    return tensor.error();
  std::vector<double> values(size_t(map.parameters()));
  convertToF64((*tensor)->data, (*tensor)->dtype, values.data(), values.size());
  bool outIn = map.storage == ir::Storage::OutIn;
  Matrix stored(outIn ? map.rows : map.columns, outIn ? map.columns : map.rows,
                std::move(values));
  if (!isFinite(stored))
    return makeError("tensor ", quoteName(map.name), " in ",
                     archive.fileOf(**tensor),
                     ": expected finite entries, but got others");
  return outIn ? std::move(stored) : stored.transposed();
}

} // namespace linnet::compress
