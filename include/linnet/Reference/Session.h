//===- Session.h - the reference, token by token --------------*- C++ -*-===//
//
// Streams a model through the evaluator with the states that
// linnet-thread-state derives, so that prefill and decode can be compared with
// one pass over all tokens.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_REFERENCE_SESSION_H
#define LINNET_REFERENCE_SESSION_H

#include "linnet/Reference/Evaluator.h"

#include "mlir/IR/OwningOpRef.h"

#include <optional>

namespace linnet {

/// One stream of tokens per batch row, from the first token on.
class ReferenceSession {
public:
  /// Clones the stateless `module` and gives the clone explicit states for
  /// `maxContext` tokens (0: the model's own). `archive` is borrowed. Errors:
  /// what linnet-thread-state says, such as a model that cannot stream, and a
  /// @forward that does not take tokens and a position.
  static Result<ReferenceSession>
  create(mlir::ModuleOp module, const Archive *archive, int64_t maxContext = 0);

  /// Feeds `tokens` [B, T] behind those fed before and returns the model's
  /// output for them, logits [B, T, V]. The first call fixes B. Errors leave
  /// the session as it was: another B, more tokens than the context holds.
  Result<HostTensor> feed(const HostTensor &tokens);

  /// Forgets all tokens.
  void reset();

  /// The number of tokens fed so far.
  int64_t position() const { return fed; }

  /// Threads that large operations may use, as in Evaluator.
  void setThreads(unsigned threads) { evaluator->setThreads(threads); }

private:
  ReferenceSession() = default;

  mlir::OwningOpRef<mlir::ModuleOp> threaded;
  std::optional<Evaluator> evaluator;
  int64_t context = 0;
  int64_t fed = 0;
  /// Whether @forward takes the position before the tokens.
  bool positionFirst = false;
  std::vector<HostTensor> states;
};

} // namespace linnet

#endif // LINNET_REFERENCE_SESSION_H
