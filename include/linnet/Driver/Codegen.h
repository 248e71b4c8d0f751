//===- Codegen.h - kernels to machine code --------------------*- C++ -*-===//
//
// From a module of kernels (what `linnet-lower-cpu` leaves) over the LLVM
// dialect and LLVM IR to objects in memory. No other process takes part.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_DRIVER_CODEGEN_H
#define LINNET_DRIVER_CODEGEN_H

#include "linnet/Driver/Target.h"
#include "linnet/Support/Result.h"

#include "mlir/IR/BuiltinOps.h"

#include <cstdint>
#include <string>
#include <vector>

namespace linnet {

struct CodegenOptions {
  /// 0..3, as in any compiler.
  int optLevel = 3;
  /// At most this many threads; 0: one per processor. The result does not
  /// depend on it.
  unsigned threads = 0;
  /// One object rather than one per part of the module.
  bool single = false;
};

/// An ELF object file.
using ObjectCode = std::string;

/// Names of the functions visible in the library: those with `linnet.phase`.
std::vector<std::string> exportedFunctions(mlir::ModuleOp module);

/// Brings a module of kernels to the LLVM dialect in place
/// (`linnet-lower-to-llvm`). Diagnostics go to the context's handler.
Status lowerToLLVMDialect(mlir::ModuleOp module, const Target &target);

/// Compiles a module in the LLVM dialect. Functions other than `exported` are
/// hidden. The objects are the same, byte for byte, for the same input.
Result<std::vector<ObjectCode>>
compileToObjects(mlir::ModuleOp module, const Target &target,
                 const std::vector<std::string> &exported,
                 const CodegenOptions &options);

/// The optimised LLVM IR of the same module as text.
Result<std::string> compileToLLVMText(mlir::ModuleOp module,
                                      const Target &target,
                                      const std::vector<std::string> &exported,
                                      const CodegenOptions &options);

/// An object that defines `linnet_library_id` and `linnet_library_abi`.
Result<ObjectCode> compileIdentity(const std::string &id, int64_t abi,
                                   const Target &target);

} // namespace linnet

#endif // LINNET_DRIVER_CODEGEN_H
