//===- CalibratedModel.h - a checkpoint ready to run on windows -*- C++ -*-===//

#ifndef LIB_COMPRESS_CALIBRATEDMODEL_H
#define LIB_COMPRESS_CALIBRATEDMODEL_H

#include "LinearMaps.h"
#include "TapRunner.h"
#include "Windows.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

#include <memory>
#include <optional>

namespace linnet::compress {

/// Whether `module`, a model as imported, is an encoder.
bool isEncoder(mlir::ModuleOp module);

/// The width of its hidden state.
int64_t hiddenSizeOf(mlir::ModuleOp module);

/// readWindows() of what `options` names, for `module`, a model as imported.
Result<Windows> readWindowsFor(mlir::ModuleOp module,
                               const CompressOptions &options);

/// A checkpoint as imported, its linear maps, and its layers as taps.
struct CalibratedModel {
  /// `directory` with its tensors `archive`, which outlives the result.
  /// Errors: no checkpoint that can be imported.
  static Result<std::unique_ptr<CalibratedModel>>
  load(const std::string &directory, const Archive &archive);
  /// Errors: a model whose layers cannot be run one by one.
  Status openRunner(const Windows &windows);

  std::string directory;
  const Archive *archive = nullptr;
  std::unique_ptr<mlir::MLIRContext> context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  LinearMaps found;
  std::optional<TapRunner> runner;
};

} // namespace linnet::compress

#endif // LIB_COMPRESS_CALIBRATEDMODEL_H
