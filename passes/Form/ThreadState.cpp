//===- ThreadState.cpp - explicit state for a stateless model -------------===//
//
// States come from StatefulOpInterface alone; nothing here knows a cache from
// a convolution tail.
//
//===----------------------------------------------------------------------===//

#include "dialects/Linnet/Linnet.h"
#include "passes/Form/Passes.h"
#include "passes/Form/Recursion.h"
#include "passes/Form/TimeAnalysis.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Remarks.h"

namespace mlir::linnet {
#define GEN_PASS_DEF_THREADSTATE
#include "passes/Form/Passes.h.inc"
} // namespace mlir::linnet

using namespace mlir;
using namespace mlir::linnet;

namespace {
/// One state argument a function was given.
struct ThreadedState {
  std::string name;
  RankedTensorType type;
  bool append;
};

/// What a function was given: its states and, before them, perhaps an argument
/// for the position.
struct ThreadedFunction {
  SmallVector<ThreadedState> states;
  bool takesPosition = false;
};

/// Threads states through a function and everything it calls.
class StateThreader {
public:
  StateThreader(ModuleOp module, int64_t maxContext)
      : symbols(module), maxContext(maxContext) {}

  /// Adds the states of `function`; `position` numbers the argument that holds
  /// the tokens before the first, -1 if there is none.
  FailureOr<ThreadedFunction> thread(func::FuncOp function, int position);

  int64_t threaded = 0;

private:
  LogicalResult threadOp(StatefulOpInterface op, Value position);
  LogicalResult threadCall(func::CallOp call, Value position);
  LogicalResult threadStack(StackOp stack, Value position);

  bool hasState(func::FuncOp function);

  /// Appends an argument for a state to the function being threaded.
  Value addArgument(Location loc, ThreadedState state);

  /// The states of a callee, threading it on its first use.
  FailureOr<ThreadedFunction> threadCallee(Operation *user, StringRef name,
                                           int position);

  SymbolTable symbols;
  int64_t maxContext;
  llvm::StringMap<ThreadedFunction> done;

  /// Of the function being threaded.
  func::FuncOp current;
  SmallVector<ThreadedState> states;
  SmallVector<Value> finalStates;
};
} // namespace

Value StateThreader::addArgument(Location loc, ThreadedState state) {
  Value argument = current.getBody().addArgument(state.type, loc);
  states.push_back(std::move(state));
  return argument;
}

LogicalResult StateThreader::threadOp(StatefulOpInterface op, Value position) {
  if (!op.getStates().empty())
    return op->emitOpError("expected an operation without state");
  std::string obstacle = op.getStreamingObstacle();
  if (!obstacle.empty())
    return op->emitOpError("cannot run token by token: ") << obstacle;
  SmallVector<Value> before;
  for (StateSpec &spec : op.getStateSpecs(maxContext))
    if (spec.append && maxContext == 0)
      return op->emitOpError("expected max-context, the tokens that its cache "
                             "holds");
    else
      before.push_back(
          addArgument(op.getLoc(), {current.getName().str() + "." + spec.name,
                                    spec.type, spec.append}));
  OpBuilder builder(op);
  StatefulResult after = op.threadState(builder, before, position);
  remark::passed(op->getLoc(), remark::RemarkOpts::name("state threaded")
                                   .category("linnet-thread-state")
                                   .function(current.getName()))
      << remark::add("{0} states of {1}", after.states.size(),
                     op->getName().getStringRef());
  op->replaceAllUsesWith(after.results);
  op->erase();
  llvm::append_range(finalStates, after.states);
  ++threaded;
  return success();
}

/// The number of the operand that is `position`, -1 if none is.
static int findPosition(ValueRange operands, Value position) {
  for (auto [number, operand] : llvm::enumerate(operands))
    if (position && operand == position)
      return number;
  return -1;
}

FailureOr<ThreadedFunction>
StateThreader::threadCallee(Operation *user, StringRef name, int position) {
  auto found = done.find(name);
  if (found != done.end())
    return found->second;
  auto callee = symbols.lookup<func::FuncOp>(name);
  if (!callee || callee.isExternal())
    return user->emitOpError("expected a function with a body, but found no @")
           << name;
  // The callee is threaded in the middle of its caller.
  auto caller = std::tuple(current, std::move(states), std::move(finalStates));
  auto result = thread(callee, position);
  std::tie(current, states, finalStates) = std::move(caller);
  return result;
}

