//===- SelectForm.cpp - choose how each recurrence is computed ------------===//

#include "passes/Form/AssociativeForm.h"
#include "passes/Form/ConvolutionForm.h"
#include "passes/Form/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Remarks.h"

#include <optional>

namespace mlir::linnet {
#define GEN_PASS_DEF_SELECTFORM
#include "passes/Form/Passes.h.inc"
} // namespace mlir::linnet

using namespace mlir;
using namespace mlir::linnet;

/// Tokens of a chunk of the CPU's kernel.
static constexpr int64_t kChunkTokens = 8;

/// Shares of the multiply-add peak, measured at H = 16, T = 2048 and K = V = 64
/// and 128 on one core of a Zen 4: token by token the state passes through the
/// cache twice for every token, in chunks twice for every chunk.
static constexpr double kSequentialShare = 0.15, kChunkwiseShare = 0.5;
/// The same where all tokens meet, at T = 16 to 512 on a Xeon with AVX-512: it
/// is as fast as chunks at T = K = V, without a state.
static constexpr double kQuadraticShare = 0.25;
/// The same for a filter and the convolution with it, whose lanes are channels,
/// from H = 512, V = 1, T = 32 to 4096 and H = 16, V = 64, T = 2048 in 16
/// lanes.
static constexpr double kConvolutionShare = 0.3;
/// Narrower than a vector of any target, rows and columns leave lanes idle.
static constexpr int64_t kLanes = 16;

/// What the CPU has kernels for, besides convolutions.
static constexpr ScanForm kKernelForms[] = {
    ScanForm::Sequential, ScanForm::Chunkwise, ScanForm::Quadratic};

namespace {
/// What the choice depends on; sizes are upper bounds.
struct ScanShape {
  int64_t tokens, keys, values, steps;
};
} // namespace

/// Multiply-adds per step and head where all tokens meet: half of all pairs,
/// and what the state costs if it is there before and is read after.
static double countQuadratic(ScanOp op, const ScanShape &shape) {
  int64_t count = shape.tokens * shape.steps;
  auto cost = [&](ScanForm form) {
    return op.getTransition().getCost(form, shape.keys, shape.values, count);
  };
  double pairs = cost(ScanForm::Quadratic),
         state = cost(ScanForm::Chunkwise) - pairs;
  int uses = (op.getInitial() ? 1 : 0) + (op.getState().use_empty() ? 0 : 1);
  return (pairs + state * uses) / 4;
}

/// Why chunks, which put the keys of whole tokens into vectors, do not pay;
/// empty if they may.
static std::string getChunkObstacle(ScanOp op, int64_t steps) {
  if (steps && steps < kChunkTokens)
    return "it has " + std::to_string(steps) +
           " steps, fewer than the chunk's " + std::to_string(kChunkTokens);
  NormalForm form = op.getTransition().getNormalForm();
  SmallVector<Value> rows{op.getQuery(), op.getKey()};
  if (form.hasReader())
    rows.append(
        {op.getParameters()[form.reader], op.getParameters()[form.writer]});
  for (Value row : rows)
    if (cast<RankedTensorType>(row.getType()).getShape().back() == 1)
      return "a row is the same for all keys";
  auto state = cast<RankedTensorType>(op.getState().getType());
  if (llvm::is_contained(state.getShape().take_back(2), 0))
    return "it has no keys or no values";
  return "";
}

/// Multiply-adds per step and head that the processor could do in the time.
static double estimate(ScanOp op, ScanForm form, const ScanShape &shape) {
  double flops =
      op.getTransition().getCost(form, shape.keys, shape.values, kChunkTokens);
  auto used = [](int64_t size) {
    return double(size) / double(llvm::alignTo(size, kLanes));
  };
  if (form == ScanForm::Sequential)
    return flops / 2 / kSequentialShare / used(shape.values);
  if (form == ScanForm::Convolution)
    return op.getTransition().getCost(form, shape.keys, shape.values,
                                      shape.tokens) /
           2 / kConvolutionShare;
  double perStep =
      form == ScanForm::Quadratic ? countQuadratic(op, shape) : flops / 2;
  // What is behind the last whole chunk follows step by step.
  int64_t count = std::max<int64_t>(shape.tokens * shape.steps, 1);
  double whole = double(count / kChunkTokens * kChunkTokens) / double(count);
  double chunked =
      perStep /
      (form == ScanForm::Quadratic ? kQuadraticShare : kChunkwiseShare) /
      (used(shape.keys) * used(shape.values));
  return whole * chunked +
         (1 - whole) * estimate(op, ScanForm::Sequential, shape);
}

/// The forms that the CPU has a kernel for.
static SmallVector<ScanForm> candidatesOf(ScanOp op, const ScanShape &shape) {
  SmallVector<ScanForm> legal = op.getTransition().getLegalForms(), forms;
  bool chunks = getChunkObstacle(op, shape.tokens * shape.steps).empty();
  for (ScanForm form : kKernelForms)
    if (llvm::is_contained(legal, form) &&
        (chunks || form == ScanForm::Sequential))
      forms.push_back(form);
  if (getConvolutionObstacle(op).empty())
    forms.push_back(ScanForm::Convolution);
  return forms;
}

