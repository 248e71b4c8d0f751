//===- TokenIds.h - tokens that configurations name by id -----*- C++ -*-===//

#ifndef LIB_COMPRESS_TOKENIDS_H
#define LIB_COMPRESS_TOKENIDS_H

#include "linnet/Support/Json.h"

#include <map>
#include <span>

namespace linnet::compress {

/// Old token ids and what becomes of them.
class TokenNumbers {
public:
  /// Of `size` tokens, `kept` stay, in ascending order.
  TokenNumbers(std::span<const int32_t> kept, int64_t size);

  /// The new id of a token, or nothing if it goes.
  std::optional<int32_t> find(int64_t id) const;
  int64_t before() const { return size; }
  int64_t after() const { return int64_t(numbers.size()); }

private:
  std::map<int64_t, int32_t> numbers;
  int64_t size;
};

/// Appends the ids below `size` that a configuration gives a purpose:
/// "eos_token_id" and the like, numbers or lists, also in objects within.
void collectTokenIds(const Json &config, int64_t size,
                     std::vector<int32_t> &ids);

/// Renumbers those, and "vocab_size" where it is what it was. Tokens that go
/// leave lists of tokens to suppress. An id that no token had becomes null; a
/// line for each such goes to `notes`. Returns whether "vocab_size" was there.
bool renumberTokenIds(Json &config, const TokenNumbers &numbers,
                      const std::string &file, std::vector<std::string> &notes);

} // namespace linnet::compress

#endif // LIB_COMPRESS_TOKENIDS_H
