//===- LinnetDialect.cpp - registration of the linnet dialect -------------===//

#include "dialects/Linnet/Linnet.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::linnet;

#include "dialects/Linnet/LinnetDialect.cpp.inc"
#include "dialects/Linnet/LinnetEnums.cpp.inc"

#include "dialects/Linnet/LinnetAttrInterfaces.cpp.inc"
#include "dialects/Linnet/LinnetOpInterfaces.cpp.inc"

/// Words that stand bare inside an attribute's angle brackets.
static ParseResult parseKeyword(AsmParser &parser, std::string &word) {
  StringRef keyword;
  if (parser.parseKeyword(&keyword))
    return failure();
  word = keyword.str();
  return success();
}
static void printKeyword(AsmPrinter &printer, StringRef word) {
  printer << word;
}

/// `, zeros` or nothing.
static ParseResult parseHasZeros(AsmParser &parser, bool &hasZeros) {
  hasZeros = succeeded(parser.parseOptionalComma());
  return hasZeros ? parser.parseKeyword("zeros") : success();
}
static void printHasZeros(AsmPrinter &printer, bool hasZeros) {
  if (hasZeros)
    printer << ", zeros";
}

#define GET_ATTRDEF_CLASSES
#include "dialects/Linnet/LinnetAttributes.cpp.inc"

/// Enum operands that stand as a bare keyword behind the mnemonic.
template <typename AttrT, typename EnumT>
static ParseResult
parseEnumKeyword(OpAsmParser &parser, AttrT &attr,
                 std::optional<EnumT> (*fromString)(StringRef),
                 StringRef what) {
  StringRef keyword;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseKeyword(&keyword))
    return failure();
  std::optional<EnumT> value = fromString(keyword);
  if (!value)
    return parser.emitError(loc)
           << "unknown " << what << " '" << keyword << "'";
  attr = AttrT::get(parser.getContext(), *value);
  return success();
}
static ParseResult parseKeyword(OpAsmParser &parser, NormKindAttr &attr) {
  return parseEnumKeyword<NormKindAttr, NormKind>(parser, attr,
                                                  symbolizeNormKind, "norm");
}
static ParseResult parseKeyword(OpAsmParser &parser, ActivationAttr &attr) {
  return parseEnumKeyword<ActivationAttr, Activation>(
      parser, attr, symbolizeActivation, "activation");
}
static ParseResult parseKeyword(OpAsmParser &parser, RouteScoreAttr &attr) {
  return parseEnumKeyword<RouteScoreAttr, RouteScore>(
      parser, attr, symbolizeRouteScore, "score");
}
static void printKeyword(OpAsmPrinter &printer, Operation *,
                         RouteScoreAttr attr) {
  printer << stringifyRouteScore(attr.getValue());
}
static void printKeyword(OpAsmPrinter &printer, Operation *,
                         NormKindAttr attr) {
  printer << stringifyNormKind(attr.getValue());
}
static void printKeyword(OpAsmPrinter &printer, Operation *,
                         ActivationAttr attr) {
  printer << stringifyActivation(attr.getValue());
}

#define GET_OP_CLASSES
#include "dialects/Linnet/LinnetOps.cpp.inc"

void LinnetDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/Linnet/LinnetAttributes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/Linnet/LinnetOps.cpp.inc"
      >();
  addTransitions();
}
