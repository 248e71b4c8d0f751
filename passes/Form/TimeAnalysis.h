//===- TimeAnalysis.h - where the tokens of a function meet ---*- C++ -*-===//
//
// A causal graph runs token by token if tokens meet only in operations that
// carry state. This follows the dimension of time from the arguments on.
//
//===----------------------------------------------------------------------===//

#ifndef PASSES_FORM_TIMEANALYSIS_H
#define PASSES_FORM_TIMEANALYSIS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/SymbolTable.h"

#include <optional>

namespace mlir::linnet {

/// The dimension along which a value has tokens, or -1 for the number of tokens
/// before the first; none for what knows nothing of tokens.
using TimeDim = std::optional<int64_t>;

class TimeAnalysis {
public:
  explicit TimeAnalysis(ModuleOp module) : symbols(module) {}

  /// An error, at the operation, if tokens of `function` meet anywhere but in
  /// a stateful operation that can run token by token. Time is the open
  /// dimension 1 of its arguments.
  LogicalResult check(func::FuncOp function);

private:
  using TimeDims = SmallVector<TimeDim>;

  /// The time dimensions of what `function` returns for arguments with these.
  FailureOr<TimeDims> visit(func::FuncOp function, TimeDims arguments);
  /// Why tokens meet in `op`; empty if they do not, and its results are known
  /// then. Failure for an error that is reported already.
  FailureOr<std::string> visitOp(Operation &op);

  std::string visitStateful(Operation &op);
  std::string visitTokenwise(Operation &op);
  std::string visitElementwise(Operation &op);
  std::string visitLinalg(Operation &op);
  std::string visitReshape(Operation &op);
  std::string visitSlice(Operation &op);
  std::string visitConcat(Operation &op);
  std::string visitEmpty(Operation &op);
  std::string visitDim(Operation &op);
  FailureOr<std::string> visitCall(Operation &op, func::FuncOp callee,
                                   TimeDims arguments);
  FailureOr<std::string> visitStack(Operation &op);

  TimeDim timeOf(Value value) const;
  void setTime(Value value, TimeDim dim);
  func::FuncOp lookup(StringRef name) {
    return symbols.lookup<func::FuncOp>(name);
  }

  SymbolTable symbols;
  DenseMap<Value, int64_t> times;
  struct Visited {
    func::FuncOp function;
    TimeDims arguments, results;
  };
  SmallVector<Visited> visited;
};

} // namespace mlir::linnet

#endif // PASSES_FORM_TIMEANALYSIS_H
