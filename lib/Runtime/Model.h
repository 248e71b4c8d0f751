//===- Model.h - a compiled model in memory -------------------*- C++ -*-===//
//
// The library, its weights, the threads and the buffers a step needs. Sessions
// add the state.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_LIB_RUNTIME_MODEL_H
#define LINNET_LIB_RUNTIME_MODEL_H

#include "Memory.h"
#include "Outcome.h"
#include "ThreadPool.h"
#include "Weights.h"

#include "linnet/Runtime/Invocation.h"
#include "linnet/Runtime/Manifest.h"

#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace linnet {

/// A loaded model.so.
class Library {
public:
  Library() = default;
  Library(const Library &) = delete;
  Library &operator=(const Library &) = delete;
  ~Library();

  /// Loads `path`, which runs no code of ours but may run constructors: check
  /// the processor first.
  Outcome open(const std::string &path);
  /// The address of a symbol, or null.
  void *find(const char *symbol) const;

private:
  void *handle = nullptr;
};

/// A phase ready to run.
struct Phase {
  PhaseSpec spec;
  LinnetPhase function = nullptr;
};

class Model {
public:
  /// See linnet_model_open. `threads` >= 1.
  static Outcome open(const std::string &directory, int threads,
                      std::shared_ptr<Model> &model);

  const Manifest &manifest() const { return description; }
  const std::string &manifestText() const { return text; }
  const Weights &weights() const { return parameters; }
  int64_t threads() const { return pool->threads(); }
  /// The phase called `name`, or null.
  const Phase *findPhase(std::string_view name) const;
  /// Floats per output row; 0 for a function.
  int64_t outputWidth() const;

  /// Fills in weights, buffers and barrier of `invocation` and runs `phase` on
  /// all threads. Steps of several host threads queue.
  void run(const Phase &phase, LinnetInvocation invocation);

private:
  Outcome openLibrary(const std::string &path);

  Manifest description;
  std::string text;
  Library library;
  std::vector<Phase> phases;
  std::unique_ptr<ThreadPool> pool;
  Weights parameters;
  /// Used by one step at a time, under `stepping`: nothing in it outlives a
  /// step, so sessions need none of their own.
  Buffer workspace;
  Buffer scratch;
  int64_t scratchStride = 0;
  std::mutex stepping;
};

} // namespace linnet

#endif // LINNET_LIB_RUNTIME_MODEL_H
