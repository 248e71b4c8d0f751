//===- WordPieces.h - words as their longest known pieces -------*- C++ -*-===//

#ifndef LINNET_LIB_TOKENIZER_WORDPIECES_H
#define LINNET_LIB_TOKENIZER_WORDPIECES_H

#include "WordModel.h"

namespace linnet::tokenizer {

/// The WordPiece model: from the left, always the longest token that matches.
/// Tokens inside a word are spelled with a prefix.
class WordPieceMatcher final : public WordModel {
public:
  std::string prefix, unknownToken;
  /// Longer words are unknown as a whole.
  int64_t maxCharacters = 0;

  /// Gathers the tokens' lengths; call when `vocabulary` and `prefix` are
  /// complete.
  void finishVocabulary();

  /// A word that has no pieces throughout is one unknown token. Linear in the
  /// word's length times the bytes of the vocabulary at worst.
  Status encodeWord(std::string_view word,
                    std::vector<int32_t> &ids) const override;

  /// At the start of a word and inside of it.
  void appendAlphabet(std::vector<int32_t> &ids) const override;

  /// None: the longest match of all tokens is that of those that stay.
  void appendPassed(std::string_view, std::vector<int32_t> &) const override {}

  bool needsUtf8() const override { return true; }

private:
  /// The lengths in bytes, from the longest, that tokens at the start of a word
  /// have, and those inside a word without their prefix.
  std::vector<size_t> firstLengths, laterLengths;
};

/// The WordPiece decoder: puts spaces between words.
struct WordPieceJoiner {
  std::string prefix;
  /// Removes the spaces that written English does not have.
  bool cleanup = false;

  /// What `token` adds to a text; `first` if it is the first.
  std::string text(std::string_view token, bool first) const;
};

} // namespace linnet::tokenizer

#endif // LINNET_LIB_TOKENIZER_WORDPIECES_H
