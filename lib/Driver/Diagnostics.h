//===- Diagnostics.h - MLIR diagnostics as one-line errors ----*- C++ -*-===//

#ifndef LIB_DRIVER_DIAGNOSTICS_H
#define LIB_DRIVER_DIAGNOSTICS_H

#include "linnet/Support/Result.h"

#include "mlir/IR/Diagnostics.h"

#include <mutex>
#include <string>
#include <vector>

namespace linnet {

/// Collects the diagnostics of a context during its lifetime, from all threads.
class DiagnosticCollector {
public:
  explicit DiagnosticCollector(mlir::MLIRContext &context);

  bool hasError() const { return !errors.empty(); }
  /// The first error, "PLACE: message", or `otherwise` if there was none.
  Error error(const std::string &otherwise) const {
    return Error(errors.empty() ? otherwise : errors.front());
  }
  const std::vector<std::string> &warningLines() const { return warnings; }

private:
  std::mutex mutex;
  std::vector<std::string> errors, warnings;
  mlir::ScopedDiagnosticHandler handler;
};

/// The most telling part of a location: the file's position, or the tensor's
/// name; empty for an unknown location.
std::string describeLocation(mlir::Location location);

} // namespace linnet

#endif // LIB_DRIVER_DIAGNOSTICS_H
