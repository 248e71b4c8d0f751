//===- History.cpp - what a session needs to go back ----------------------===//

#include "History.h"

#include <algorithm>
#include <cstring>

namespace linnet {
namespace {

/// Of one copy of the states that a step overwrites.
int64_t overwrittenBytes(const Manifest &manifest) {
  int64_t bytes = 0;
  for (const StateSpec &state : manifest.states)
    if (state.kind == StateSpec::Kind::Fixed)
      bytes += roundUp(state.bytes, kTensorAlignment);
  return bytes;
}

/// Calls `action(state, copy)` for the states that a step overwrites.
template <typename Action>
void forEachOverwritten(const Manifest &manifest, void *const *states,
                        std::byte *copy, Action action) {
  for (size_t i = 0; i < manifest.states.size(); ++i) {
    const StateSpec &state = manifest.states[i];
    if (state.kind != StateSpec::Kind::Fixed)
      continue;
    action(states[i], copy, state.bytes);
    copy += roundUp(state.bytes, kTensorAlignment);
  }
}

} // namespace

int64_t History::bytes(const Manifest &manifest, int64_t block, int64_t limit) {
  if (limit == 0)
    return 0;
  // The oldest step in reach may have begun up to a block before the limit.
  int64_t window, tokens, copies, positions, sum;
  if (__builtin_add_overflow(limit, block, &window) ||
      __builtin_mul_overflow(window, manifest.batch * int64_t(sizeof(int32_t)),
                             &tokens) ||
      __builtin_mul_overflow(limit, overwrittenBytes(manifest), &copies) ||
      __builtin_mul_overflow(limit, int64_t(sizeof(int64_t)), &positions) ||
      __builtin_add_overflow(tokens, copies, &sum) ||
      __builtin_add_overflow(sum, positions, &sum))
    return INT64_MAX;
  return sum;
}

Outcome History::create(const Manifest &manifest, int64_t block, int64_t limit,
                        int64_t position, std::unique_ptr<History> &history) {
  std::unique_ptr<History> created(new History(manifest));
  created->most = limit;
  created->floor = position;
  if (limit > 0) {
    int64_t needed = bytes(manifest, block, limit);
    if (needed < INT64_MAX)
      created->memory = Buffer::allocate(needed);
    if (!created->memory.data())
      return fail(LINNET_ERROR_MEMORY, "cannot allocate ", needed,
                  " bytes to keep ", limit, " tokens");
    created->entryBytes = overwrittenBytes(manifest);
    created->window = limit + block;
    std::byte *rest = created->memory.data() + limit * created->entryBytes;
    created->positions = reinterpret_cast<int64_t *>(rest);
    created->recorded = reinterpret_cast<int32_t *>(created->positions + limit);
  }
  history = std::move(created);
  return {};
}

void History::record(int64_t begin, const int32_t *tokens, int64_t stride,
                     int64_t n, void *const *states) {
  floor = std::max(floor, begin + n - most);
  // An entry is needed while the one after it lies above the floor. So all but
  // one of those left have a position above, and with the new one they fit.
  while (count > 0 && (count > 1 ? position(1) : begin) <= floor) {
    first = slot(1);
    --count;
  }
  if (most == 0)
    return;
  position(count) = begin;
  forEachOverwritten(manifest, states, copy(count),
                     [](void *state, std::byte *copy, int64_t bytes) {
                       std::memcpy(copy, state, bytes);
                     });
  ++count;
  for (int64_t b = 0; b < manifest.batch; ++b)
    for (int64_t t = 0; t < n; ++t)
      token(b, begin + t) = tokens[b * stride + t];
}

int64_t History::restore(int64_t target, void *const *states) {
  while (position(count - 1) > target)
    --count;
  int64_t found = position(count - 1);
  forEachOverwritten(manifest, states, copy(count - 1),
                     [](void *state, std::byte *copy, int64_t bytes) {
                       std::memcpy(state, copy, bytes);
                     });
  cut(target);
  return found;
}

std::vector<int32_t> History::tokens(int64_t begin, int64_t end) const {
  std::vector<int32_t> result;
  for (int64_t b = 0; b < manifest.batch; ++b)
    for (int64_t p = begin; p < end; ++p)
      result.push_back(token(b, p));
  return result;
}

void History::restart(int64_t position) {
  count = 0;
  floor = position;
}

void History::cut(int64_t end) {
  while (count > 0 && position(count - 1) >= end)
    --count;
  floor = std::min(floor, end);
}

void History::adopt(const History &other, int64_t end) {
  restart(std::max(other.floor, end - most));
  for (int64_t i = 0; i < other.count && most > 0; ++i) {
    int64_t next = i + 1 < other.count ? other.position(i + 1) : end;
    if (next <= floor)
      continue;
    position(count) = other.position(i);
    std::memcpy(copy(count), other.copy(i), entryBytes);
    ++count;
    for (int64_t b = 0; b < manifest.batch; ++b)
      for (int64_t p = other.position(i); p < next; ++p)
        token(b, p) = other.token(b, p);
  }
}

} // namespace linnet
