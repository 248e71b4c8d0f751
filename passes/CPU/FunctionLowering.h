//===- FunctionLowering.h - one model function to kernel calls -*- C++ -*-===//
//
// Lowers the operations of a function in order: every tensor gets a buffer
// (a slice of the workspace, a weight, a state, or a caller's buffer), every
// operation calls kernels on them.
//
//===----------------------------------------------------------------------===//

#ifndef PASSES_CPU_FUNCTIONLOWERING_H
#define PASSES_CPU_FUNCTIONLOWERING_H

#include "dialects/Linnet/Linnet.h"
#include "linnet/Runtime/Invocation.h"
#include "passes/CPU/KernelBuilder.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringMap.h"

#include <cstddef>
#include <map>

namespace mlir::linnet {

/// The fields of LinnetInvocation, in order.
enum class InvocationField : unsigned {
  Weights,
  States,
  Inputs,
  Outputs,
  Workspace,
  Scratch,
  ScratchStride,
  Tokens,
  Position,
  FirstRow,
  Barrier,
  BarrierArgument
};
static_assert(offsetof(LinnetInvocation, barrier_argument) ==
                  8 * unsigned(InvocationField::BarrierArgument),
              "generated code addresses field i at byte 8 * i");

/// Where a tensor lives.
struct Buffer {
  /// Address of the first entry (!llvm.ptr).
  Value pointer;
  /// Upper-bound shape and strides, offset zero.
  MemRefType type;
  /// Dimension 1 holds as many valid entries as the step has tokens.
  bool dynamicTokens = false;
  /// What it is part of, for dependences: a workspace range [begin, end) of
  /// this function's frame, or, if end is 0, the root value's identity.
  Value root;
  int64_t begin = 0, end = 0;
};

/// An argument of a kernel call.
struct KernelArgument {
  enum Access { Read, Write, ReadWrite };
  static KernelArgument read(Buffer b) { return {std::move(b), Read, {}}; }
  static KernelArgument write(Buffer b) { return {std::move(b), Write, {}}; }
  static KernelArgument update(Buffer b) {
    return {std::move(b), ReadWrite, {}};
  }
  static KernelArgument index(Value v) { return {{}, Read, v}; }

  Buffer buffer;
  Access access;
  Value indexValue;
};

/// Whether `op` names what is in memory from load on.
inline bool isLoaded(Operation *op) {
  return isa_and_nonnull<WeightOp, SeededBasisOp>(op);
}

/// A weight as the generated code wants it.
struct WeightSlot {
  /// Empty for what is computed at load.
  StringAttr key;
  /// Whether the key has a layer in it.
  bool perLayer;
  RankedTensorType type;
  /// The manifest's layout dictionary.
  DictionaryAttr layout;
};

/// A state argument of a function: its physical bytes.
struct StateSlot {
  StringAttr name;
  RankedTensorType type;
  int64_t bytes;
  bool append;
};

/// What a lowered function needs from its caller.
struct LoweredFunction {
  func::FuncOp function;
  SmallVector<WeightSlot> weights;
  SmallVector<StateSlot> states;
  /// Trailing arguments (and results) that are states.
  unsigned stateArguments = 0;
  int64_t frameBytes = 0;
};

/// Shared by all functions of a module: the kernels, once each.
class KernelTable {
public:
  KernelTable(ModuleOp module, CpuTarget target)
      : module(module), target(target) {}

  /// The kernel with this identity; emits it on first use.
  func::FuncOp get(StringRef name, StringRef identity, Location loc,
                   ArrayRef<KernelArgumentType> arguments,
                   llvm::function_ref<void(KernelBuilder &)> emit);

  ModuleOp module;
  const CpuTarget target;
  int64_t scratchBytes = 0;
  int64_t kernels = 0, calls = 0, barriers = 0;
  /// Slow paths taken, each once.
  llvm::SetVector<Attribute> fallbacks;

private:
  llvm::StringMap<func::FuncOp> byIdentity;
  llvm::StringMap<int> names;
};

class FunctionLowering {
public:
  FunctionLowering(KernelTable &table, func::FuncOp source, int64_t maxTokens);

  /// Lowers the whole function.
  FailureOr<LoweredFunction>
  run(const llvm::StringMap<LoweredFunction> &lowered);

  //===--------------------------------------------------------------------===//
  // For the lowerings of operations
  //===--------------------------------------------------------------------===//

  const CpuTarget &target() const { return table.target; }
  ImplicitLocOpBuilder &builder() { return b; }

  /// The buffer of a tensor value; results get one on first use.
  Buffer buffer(Value tensor);
  /// The lowered value of a non-tensor (index) value.
  Value index(Value value);
  /// What is loaded in a layout of its own (`kind` and parameters; of a seeded
  /// basis `seed` is added); the memref type is what the kernel sees. Nothing
  /// if `tensor` is not loaded.
  std::optional<Buffer> weight(Value tensor, ArrayRef<NamedAttribute> layout,
                               MemRefType place);
  /// The addresses (i64) of a stack's members in a layout of theirs.
  Buffer weightTable(WeightOp op, ArrayRef<NamedAttribute> layout);
  /// A table the runtime computes, not a checkpoint tensor.
  Buffer derivedWeight(ArrayRef<NamedAttribute> layout, MemRefType type);
  /// Workspace until the current operation ends.
  Buffer temporary(ArrayRef<int64_t> shape, Type element);
  /// Valid entries of a buffer's dimension: the step's tokens, or its size.
  Value extent(const Buffer &place, unsigned dim);
  /// Whether the tensor is a state of the model; if so, sets what its buffer
  /// physically holds.
  bool isState(Value tensor) const;
  Buffer state(Value tensor, MemRefType physical);
  /// The buffer of a state result: the state itself in a model, an output
  /// otherwise. Filled with `initial`, or zeros, if it is not the state.
  Buffer prepareState(Value initial, Value result);

