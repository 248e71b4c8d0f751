//===- Weights.h - weights in memory --------------------------*- C++ -*-===//
//
// Brings the tensors a manifest names into the layouts it asks for.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_LIB_RUNTIME_WEIGHTS_H
#define LINNET_LIB_RUNTIME_WEIGHTS_H

#include "Memory.h"
#include "Outcome.h"
#include "ThreadPool.h"

#include "linnet/Checkpoint/Safetensors.h"
#include "linnet/Runtime/Manifest.h"

#include <string>
#include <vector>

namespace linnet {

/// Owns the weights of one model.
class Weights {
public:
  /// Opens the files of `manifest` (relative paths start at `directory`),
  /// checks that they are the ones it was written for, and fills the slots with
  /// all threads of `pool`. Slots that ask for the same share a buffer.
  Outcome load(const Manifest &manifest, const std::string &directory,
               ThreadPool &pool);

  /// By slot, as LinnetInvocation::weights wants them.
  void *const *pointers() const { return slots.data(); }
  /// Bytes of all buffers, mapped ones included.
  int64_t bytes() const { return total; }
  /// Bytes without raw tensors and rotary tables.
  int64_t stepBytes() const { return step; }

private:
  Outcome openFiles(const Manifest &manifest, const std::string &directory);

  std::vector<SafetensorsFile> files;
  Buffer memory;
  std::vector<void *> slots;
  int64_t total = 0;
  int64_t step = 0;
};

} // namespace linnet

#endif // LINNET_LIB_RUNTIME_WEIGHTS_H