LogicalResult StateThreader::threadCall(func::CallOp call, Value position) {
  auto callee = threadCallee(call, call.getCallee(),
                             findPosition(call.getOperands(), position));
  if (failed(callee))
    return failure();
  if (callee->states.empty())
    return success();
  SmallVector<Value> operands(call.getOperands());
  if (callee->takesPosition)
    operands.push_back(position);
  SmallVector<Type> types(call.getResultTypes());
  for (ThreadedState &state : callee->states) {
    operands.push_back(addArgument(call.getLoc(), state));
    types.push_back(state.type);
  }
  OpBuilder builder(call);
  auto threadedCall = func::CallOp::create(builder, call.getLoc(),
                                           call.getCallee(), types, operands);
  unsigned plain = call.getNumResults();
  call.replaceAllUsesWith(threadedCall.getResults().take_front(plain));
  llvm::append_range(finalStates, threadedCall.getResults().drop_front(plain));
  call.erase();
  return success();
}

LogicalResult StateThreader::threadStack(StackOp stack, Value position) {
  SmallVector<Value> before, invariants(stack.getInvariants());
  int invariant = findPosition(stack.getInvariants(), position);
  int argument =
      invariant < 0 ? -1 : int(stack.getCarried().size()) + 1 + invariant;
  bool takesPosition = false;
  for (auto [number, attr] : llvm::enumerate(stack.getFunctions())) {
    auto callee =
        threadCallee(stack, cast<FlatSymbolRefAttr>(attr).getValue(), argument);
    if (failed(callee))
      return failure();
    takesPosition |= callee->takesPosition;
    int64_t layers = llvm::count(stack.getOrder(), int32_t(number));
    for (ThreadedState state : callee->states) {
      SmallVector<int64_t> dims{layers};
      llvm::append_range(dims, state.type.getShape());
      state.type = RankedTensorType::get(dims, state.type.getElementType());
      before.push_back(addArgument(stack.getLoc(), state));
    }
  }
  if (before.empty())
    return success();
  if (takesPosition)
    invariants.push_back(position);
  SmallVector<Type> types(stack.getCarried().getTypes());
  llvm::append_range(types, ValueRange(before).getTypes());
  OpBuilder builder(stack);
  auto threadedStack = StackOp::create(
      builder, stack.getLoc(), types, stack.getFunctionsAttr(),
      stack.getOrderAttr(), stack.getCarried(), invariants, before);
  unsigned plain = stack.getCarried().size();
  stack.replaceAllUsesWith(threadedStack.getResults().take_front(plain));
  llvm::append_range(finalStates, threadedStack.getResults().drop_front(plain));
  stack.erase();
  return success();
}

/// Marks the state arguments and results of a function with their names.
static void nameStates(func::FuncOp forward, ArrayRef<ThreadedState> states) {
  Builder builder(forward.getContext());
  unsigned firstArgument = forward.getNumArguments() - states.size();
  unsigned firstResult = forward.getNumResults() - states.size();
  for (auto [number, state] : llvm::enumerate(states)) {
    auto name = builder.getStringAttr(state.name);
    forward.setArgAttr(firstArgument + number, "linnet.state", name);
    forward.setResultAttr(firstResult + number, "linnet.state", name);
    if (state.append)
      forward.setArgAttr(firstArgument + number, "linnet.append",
                         builder.getUnitAttr());
  }
}

/// Whether `function`, or one that it names, has operations with state.
bool StateThreader::hasState(func::FuncOp function) {
  if (function.walk([](StatefulOpInterface) { return WalkResult::interrupt(); })
          .wasInterrupted())
    return true;
  auto uses = SymbolTable::getSymbolUses(function);
  return uses && llvm::any_of(*uses, [&](SymbolTable::SymbolUse use) {
           auto callee = symbols.lookup<func::FuncOp>(
               use.getSymbolRef().getLeafReference());
           return callee && hasState(callee);
         });
}

