//===- CellBuilder.h - writes the cell of a recurrence --------*- C++ -*-===//
//
// A cell is a function of one token's gates and the states: products with the
// states, and elementwise operations over [B, H] behind them.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_ONNX_CELLBUILDER_H
#define LIB_ONNX_CELLBUILDER_H

#include "GraphBuilder.h"

namespace linnet::onnx {

/// Arithmetic on the entries of an elementwise operation.
struct Arithmetic {
  mlir::OpBuilder &b;
  mlir::Location loc;

  mlir::Value add(mlir::Value x, mlir::Value y);
  mlir::Value sub(mlir::Value x, mlir::Value y);
  mlir::Value mul(mlir::Value x, mlir::Value y);
  mlir::Value number(double value);
  /// `kept` once a row has no tokens left.
  mlir::Value select(mlir::Value isToken, mlir::Value value, mlir::Value kept);

  mlir::Value sigmoid(mlir::Value x);
  mlir::Value tanh(mlir::Value x);
  mlir::Value relu(mlir::Value x);
  /// With ONNX's defaults of its two parameters.
  mlir::Value hardSigmoid(mlir::Value x);
  mlir::Value softsign(mlir::Value x);
};

using Activation = mlir::Value (Arithmetic::*)(mlir::Value);

/// The activation that ONNX calls `name`, or null.
Activation findActivation(llvm::StringRef name);

using EntryBody = llvm::function_ref<llvm::SmallVector<mlir::Value>(
    Arithmetic, mlir::ValueRange)>;

/// What is the same for all directions of a node.
struct Layer {
  int64_t gates, hidden = 1, directions = 1;
  Size batch, time;
  bool batchFirst = false, reverse = false;
  /// GRU: the reset gate is behind the product with the state.
  bool resetsProduct = false;
  llvm::SmallVector<Activation> activations;
};

/// Writes the cell of one direction.
class CellBuilder {
public:
  CellBuilder(GraphBuilder &g, const Layer &layer, llvm::StringRef name);

  /// An input of the cell for `sequence` [B, T, ...].
  mlir::Value input(const Tensor &sequence);
  /// A state, in front of which the inputs come.
  mlir::Value state(mlir::Value initial);
  /// The value that outside is `tensor`: a weight again, or an invariant.
  mlir::Value use(Tensor &tensor);
  /// state * matrix^T + bias as gates [B, n, H].
  mlir::Value product(mlir::Value state, Tensor matrix, Tensor bias);

  /// Operands of the elementwise operation: gate `p` of a product, a state, a
  /// vector over the hidden units, a number per row.
  void addGate(mlir::Value gates, int64_t p) {
    add(gates, {0, -int(p) - 1, 1});
  }
  void addState(mlir::Value state) { add(state, {0, 1}); }
  void addVector(mlir::Value vector) { add(vector, {1}); }
  void addRow(mlir::Value row) { add(row, {0}); }
  /// One entry of each result, which are as `state`.
  mlir::ValueRange combine(mlir::Value state, unsigned results, EntryBody body);

  /// Ends the cell and calls it; outputs, then final states.
  ir::RecurrenceOp finish(mlir::ValueRange results, bool reverse);

private:
  /// A map of loops b = 0 and j = 1; -n - 1 is the number n.
  void add(mlir::Value value, llvm::ArrayRef<int> dims);
  mlir::Value argument(mlir::Type type, unsigned at);

  GraphBuilder &g;
  const Layer &layer;
  mlir::func::FuncOp cell;
  mlir::OpBuilder::InsertPoint outside;
  llvm::SmallVector<mlir::Value> inputs, invariants, initial;
  llvm::SmallVector<mlir::Value> operands;
  llvm::SmallVector<mlir::AffineMap> maps;
};

} // namespace linnet::onnx

#endif // LIB_ONNX_CELLBUILDER_H
