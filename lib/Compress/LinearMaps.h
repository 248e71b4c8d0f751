//===- LinearMaps.h - the matrices that may be replaced -------*- C++ -*-===//

#ifndef LIB_COMPRESS_LINEARMAPS_H
#define LIB_COMPRESS_LINEARMAPS_H

#include "dialects/Linnet/Linnet.h"
#include "linnet/Checkpoint/Archive.h"
#include "linnet/Numerics/Matrix.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/SetVector.h"

#include <string>
#include <vector>

namespace linnet::compress {

/// A matrix of a layer that is applied to activations and nothing else.
struct LinearMap {
  /// Of the tensor.
  std::string name;
  /// Of W, [out, in].
  int64_t rows = 0, columns = 0;
  /// How the tensor stores W.
  mlir::linnet::Storage storage = mlir::linnet::Storage::OutIn;
  DataType dtype = DataType::F32;
  /// The number of its layer, and the function that the layer is; layers of one
  /// function have the same maps in the same order.
  int64_t layer = 0;
  std::string function;

  int64_t parameters() const { return rows * columns; }
};

struct LinearMaps {
  /// Layer by layer, in the order of the layer's operations.
  std::vector<LinearMap> maps;
  /// "TENSOR: why it is left alone".
  std::vector<std::string> declined;
};

/// The tensor that `value` is, in its own type or another; null if it is
/// computed.
mlir::linnet::WeightOp findWeight(mlir::Value value);

/// The dense map that `weight` is the matrix of, or null with why it is none.
mlir::linnet::LinearOp findMap(mlir::linnet::WeightOp weight,
                               std::string &obstacle);

/// Lets findMap() take all dense maps of a model whose weights stand beside IR:
/// no importer has to read factors in their place.
void nameMapsAfterWeights(mlir::ModuleOp module);

/// Whether entry i of the result of `op` depends on entries i of its operands.
bool isElementwise(mlir::Operation *op);

/// The maps whose outputs alone make `value`, elementwise; empty if others do.
llvm::SetVector<mlir::Operation *> producersOf(mlir::Value value);

/// The layers of `module` in order: functions, one for each.
std::vector<mlir::func::FuncOp> layersOf(mlir::ModuleOp module);

/// The matrices of `module`'s layers whose tensors `archive` holds.
LinearMaps findLinearMaps(mlir::ModuleOp module, const Archive &archive);

/// `error` as one of this map's tensor.
Error nameMap(const LinearMap &map, const Error &error);

/// W, [out, in]. Errors: entries that are not finite.
Result<Matrix> readMatrix(const LinearMap &map, const Archive &archive);

} // namespace linnet::compress

#endif // LIB_COMPRESS_LINEARMAPS_H
