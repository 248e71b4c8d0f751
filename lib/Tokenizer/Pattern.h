//===- Pattern.h - regular expressions of tokenizer.json --------*- C++ -*-===//
//
// tokenizer.json's patterns are written for Oniguruma; this runs them by PCRE2
// and refuses by name what the two read differently.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_LIB_TOKENIZER_PATTERN_H
#define LINNET_LIB_TOKENIZER_PATTERN_H

#include "linnet/Support/Result.h"

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace linnet::tokenizer {

/// Rewrites an Oniguruma pattern so that PCRE2 matches the same texts.
Result<std::string> translatePattern(std::string_view pattern);

/// A compiled pattern. Immutable; may be matched from several threads.
class Pattern {
public:
  /// Compiles a regular expression, or with `literal` a fixed string.
  static Result<Pattern> compile(const std::string &pattern, bool literal);

  using Range = std::pair<size_t, size_t>;

  /// The non-empty matches in `text`, valid UTF-8, from left to right as
  /// [begin, end) in bytes. A pattern that backtracks beyond the limit is an
  /// error, not a hang.
  Result<std::vector<Range>> findAll(std::string_view text) const;

private:
  struct Code;
  std::shared_ptr<const Code> code;
};

} // namespace linnet::tokenizer

#endif // LINNET_LIB_TOKENIZER_PATTERN_H
