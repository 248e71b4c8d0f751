//===- Lanes.h - f32 arithmetic on scalars or vectors alike ---*- C++ -*-===//

#ifndef PASSES_CPU_LANES_H
#define PASSES_CPU_LANES_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"

namespace mlir::linnet {

/// Builds arithmetic on values of one shape. `mulAdd` may be contracted to a
/// fused operation where the target has one; everything else is exact IEEE.
class Lanes {
public:
  /// The bits of 1.0f.
  static constexpr int32_t kOneBits = 0x3f800000;

  Lanes(OpBuilder &b, Location loc, Type type) : b(b), loc(loc), shape(type) {
    real = like(b.getF32Type());
    word = like(b.getI32Type());
  }

  Value constant(float x) { return splat(real, b.getF32FloatAttr(x)); }
  Value integer(int32_t x) { return splat(word, b.getI32IntegerAttr(x)); }
  Value add(Value x, Value y) { return arith::AddFOp::create(b, loc, x, y); }
  Value sub(Value x, Value y) { return arith::SubFOp::create(b, loc, x, y); }
  Value mul(Value x, Value y) { return arith::MulFOp::create(b, loc, x, y); }
  Value div(Value x, Value y) { return arith::DivFOp::create(b, loc, x, y); }
  Value addBits(Value x, Value y) {
    return arith::AddIOp::create(b, loc, x, y);
  }
  Value subBits(Value x, Value y) {
    return arith::SubIOp::create(b, loc, x, y);
  }
  Value shiftLeft(Value x, int n) {
    return arith::ShLIOp::create(b, loc, x, integer(n));
  }
  Value shiftRight(Value x, int n) {
    return arith::ShRSIOp::create(b, loc, x, integer(n));
  }
  Value mask(Value x, int32_t bits) {
    return arith::AndIOp::create(b, loc, x, integer(bits));
  }
  Value merge(Value x, Value y) { return arith::OrIOp::create(b, loc, x, y); }
  Value bits(Value x) { return arith::BitcastOp::create(b, loc, word, x); }
  Value fromBits(Value x) { return arith::BitcastOp::create(b, loc, real, x); }
  Value toFloat(Value x) { return arith::SIToFPOp::create(b, loc, real, x); }
  Value choose(Value condition, Value x, Value y) {
    return arith::SelectOp::create(b, loc, condition, x, y);
  }
  Value compare(arith::CmpFPredicate predicate, Value x, Value y) {
    return arith::CmpFOp::create(b, loc, predicate, x, y);
  }
  Value less(Value x, float y) {
    return compare(arith::CmpFPredicate::OLT, x, constant(y));
  }
  Value mulAdd(Value x, Value y, Value z) {
    auto contract = arith::FastMathFlags::contract;
    Value product = arith::MulFOp::create(b, loc, x, y, contract);
    return arith::AddFOp::create(b, loc, product, z, contract);
  }
  Value mulAdd(Value x, float y, Value z) { return mulAdd(x, constant(y), z); }
  /// Horner's scheme, highest coefficient first.
  Value polynomial(Value x, ArrayRef<float> coefficients) {
    Value sum = constant(coefficients.front());
    for (float coefficient : coefficients.drop_front())
      sum = mulAdd(sum, x, constant(coefficient));
    return sum;
  }
  /// The order of operands makes both one instruction on x86 and lets NaN
  /// through.
  Value atLeast(Value x, float low) {
    Value bound = constant(low);
    return choose(compare(arith::CmpFPredicate::OGT, bound, x), bound, x);
  }
  Value atMost(Value x, float high) {
    Value bound = constant(high);
    return choose(compare(arith::CmpFPredicate::OLT, bound, x), bound, x);
  }
  Value absolute(Value x) { return fromBits(mask(bits(x), 0x7fffffff)); }
  Value sign(Value x) { return mask(bits(x), INT32_MIN); }
  Value withSign(Value x, Value signBits) {
    return fromBits(merge(mask(bits(x), 0x7fffffff), signBits));
  }
  /// 2^n for the integer in the low bits of `n`.
  Value powerOfTwo(Value n) {
    return fromBits(addBits(shiftLeft(n, 23), integer(kOneBits)));
  }
  Value nanOf(Value x) { return compare(arith::CmpFPredicate::UNO, x, x); }

  Type like(Type element) {
    if (auto vector = dyn_cast<VectorType>(shape))
      return vector.clone(element);
    return element;
  }
  Value splat(Type type, TypedAttr value) {
    if (auto vector = dyn_cast<VectorType>(type))
      value = DenseElementsAttr::get(vector, value);
    return arith::ConstantOp::create(b, loc, value);
  }

  OpBuilder &b;
  Location loc;

private:
  Type shape, real, word;
};

} // namespace mlir::linnet

#endif // PASSES_CPU_LANES_H
