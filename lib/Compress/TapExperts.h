//===- TapExperts.h - mixtures of experts in taps -------------*- C++ -*-===//
//
// In taps the outputs of a router have an addend, by which experts can be
// closed: what is not chosen is as good as not there. And what each chosen
// expert adds to a token's sum can be shown apart from the others.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_COMPRESS_TAPEXPERTS_H
#define LIB_COMPRESS_TAPEXPERTS_H

#include "dialects/Linnet/Linnet.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace linnet::compress {

/// A vector that taps read and the checkpoint lacks, of the tensor at `key` (a
/// bias may be absent, and is zeros then) and the row under maskOf() of the
/// tensor at `mask`.
struct TapVector {
  enum class Kind {
    /// Of a bias, with kTapShift added.
    Shifted,
    /// Of a bias, with the row added, which closes some outputs of a router.
    Masked,
    /// The row, or ones.
    Factor,
    /// Divided by the row, 0 where that is 0; or as it is.
    Scaled
  };
  Kind kind = Kind::Shifted;
  std::string key, mask;
};

/// Added to an output of a router, it keeps the output from being chosen and
/// from weighing: its exponential is 0.
constexpr double kClosed = -1e9;

/// Under which name stands what is added to the outputs of the router with the
/// matrix `name`, or the factor of the inputs of the norm with that weight.
std::string maskOf(const std::string &name);

/// The routers of a layer with addends of their logits and, where they have a
/// bias of the choice, of that; they are gone with the object.
class MaskedRouters {
public:
  explicit MaskedRouters(mlir::func::FuncOp layer);
  MaskedRouters(const MaskedRouters &) = delete;
  ~MaskedRouters();
  /// By the keys of their weights.
  const std::map<std::string, TapVector> &vectors() const { return added; }

private:
  using SetBias = std::function<void(mlir::Value)>;
  void mask(mlir::linnet::RouteOp route, mlir::Value bias,
            mlir::linnet::WeightOp router, SetBias set);

  std::map<std::string, TapVector> added;
  std::vector<std::function<void()>> undo;
};

/// What the experts of one operation add to each token's sum, one value for
/// each choice, by operations that are added to the layer and are erased with
/// the object.
class ExpertOutputs {
public:
  /// Nothing: not the experts of one router with a matrix of its own.
  static std::optional<ExpertOutputs> create(mlir::linnet::ExpertsOp experts);
  ExpertOutputs(ExpertOutputs &&other) = default;
  ~ExpertOutputs();
  /// The key of the router's matrix.
  const std::string &router() const { return routerKey; }
  llvm::ArrayRef<mlir::Value> values() const { return outputs; }

private:
  ExpertOutputs() = default;

  std::string routerKey;
  std::vector<mlir::Operation *> added;
  llvm::SmallVector<mlir::Value> outputs;
};

} // namespace linnet::compress

#endif // LIB_COMPRESS_TAPEXPERTS_H
