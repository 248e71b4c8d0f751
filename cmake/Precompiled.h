//===- Precompiled.h - the precompiled header, with MLIR ------*- C++ -*-===//
//
// It names only headers of MLIR, LLVM, the dialect and JSON that most files
// need; a file still includes what it uses.
//
//===----------------------------------------------------------------------===//

// Whether a statistic counts, and so how large it is, hangs on NDEBUG. The
// library constructs the statistics of our passes, so its setting counts here,
// while our own assertions stay as the build type has them.
#pragma push_macro("NDEBUG")
#undef NDEBUG
#if !LINNET_MLIR_ASSERTIONS
#define NDEBUG
#endif
#include "llvm/ADT/Statistic.h"
#pragma pop_macro("NDEBUG")
#include <cassert>

#include "dialects/Linnet/Linnet.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/DialectConversion.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/CommandLine.h"
#include <filesystem>
#include <nlohmann/json.hpp>
