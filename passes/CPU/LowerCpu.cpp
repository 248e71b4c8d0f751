//===- LowerCpu.cpp - phases to loops over vectors ------------------------===//
//
// Lowers the functions of each phase, callees first, and describes the slots
// of weights and states for the driver.
//
//===----------------------------------------------------------------------===//

#include "dialects/Linnet/Linnet.h"
#include "passes/CPU/FunctionLowering.h"
#include "passes/CPU/Passes.h"
#include "passes/Form/Recursion.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Remarks.h"

namespace mlir::linnet {
#define GEN_PASS_DEF_LOWERCPU
#include "passes/CPU/Passes.h.inc"
} // namespace mlir::linnet

using namespace mlir;
using namespace mlir::linnet;

/// Appends the functions that `root` calls, callees first, then `root`.
static void collectPostOrder(func::FuncOp root, SymbolTable &symbols,
                             llvm::SetVector<func::FuncOp> &order) {
  if (order.contains(root))
    return;
  auto visit = [&](StringRef name) {
    if (auto callee = symbols.lookup<func::FuncOp>(name))
      collectPostOrder(callee, symbols, order);
  };
  if (auto uses = SymbolTable::getSymbolUses(root))
    for (SymbolTable::SymbolUse use : *uses)
      visit(use.getSymbolRef().getLeafReference());
  order.insert(root);
}

/// The safetensors name of an element type.
static StringRef dtypeName(Type type) {
  if (type.isBF16())
    return "BF16";
  if (type.isF16())
    return "F16";
  if (type.isF64())
    return "F64";
  if (type.isInteger(64))
    return "I64";
  if (type.isInteger(32))
    return "I32";
  if (type.isInteger(16))
    return "I16";
  if (type.isUnsignedInteger(8))
    return "U8";
  if (type.isInteger(8))
    return "I8";
  if (type.isInteger(1))
    return "BOOL";
  return "F32";
}

static DictionaryAttr describeWeight(Builder &b, const WeightSlot &slot) {
  return b.getDictionaryAttr(
      {b.getNamedAttr("key", slot.key),
       b.getNamedAttr("dtype",
                      b.getStringAttr(dtypeName(slot.type.getElementType()))),
       b.getNamedAttr("shape", b.getDenseI64ArrayAttr(slot.type.getShape())),
       b.getNamedAttr("layout", slot.layout)});
}

static DictionaryAttr describeState(Builder &b, const StateSlot &slot) {
  return b.getDictionaryAttr(
      {b.getNamedAttr("name", slot.name),
       b.getNamedAttr("shape", b.getDenseI64ArrayAttr(slot.type.getShape())),
       b.getNamedAttr("bytes", b.getI64IntegerAttr(slot.bytes)),
       b.getNamedAttr("append", b.getBoolAttr(slot.append))});
}

/// Inputs or outputs of a phase: name, dtype, shape (-1 for tokens).
static ArrayAttr describeValues(Builder &b, TypeRange types,
                                llvm::function_ref<Attribute(unsigned)> name,
                                llvm::function_ref<bool(unsigned)> isState) {
  SmallVector<Attribute> values;
  for (auto [i, type] : llvm::enumerate(types)) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor || isState(i))
      continue;
    SmallVector<int64_t> dims;
    for (int64_t size : tensor.getShape())
      dims.push_back(ShapedType::isDynamic(size) ? -1 : size);
    Attribute given = name(i);
    values.push_back(b.getDictionaryAttr(
        {b.getNamedAttr("name", given ? given : b.getStringAttr(Twine(i))),
         b.getNamedAttr("dtype",
                        b.getStringAttr(dtypeName(tensor.getElementType()))),
         b.getNamedAttr("shape", b.getDenseI64ArrayAttr(dims))}));
  }
  return b.getArrayAttr(values);
}

static void describePhase(func::FuncOp source, LoweredFunction &lowered) {
  Builder b(source.getContext());
  func::FuncOp target = lowered.function;
  target->setAttr("linnet.workspace_bytes",
                  b.getI64IntegerAttr(lowered.frameBytes));
  target->setAttr(
      "linnet.inputs",
      describeValues(
          b, source.getArgumentTypes(),
          [&](unsigned i) { return source.getArgAttr(i, kNameAttr); },
          [&](unsigned i) {
            return bool(source.getArgAttr(i, "linnet.state"));
          }));
  target->setAttr(
      "linnet.outputs",
      describeValues(
          b, source.getResultTypes(),
          [&](unsigned i) { return source.getResultAttr(i, kNameAttr); },
          [&](unsigned i) {
            return bool(source.getResultAttr(i, "linnet.state"));
          }));
}

