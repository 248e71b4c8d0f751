//===- SimplifyTransitions.cpp - cheaper transitions where operands allow -===//
//
// The rules speak of terms of the normal form; which transition the remaining
// terms are, the dialect's list of transitions says.
//
//===----------------------------------------------------------------------===//

#include "passes/Form/Passes.h"
#include "passes/Form/TransitionTerms.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlir::linnet {
#define GEN_PASS_DEF_SIMPLIFYTRANSITIONS
#include "passes/Form/Passes.h.inc"
} // namespace mlir::linnet

using namespace mlir;
using namespace mlir::linnet;

/// Whether every entry is zero, for all that the IR says.
static bool isZero(Value value) {
  while (Operation *def = value.getDefiningOp()) {
    if (auto fill = dyn_cast<linalg::FillOp>(def))
      return matchPattern(fill.getInputs()[0], m_AnyZeroFloat());
    if (!isa<tensor::CastOp, tensor::ExpandShapeOp, tensor::CollapseShapeOp,
             tensor::ExtractSliceOp, linalg::BroadcastOp>(def))
      break;
    value = def->getOperand(0);
  }
  return matchPattern(value, m_AnyZeroFloat());
}

/// The factors of a product.
static std::pair<Value, Value> matchProduct(Value value) {
  if (auto product = value.getDefiningOp<arith::MulFOp>())
    return {product.getLhs(), product.getRhs()};
  return {};
}

/// What `value` repeats along its last dimension, or null.
static Value matchRepeatedAlongLast(Value value) {
  auto repeated = value.getDefiningOp<linalg::BroadcastOp>();
  int64_t last = cast<RankedTensorType>(value.getType()).getRank() - 1;
  if (!repeated || repeated.getDimensions() != ArrayRef<int64_t>{last})
    return {};
  return repeated.getInput();
}

/// Decays of e^0.
static bool dropDecayOfOne(TransitionTerms &terms) {
  size_t before = terms.form.logDecay.size();
  llvm::erase_if(terms.form.logDecay, [&](ArrayRef<int> factors) {
    return llvm::any_of(factors,
                        [&](int f) { return isZero(terms.operands[f]); });
  });
  return terms.form.logDecay.size() != before;
}

/// A term of rank one that reads or writes nothing.
static bool dropEmptyPerturbation(TransitionTerms &terms) {
  NormalForm &form = terms.form;
  if (!form.hasReader() || (!isZero(terms.operands[form.reader]) &&
                            !isZero(terms.operands[form.writer])))
    return false;
  form.reader = form.writer = -1;
  return true;
}

/// Pairs of rows that do not turn are rows.
static bool dropTurnOfZero(TransitionTerms &terms) {
  NormalForm &form = terms.form;
  if (!form.hasPhase() || !isZero(terms.operands[form.phase]))
    return false;
  form.phase = -1;
  for (std::string &dims : terms.dims)
    llvm::replace(dims, 'p', 'k');
  return true;
}

/// b (a^T S) + (beta k) v^T with b = -beta k and a = D k is the delta rule; the
/// key without beta is left in `key`.
static bool tiePerturbation(TransitionTerms &terms, Value &key) {
  NormalForm &form = terms.form;
  if (!form.hasReader())
    return false;
  auto negated = terms.operands[form.writer].getDefiningOp<arith::NegFOp>();
  if (!negated || negated.getOperand() != key)
    return false;
  auto [x, w] = matchProduct(key);
  if (!x)
    return false;
  if (matchRepeatedAlongLast(x))
    std::swap(x, w);
  Value beta = matchRepeatedAlongLast(w), reader = terms.operands[form.reader];
  if (!beta)
    return false;
  if (!form.logDecay.empty()) {
    // The reader has to see the state behind the one decay there is.
    auto [decayed, decay] = matchProduct(reader);
    if (decayed != x)
      std::swap(decayed, decay);
    auto power = decay ? decay.getDefiningOp<math::ExpOp>() : nullptr;
    if (!power || form.logDecay.size() != 1 || form.logDecay[0].size() != 1)
      return false;
    Value log = terms.operands[form.logDecay[0][0]];
    if (power.getOperand() != log &&
        matchRepeatedAlongLast(power.getOperand()) != log)
      return false;
    reader = decayed;
  }
  if (reader != x)
    return false;
  key = x;
  form.reader = form.writer = -1;
  form.tied = true;
  form.beta = terms.operands.size();
  terms.dims.push_back("th");
  terms.operands.push_back(beta);
  return true;
}

