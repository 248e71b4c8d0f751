//===- Vocabulary.h - a tokenizer of some of its tokens ---------*- C++ -*-===//
//
// A tokenizer.json without the tokens that nobody needs. Texts of tokens that
// stay become the same tokens as before; others are split further, down to
// bytes or characters.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_TOKENIZER_VOCABULARY_H
#define LINNET_TOKENIZER_VOCABULARY_H

#include "linnet/Support/Json.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace linnet {

/// Tokens that stay.
struct KeptTokens {
  /// Ascending.
  std::vector<int32_t> ids;
  /// How many of them are there for each reason, the first that holds: given;
  /// added tokens and those that the file names by id; the unknown token, bytes
  /// and characters; what byte pairs pass on the way to another.
  int64_t given = 0, named = 0, alphabet = 0, passed = 0;
};

/// `ids` and all that a tokenizer.json needs for words to become these and for
/// any text to be encoded. `what` names the file in errors. Ids without a token
/// stay too. Errors: a file that Tokenizer cannot read.
///
/// Byte pairs: merges between tokens that stay are a part of all merges, and
/// those that led to a token that stays are among them, so at every step the
/// first merge is the same. Word pieces: the longest token that matches is the
/// same as long as it stays. (Checked on texts by whoever needs to be sure.)
Result<KeptTokens> closeVocabulary(const Json &tokenizer,
                                   const std::string &what,
                                   std::span<const int32_t> ids);

/// The same tokenizer.json with the tokens `kept`, as closeVocabulary() gives
/// them, and no others; token kept[i] gets id i. Merges keep their order.
Json renumberTokenizer(Json tokenizer, std::span<const int32_t> kept);

} // namespace linnet

#endif // LINNET_TOKENIZER_VOCABULARY_H
