//===- BytePairMerger.h - merges the bytes of a word to tokens --*- C++ -*-===//

#ifndef LINNET_LIB_TOKENIZER_BYTEPAIRMERGER_H
#define LINNET_LIB_TOKENIZER_BYTEPAIRMERGER_H

#include "WordModel.h"

#include <array>

namespace linnet::tokenizer {

/// The byte-pair model: a vocabulary of bytes and ranked merges.
class BytePairMerger final : public WordModel {
public:
  /// Takes a word that is a token as a whole without merging.
  bool ignoreMerges = false;
  /// A run of bytes that the vocabulary lacks is one unknown token.
  bool fuseUnknown = false;

  /// Fills the byte table; call when `vocabulary` is complete.
  void finishVocabulary();

  /// Says how many merges will be added.
  void reserveMerges(size_t count) { merges.reserve(count); }

  /// Adds the merge of rank `rank`. A false return: the two tokens or their
  /// concatenation are not in the vocabulary.
  bool addMerge(std::string_view left, std::string_view right, int32_t rank);

  /// O(n log n) in the word's length.
  Status encodeWord(std::string_view word,
                    std::vector<int32_t> &ids) const override;

  void appendAlphabet(std::vector<int32_t> &ids) const override;

  /// What merges make of the bytes of `token`, one after the other, if that
  /// ends in the token. They make the same wherever it stands in a word: none
  /// of them crosses its ends, since merges are never undone.
  void appendPassed(std::string_view token,
                    std::vector<int32_t> &ids) const override;

  bool needsUtf8() const override { return false; }

private:
  struct Merge {
    int32_t rank;
    int32_t id;
  };
  static uint64_t pairKey(int32_t left, int32_t right) {
    return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 |
           static_cast<uint32_t>(right);
  }
  /// Appends what each merge makes to `made` unless it is null.
  void mergeSymbols(std::vector<int32_t> &symbols,
                    std::vector<int32_t> *made = nullptr) const;

  std::array<int32_t, 256> byteIds;
  std::unordered_map<uint64_t, Merge> merges;
};

} // namespace linnet::tokenizer

#endif // LINNET_LIB_TOKENIZER_BYTEPAIRMERGER_H
