//===- Diagnostics.cpp - MLIR diagnostics as one-line errors --------------===//

#include "Diagnostics.h"

#include "mlir/IR/Location.h"
#include "mlir/IR/MLIRContext.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"

namespace linnet {

std::string describeLocation(mlir::Location location) {
  return llvm::TypeSwitch<mlir::LocationAttr, std::string>(location)
      .Case([](mlir::FileLineColLoc place) {
        return place.getFilename().str() + ":" +
               std::to_string(place.getLine()) + ":" +
               std::to_string(place.getColumn());
      })
      .Case([](mlir::NameLoc place) {
        std::string child = describeLocation(place.getChildLoc());
        std::string name = place.getName().str();
        return child.empty() ? name : child + ": " + name;
      })
      .Case([](mlir::CallSiteLoc place) {
        return describeLocation(place.getCallee());
      })
      .Case([](mlir::FusedLoc place) {
        for (mlir::Location part : place.getLocations())
          if (std::string text = describeLocation(part); !text.empty())
            return text;
        return std::string();
      })
      .Default([](mlir::LocationAttr) { return std::string(); });
}

/// One line: what follows the first is a dump of IR.
static std::string firstLine(mlir::Diagnostic &diagnostic) {
  std::string place = describeLocation(diagnostic.getLocation());
  std::string text = diagnostic.str();
  text = text.substr(0, text.find('\n'));
  return place.empty() ? text : place + ": " + text;
}

DiagnosticCollector::DiagnosticCollector(mlir::MLIRContext &context)
    : handler(&context, [this](mlir::Diagnostic &diagnostic) {
        std::lock_guard<std::mutex> lock(mutex);
        if (diagnostic.getSeverity() == mlir::DiagnosticSeverity::Error)
          errors.push_back(firstLine(diagnostic));
        else if (diagnostic.getSeverity() == mlir::DiagnosticSeverity::Warning)
          warnings.push_back(firstLine(diagnostic));
        return mlir::success();
      }) {}

} // namespace linnet
