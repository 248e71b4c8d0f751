//===- TapReach.h - where the outputs of maps go --------------*- C++ -*-===//
//
// How an error of a map's output counts depends on what becomes of it: what an
// elementwise function and the next map, or attention, make of it.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_COMPRESS_TAPREACH_H
#define LIB_COMPRESS_TAPREACH_H

#include "dialects/Linnet/Linnet.h"

#include "llvm/ADT/DenseMap.h"

#include <optional>

namespace linnet::compress {

enum class ReachKind {
  /// An elementwise function makes them inputs of one map.
  Channels,
  /// Attention mixes them as values along time, head by head, and one map
  /// takes them.
  Values,
  /// Attention multiplies them as queries with keys.
  Queries,
  /// And as keys with queries.
  Keys,
};

/// In the IR of a layer.
struct MapReach {
  ReachKind kind;
  /// Of channels and values: the map that takes them.
  mlir::linnet::LinearOp consumer;
  /// Of the others and values.
  mlir::linnet::AttentionOp attention;
};

/// Where the outputs of `map` go, if they all go one of these ways.
std::optional<MapReach> findReach(mlir::linnet::LinearOp map);

/// What is added to outputs to see what becomes of them: small beside the
/// curvature of activations, which is about 1.
constexpr float kTapShift = 1.0f / 64;
/// Behind the key of a bias that is shifted, or of a matrix without one.
constexpr const char *kShiftedKey = ".shifted";

/// A consumer's input with all outputs of `map` shifted, by operations that are
/// added to the layer and are erased with the object.
class ShiftedInput {
public:
  ShiftedInput(mlir::linnet::LinearOp map, mlir::linnet::LinearOp consumer);
  ShiftedInput(const ShiftedInput &) = delete;
  ~ShiftedInput();
  mlir::Value value() const { return shifted; }

private:
  mlir::Value shift(mlir::Value value);

  mlir::OpBuilder builder;
  llvm::SmallVector<mlir::Operation *> added;
  llvm::DenseMap<mlir::Value, mlir::Value> known;
  mlir::Value shifted;
};

} // namespace linnet::compress

#endif // LIB_COMPRESS_TAPREACH_H