  /// Upper bound of the tokens per step.
  int64_t maxTokens() const { return tokensBound; }

  /// Calls the kernel `name` for `op`; `identity` distinguishes kernels of
  /// one name beyond the operation's attributes and the argument types.
  void call(Operation *op, StringRef name, ArrayRef<KernelArgument> arguments,
            llvm::function_ref<void(KernelBuilder &)> emit,
            StringRef identity = "");
  /// Records that `op` takes a slow path, and why: a remark, and an entry of
  /// the module's `linnet.fallbacks`.
  void fallback(Operation *op, StringRef reason);
  /// Copies a buffer (equal shapes).
  void copy(Operation *op, Buffer from, Buffer to);

private:
  struct Range {
    Value root;
    int64_t begin, end;
  };

  /// Arguments of a lowered function before its values.
  static constexpr unsigned kContextArguments = 7;

  bool isPhase() const { return source->hasAttr("linnet.phase"); }
  func::FuncOp createTarget();
  /// Binds invocation, bases, tokens and threads; returns a phase's position.
  Value bindContext(Block *entry);
  /// Binds the arguments and the places of the results.
  void bindValues(Block *entry, Value position);
  /// The type of a tensor that belongs to the caller.
  MemRefType externalType(RankedTensorType type) const;
  MemRefType boundedType(RankedTensorType type) const;
  bool hasDynamicTokens(Type type) const;
  Buffer allocate(Value tensor);
  int64_t reserve(int64_t bytes);
  void release(int64_t begin, int64_t bytes);
  void releaseDead(Operation *op);
  Buffer viewOf(Operation *op);
  Value field(InvocationField number, Type type);
  Value tableAddress(InvocationField table, Value base, int64_t number);
  Value tableEntry(InvocationField table, Value base, int64_t number);
  void barrier();
  void orderAfter(ArrayRef<KernelArgument> arguments);
  void assignReturns();
  LogicalResult lowerOp(Operation &op,
                        const llvm::StringMap<LoweredFunction> &lowered);
  LogicalResult lowerCall(Operation *op, const LoweredFunction &callee,
                          ArrayRef<Value> operands,
                          std::optional<int64_t> layer);
  LogicalResult lowerFuncCall(func::CallOp call, const LoweredFunction &callee);
  LogicalResult lowerStack(Operation *stack,
                           const llvm::StringMap<LoweredFunction> &lowered);
  LogicalResult
  lowerRecurrence(RecurrenceOp op,
                  const llvm::StringMap<LoweredFunction> &lowered);
  /// `place` [B, T, ...], or room for it with the entries of a token dense.
  Buffer tokenMajor(Buffer place);
  void finishReturn(Operation *terminator);
  bool isHeadCall(Operation *op) const;
  Buffer contiguous(Operation *op, Buffer place);
  Value firstRow();

  KernelTable &table;
  func::FuncOp source;
  int64_t tokensBound;
  ImplicitLocOpBuilder b;
  LoweredFunction result;

  Value invocation, weightBase, stateBase, frame, tokens, thread, threads;
  DenseMap<Value, Buffer> buffers;
  DenseMap<Value, Value> indices;
  DenseMap<Value, unsigned> stateNumbers;
  DenseMap<Value, Buffer> assigned;
  SmallVector<Buffer> outputs;
  llvm::MapVector<std::pair<Attribute, Attribute>, unsigned> weightNumbers;

  /// Free workspace ranges of the frame, by begin.
  std::map<int64_t, int64_t> freeRanges;
  int64_t frameEnd = 0;
  SmallVector<std::pair<int64_t, int64_t>> temporaries;
  DenseMap<Value, std::pair<int64_t, int64_t>> owned;

  /// Since the last barrier.
  SmallVector<Range> readSince, writtenSince;
  bool calledSince = false;
};

/// Lowers one operation by calling kernels.
using OpLowering = LogicalResult (*)(FunctionLowering &, Operation *);

/// Lowerings by operation name; each kernel file adds its own.
using OpLoweringMap = llvm::StringMap<OpLowering>;
void addLinearLowering(OpLoweringMap &map);
void addAttentionLowering(OpLoweringMap &map);
void addNormLowering(OpLoweringMap &map);
void addActivationLowering(OpLoweringMap &map);
void addRotaryLowering(OpLoweringMap &map);
void addEmbeddingLowering(OpLoweringMap &map);
void addShortConvLowering(OpLoweringMap &map);
void addScanLowering(OpLoweringMap &map);
void addLogCumsumExpLowering(OpLoweringMap &map);
void addLongConvLowering(OpLoweringMap &map);
void addSsmKernelLowering(OpLoweringMap &map);
void addRouteLowering(OpLoweringMap &map);
void addExpertsLowering(OpLoweringMap &map);
void addElementwiseLowering(OpLoweringMap &map);

/// All of them.
const OpLoweringMap &getOpLowerings();

} // namespace mlir::linnet

#endif // PASSES_CPU_FUNCTIONLOWERING_H
