//===- SpecializePhases.cpp - one clone of the model per phase ------------===//

#include "dialects/Linnet/Linnet.h"
#include "passes/Form/Recursion.h"
#include "passes/Lower/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace mlir::linnet {
#define GEN_PASS_DEF_SPECIALIZEPHASES
#include "passes/Lower/Passes.h.inc"
} // namespace mlir::linnet

using namespace mlir;
using namespace mlir::linnet;

namespace {
/// A phase: its name, and its tokens per call (dynamic up to a bound, or one).
struct Phase {
  StringRef name;
  int64_t maxTokens;
  bool dynamicTokens;
};

/// A stacked state carries the layers in dimension 0.
static bool isStacked(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.getRank() > 0 && !tensor.isDynamicDim(0);
}

/// Sets the batch and, if static, the tokens of every tensor in `function`.
/// Model functions are dynamic in batch and time only, and states carry the
/// batch in dimension 0, or 1 when stacked.
class ShapeSetter {
public:
  ShapeSetter(int64_t batch, const Phase &phase) : batch(batch), phase(phase) {}

  Type set(Type type, bool stacked = false) const {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor || tensor.hasStaticShape())
      return type;
    SmallVector<int64_t> dims(tensor.getShape());
    unsigned batchDim = stacked ? 1 : 0;
    if (dims.size() > batchDim && ShapedType::isDynamic(dims[batchDim]))
      dims[batchDim] = batch;
    if (!stacked && dims.size() > 1 && ShapedType::isDynamic(dims[1]) &&
        !phase.dynamicTokens)
      dims[1] = phase.maxTokens;
    return RankedTensorType::get(dims, tensor.getElementType());
  }

  void run(func::FuncOp function) const;

private:
  void setOp(Operation &op) const;
  void setSizes(tensor::EmptyOp op) const;
  void setSizes(tensor::ExtractSliceOp op) const;
  void setSizes(tensor::ExpandShapeOp op) const;

  int64_t batch;
  const Phase &phase;
};
} // namespace

void ShapeSetter::setSizes(tensor::EmptyOp op) const {
  auto type = cast<RankedTensorType>(set(op.getType()));
  OpBuilder builder(op);
  SmallVector<Value> sizes;
  unsigned next = 0;
  for (auto [before, after] :
       llvm::zip(op.getType().getShape(), type.getShape())) {
    if (!ShapedType::isDynamic(before))
      continue;
    Value size = op.getDynamicSizes()[next++];
    if (ShapedType::isDynamic(after))
      sizes.push_back(size);
  }
  Value fresh = tensor::EmptyOp::create(builder, op.getLoc(), type, sizes);
  op.replaceAllUsesWith(fresh);
  op.erase();
}

void ShapeSetter::setSizes(tensor::ExtractSliceOp op) const {
  auto type = cast<RankedTensorType>(set(op.getType()));
  OpBuilder builder(op);
  SmallVector<OpFoldResult> sizes = op.getMixedSizes();
  llvm::SmallBitVector dropped = op.getDroppedDims();
  int64_t kept = 0;
  for (auto [d, size] : llvm::enumerate(sizes)) {
    if (dropped[d])
      continue;
    if (!type.isDynamicDim(kept))
      size = builder.getIndexAttr(type.getDimSize(kept));
    ++kept;
  }
  Value fresh = tensor::ExtractSliceOp::create(
      builder, op.getLoc(), type, op.getSource(), op.getMixedOffsets(), sizes,
      op.getMixedStrides());
  op.replaceAllUsesWith(fresh);
  op.erase();
}

void ShapeSetter::setSizes(tensor::ExpandShapeOp op) const {
  auto type = cast<RankedTensorType>(set(op.getType()));
  OpBuilder builder(op);
  SmallVector<OpFoldResult> sizes = op.getMixedOutputShape();
  for (auto [d, size] : llvm::enumerate(sizes))
    if (!type.isDynamicDim(d))
      size = builder.getIndexAttr(type.getDimSize(d));
  Value fresh =
      tensor::ExpandShapeOp::create(builder, op.getLoc(), type, op.getSrc(),
                                    op.getReassociationIndices(), sizes);
  op.replaceAllUsesWith(fresh);
  op.erase();
}

void ShapeSetter::setOp(Operation &op) const {
  if (auto empty = dyn_cast<tensor::EmptyOp>(op))
    return setSizes(empty);
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op))
    return setSizes(slice);
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op))
    return setSizes(expand);
  unsigned stackStates = ~0u;
  if (auto stack = dyn_cast<StackOp>(op))
    stackStates = stack.getCarried().size();
  for (OpResult result : op.getResults())
    result.setType(
        set(result.getType(), result.getResultNumber() >= stackStates &&
                                  isStacked(result.getType())));
}

