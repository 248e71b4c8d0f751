//===- ExpandHalf.cpp - f16 and bf16 conversions as integer arithmetic ----===//

#include "passes/CPU/Passes.h"

#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlir::linnet {
#define GEN_PASS_DEF_EXPANDHALF
#include "passes/CPU/Passes.h.inc"
} // namespace mlir::linnet

using namespace mlir;

namespace {
/// Integer arithmetic on the 32-bit patterns of values of one shape.
struct Words {
  OpBuilder &b;
  Location loc;
  Type shape;

  Type like(Type element) const {
    if (auto vector = dyn_cast<VectorType>(shape))
      return vector.clone(element);
    return element;
  }
  Type word() const { return like(b.getI32Type()); }
  Value integer(uint32_t x) const {
    TypedAttr value = b.getI32IntegerAttr(static_cast<int32_t>(x));
    if (auto vector = dyn_cast<VectorType>(word()))
      value = DenseElementsAttr::get(vector, value);
    return arith::ConstantOp::create(b, loc, value);
  }
  Value bits(Value x) const {
    return arith::BitcastOp::create(b, loc, word(), x);
  }
  Value real(Value x) const {
    return arith::BitcastOp::create(b, loc, like(b.getF32Type()), x);
  }
  Value mask(Value x, uint32_t m) const {
    return arith::AndIOp::create(b, loc, x, integer(m));
  }
  Value left(Value x, uint32_t n) const {
    return arith::ShLIOp::create(b, loc, x, integer(n));
  }
  Value right(Value x, uint32_t n) const {
    return arith::ShRUIOp::create(b, loc, x, integer(n));
  }
  Value add(Value x, Value y) const {
    return arith::AddIOp::create(b, loc, x, y);
  }
  Value merge(Value x, Value y) const {
    return arith::OrIOp::create(b, loc, x, y);
  }
  Value choose(Value c, Value x, Value y) const {
    return arith::SelectOp::create(b, loc, c, x, y);
  }
  Value atLeast(Value x, uint32_t bound) const {
    return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::uge, x,
                                 integer(bound));
  }
};

bool isF16(Value v) { return getElementTypeOrSelf(v).isF16(); }
bool isF32(Value v) { return getElementTypeOrSelf(v).isF32(); }

/// Integers move the exponent. A denormal becomes the fraction of 2^-14, from
/// which that is subtracted: sessions run with denormals flushed, so that none
/// may be an operand.
struct ExtendF16 : OpRewritePattern<arith::ExtFOp> {
  ExtendF16(MLIRContext *context, Pass::Statistic &expanded)
      : OpRewritePattern(context), expanded(expanded) {}
  LogicalResult matchAndRewrite(arith::ExtFOp op,
                                PatternRewriter &rewriter) const override {
    if (!isF16(op.getIn()) || !isF32(op.getOut()))
      return rewriter.notifyMatchFailure(op, "no extension of f16 to f32");
    Location loc = op.getLoc();
    Words w{rewriter, loc, op.getType()};
    Value half = arith::BitcastOp::create(
        rewriter, loc, w.like(rewriter.getI16Type()), op.getIn());
    half = arith::ExtUIOp::create(rewriter, loc, w.word(), half);
    Value magnitude = w.left(w.mask(half, 0x7fff), 13);
    Value normal = w.add(magnitude, w.integer(0x38000000));
    Value denormal = arith::SubFOp::create(
        rewriter, loc, w.real(w.add(magnitude, w.integer(0x38800000))),
        w.real(w.integer(0x38800000)));
    Value special = w.merge(magnitude, w.integer(0x7f800000));
    Value bits =
        w.choose(w.atLeast(magnitude, 0x00800000), normal, w.bits(denormal));
    bits = w.choose(w.atLeast(magnitude, 0x0f800000), special, bits);
    rewriter.replaceOp(op,
                       w.real(w.merge(bits, w.left(w.mask(half, 0x8000), 16))));
    ++expanded;
    return success();
  }
  Pass::Statistic &expanded;
};

struct TruncateF16 : OpRewritePattern<arith::TruncFOp> {
  TruncateF16(MLIRContext *context, Pass::Statistic &expanded)
      : OpRewritePattern(context), expanded(expanded) {}
  LogicalResult matchAndRewrite(arith::TruncFOp op,
                                PatternRewriter &rewriter) const override {
    if (!isF32(op.getIn()) || !isF16(op.getOut()))
      return rewriter.notifyMatchFailure(op, "no truncation of f32 to f16");
    Location loc = op.getLoc();
    Words w{rewriter, loc, op.getType()};
    Value all = w.bits(op.getIn());
    Value sign = w.right(w.mask(all, 0x80000000), 16);
    Value magnitude = w.mask(all, 0x7fffffff);
    // Normal: rebias the exponent and round to even at bit 13.
    Value odd = w.mask(w.right(magnitude, 13), 1);
    Value normal =
        w.right(w.add(w.add(magnitude, w.integer(0xc8000fff)), odd), 13);
    // Below 2^-14: adding 0.5 leaves the rounded denormal in the low bits.
    Value shifted = arith::AddFOp::create(rewriter, loc, w.real(magnitude),
                                          w.real(w.integer(0x3f000000)));
    Value denormal = w.add(w.bits(shifted), w.integer(0xc1000000));
    Value result = w.choose(w.atLeast(magnitude, 0x38800000), normal, denormal);
    result =
        w.choose(w.atLeast(magnitude, 0x477ff000), w.integer(0x7c00), result);
    result =
        w.choose(w.atLeast(magnitude, 0x7f800001), w.integer(0x7e00), result);
    Value half = arith::TruncIOp::create(
        rewriter, loc, w.like(rewriter.getI16Type()), w.merge(result, sign));
    rewriter.replaceOpWithNewOp<arith::BitcastOp>(op, op.getType(), half);
    ++expanded;
    return success();
  }
  Pass::Statistic &expanded;
};

struct ExpandHalf : mlir::linnet::impl::ExpandHalfBase<ExpandHalf> {
  using ExpandHalfBase::ExpandHalfBase;
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    arith::populateExpandBFloat16Patterns(patterns);
    if (f16)
      patterns.add<ExtendF16, TruncateF16>(&getContext(), expanded);
    if (failed(
            applyPatternsGreedily(getOperation(), std::move(patterns),
                                  GreedyRewriteConfig().enableFolding(false))))
      signalPassFailure();
  }
};
} // namespace
