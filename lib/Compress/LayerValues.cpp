//===- LayerValues.cpp - tensors behind the weights of a layer ------------===//

#include "LayerValues.h"

namespace linnet::compress {

namespace ir = mlir::linnet;

std::vector<LayerFunction> functionsOf(mlir::ModuleOp module) {
  std::vector<LayerFunction> functions;
  auto layers = layersOf(module);
  for (auto [number, layer] : llvm::enumerate(layers))
    functions.push_back({layer, int64_t(number)});
  for (auto function : module.getOps<mlir::func::FuncOp>())
    if (!llvm::is_contained(layers, function))
      functions.push_back({function, 0});
  return functions;
}

SingleUses::SingleUses(const std::vector<LayerFunction> &functions) {
  for (const LayerFunction &function : functions)
    mlir::func::FuncOp(function.function).walk([&](ir::WeightOp weight) {
      for (mlir::OpOperand &use : weight->getUses()) {
        (void)use;
        ++uses[function.nameOf(weight)];
      }
    });
}

std::optional<std::string> SingleUses::find(const LayerFunction &function,
                                            mlir::Value value) const {
  auto weight = value.getDefiningOp<ir::WeightOp>();
  if (!weight || weight.isStacked())
    return std::nullopt;
  std::string name = function.nameOf(weight);
  auto count = uses.find(name);
  if (count == uses.end() || count->second != 1)
    return std::nullopt;
  return name;
}

} // namespace linnet::compress
