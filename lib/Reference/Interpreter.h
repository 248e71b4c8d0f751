//===- Interpreter.h - values, scopes and the op table --------*- C++ -*-===//
//
// Private to lib/Reference. Each op family registers one function per op; the
// function reads operands from its scope and sets the results.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_REFERENCE_INTERPRETER_H
#define LIB_REFERENCE_INTERPRETER_H

#include "dialects/Linnet/Linnet.h"
#include "linnet/Checkpoint/Archive.h"
#include "linnet/Reference/Activation.h"
#include "linnet/Reference/HostTensor.h"
#include "linnet/Support/Result.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringMap.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace linnet::reference {

/// The dialect; `linnet` alone names the library here.
namespace ir = mlir::linnet;

using llvm::ArrayRef;
using llvm::StringRef;
using mlir::Operation;
using mlir::RankedTensorType;
using mlir::Type;
using mlir::Value;

/// Weights and states are large: values are shared, never changed.
using TensorRef = std::shared_ptr<const HostTensor>;

class Interpreter;

/// The values of one function activation.
class Scope {
public:
  explicit Scope(Interpreter &interpreter) : interpreter(interpreter) {}

  const HostTensor &get(Value value) const { return *values.at(value); }
  const TensorRef &getRef(Value value) const { return values.at(value); }
  /// The value of an index or integer scalar.
  int64_t getIndex(Value value) const;

  /// Sets a result; an error if the tensor does not fit the value's type.
  Status set(Value value, HostTensor tensor);
  Status set(Value value, TensorRef tensor);

  Interpreter &interpreter;

private:
  llvm::DenseMap<Value, TensorRef> values;
};

using EvalFunction = std::function<Status(Operation *, Scope &)>;

/// Operation names to the functions that evaluate them.
class OpTable {
public:
  template <typename OpT>
  void add(Status (*function)(OpT, Scope &)) {
    addNamed(OpT::getOperationName(), [function](Operation *op, Scope &scope) {
      return function(mlir::cast<OpT>(op), scope);
    });
  }
  void addNamed(StringRef name, EvalFunction function) {
    functions[name] = std::move(function);
  }
  /// Null for an operation the evaluator does not know.
  const EvalFunction *find(Operation *op) const;

private:
  llvm::StringMap<EvalFunction> functions;
};

// One per op family.
void addFunctionOps(OpTable &table);
void addLinearOps(OpTable &table);
void addNormOps(OpTable &table);
void addAttentionOps(OpTable &table);
void addScanOps(OpTable &table);
void addAccumulateOps(OpTable &table);
void addConvolutionOps(OpTable &table);
void addRecurrenceOps(OpTable &table);
void addExpertOps(OpTable &table);
void addGlueOps(OpTable &table);
void addTensorOps(OpTable &table);

/// Evaluates a linalg operation through its indexing maps and region. Ops of
/// linalg are told by interface, not by name.
Status evalLinalg(Operation *op, Scope &scope);

/// Everything that outlives one function activation.
class Interpreter {
public:
  Interpreter(mlir::ModuleOp module, const Archive *archive);

  Result<std::vector<TensorRef>> call(StringRef function,
                                      std::vector<TensorRef> arguments);

  /// The weight `key` in f64; an error unless it has `type`'s shape and dtype.
  /// The members of a stacked weight one after the other.
  Result<TensorRef> loadWeight(const std::string &key, RankedTensorType type);

  /// The [out, in] matrix of a structured linear map. Kept when all factors
  /// are weights; the factor itself where that already is the matrix.
  Result<TensorRef> getDense(ir::StructureAttrInterface structure,
                             mlir::TypeRange types, ArrayRef<TensorRef> factors,
                             ir::LinearShape shape);

  /// Calls `body(begin, end)` on disjoint parts of [0, count) that cover it;
  /// on several threads when `work` (flops in all) pays for starting them.
  void parallelFor(int64_t count, double work,
                   llvm::function_ref<void(int64_t, int64_t)> body) const;

  unsigned threads;

private:
  Result<TensorRef> loadTensor(const std::string &key, RankedTensorType type);
  Status evaluate(Operation *op, Scope &scope);

  mlir::SymbolTable symbols;
  const Archive *archive;
  unsigned depth = 0;
  std::map<std::string, TensorRef> weights;
  std::map<std::pair<const void *, std::vector<const HostTensor *>>, TensorRef>
      denseMatrices;
};

/// A pointwise function of an operation's scalar operands.
using ScalarFunction = std::function<double(const double *)>;

/// The function that `op` (an elementwise arith or math operation) applies to
/// each element; null if it is none.
ScalarFunction findScalarFunction(Operation *op);

/// The value that a float or integer attribute holds, or nothing.
std::optional<double> scalarOfAttribute(mlir::Attribute attribute);

/// Product of `shape`; an error beyond what this evaluator would ever hold.
Result<int64_t> countElements(ArrayRef<int64_t> shape);

/// Row-major strides of `shape`, in elements.
std::vector<int64_t> stridesOf(ArrayRef<int64_t> shape);

/// A tensor of `shape` filled with zeros, or the error of countElements.
Result<HostTensor> makeZeros(ArrayRef<int64_t> shape);

/// An error unless `got` is `expected`; `what` names the operand.
Status expectShape(StringRef what, ArrayRef<int64_t> got,
                   ArrayRef<int64_t> expected);

/// `shape` as "[2, 3]".
std::string formatDims(ArrayRef<int64_t> shape);

/// `type` as the IR spells it.
std::string formatType(Type type);

} // namespace linnet::reference

#endif // LIB_REFERENCE_INTERPRETER_H
