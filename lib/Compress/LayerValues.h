//===- LayerValues.h - tensors behind the weights of a layer --*- C++ -*-===//

#ifndef LIB_COMPRESS_LAYERVALUES_H
#define LIB_COMPRESS_LAYERVALUES_H

#include "LinearMaps.h"

#include <map>

namespace linnet::compress {

/// A function of a model, for one layer or for none.
struct LayerFunction {
  mlir::func::FuncOp function;
  int64_t layer = 0;

  std::string nameOf(mlir::linnet::WeightOp weight) const {
    return mlir::linnet::resolveWeightKey(weight.getKey(), layer);
  }
};

/// The layers in order, then all other functions.
std::vector<LayerFunction> functionsOf(mlir::ModuleOp module);

/// Which tensors of a model one operation alone reads.
class SingleUses {
public:
  explicit SingleUses(const std::vector<LayerFunction> &functions);

  /// The tensor of `value` if it is read nowhere else, else nothing.
  std::optional<std::string> find(const LayerFunction &function,
                                  mlir::Value value) const;

private:
  std::map<std::string, int> uses;
};

} // namespace linnet::compress

#endif // LIB_COMPRESS_LAYERVALUES_H
