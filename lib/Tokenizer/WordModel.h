//===- WordModel.h - from one word to token ids -----------------*- C++ -*-===//

#ifndef LINNET_LIB_TOKENIZER_WORDMODEL_H
#define LINNET_LIB_TOKENIZER_WORDMODEL_H

#include "linnet/Support/Result.h"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace linnet::tokenizer {

/// Lets maps keyed by strings be searched by string_view.
struct StringHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>{}(text);
  }
};

using TokenIds =
    std::unordered_map<std::string, int32_t, StringHash, std::equal_to<>>;

/// Splits a word to tokens of its vocabulary. Immutable after set-up.
class WordModel {
public:
  virtual ~WordModel();

  /// Tokens as spelled in tokenizer.json.
  TokenIds vocabulary;
  /// The token of what the vocabulary lacks; negative: that is an error.
  int32_t unknownId = -1;

  /// Appends the ids of `word`.
  virtual Status encodeWord(std::string_view word,
                            std::vector<int32_t> &ids) const = 0;

  /// Appends the ids of the tokens by which texts can be encoded whatever they
  /// are: those of bytes, or pieces of one character.
  virtual void appendAlphabet(std::vector<int32_t> &ids) const = 0;

  /// Appends the ids of the tokens that a word passes on its way to `token`.
  virtual void appendPassed(std::string_view token,
                            std::vector<int32_t> &ids) const = 0;

  /// True if a word must be UTF-8, false if it may be any bytes.
  virtual bool needsUtf8() const = 0;
};

} // namespace linnet::tokenizer

#endif // LINNET_LIB_TOKENIZER_WORDMODEL_H
