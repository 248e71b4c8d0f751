//===- History.h - what a session needs to go back ------------*- C++ -*-===//
//
// A cache is indexed by position and goes back by forgetting, but a recurrent
// state is overwritten by every step. So a copy of it is kept from before each
// of the last steps, with the tokens since: a position inside of a step is
// reached from the state before that step.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_LIB_RUNTIME_HISTORY_H
#define LINNET_LIB_RUNTIME_HISTORY_H

#include "Memory.h"
#include "Outcome.h"

#include "linnet/Runtime/Manifest.h"

#include <memory>
#include <vector>

namespace linnet {

/// Enough of the past to return to any of the last `limit` positions. Sizes
/// depend on the limit alone and are allocated at once.
class History {
public:
  /// With `limit` >= 0, for a session at `position` and steps of up to `block`
  /// tokens.
  static Outcome create(const Manifest &manifest, int64_t block, int64_t limit,
                        int64_t position, std::unique_ptr<History> &history);
  /// The bytes that takes, or INT64_MAX where they cannot be counted.
  static int64_t bytes(const Manifest &manifest, int64_t block, int64_t limit);

  int64_t limit() const { return most; }
  /// The lowest position that can be returned to.
  int64_t lowest() const { return floor; }

  /// Records the states before a step from `position` over `n` tokens,
  /// tokens[b * stride + i].
  void record(int64_t position, const int32_t *tokens, int64_t stride,
              int64_t n, void *const *states);
  /// Brings back the latest states kept from before or at `target`, which is at
  /// least lowest() and below the position of the session, and returns their
  /// position. Later ones are forgotten.
  int64_t restore(int64_t target, void *const *states);
  /// The recorded tokens [begin, end) of all sequences, [batch][end - begin].
  std::vector<int32_t> tokens(int64_t begin, int64_t end) const;
  /// Forgets all that came before `position`.
  void restart(int64_t position);
  /// Forgets steps from `position` on, where the session was cut.
  void cut(int64_t position);
  /// Takes over as much as fits of another history of the same model, whose
  /// session is at `position`.
  void adopt(const History &other, int64_t position);

private:
  explicit History(const Manifest &manifest) : manifest(manifest) {}
  int64_t slot(int64_t entry) const { return (first + entry) % most; }
  int64_t &position(int64_t entry) const { return positions[slot(entry)]; }
  std::byte *copy(int64_t entry) const {
    return memory.data() + slot(entry) * entryBytes;
  }
  int32_t &token(int64_t sequence, int64_t position) const {
    return recorded[sequence * window + position % window];
  }

  const Manifest &manifest;
  int64_t most = 0, floor = 0;
  /// Of one copy of all recurrent states.
  int64_t entryBytes = 0;
  /// A ring: `count` entries from slot `first` on, by ascending position.
  int64_t first = 0, count = 0;
  /// The ring's copies of states, then the two arrays below: pages that are
  /// never reached cost nothing.
  Buffer memory;
  int64_t *positions = nullptr;
  /// [batch][window], position p at p % window.
  int32_t *recorded = nullptr;
  int64_t window = 0;
};

} // namespace linnet

#endif // LINNET_LIB_RUNTIME_HISTORY_H
