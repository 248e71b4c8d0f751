//===- BytePairMerger.h - merges the bytes of a word to tokens --*- C++ -*-===//

#ifndef LINNET_LIB_TOKENIZER_BYTEPAIRMERGER_H
#define LINNET_LIB_TOKENIZER_BYTEPAIRMERGER_H

#include "linnet/Support/Result.h"

#include <array>
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

/// The byte-pair model: a vocabulary and ranked merges. Immutable after set-up.
class BytePairMerger {
public:
  /// The vocabulary, tokens as spelled in tokenizer.json.
  TokenIds vocabulary;
  /// Takes a word that is a token as a whole without merging.
  bool ignoreMerges = false;
  /// The token of bytes the vocabulary lacks, and whether a run of them is one
  /// token; negative: such bytes are an error.
  int32_t unknownId = -1;
  bool fuseUnknown = false;

  /// Fills the byte table; call when `vocabulary` is complete.
  void finishVocabulary();

  /// Says how many merges will be added.
  void reserveMerges(size_t count) { merges.reserve(count); }

  /// Adds the merge of rank `rank`. A false return: the two tokens or their
  /// concatenation are not in the vocabulary.
  bool addMerge(std::string_view left, std::string_view right, int32_t rank);

  /// Appends the ids of `word` (raw bytes). O(n log n) in the word's length.
  Status encodeWord(std::string_view word, std::vector<int32_t> &ids) const;

private:
  struct Merge {
    int32_t rank;
    int32_t id;
  };
  static uint64_t pairKey(int32_t left, int32_t right) {
    return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 |
           static_cast<uint32_t>(right);
  }
  void mergeSymbols(std::vector<int32_t> &symbols) const;

  std::array<int32_t, 256> byteIds;
  std::unordered_map<uint64_t, Merge> merges;
};

} // namespace linnet::tokenizer

#endif // LINNET_LIB_TOKENIZER_BYTEPAIRMERGER_H
