//===- Evaluator.h - what model-level IR means ----------------*- C++ -*-===//
//
// A naive interpreter in f64. It is the definition that every lowering is
// tested against, so each operation is written as its documentation reads.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_REFERENCE_EVALUATOR_H
#define LINNET_REFERENCE_EVALUATOR_H

#include "linnet/Checkpoint/Archive.h"
#include "linnet/Reference/HostTensor.h"
#include "linnet/Support/Result.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/StringRef.h"

#include <memory>
#include <vector>

namespace linnet {

namespace reference {
class Interpreter;
} // namespace reference

/// Runs functions of a module of model-level IR.
class Evaluator {
public:
  /// `module` and `archive` (null for modules without weights) are borrowed
  /// and must outlive the evaluator; the module must not change. Weights are
  /// read and widened on first use and kept.
  static Result<Evaluator> create(mlir::ModuleOp module,
                                  const Archive *archive);
  Evaluator(Evaluator &&) noexcept;
  Evaluator &operator=(Evaluator &&) noexcept;
  ~Evaluator();

  /// Threads that large operations may use; at least 1. The default is the
  /// machine's. Results do not depend on it.
  void setThreads(unsigned threads);

  /// Calls `function` with one tensor per argument and returns one per result;
  /// an `index` or scalar argument is a tensor of shape []. Errors name the
  /// operation and its location: unknown functions and operations, arguments
  /// that do not fit the signature, token ids outside the table, missing
  /// weights, sizes that disagree at run time.
  Result<std::vector<HostTensor>> run(llvm::StringRef function,
                                      std::vector<HostTensor> inputs);

private:
  explicit Evaluator(std::unique_ptr<reference::Interpreter> interpreter);
  std::unique_ptr<reference::Interpreter> interpreter;
};

} // namespace linnet

#endif // LINNET_REFERENCE_EVALUATOR_H
