//===- TapNorms.h - norms over fewer entries in taps ----------*- C++ -*-===//
//
// A norm over several heads of which some are left out is a norm of other
// numbers: its mean is over fewer. In taps the inputs of such norms have a
// factor, and their weights another, by which they can be made that norm: with
// f = sqrt(n / n1) for the n1 of n entries that are left and 0 for the others,
// and weights divided by f, it makes of the former what the narrow norm makes.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_COMPRESS_TAPNORMS_H
#define LIB_COMPRESS_TAPNORMS_H

#include "TapExperts.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <map>
#include <string>
#include <vector>

namespace linnet::compress {

/// Whether factors of input and weight can make `norm` one over fewer entries:
/// root mean squares with a weight and no bias.
bool canMask(mlir::linnet::NormOp norm);

/// x * factor along the last dimensions, by operations that `added` gets too.
mlir::Value multiplyLast(mlir::OpBuilder &b, mlir::Location loc, mlir::Value x,
                         mlir::Value factor,
                         std::vector<mlir::Operation *> &added);

/// The norms of a layer over several heads of a scan.
std::vector<mlir::linnet::NormOp> normsOverHeads(mlir::func::FuncOp layer);

/// These norms with factors, until it goes.
class MaskedNorms {
public:
  explicit MaskedNorms(mlir::func::FuncOp layer);
  MaskedNorms(const MaskedNorms &) = delete;
  ~MaskedNorms();
  const std::map<std::string, TapVector> &vectors() const { return added; }

private:
  void mask(mlir::linnet::NormOp norm);

  std::map<std::string, TapVector> added;
  std::vector<std::function<void()>> undo;
};

} // namespace linnet::compress

#endif // LIB_COMPRESS_TAPNORMS_H
