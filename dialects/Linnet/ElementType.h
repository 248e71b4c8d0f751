//===- ElementType.h - the types of stored numbers in IR ------*- C++ -*-===//

#ifndef DIALECTS_LINNET_ELEMENTTYPE_H
#define DIALECTS_LINNET_ELEMENTTYPE_H

#include "linnet/Checkpoint/DataType.h"

#include "mlir/IR/Types.h"

namespace mlir::linnet {

/// The type of an element that is stored as `type`, or null if IR has none.
Type elementTypeOf(MLIRContext *context, ::linnet::DataType type);

} // namespace mlir::linnet

#endif // DIALECTS_LINNET_ELEMENTTYPE_H
