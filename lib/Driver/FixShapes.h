//===- FixShapes.h - a function for given sizes ---------------*- C++ -*-===//

#ifndef LIB_DRIVER_FIXSHAPES_H
#define LIB_DRIVER_FIXSHAPES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace linnet {

/// Gives the arguments of `function` the types `arguments` and lets the types
/// in its body follow; cells of recurrences follow as clones. Functions that
/// call others are left as they are: theirs are open in batch and time only,
/// which the passes know how to fix.
void fixShapes(mlir::func::FuncOp function,
               llvm::ArrayRef<mlir::Type> arguments);

} // namespace linnet

#endif // LIB_DRIVER_FIXSHAPES_H
