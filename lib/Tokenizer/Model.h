//===- Model.h - the parts of a tokenizer -----------------------*- C++ -*-===//

#ifndef LINNET_LIB_TOKENIZER_MODEL_H
#define LINNET_LIB_TOKENIZER_MODEL_H

#include "AddedTokens.h"
#include "Normalizer.h"
#include "PreTokenizer.h"
#include "WordPieces.h"

#include "linnet/Support/Json.h"

#include <memory>

namespace linnet::tokenizer {

/// Everything that tokenizer.json says. Immutable after set-up.
struct Model {
  /// Added tokens looked for in the text as it is, and after normalization.
  AddedTokenMatcher rawTokens, normalizedTokens;
  /// Added tokens by content.
  TokenIds addedIds;
  /// Applied in order.
  std::vector<Normalization> normalizers;
  PreTokenizer preTokenizer;
  std::unique_ptr<const WordModel> words;
  /// The special tokens that the template puts before and after a text.
  std::vector<int32_t> prefix, suffix;

  /// What an id stands for: bytes, or the token as spelled if there is a
  /// joiner to make text of it.
  struct Piece {
    std::string bytes;
    bool special = false;
  };
  std::optional<WordPieceJoiner> joiner;
  std::unordered_map<int32_t, Piece> pieces;
  int64_t vocabularySize = 0;
};

/// Builds a model from a parsed tokenizer.json, called `what` in errors.
Result<Model> readModel(const Json &json, const std::string &what);

} // namespace linnet::tokenizer

#endif // LINNET_LIB_TOKENIZER_MODEL_H