/// Decays that are given per row or column, but with one entry for all.
static bool narrowDecays(TransitionTerms &terms) {
  bool narrowed = false;
  for (ArrayRef<int> factors : terms.form.logDecay)
    for (int factor : factors) {
      std::string &dims = terms.dims[factor];
      auto type = cast<RankedTensorType>(terms.operands[factor].getType());
      if ((dims.back() != 'k' && dims.back() != 'v') ||
          type.getShape().back() != 1)
        continue;
      dims.pop_back();
      narrowed = true;
    }
  return narrowed;
}

/// `operand`, whose dimensions were `from`, with the dimensions `to`: without
/// the last one, which has one entry, or with one entry per row, not pair.
static Value adapt(Value operand, StringRef from, StringRef to,
                   PatternRewriter &rewriter) {
  auto type = cast<RankedTensorType>(operand.getType());
  if (to.size() < from.size()) {
    SmallVector<ReassociationIndices> groups;
    for (int64_t d = 0; d + 1 < type.getRank(); ++d)
      groups.push_back({d});
    groups.back().push_back(type.getRank() - 1);
    return tensor::CollapseShapeOp::create(rewriter, operand.getLoc(), operand,
                                           groups);
  }
  size_t pairs = from.find('p');
  // Dimension 0 is the batch.
  if (pairs == StringRef::npos || type.getDimSize(pairs + 1) == 1)
    return operand;
  return tensor::ConcatOp::create(rewriter, operand.getLoc(), pairs + 1,
                                  ValueRange{operand, operand});
}

namespace {
struct SimplifyTransition : OpRewritePattern<ScanOp> {
  SimplifyTransition(MLIRContext *context, Pass::Statistic &simplified)
      : OpRewritePattern(context), simplified(simplified) {}

  LogicalResult matchAndRewrite(ScanOp op,
                                PatternRewriter &rewriter) const override {
    TransitionTerms terms = TransitionTerms::of(op);
    Value key = op.getKey();
    std::string why;
    auto note = [&](bool changed, StringRef what) {
      if (changed)
        why += (why.empty() ? "" : ", ") + what.str();
    };
    note(dropDecayOfOne(terms), "decay of one");
    note(dropEmptyPerturbation(terms), "perturbation of rank zero");
    note(dropTurnOfZero(terms), "angle of zero");
    note(tiePerturbation(terms, key), "perturbation tied to the key");
    TransitionTerms narrow = terms;
    std::pair<TransitionAttrInterface, SmallVector<int>> found;
    if (narrowDecays(narrow) &&
        (found = narrow.findTransition(getContext())).first) {
      note(true, "one decay for all rows or columns");
      terms = narrow;
    } else if (!why.empty()) {
      found = terms.findTransition(getContext());
    }
    if (why.empty())
      return rewriter.notifyMatchFailure(op, "no operand is trivial");
    auto [transition, numbers] = found;
    if (!transition)
      return rewriter.notifyMatchFailure(
          op, "no transition is known for the terms that are left");
    if (op.getForm() != ScanForm::Auto &&
        !llvm::is_contained(transition.getLegalForms(), op.getForm()))
      return rewriter.notifyMatchFailure(
          op, "its form is illegal for the simpler transition");
    report(op, transition, why);
    SmallVector<StringRef> dims = op.getTransition().getOperandDims();
    SmallVector<Value> operands;
    for (int number : numbers)
      operands.push_back(size_t(number) < dims.size()
                             ? adapt(terms.operands[number], dims[number],
                                     terms.dims[number], rewriter)
                             : terms.operands[number]);
    rewriter.modifyOpInPlace(op, [&, transition = transition] {
      op.setTransitionAttr(transition);
      op.getKeyMutable().assign(key);
      op.getParametersMutable().assign(operands);
    });
    return success();
  }

private:
  void report(ScanOp op, TransitionAttrInterface transition,
              StringRef why) const {
    remark::passed(op.getLoc(),
                   remark::RemarkOpts::name("transition simplified")
                       .category("linnet-simplify-transitions"))
        << remark::reason("{0} became {1}: {2}", op.getTransition(), transition,
                          why);
    ++simplified;
  }

  Pass::Statistic &simplified;
};

struct SimplifyTransitions
    : linnet::impl::SimplifyTransitionsBase<SimplifyTransitions> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<SimplifyTransition>(&getContext(), simplified);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
