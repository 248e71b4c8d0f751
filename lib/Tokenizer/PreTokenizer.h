//===- PreTokenizer.h - splits text to words --------------------*- C++ -*-===//

#ifndef LINNET_LIB_TOKENIZER_PRETOKENIZER_H
#define LINNET_LIB_TOKENIZER_PRETOKENIZER_H

#include "Pattern.h"

#include <deque>
#include <optional>

namespace linnet::tokenizer {

/// One step of the way from text to words: an optional leading space, then an
/// optional split.
struct SplitStep {
  /// Puts a space before a piece that starts with none.
  bool addPrefixSpace = false;
  /// Splits at the pattern's matches or at each character of a class; a step
  /// without either splits nothing.
  std::optional<Pattern> pattern;
  bool (*characters)(char32_t) = nullptr;
  /// What becomes of matches and of the text between them.
  bool keepMatches = true, keepBetween = true;

  /// True if the step looks at characters, so that text must be UTF-8.
  bool splits() const { return pattern || characters; }

  /// Where `text` matches, from left to right.
  Result<std::vector<Pattern::Range>> findAll(std::string_view text) const;
};

/// The steps in order. Immutable after set-up.
class PreTokenizer {
public:
  std::vector<SplitStep> steps;

  /// True if some step splits.
  bool splits() const;

  /// Splits `text` into words, which point into `text` or into `storage`.
  Result<std::vector<std::string_view>>
  split(std::string_view text, std::deque<std::string> &storage) const;
};

} // namespace linnet::tokenizer

#endif // LINNET_LIB_TOKENIZER_PRETOKENIZER_H