void ShapeSetter::run(func::FuncOp function) const {
  Block &body = function.getBody().front();
  for (BlockArgument argument : body.getArguments()) {
    bool state =
        function.getArgAttr(argument.getArgNumber(), "linnet.state") != nullptr;
    argument.setType(
        set(argument.getType(), state && isStacked(argument.getType())));
  }
  for (Operation &op : llvm::make_early_inc_range(body))
    setOp(op);
  function.setType(FunctionType::get(function.getContext(),
                                     body.getArgumentTypes(),
                                     body.getTerminator()->getOperandTypes()));
}

/// Every function that `root` names, directly or through others.
static SmallVector<func::FuncOp> collectCallees(func::FuncOp root,
                                                SymbolTable &symbols) {
  llvm::SmallSetVector<func::FuncOp, 8> order;
  order.insert(root);
  for (size_t i = 0; i < order.size(); ++i)
    if (auto uses = SymbolTable::getSymbolUses(order[i]))
      for (SymbolTable::SymbolUse use : *uses)
        if (auto callee = symbols.lookup<func::FuncOp>(
                use.getSymbolRef().getLeafReference()))
          order.insert(callee);
  return order.takeVector();
}

/// Renames what `function` names by the clones' names.
static void retarget(func::FuncOp function, ArrayRef<func::FuncOp> callees,
                     StringRef suffix) {
  for (func::FuncOp callee : callees) {
    auto name = StringAttr::get(function.getContext(),
                                (callee.getName() + suffix).str());
    // Fails only for operations of dialects that are not loaded.
    (void)SymbolTable::replaceAllSymbolUses(callee.getNameAttr(), name,
                                            function);
  }
}

/// Clones `functions` (the main one first) for one phase.
static void clonePhase(ArrayRef<func::FuncOp> functions, SymbolTable &symbols,
                       int64_t batch, const Phase &phase) {
  std::string suffix = ("_" + phase.name).str();
  func::FuncOp root = functions.front();
  Builder builder(root.getContext());
  for (func::FuncOp function : functions) {
    func::FuncOp clone = function.clone();
    bool main = function == root;
    clone.setName(main ? ("linnet" + suffix)
                       : (function.getName() + suffix).str());
    symbols.insert(clone);
    retarget(clone, functions, suffix);
    ShapeSetter(batch, phase).run(clone);
    if (!main)
      continue;
    clone->setAttr("linnet.phase", builder.getStringAttr(phase.name));
    clone->setAttr("linnet.max_tokens",
                   builder.getI64IntegerAttr(phase.maxTokens));
  }
}

/// The phases a model of this kind runs in.
static FailureOr<SmallVector<Phase>> listPhases(ModuleOp module,
                                                int64_t blockTokens) {
  auto model = module->getAttrOfType<DictionaryAttr>(kModelAttr);
  auto kind = model ? model.getAs<StringAttr>("kind") : StringAttr();
  auto context =
      model ? model.getAs<IntegerAttr>("max_context") : IntegerAttr();
  if (kind && kind.getValue() == "encoder") {
    if (!context)
      return module.emitError("expected max_context in ") << kModelAttr;
    return SmallVector<Phase>{{"encode", context.getInt(), true}};
  }
  if (blockTokens < 1)
    return module.emitError("expected block-tokens of at least 1, but got ")
           << blockTokens;
  return SmallVector<Phase>{{"prefill", blockTokens, true},
                            {"decode", 1, false}};
}

namespace {
struct SpecializePhases : linnet::impl::SpecializePhasesBase<SpecializePhases> {
  using SpecializePhasesBase::SpecializePhasesBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    SymbolTable symbols(module);
    StringRef name = function.empty() ? StringRef(kForward) : function;
    auto root = symbols.lookup<func::FuncOp>(name);
    if (!root || root.isExternal()) {
      module.emitError("expected a function @") << name;
      return signalPassFailure();
    }
    if (failed(checkNoRecursion(root)))
      return signalPassFailure();
    for (func::FuncOp callee : collectCallees(root, symbols))
      if (!callee.getBody().hasOneBlock()) {
        callee.emitOpError("expected a body of one block");
        return signalPassFailure();
      }
    auto list = function.empty() ? listPhases(module, blockTokens)
                                 : SmallVector<Phase>{{phase, tokens, false}};
    if (failed(list))
      return signalPassFailure();
    for (const Phase &phase : *list) {
      clonePhase(collectCallees(root, symbols), symbols, batch, phase);
      ++phases;
    }
    // Nothing but the phases is compiled.
    llvm::SmallPtrSet<Operation *, 8> kept;
    for (auto phase : module.getOps<func::FuncOp>())
      if (phase->hasAttr("linnet.phase"))
        for (func::FuncOp callee : collectCallees(phase, symbols))
          kept.insert(callee);
    for (auto other : llvm::make_early_inc_range(module.getOps<func::FuncOp>()))
      if (!kept.contains(other))
        symbols.erase(other);
  }
};
} // namespace