FailureOr<ThreadedFunction> StateThreader::thread(func::FuncOp function,
                                                  int position) {
  current = function;
  states.clear();
  finalStates.clear();
  if (!llvm::hasSingleElement(function.getBody()))
    return function.emitOpError("expected a body of one block");
  bool takesPosition = position < 0 && hasState(function);
  Value positionValue;
  if (takesPosition)
    positionValue = function.getBody().addArgument(
        IndexType::get(function.getContext()), function.getLoc());
  else if (position >= 0)
    positionValue = function.getArgument(position);
  for (Operation &op : llvm::make_early_inc_range(function.getBody().front())) {
    LogicalResult result = success();
    if (auto stateful = dyn_cast<StatefulOpInterface>(op))
      result = threadOp(stateful, positionValue);
    else if (auto call = dyn_cast<func::CallOp>(op))
      result = threadCall(call, positionValue);
    else if (auto stack = dyn_cast<StackOp>(op))
      result = threadStack(stack, positionValue);
    if (failed(result))
      return failure();
  }
  Operation *terminator = function.getBody().front().getTerminator();
  terminator->insertOperands(terminator->getNumOperands(), finalStates);
  SmallVector<Type> results(function.getResultTypes());
  for (const ThreadedState &state : states)
    results.push_back(state.type);
  function.setType(FunctionType::get(
      function.getContext(), function.getBody().getArgumentTypes(), results));
  nameStates(function, states);
  return done[function.getName()] = {states, takesPosition};
}

/// The context length: the option, or what the model says; 0 for a function
/// that is none, and perhaps needs none.
static FailureOr<int64_t> findMaxContext(ModuleOp module, int64_t option,
                                         bool isModel) {
  if (option > 0)
    return option;
  if (!isModel && !module->hasAttr(kModelAttr))
    return 0;
  auto model = module->getAttrOfType<DictionaryAttr>(kModelAttr);
  auto attr = model ? model.getAs<IntegerAttr>("max_context") : IntegerAttr();
  if (!attr || attr.getInt() <= 0)
    return module.emitError(
               "expected max-context or a positive max_context in ")
           << kModelAttr;
  return attr.getInt();
}

/// The number of the argument that is the position: the model's only index.
static int findPositionArgument(func::FuncOp forward) {
  for (unsigned i = 0, e = forward.getNumArguments(); i < e; ++i)
    if (forward.getArgument(i).getType().isIndex())
      return i;
  return -1;
}

/// Encoders have no token by token form.
static bool isEncoder(ModuleOp module) {
  auto model = module->getAttrOfType<DictionaryAttr>(kModelAttr);
  auto kind = model ? model.getAs<StringAttr>("kind") : StringAttr();
  return kind && kind.getValue() == "encoder";
}

/// Records the context that the states were made for.
static void recordMaxContext(ModuleOp module, int64_t maxContext) {
  Builder builder(module.getContext());
  NamedAttrList model(module->getAttrOfType<DictionaryAttr>(kModelAttr));
  model.set("max_context", builder.getI64IntegerAttr(maxContext));
  module->setAttr(kModelAttr, model.getDictionary(module.getContext()));
}

namespace {
struct ThreadState : linnet::impl::ThreadStateBase<ThreadState> {
  using ThreadStateBase::ThreadStateBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    StringRef name = function.empty() ? StringRef(kForward) : function;
    auto forward = module.lookupSymbol<func::FuncOp>(name);
    if (!forward || forward.isExternal()) {
      module.emitError("expected a function @") << name;
      return signalPassFailure();
    }
    auto context = findMaxContext(module, maxContext, function.empty());
    if (failed(context) || failed(checkNoRecursion(forward)))
      return signalPassFailure();
    if (isEncoder(module)) {
      forward.emitRemark("no state threaded: an encoder reads the whole "
                         "sequence at once");
      return;
    }
    if (failed(TimeAnalysis(module).check(forward)))
      return signalPassFailure();
    StateThreader threader(module, *context);
    auto states = threader.thread(forward, findPositionArgument(forward));
    if (failed(states))
      return signalPassFailure();
    if (*context > 0)
      recordMaxContext(module, *context);
    threaded += threader.threaded;
  }
};
} // namespace