static std::optional<ScanForm> findCheapest(ScanOp op, const ScanShape &shape,
                                            std::string &numbers) {
  std::optional<ScanForm> best;
  double bestCost = 0;
  for (ScanForm form : candidatesOf(op, shape)) {
    double cost = double(shape.steps) * estimate(op, form, shape);
    numbers += (numbers.empty() ? "" : ", ") + stringifyScanForm(form).str() +
               " " + std::to_string(int64_t(cost));
    if (!best || cost < bestCost) {
      best = form;
      bestCost = cost;
    }
  }
  return best;
}

namespace {
struct SelectForm : linnet::impl::SelectFormBase<SelectForm> {
  using SelectFormBase::SelectFormBase;

  void runOnOperation() override {
    std::optional<ScanForm> asked = symbolizeScanForm(form);
    if (!form.empty() && (!asked || *asked == ScanForm::Auto)) {
      getOperation().emitError("expected form to be sequential, chunkwise, "
                               "quadratic, associative or convolution, but "
                               "got ")
          << form;
      return signalPassFailure();
    }
    if (exactDecode)
      return takeExact();
    boundTokens();
    SmallVector<ScanOp> scans;
    getOperation().walk([&](ScanOp op) {
      if (op.getForm() == ScanForm::Auto)
        scans.push_back(op);
    });
    for (ScanOp op : scans)
      asked ? force(op, *asked) : choose(op);
  }

private:
  void takeExact() {
    getOperation()->setAttr(kExactDecodeAttr, UnitAttr::get(&getContext()));
    getOperation().walk([&](ScanOp op) {
      if (op.getForm() == ScanForm::Auto) {
        op.setForm(ScanForm::Sequential); // legal for every transition
        ++chosen;
      } else if (op.getForm() != ScanForm::Sequential) {
        op.emitError("expected form sequential for exact-decode, but got ")
            << stringifyScanForm(op.getForm());
        signalPassFailure();
      }
    });
  }

  /// The tokens per call of the phases' functions and of what they call.
  void boundTokens() {
    SmallVector<std::pair<func::FuncOp, int64_t>> open;
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (auto bound =
              function->getAttrOfType<IntegerAttr>("linnet.max_tokens"))
        open.push_back({function, bound.getInt()});
    while (!open.empty()) {
      auto [function, bound] = open.pop_back_val();
      int64_t &known = tokens[function];
      if (known >= bound)
        continue;
      known = bound;
      for (const SymbolTable::SymbolUse &use :
           SymbolTable::getSymbolUses(function).value_or(
               SymbolTable::UseRange({})))
        if (auto callee = getOperation().lookupSymbol<func::FuncOp>(
                use.getSymbolRef().getRootReference()))
          open.push_back({callee, bound});
    }
  }

  ScanShape shapeOf(ScanOp op) {
    auto v = cast<RankedTensorType>(op.getValue().getType());
    auto k = cast<RankedTensorType>(op.getKey().getType());
    int64_t length = v.getDimSize(1);
    if (ShapedType::isDynamic(length))
      length = tokens.lookup(op->getParentOfType<func::FuncOp>());
    return {length, k.getDimSize(3), v.getDimSize(3),
            int64_t(op.getMicroSteps())};
  }

  void choose(ScanOp op) {
    ScanShape shape = shapeOf(op);
    if (shape.tokens == 0 || ShapedType::isDynamic(shape.keys) ||
        ShapedType::isDynamic(shape.values))
      return; // Without sizes a target decides.
    if (shape.keys == 0 || shape.values == 0)
      return take(op, ScanForm::Sequential, shape.tokens); // nothing to weigh
    std::string numbers;
    std::optional<ScanForm> best = findCheapest(op, shape, numbers);
    remark::passed(
        op->getLoc(),
        remark::RemarkOpts::name("form chosen").category("linnet-select-form"))
        << remark::reason("took {0} for {1} tokens; multiply-adds per token: "
                          "{2}",
                          stringifyScanForm(*best), shape.tokens, numbers);
    take(op, *best, shape.tokens);
  }

  /// These are other operations; the other forms are up to the target.
  void take(ScanOp op, ScanForm form, int64_t length) {
    ++chosen;
    if (form == ScanForm::Convolution)
      return rewriteAsConvolution(op, length);
    if (form == ScanForm::Associative)
      return rewriteAsAssociative(op);
    op.setForm(form);
  }

  void force(ScanOp op, ScanForm asked) {
    int64_t length = shapeOf(op).tokens;
    std::string obstacle;
    if (asked == ScanForm::Convolution) {
      obstacle = getConvolutionObstacle(op);
      if (obstacle.empty() && length == 0)
        obstacle = "the number of its tokens has no bound";
    } else if (!llvm::is_contained(op.getTransition().getLegalForms(), asked)) {
      llvm::raw_string_ostream(obstacle)
          << "the form is illegal for " << op.getTransition();
    } else if (asked == ScanForm::Associative) {
      obstacle = getAssociativeObstacle(op);
    } else if (!llvm::is_contained(kKernelForms, asked)) {
      obstacle = "the CPU has no kernel for it";
    } else if (asked != ScanForm::Sequential) {
      obstacle = getChunkObstacle(op, length * int64_t(op.getMicroSteps()));
    }
    if (obstacle.empty())
      return take(op, asked, length);
    ++declined;
    op->emitRemark("not computed ")
        << stringifyScanForm(asked) << ": " << obstacle;
  }

  DenseMap<Operation *, int64_t> tokens;
};
} // namespace
