//===- Unicode.h - what the tokenizer asks of ICU ---------------*- C++ -*-===//
//
// Validity, lossy decoding, normal forms, case and character classes. All
// tables are ICU's.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_LIB_TOKENIZER_UNICODE_H
#define LINNET_LIB_TOKENIZER_UNICODE_H

#include "linnet/Support/Result.h"

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace linnet::tokenizer {

enum class NormalForm { NFC, NFD, NFKC, NFKD };

/// `text`, valid UTF-8, in the given form.
Result<std::string> toNormalForm(std::string_view text, NormalForm form);

/// The offset of the first byte that does not belong to a character.
std::optional<size_t> findInvalidUtf8(std::string_view text);

/// `bytes` with every maximal part that is no character replaced by U+FFFD.
std::string decodeLossy(std::string_view bytes);

/// The length of the longest prefix of `bytes` that no further bytes could
/// change: all but a character that is cut off at the end.
size_t completePrefix(std::string_view bytes);

/// Appends the UTF-8 of `codePoint`.
void appendUtf8(std::string &text, char32_t codePoint);

/// The code points of `text`; nothing if it is not UTF-8.
std::optional<std::u32string> toCodePoints(std::string_view text);

/// Calls `visit` for each character of `text`, valid UTF-8, with its offset.
void forEachCharacter(std::string_view text,
                      const std::function<void(char32_t, size_t)> &visit);

/// The property White_Space.
bool isWhiteSpace(char32_t character);

/// Classes by the tables of Unicode 8.0, which the tokenizers library has: a
/// newer character is in none. Control takes in format and private-use
/// characters, punctuation the symbols of ASCII.
bool isControl(char32_t character);
bool isNonspacingMark(char32_t character);
bool isPunctuation(char32_t character);

/// Appends the full lower case of `character` by itself: no final sigma.
void appendLowercase(std::string &text, char32_t character);

/// True if `text`, valid UTF-8, starts or ends with a word character.
bool startsWithWord(std::string_view text);
bool endsWithWord(std::string_view text);

/// The number of bytes of white space that `text` starts or ends with.
size_t leadingSpace(std::string_view text);
size_t trailingSpace(std::string_view text);

} // namespace linnet::tokenizer

#endif // LINNET_LIB_TOKENIZER_UNICODE_H
