//===- Session.h - the state of one batch of sequences --------*- C++ -*-===//

#ifndef LINNET_LIB_RUNTIME_SESSION_H
#define LINNET_LIB_RUNTIME_SESSION_H

#include "History.h"
#include "Memory.h"
#include "Model.h"
#include "Outcome.h"

#include <memory>
#include <string>
#include <vector>

namespace linnet {

/// State buffers of a causal-lm and how many tokens they have seen. Used by one
/// host thread at a time.
class Session {
public:
  /// At position 0.
  static Outcome create(std::shared_ptr<Model> model,
                        std::unique_ptr<Session> &session);
  /// An independent copy.
  Outcome clone(std::unique_ptr<Session> &copy) const;

  const Model &model() const { return *owner; }
  int64_t position() const { return consumed; }

  /// See linnet_prefill.
  Outcome feed(const int32_t *tokens, int64_t n, float *outputs,
               linnet_rows rows);
  void reset();
  Outcome truncate(int64_t position);
  /// See linnet_session_restore.
  Outcome restore(const Session &snapshot);
  /// See linnet_session_keep, linnet_session_rollback, linnet_session_kept.
  Outcome keep(int64_t n);
  Outcome rollback(int64_t n);
  int64_t kept() const { return consumed - history->lowest(); }
  /// See linnet_model_keep_bytes.
  static int64_t keepBytes(const Model &model, int64_t n);
  Outcome save(const std::string &path) const;
  Outcome load(const std::string &path);

private:
  explicit Session(std::shared_ptr<Model> model) : owner(std::move(model)) {}
  Outcome allocate();
  /// Keeps `n` tokens from now on and what fits of `past`, which is a history
  /// of this position.
  Outcome keepFrom(const History *past, int64_t n);
  void step(const int32_t *tokens, int64_t stride, int64_t n, float *outputs,
            int64_t outputStride, int64_t firstRow);

  std::shared_ptr<Model> owner;
  /// All states, one after the other, each on a cache line.
  Buffer memory;
  std::vector<void *> states;
  int64_t consumed = 0;
  std::unique_ptr<History> history;
  /// Blocks of a batch in the order of the invocation.
  std::vector<int32_t> blockTokens;
  std::vector<float> blockOutputs;
};

/// Checks `count` rows of `n` tokens against a vocabulary.
Outcome checkTokens(const int32_t *tokens, int64_t count, int64_t n,
                    int64_t vocabulary);

} // namespace linnet

#endif // LINNET_LIB_RUNTIME_SESSION_H
