//===- Recursion.h - functions that reach themselves ----------*- C++ -*-===//

#ifndef PASSES_FORM_RECURSION_H
#define PASSES_FORM_RECURSION_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

namespace mlir::linnet {

/// A function reached from `root` that names itself, directly or through
/// others, by whatever operation; null if there is none. Passes that follow
/// calls need an end.
func::FuncOp findRecursion(func::FuncOp root);

/// An error if there is one.
LogicalResult checkNoRecursion(func::FuncOp root);

} // namespace mlir::linnet

#endif // PASSES_FORM_RECURSION_H
