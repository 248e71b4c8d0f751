//===- Normalizer.h - changes to text before it is split --------*- C++ -*-===//

#ifndef LINNET_LIB_TOKENIZER_NORMALIZER_H
#define LINNET_LIB_TOKENIZER_NORMALIZER_H

#include "linnet/Support/Result.h"

#include <span>
#include <string>
#include <string_view>

namespace linnet::tokenizer {

/// One change to a text.
enum class Normalization {
  NFC,
  NFD,
  NFKC,
  NFKD,
  /// Drops control characters and U+FFFD, makes all white space spaces.
  CleanText,
  /// Puts spaces around each Chinese character.
  SpaceIdeographs,
  /// Drops nonspacing marks.
  StripMarks,
  /// Each character's lower case, whatever stands around it.
  Lowercase
};

/// `text`, valid UTF-8, after `steps` in their order.
Result<std::string> normalize(std::string_view text,
                              std::span<const Normalization> steps);

} // namespace linnet::tokenizer

#endif // LINNET_LIB_TOKENIZER_NORMALIZER_H
