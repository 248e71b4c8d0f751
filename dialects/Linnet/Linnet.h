//===- Linnet.h - the linnet dialect --------------------------*- C++ -*-===//
//
// The single header that users of the dialect include.
//
//===----------------------------------------------------------------------===//

#ifndef DIALECTS_LINNET_LINNET_H
#define DIALECTS_LINNET_LINNET_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Attributes.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/Linnet/LinnetEnums.h.inc"
#include "dialects/Linnet/NormalForm.h"

#include "dialects/Linnet/LinnetAttrInterfaces.h.inc"

#include "dialects/Linnet/LinnetDialect.h.inc"
#include "dialects/Linnet/LinnetOpInterfaces.h.inc"

namespace mlir::linnet {
/// The factors of all parts of a product or a sum.
unsigned countFactors(ArrayRef<StructureAttrInterface> parts);
} // namespace mlir::linnet

#define GET_ATTRDEF_CLASSES
#include "dialects/Linnet/LinnetAttributes.h.inc"

#define GET_OP_CLASSES
#include "dialects/Linnet/LinnetOps.h.inc"

namespace mlir::linnet {

/// Module attribute naming the weight archive (a checkpoint directory or a
/// .safetensors file) that `linnet.weight` keys refer to.
inline constexpr StringLiteral kArchiveAttr = "linnet.archive";
/// Module attribute: a dictionary with the facts a runtime needs
/// (`model_type`, `kind`, `vocab_size`, `hidden_size`, `max_context`, ...).
inline constexpr StringLiteral kModelAttr = "linnet.model";
/// Module attribute (unit): a token's sums may not depend on how many tokens
/// come with it. `linnet-select-form` sets it, kernels heed it.
inline constexpr StringLiteral kExactDecodeAttr = "linnet.exact_decode";
/// Argument and result attribute of a model's functions: what callers name it
/// (`tokens`, `logits`, ...).
inline constexpr StringLiteral kNameAttr = "linnet.name";
/// Name of a model's main function.
inline constexpr StringLiteral kForward = "forward";

/// Replaces every `{}` of a weight key by the layer's number.
std::string resolveWeightKey(StringRef key, int64_t layer);

/// What stands for the number of a member in the key of a stacked weight.
inline constexpr StringLiteral kMember = "{*}";
/// Replaces every `{*}` of a weight key by the member's number.
std::string resolveMemberKey(StringRef key, int64_t member);

/// Writes transitions as a Markdown table: formula, operands, and for each
/// legal form the floating-point operations per token and head at widths and
/// chunks of 64.
void printTransitionTable(ArrayRef<TransitionAttrInterface> transitions,
                          raw_ostream &out);

/// The `[B, T, H, K, V]` letters rule of linnet.scan: whether an operand
/// dimension `size` may stand where the full dimension is `full`.
bool fitsByBroadcast(char letter, int64_t size, int64_t full);

} // namespace mlir::linnet

#endif // DIALECTS_LINNET_LINNET_H
