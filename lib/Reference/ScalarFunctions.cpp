//===- ScalarFunctions.cpp - arith and math, one element at a time --------===//
//
// The same table serves elementwise operations on tensors and the bodies of
// linalg operations.
//
//===----------------------------------------------------------------------===//

#include "Interpreter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <cmath>

namespace linnet::reference {

namespace arith = mlir::arith;
namespace math = mlir::math;

std::optional<double> scalarOfAttribute(mlir::Attribute attribute) {
  if (auto value = mlir::dyn_cast<mlir::FloatAttr>(attribute))
    return value.getValueAsDouble();
  auto value = mlir::dyn_cast<mlir::IntegerAttr>(attribute);
  if (!value || value.getValue().getSignificantBits() > 64)
    return std::nullopt;
  // A true boolean is 1, not -1.
  if (value.getType().isInteger(1))
    return double(value.getValue().getZExtValue());
  return double(value.getValue().getSExtValue());
}

/// `value` cut to the width of `type`, as two's complement; i1 is 0 or 1.
static double wrapInteger(int64_t value, Type type) {
  Type element = mlir::getElementTypeOrSelf(type);
  unsigned width = element.isIndex() ? 64 : element.getIntOrFloatBitWidth();
  if (width == 1)
    return double(value & 1);
  if (width >= 64)
    return double(value);
  return double(int64_t(uint64_t(value) << (64 - width)) >> (64 - width));
}

/// `value` read as an unsigned number of the width of `type`.
static double asUnsigned(int64_t value, Type type) {
  unsigned width = mlir::getElementTypeOrSelf(type).getIntOrFloatBitWidth();
  return width >= 64 ? double(uint64_t(value))
                     : double(uint64_t(value) & ((uint64_t(1) << width) - 1));
}

/// Integers stand exactly in doubles; anything else (a NaN) is zero.
static int64_t toInteger(double value) {
  return std::abs(value) < 9223372036854775808.0 ? int64_t(value) : 0;
}

static ScalarFunction findRounding(Type type) {
  DataType dtype = DataType::F64;
  Type element = mlir::getElementTypeOrSelf(type);
  if (element.isF32())
    dtype = DataType::F32;
  else if (element.isF16())
    dtype = DataType::F16;
  else if (element.isBF16())
    dtype = DataType::BF16;
  else if (mlir::isa<mlir::Float8E4M3FNType>(element))
    dtype = DataType::F8E4M3;
  else if (mlir::isa<mlir::Float8E5M2Type>(element))
    dtype = DataType::F8E5M2;
  else if (!element.isF64())
    return nullptr;
  return [dtype](const double *x) {
    std::byte bytes[8];
    convertFromF64(x, dtype, bytes, 1);
    return loadAsDouble(bytes, dtype, 0);
  };
}

static ScalarFunction findComparison(arith::CmpFPredicate predicate) {
  // Bits: less, equal, greater, unordered.
  unsigned accepted = 0;
  switch (predicate) {
  case arith::CmpFPredicate::AlwaysFalse:
    accepted = 0b0000;
    break;
  case arith::CmpFPredicate::OLT:
    accepted = 0b0001;
    break;
  case arith::CmpFPredicate::OEQ:
    accepted = 0b0010;
    break;
  case arith::CmpFPredicate::OLE:
    accepted = 0b0011;
    break;
  case arith::CmpFPredicate::OGT:
    accepted = 0b0100;
    break;
  case arith::CmpFPredicate::ONE:
    accepted = 0b0101;
    break;
  case arith::CmpFPredicate::OGE:
    accepted = 0b0110;
    break;
  case arith::CmpFPredicate::ORD:
    accepted = 0b0111;
    break;
  case arith::CmpFPredicate::UNO:
    accepted = 0b1000;
    break;
  case arith::CmpFPredicate::ULT:
    accepted = 0b1001;
    break;
  case arith::CmpFPredicate::UEQ:
    accepted = 0b1010;
    break;
  case arith::CmpFPredicate::ULE:
    accepted = 0b1011;
    break;
  case arith::CmpFPredicate::UGT:
    accepted = 0b1100;
    break;
  case arith::CmpFPredicate::UNE:
    accepted = 0b1101;
    break;
  case arith::CmpFPredicate::UGE:
    accepted = 0b1110;
    break;
  case arith::CmpFPredicate::AlwaysTrue:
    accepted = 0b1111;
    break;
  }
  return [accepted](const double *x) {
    unsigned relation = x[0] < x[1]    ? 1
                        : x[0] == x[1] ? 2
                        : x[0] > x[1]  ? 4
                                       : 8;
    return accepted & relation ? 1.0 : 0.0;
  };
}

static ScalarFunction findComparison(arith::CmpIOp op) {
  Type type = op.getLhs().getType();
  arith::CmpIPredicate predicate = op.getPredicate();
  unsigned accepted = 0;
  switch (predicate) {
  case arith::CmpIPredicate::slt:
  case arith::CmpIPredicate::ult:
    accepted = 0b001;
    break;
  case arith::CmpIPredicate::eq:
    accepted = 0b010;
    break;
  case arith::CmpIPredicate::sle:
  case arith::CmpIPredicate::ule:
    accepted = 0b011;
    break;
  case arith::CmpIPredicate::sgt:
  case arith::CmpIPredicate::ugt:
    accepted = 0b100;
    break;
  case arith::CmpIPredicate::ne:
    accepted = 0b101;
    break;
  case arith::CmpIPredicate::sge:
  case arith::CmpIPredicate::uge:
    accepted = 0b110;
    break;
  }
  bool isSigned = predicate < arith::CmpIPredicate::ult;
  unsigned width =
      mlir::getElementTypeOrSelf(type).isIndex()
          ? 64
          : mlir::getElementTypeOrSelf(type).getIntOrFloatBitWidth();
  return [=](const double *x) {
    int64_t a = toInteger(x[0]), b = toInteger(x[1]);
    // i1 is held as 0 or 1, but a signed i1 is 0 or -1.
    if (isSigned && width == 1)
      a = -a, b = -b;
    bool less = isSigned ? a < b : uint64_t(a) < uint64_t(b);
    unsigned relation = less ? 1 : a == b ? 2 : 4;
    return accepted & relation ? 1.0 : 0.0;
  };
}

namespace {
using UnaryFunction = double (*)(double);
using BinaryFunction = double (*)(double, double);
/// Of integers in two's complement; overflow wraps.
using IntegerFunction = uint64_t (*)(uint64_t, uint64_t);
} // namespace

/// NaN if either is; -0 below +0.
static double maximum(double a, double b) {
  if (std::isnan(a) || std::isnan(b))
    return a + b;
  return a == b ? (std::signbit(a) ? b : a) : std::max(a, b);
}
static double minimum(double a, double b) { return -maximum(-a, -b); }

static const llvm::StringMap<UnaryFunction> &unaryFunctions() {
  static const llvm::StringMap<UnaryFunction> table{
      {"arith.negf", [](double x) { return -x; }},
      {"arith.extf", [](double x) { return x; }},
      {"arith.sitofp", [](double x) { return x; }},
      {"math.exp", [](double x) { return std::exp(x); }},
      {"math.exp2", [](double x) { return std::exp2(x); }},
      {"math.expm1", [](double x) { return std::expm1(x); }},
      {"math.log", [](double x) { return std::log(x); }},
      {"math.log2", [](double x) { return std::log2(x); }},
      {"math.log1p", [](double x) { return std::log1p(x); }},
      {"math.sqrt", [](double x) { return std::sqrt(x); }},
      {"math.rsqrt", [](double x) { return 1 / std::sqrt(x); }},
      {"math.sin", [](double x) { return std::sin(x); }},
      {"math.cos", [](double x) { return std::cos(x); }},
      {"math.tanh", [](double x) { return std::tanh(x); }},
      {"math.erf", [](double x) { return std::erf(x); }},
      {"math.absf", [](double x) { return std::abs(x); }},
      {"math.floor", [](double x) { return std::floor(x); }},
      {"math.ceil", [](double x) { return std::ceil(x); }},
  };
  return table;
}

static const llvm::StringMap<BinaryFunction> &binaryFunctions() {
  static const llvm::StringMap<BinaryFunction> table{
      {"arith.addf", [](double a, double b) { return a + b; }},
      {"arith.subf", [](double a, double b) { return a - b; }},
      {"arith.mulf", [](double a, double b) { return a * b; }},
      {"arith.divf", [](double a, double b) { return a / b; }},
      {"arith.remf", [](double a, double b) { return std::fmod(a, b); }},
      {"arith.maximumf", maximum},
      {"arith.minimumf", minimum},
      {"arith.maxnumf", [](double a, double b) { return std::fmax(a, b); }},
      {"arith.minnumf", [](double a, double b) { return std::fmin(a, b); }},
      {"math.powf", [](double a, double b) { return std::pow(a, b); }},
  };
  return table;
}

static const llvm::StringMap<IntegerFunction> &integerFunctions() {
  static const llvm::StringMap<IntegerFunction> table{
      {"arith.addi", [](uint64_t a, uint64_t b) { return a + b; }},
      {"arith.subi", [](uint64_t a, uint64_t b) { return a - b; }},
      {"arith.muli", [](uint64_t a, uint64_t b) { return a * b; }},
      {"arith.andi", [](uint64_t a, uint64_t b) { return a & b; }},
      {"arith.ori", [](uint64_t a, uint64_t b) { return a | b; }},
      {"arith.xori", [](uint64_t a, uint64_t b) { return a ^ b; }},
      {"arith.minsi",
       [](uint64_t a, uint64_t b) { return int64_t(a) < int64_t(b) ? a : b; }},
      {"arith.maxsi",
       [](uint64_t a, uint64_t b) { return int64_t(a) < int64_t(b) ? b : a; }},
      // Division by zero is undefined in the IR; here it gives zero. Negating
      // covers the one quotient that overflows.
      {"arith.divsi",
       [](uint64_t a, uint64_t b) {
         return b == 0              ? 0
                : b == ~uint64_t(0) ? -a
                                    : uint64_t(int64_t(a) / int64_t(b));
       }},
      {"arith.remsi",
       [](uint64_t a, uint64_t b) {
         return b == 0 || b == ~uint64_t(0) ? 0
                                            : uint64_t(int64_t(a) % int64_t(b));
       }},
  };
  return table;
}

/// Functions of type or attributes, which no table by name can hold.
static ScalarFunction findSpecialFunction(Operation *op) {
  if (mlir::isa<arith::SelectOp>(op))
    return [](const double *x) { return x[0] != 0 ? x[1] : x[2]; };
  if (mlir::isa<math::FmaOp>(op))
    return [](const double *x) { return std::fma(x[0], x[1], x[2]); };
  if (auto compare = mlir::dyn_cast<arith::CmpFOp>(op))
    return findComparison(compare.getPredicate());
  if (auto compare = mlir::dyn_cast<arith::CmpIOp>(op))
    return findComparison(compare);
  if (op->getNumOperands() != 1)
    return nullptr;
  Type from = op->getOperand(0).getType(), to = op->getResult(0).getType();
  if (mlir::isa<arith::TruncFOp>(op))
    return findRounding(to);
  if (mlir::isa<arith::IndexCastOp, arith::TruncIOp, arith::FPToSIOp>(op))
    return [to](const double *x) { return wrapInteger(toInteger(x[0]), to); };
  if (mlir::isa<arith::ExtSIOp>(op))
    return [from](const double *x) {
      bool boolean = mlir::getElementTypeOrSelf(from).isInteger(1);
      return boolean ? -x[0] : x[0];
    };
  if (mlir::isa<arith::ExtUIOp, arith::UIToFPOp>(op))
    return
        [from](const double *x) { return asUnsigned(toInteger(x[0]), from); };
  return nullptr;
}

ScalarFunction findScalarFunction(Operation *op) {
  StringRef name = op->getName().getStringRef();
  if (op->getNumResults() != 1)
    return nullptr;
  if (UnaryFunction function = unaryFunctions().lookup(name))
    return [function](const double *x) { return function(x[0]); };
  if (BinaryFunction function = binaryFunctions().lookup(name))
    return [function](const double *x) { return function(x[0], x[1]); };
  if (IntegerFunction function = integerFunctions().lookup(name))
    return [function, type = op->getResult(0).getType()](const double *x) {
      return wrapInteger(int64_t(function(uint64_t(toInteger(x[0])),
                                          uint64_t(toInteger(x[1])))),
                         type);
    };
  return findSpecialFunction(op);
}

} // namespace linnet::reference