namespace {
struct LowerCpu : linnet::impl::LowerCpuBase<LowerCpu> {
  using LowerCpuBase::LowerCpuBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    KernelTable table(module, {vectorBits / 32, vectorRegisters, byteDots});
    SmallVector<func::FuncOp> phases;
    for (auto function : module.getOps<func::FuncOp>())
      if (function->hasAttr("linnet.phase"))
        phases.push_back(function);
    if (phases.empty()) {
      module.emitError("expected a function with linnet.phase (run "
                       "linnet-specialize-phases)");
      return signalPassFailure();
    }
    llvm::DenseSet<Operation *> given;
    for (Operation &op : module.getOps())
      given.insert(&op);
    for (func::FuncOp phase : phases) {
      if (succeeded(lowerPhase(phase, table)))
        continue;
      // Half a function is invalid IR, which would be taken for a bug here
      // rather than for what was reported: an error in the input.
      for (Operation &op : llvm::make_early_inc_range(module.getOps()))
        if (!given.contains(&op))
          op.erase();
      return signalPassFailure();
    }
    for (func::FuncOp function : sources)
      function.erase();
    describeModule(module, table);
    remark::analysis(
        module.getLoc(),
        remark::RemarkOpts::name("kernels").category("linnet-lower-cpu"))
        << remark::metric("Kernels", table.kernels)
        << remark::metric("Calls", table.calls)
        << remark::metric("Barriers", table.barriers)
        << remark::metric("ScratchBytes", table.scratchBytes);
    kernels += table.kernels;
    calls += table.calls;
    barriers += table.barriers;
  }

private:
  LogicalResult lowerPhase(func::FuncOp phase, KernelTable &table);
  void describeModule(ModuleOp module, KernelTable &table);

  SmallVector<func::FuncOp> sources;
  SmallVector<WeightSlot> weights;
  std::optional<SmallVector<StateSlot>> states;
  SmallVector<func::FuncOp> entries;
};
} // namespace

LogicalResult LowerCpu::lowerPhase(func::FuncOp phase, KernelTable &table) {
  ModuleOp module = getOperation();
  auto bound = phase->getAttrOfType<IntegerAttr>("linnet.max_tokens");
  if (!bound)
    return phase.emitOpError("expected linnet.max_tokens on a phase");
  if (failed(checkNoRecursion(phase)))
    return failure();
  SymbolTable symbols(module);
  llvm::SetVector<func::FuncOp> order;
  collectPostOrder(phase, symbols, order);
  Builder b(module.getContext());
  // The phases' weights stand one after the other in one table.
  phase->setAttr("linnet.weight_base", b.getI64IntegerAttr(weights.size()));
  llvm::StringMap<LoweredFunction> lowered;
  for (func::FuncOp function : order) {
    if (!llvm::hasSingleElement(function.getBody()))
      return function.emitOpError("expected a body of one block");
    FunctionLowering lowering(table, function, bound.getInt());
    auto result = lowering.run(lowered);
    if (failed(result))
      return failure();
    lowered[function.getName()] = *result;
    sources.push_back(function);
  }
  LoweredFunction &entry = lowered[phase.getName()];
  describePhase(phase, entry);
  entries.push_back(entry.function);
  llvm::append_range(weights, entry.weights);
  auto same = [](const StateSlot &x, const StateSlot &y) {
    return x.name == y.name && x.bytes == y.bytes;
  };
  if (states && !llvm::equal(*states, entry.states, same))
    return phase.emitOpError("expected the same states in every phase");
  states = entry.states;
  return success();
}

void LowerCpu::describeModule(ModuleOp module, KernelTable &table) {
  Builder b(module.getContext());
  SmallVector<Attribute> slots, stateSlots;
  for (const WeightSlot &slot : weights)
    slots.push_back(describeWeight(b, slot));
  for (const StateSlot &slot : *states)
    stateSlots.push_back(describeState(b, slot));
  module->setAttr("linnet.slots", b.getArrayAttr(slots));
  module->setAttr("linnet.states", b.getArrayAttr(stateSlots));
  if (!table.fallbacks.empty())
    module->setAttr("linnet.fallbacks",
                    b.getArrayAttr(table.fallbacks.getArrayRef()));
  for (func::FuncOp entry : entries)
    entry->setAttr("linnet.scratch_bytes",
                   b.getI64IntegerAttr(table.scratchBytes));
}
