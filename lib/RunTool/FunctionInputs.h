//===- FunctionInputs.h - --input=... as a tensor -------------*- C++ -*-===//

#ifndef LINNET_LIB_RUNTOOL_FUNCTIONINPUTS_H
#define LINNET_LIB_RUNTOOL_FUNCTIONINPUTS_H

#include "linnet/Reference/HostTensor.h"
#include "linnet/Support/Result.h"

#include "mlir/IR/BuiltinTypes.h"

#include <string>

namespace linnet::runtool {

/// The value that `spec` (see FunctionRunOptions::inputs) gives an argument of
/// type `type`, rounded to its element type. Errors: malformed specs, values
/// an integer type cannot hold, types that are neither numbers nor tensors of
/// them.
Result<HostTensor> makeInput(const std::string &spec, mlir::Type type);

} // namespace linnet::runtool

#endif // LINNET_LIB_RUNTOOL_FUNCTIONINPUTS_H
