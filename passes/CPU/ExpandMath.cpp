//===- ExpandMath.cpp - elementary functions as arithmetic ----------------===//
//
// Each function is written once, over `Lanes`, which builds the same code for a
// scalar and for a vector of any shape. The polynomials are minimax fits (in
// f64, rounded to f32) over the stated intervals; test/unit/Driver sweeps them.
//
//===----------------------------------------------------------------------===//

#include "passes/CPU/Lanes.h"
#include "passes/CPU/Passes.h"

#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

#include <limits>

namespace mlir::linnet {
#define GEN_PASS_DEF_EXPANDMATH
#include "passes/CPU/Passes.h.inc"
} // namespace mlir::linnet

using namespace mlir;
using mlir::linnet::Lanes;

namespace {
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
/// Adding 1.5 * 2^23 rounds a small f32 to an integer that then stands in the
/// low bits of the sum, so no conversion instruction is needed.
constexpr float kRound = 12582912.0f;
/// ln 2 in two parts; the product of the first with an exponent is exact.
constexpr float kLn2High = 0.693359375f;
constexpr float kLn2Low = -2.12194440e-4f;
/// x = n ln 2 + r with |r| <= ln 2 / 2. `n` stands in the low bits of
/// `exponent`; the returned value is e^r - 1.
struct ReducedExponential {
  Value exponent;
  Value minusOne;
};

ReducedExponential reduce(Lanes &l, Value x) {
  Value shifted = l.mulAdd(x, 1.44269504f, l.constant(kRound));
  Value n = l.sub(shifted, l.constant(kRound));
  Value r = l.mulAdd(n, -kLn2High, x);
  r = l.mulAdd(n, -kLn2Low, r);
  // (e^r - 1 - r) / r^2 on [-0.347, 0.347].
  Value q = l.polynomial(r, {0.0013926268053f, 0.0083632466698f,
                             0.041666554109f, 0.16666576583f, 0.5f});
  return {l.bits(shifted), l.mulAdd(l.mul(r, r), q, r)};
}

/// The scale 2^n is applied in two halves, so that results run into infinity
/// and through the denormals into zero by themselves.
Value expandExp(Lanes &l, Value x) {
  x = l.atMost(l.atLeast(x, -104.0f), 89.0f);
  ReducedExponential e = reduce(l, x);
  Value half = l.shiftRight(e.exponent, 1);
  Value rest = l.subBits(e.exponent, half);
  Value p = l.add(e.minusOne, l.constant(1.0f));
  return l.mul(l.mul(p, l.powerOfTwo(half)), l.powerOfTwo(rest));
}

/// e^x - 1 = 2 (2^(n-1) (e^r - 1) + (2^(n-1) - 1/2)).
Value expandExpM1(Lanes &l, Value x) {
  Value clamped = l.atMost(l.atLeast(x, -20.0f), 89.5f);
  ReducedExponential e = reduce(l, clamped);
  Value scale = l.powerOfTwo(l.subBits(e.exponent, l.integer(1)));
  Value half = l.mulAdd(scale, e.minusOne, l.sub(scale, l.constant(0.5f)));
  Value result = l.add(half, half);
  // Keeps the sign of zero and denormals.
  return l.choose(l.less(l.absolute(x), 1e-30f), x, result);
}

Value expandExp2(Lanes &l, Value x) {
  x = l.atMost(l.atLeast(x, -151.0f), 129.0f);
  Value shifted = l.add(x, l.constant(kRound));
  Value r = l.sub(x, l.sub(shifted, l.constant(kRound)));
  r = l.mul(r, l.constant(0.693147182f));
  Value q = l.polynomial(r, {0.0013926268053f, 0.0083632466698f,
                             0.041666554109f, 0.16666576583f, 0.5f});
  Value p = l.add(l.mulAdd(l.mul(r, r), q, r), l.constant(1.0f));
  Value n = l.bits(shifted);
  Value half = l.shiftRight(n, 1);
  Value rest = l.subBits(n, half);
  return l.mul(l.mul(p, l.powerOfTwo(half)), l.powerOfTwo(rest));
}

/// ln(1 + f) + e ln 2 for f in [sqrt(1/2) - 1, sqrt(2) - 1].
Value logOfParts(Lanes &l, Value f, Value e) {
  Value square = l.mul(f, f);
  // (ln(1 + f) - f + f^2 / 2) / f^3.
  Value q = l.polynomial(f, {0.069730704092f, -0.11481477241f, 0.11685719639f,
                             -0.12425486561f, 0.14249009322f, -0.16667808576f,
                             0.20000717196f, -0.24999996912f, 0.33333331174f});
  Value tail = l.mul(l.mul(square, f), q);
  tail = l.mulAdd(e, kLn2Low, tail);
  tail = l.mulAdd(square, -0.5f, tail);
  return l.mulAdd(e, kLn2High, l.add(f, tail));
}

/// Splits a positive normal x = 2^e m, m in [sqrt(1/2), sqrt(2)).
void splitExponent(Lanes &l, Value x, Value &exponent, Value &mantissa) {
  constexpr int32_t kRootHalf = 0x3f3504f3;
  Value offset = l.subBits(l.bits(x), l.integer(kRootHalf));
  exponent = l.shiftRight(offset, 23);
  mantissa =
      l.fromBits(l.addBits(l.mask(offset, 0x7fffff), l.integer(kRootHalf)));
}

/// ln(x) where `result` holds it for 0 < x < infinity.
Value fixLogDomain(Lanes &l, Value x, Value result) {
  Value infinite = l.constant(kInfinity);
  result = l.choose(l.compare(arith::CmpFPredicate::OEQ, x, infinite), infinite,
                    result);
  result = l.choose(l.compare(arith::CmpFPredicate::OEQ, x, l.constant(0.0f)),
                    l.constant(-kInfinity), result);
  return l.choose(l.compare(arith::CmpFPredicate::UGE, x, l.constant(0.0f)),
                  l.choose(l.nanOf(x), x, result), l.constant(kNaN));
}

Value expandLog(Lanes &l, Value x) {
  Value tiny = l.less(x, std::numeric_limits<float>::min());
  Value scaled = l.choose(tiny, l.mul(x, l.constant(8388608.0f)), x); // 2^23
  Value exponent, mantissa;
  splitExponent(l, scaled, exponent, mantissa);
  Value e = l.toFloat(exponent);
  e = l.choose(tiny, l.sub(e, l.constant(23.0f)), e);
  Value f = l.sub(mantissa, l.constant(1.0f));
  return fixLogDomain(l, x, logOfParts(l, f, e));
}

/// What rounding 1 + x loses is added to the mantissa again.
Value expandLog1p(Lanes &l, Value x) {
  Value one = l.constant(1.0f);
  Value sum = l.add(one, x);
  Value lostSmall = l.sub(x, l.sub(sum, one));
  Value lostLarge = l.sub(one, l.sub(sum, x));
  Value lost = l.choose(l.less(x, 1.0f), lostSmall, lostLarge);
  Value exponent, mantissa;
  splitExponent(l, sum, exponent, mantissa);
  Value inverse = l.fromBits(
      l.subBits(l.integer(Lanes::kOneBits), l.shiftLeft(exponent, 23)));
  Value f = l.add(l.sub(mantissa, one), l.mul(lost, inverse));
  Value result = fixLogDomain(l, sum, logOfParts(l, f, l.toFloat(exponent)));
  return l.choose(l.less(l.absolute(x), 1e-30f), x, result);
}

Value expandTanh(Lanes &l, Value x) {
  Value magnitude = l.absolute(x);
  // (tanh(x) / x - 1) / x^2 in x^2 on [0, 0.64^2].
  Value z = l.mul(x, x);
  Value q = l.polynomial(z, {-0.0059929612544f, 0.020924148183f,
                             -0.053835141265f, 0.1333266348f, -0.33333327864f});
  Value small = l.mulAdd(l.mul(z, q), x, x);
  // 1 - 2 / (e^2|x| + 1).
  Value e = expandExp(l, l.add(magnitude, magnitude));
  Value large = l.sub(l.constant(1.0f),
                      l.div(l.constant(2.0f), l.add(e, l.constant(1.0f))));
  return l.choose(l.less(magnitude, 0.63f), small,
                  l.withSign(large, l.sign(x)));
}

/// e^(ln erfc(|x|)), 0.98 <= |x| <= 4.05.
Value erfcTail(Lanes &l, Value magnitude) {
  Value g = l.polynomial(magnitude,
                         {-7.7224025704e-8f, 3.3448094255e-6f,
                          -6.2437254238e-5f, 0.00068608746616f,
                          -0.0050638543655f, 0.027092237096f, -0.11103670235f,
                          -0.630977324f, -1.1306583749f, 0.00041159036388f});
  return expandExp(l, g);
}

Value expandErf(Lanes &l, Value x) {
  Value magnitude = l.absolute(x);
  // erf(x) / x in x^2 on [0, 1].
  Value small =
      l.mul(x, l.polynomial(l.mul(x, x),
                            {7.8758750627e-5f, -0.00080168642872f,
                             0.0051890874234f, -0.026854212011f, 0.11283594715f,
                             -0.37612626667f, 1.1283791658f}));
  // erf(4.05) rounds to 1.
  Value tail = erfcTail(l, l.atMost(magnitude, 4.05f));
  Value large = l.withSign(l.sub(l.constant(1.0f), tail), l.sign(x));
  return l.choose(l.less(magnitude, 1.0f), small, large);
}

/// Sine (`quarter` 0) or cosine (1). The quarter turns are taken off in f64,
/// which keeps the remainder right for |x| below 1e8.
Value expandSine(Lanes &l, Value x, int quarter) {
  Type wide = l.like(l.b.getF64Type());
  auto f64 = [&](double value) {
    return l.splat(wide, l.b.getF64FloatAttr(value));
  };
  Value wideX = arith::ExtFOp::create(l.b, l.loc, wide, x);
  Value round = f64(6755399441055744.0); // 1.5 * 2^52
  Value shifted = l.add(l.mul(wideX, f64(0.63661977236758134308)), round);
  Value turns = l.sub(shifted, round);
  Value remainder = l.sub(wideX, l.mul(turns, f64(1.57079632679489661923)));
  Value r = arith::TruncFOp::create(l.b, l.loc, x.getType(), remainder);
  Value word =
      arith::BitcastOp::create(l.b, l.loc, l.like(l.b.getI64Type()), shifted);
  Value n = arith::TruncIOp::create(l.b, l.loc, l.like(l.b.getI32Type()), word);
  n = l.addBits(n, l.integer(quarter));

  Value z = l.mul(r, r);
  Value sine =
      l.mulAdd(l.mul(z, l.polynomial(z, {2.7249851596e-6f, -0.00019840086163f,
                                         0.0083333318737f, -0.16666666664f})),
               r, r);
  Value cosine = l.mulAdd(l.mul(z, z),
                          l.polynomial(z, {-2.7300897269e-7f, 2.4800599899e-5f,
                                           -0.0013888887671f, 0.041666666664f}),
                          l.mulAdd(z, -0.5f, l.constant(1.0f)));
  Value odd = arith::CmpIOp::create(l.b, l.loc, arith::CmpIPredicate::ne,
                                    l.mask(n, 1), l.integer(0));
  Value result = l.choose(odd, cosine, sine);
  Value flip = l.shiftLeft(l.mask(n, 2), 30);
  return l.fromBits(arith::XOrIOp::create(l.b, l.loc, l.bits(result), flip));
}

/// Rounds to an integer: |x| below 2^23 through i32 or a magic number, larger
/// values are integers already.
Value expandRounding(Lanes &l, Value x, Operation *op) {
  Value magnitude = l.absolute(x);
  Type word = l.like(l.b.getI32Type());
  auto truncate = [&](Value v) {
    Value clamped =
        l.choose(l.less(magnitude, 8388608.0f), v, l.constant(0.0f));
    return l.toFloat(arith::FPToSIOp::create(l.b, l.loc, word, clamped));
  };
  Value one = l.constant(1.0f), zero = l.constant(0.0f), rounded;
  using P = arith::CmpFPredicate;
  if (isa<math::RoundEvenOp>(op)) {
    Value magic = l.constant(8388608.0f);
    rounded = l.sub(l.add(magnitude, magic), magic);
  } else if (isa<math::RoundOp>(op)) {
    Value whole = truncate(magnitude);
    Value up = l.compare(P::OGE, l.sub(magnitude, whole), l.constant(0.5f));
    rounded = l.add(whole, l.choose(up, one, zero));
  } else {
    rounded = truncate(x);
    if (isa<math::FloorOp>(op))
      rounded =
          l.sub(rounded, l.choose(l.compare(P::OGT, rounded, x), one, zero));
    else if (isa<math::CeilOp>(op))
      rounded =
          l.add(rounded, l.choose(l.compare(P::OLT, rounded, x), one, zero));
  }
  return l.choose(l.less(magnitude, 8388608.0f), l.withSign(rounded, l.sign(x)),
                  x);
}

/// The expansion of `op`, null if there is none.
Value expand(Lanes &l, Operation *op, ArrayRef<Value> in) {
  return TypeSwitch<Operation *, Value>(op)
      .Case([&](math::ExpOp) { return expandExp(l, in[0]); })
      .Case([&](math::Exp2Op) { return expandExp2(l, in[0]); })
      .Case([&](math::ExpM1Op) { return expandExpM1(l, in[0]); })
      .Case([&](math::LogOp) { return expandLog(l, in[0]); })
      .Case([&](math::Log2Op) {
        return l.mul(expandLog(l, in[0]), l.constant(1.44269504f));
      })
      .Case([&](math::Log10Op) {
        return l.mul(expandLog(l, in[0]), l.constant(0.434294482f));
      })
      .Case([&](math::Log1pOp) { return expandLog1p(l, in[0]); })
      .Case([&](math::TanhOp) { return expandTanh(l, in[0]); })
      .Case([&](math::ErfOp) { return expandErf(l, in[0]); })
      .Case([&](math::SinOp) { return expandSine(l, in[0], 0); })
      .Case([&](math::CosOp) { return expandSine(l, in[0], 1); })
      .Case([&](math::RsqrtOp) {
        Value root = math::SqrtOp::create(l.b, l.loc, in[0]);
        return l.div(l.constant(1.0f), root);
      })
      .Case([&](math::FmaOp) { return l.mulAdd(in[0], in[1], in[2]); })
      .Case<math::FloorOp, math::CeilOp, math::TruncOp, math::RoundOp,
            math::RoundEvenOp>(
          [&](Operation *op) { return expandRounding(l, in[0], op); })
      .Default([](Operation *) { return Value(); });
}

/// Operations that are instructions on every target.
bool isInstruction(Operation *op) {
  return isa<math::AbsFOp, math::AbsIOp, math::SqrtOp, math::CopySignOp,
             math::CtPopOp, math::CountLeadingZerosOp,
             math::CountTrailingZerosOp, math::IsNaNOp, math::IsInfOp,
             math::IsFiniteOp, math::IsNormalOp>(op);
}

struct ExpandMath : mlir::linnet::impl::ExpandMathBase<ExpandMath> {
  void runOnOperation() override {
    // Constant powers become products, square roots and quotients.
    RewritePatternSet patterns(&getContext());
    populateMathAlgebraicSimplificationPatterns(patterns);
    if (failed(
            applyPatternsGreedily(getOperation(), std::move(patterns),
                                  GreedyRewriteConfig().enableFolding(false))))
      return signalPassFailure();

    SmallVector<Operation *> work;
    getOperation()->walk([&](Operation *op) {
      if (isa_and_nonnull<math::MathDialect>(op->getDialect()) &&
          !isInstruction(op))
        work.push_back(op);
    });
    for (Operation *op : work)
      if (failed(expandOne(op)))
        return signalPassFailure();
  }

  LogicalResult expandOne(Operation *op) {
    Type type = op->getResult(0).getType();
    Type element = getElementTypeOrSelf(type);
    bool isShape = isa<FloatType>(type) || isa<VectorType>(type);
    bool isNarrow = element.isF16() || element.isBF16();
    if (!isShape || !(element.isF32() || isNarrow))
      return op->emitOpError("expected f32, bf16 or f16 scalars or vectors to "
                             "expand, but got ")
             << type;
    OpBuilder builder(op);
    Lanes lanes(builder, op->getLoc(), type);
    SmallVector<Value> operands(op->getOperands());
    for (Value &operand : operands) {
      if (operand.getType() != type)
        return op->emitOpError("has no expansion into arithmetic");
      if (isNarrow)
        operand = arith::ExtFOp::create(
            builder, op->getLoc(), lanes.like(builder.getF32Type()), operand);
    }
    Value result = expand(lanes, op, operands);
    if (!result)
      return op->emitOpError("has no expansion into arithmetic");
    if (isNarrow)
      result = arith::TruncFOp::create(builder, op->getLoc(), type, result);
    op->getResult(0).replaceAllUsesWith(result);
    op->erase();
    ++expanded;
    return success();
  }
};
} // namespace
