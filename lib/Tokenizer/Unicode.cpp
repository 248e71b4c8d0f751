//===- Unicode.cpp - what the tokenizer asks of ICU -----------------------===//

#include "Unicode.h"

#include <algorithm>
#include <limits>
#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>

namespace linnet::tokenizer {

namespace {

/// Steps over one character or one maximal ill-formed part; negative for the
/// latter. 64-bit offsets: U8_NEXT is a macro and works in any integer type.
UChar32 next(std::string_view text, int64_t &offset) {
  const int64_t length = static_cast<int64_t>(text.size());
  UChar32 character;
  U8_NEXT(text.data(), offset, length, character);
  return character;
}

/// Steps back over one character; the macro for that works in 32 bits only, so
/// it is shown no more than one character can take.
UChar32 previous(std::string_view text, int64_t &offset) {
  const int64_t start = std::max<int64_t>(0, offset - U8_MAX_LENGTH);
  const std::string_view window = text.substr(start, offset - start);
  const uint8_t *bytes = reinterpret_cast<const uint8_t *>(window.data());
  int32_t position = static_cast<int32_t>(window.size());
  UChar32 character;
  U8_PREV(bytes, 0, position, character);
  offset = start + position;
  return character;
}

/// What regular expressions call \w in Unicode (UTS 18, annex C).
bool isWord(UChar32 character) {
  if (character < 0)
    return false;
  return u_isUAlphabetic(character) ||
         u_charType(character) == U_DECIMAL_DIGIT_NUMBER ||
         (U_GET_GC_MASK(character) & (U_GC_M_MASK | U_GC_PC_MASK)) ||
         u_hasBinaryProperty(character, UCHAR_JOIN_CONTROL);
}

/// The character's category as a mask in Unicode 8.0; unassigned if newer.
uint32_t oldCategory(char32_t character) {
  switch (character) {
  // Those of the three classes below that have changed category since.
  case 0x166D:
  case 0x111C9:
    return U_GC_PO_MASK;
  case 0x1734:
    return U_GC_MN_MASK;
  case 0x1885:
  case 0x1886:
    return U_GC_LO_MASK;
  case 0xA9BD:
    return U_GC_MC_MASK;
  default:
    break;
  }
  UVersionInfo age;
  u_charAge(static_cast<UChar32>(character), age);
  return age[0] > 8 ? U_GC_CN_MASK
                    : U_GET_GC_MASK(static_cast<UChar32>(character));
}

} // namespace

Result<std::string> toNormalForm(std::string_view text, NormalForm form) {
  UErrorCode code = U_ZERO_ERROR;
  const icu::Normalizer2 *normalizer = nullptr;
  switch (form) {
  case NormalForm::NFC:
    normalizer = icu::Normalizer2::getNFCInstance(code);
    break;
  case NormalForm::NFD:
    normalizer = icu::Normalizer2::getNFDInstance(code);
    break;
  case NormalForm::NFKC:
    normalizer = icu::Normalizer2::getNFKCInstance(code);
    break;
  case NormalForm::NFKD:
    normalizer = icu::Normalizer2::getNFKDInstance(code);
    break;
  }
  // ICU counts in 32 bits.
  if (text.size() > std::numeric_limits<int32_t>::max() / 4)
    return makeError("expected a text of at most ",
                     std::numeric_limits<int32_t>::max() / 4,
                     " bytes to normalize, but got ", text.size());
  std::string result;
  result.reserve(text.size());
  icu::StringByteSink<std::string> sink(&result);
  if (U_SUCCESS(code))
    normalizer->normalizeUTF8(
        0, icu::StringPiece(text.data(), static_cast<int32_t>(text.size())),
        sink, nullptr, code);
  if (U_FAILURE(code))
    return makeError("unicode normalization failed: ", u_errorName(code));
  return result;
}

std::optional<size_t> findInvalidUtf8(std::string_view text) {
  for (int64_t offset = 0; offset < static_cast<int64_t>(text.size());) {
    const int64_t start = offset;
    if (next(text, offset) < 0)
      return static_cast<size_t>(start);
  }
  return std::nullopt;
}

std::string decodeLossy(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  for (int64_t offset = 0; offset < static_cast<int64_t>(bytes.size());) {
    const int64_t start = offset;
    if (next(bytes, offset) < 0)
      text += "\uFFFD";
    else
      text += bytes.substr(start, offset - start);
  }
  return text;
}

size_t completePrefix(std::string_view bytes) {
  int64_t start = 0;
  for (int64_t offset = 0; offset < static_cast<int64_t>(bytes.size());) {
    start = offset;
    if (next(bytes, offset) >= 0)
      continue;
    // The bytes stop before what their lead byte announces: still open.
    const uint8_t lead = static_cast<uint8_t>(bytes[start]);
    if (offset == static_cast<int64_t>(bytes.size()) && U8_IS_LEAD(lead) &&
        offset - start < 1 + U8_COUNT_TRAIL_BYTES(lead))
      return static_cast<size_t>(start);
  }
  return bytes.size();
}

void appendUtf8(std::string &text, char32_t codePoint) {
  char buffer[U8_MAX_LENGTH];
  int32_t length = 0;
  U8_APPEND_UNSAFE(buffer, length, static_cast<UChar32>(codePoint));
  text.append(buffer, length);
}

std::optional<std::u32string> toCodePoints(std::string_view text) {
  std::u32string result;
  for (int64_t offset = 0; offset < static_cast<int64_t>(text.size());) {
    const UChar32 character = next(text, offset);
    if (character < 0)
      return std::nullopt;
    result.push_back(static_cast<char32_t>(character));
  }
  return result;
}

void forEachCharacter(std::string_view text,
                      const std::function<void(char32_t, size_t)> &visit) {
  for (int64_t offset = 0; offset < static_cast<int64_t>(text.size());) {
    const size_t start = static_cast<size_t>(offset);
    visit(static_cast<char32_t>(next(text, offset)), start);
  }
}

bool isWhiteSpace(char32_t character) {
  return u_isUWhiteSpace(static_cast<UChar32>(character));
}

bool isControl(char32_t character) {
  return oldCategory(character) & (U_GC_CC_MASK | U_GC_CF_MASK | U_GC_CO_MASK);
}

bool isNonspacingMark(char32_t character) {
  return oldCategory(character) & U_GC_MN_MASK;
}

bool isPunctuation(char32_t character) {
  const uint32_t category = oldCategory(character);
  return category & U_GC_P_MASK || (character < 0x80 && category & U_GC_S_MASK);
}

void appendLowercase(std::string &text, char32_t character) {
  // The one character whose lower case is always two.
  if (character == 0x130)
    text += "i\u0307";
  else
    appendUtf8(text, static_cast<char32_t>(
                         u_tolower(static_cast<UChar32>(character))));
}

bool startsWithWord(std::string_view text) {
  int64_t offset = 0;
  return !text.empty() && isWord(next(text, offset));
}

bool endsWithWord(std::string_view text) {
  int64_t offset = static_cast<int64_t>(text.size());
  return !text.empty() && isWord(previous(text, offset));
}

size_t leadingSpace(std::string_view text) {
  int64_t end = 0;
  for (int64_t offset = 0; offset < static_cast<int64_t>(text.size());) {
    const UChar32 character = next(text, offset);
    if (character < 0 || !u_isUWhiteSpace(character))
      break;
    end = offset;
  }
  return static_cast<size_t>(end);
}

size_t trailingSpace(std::string_view text) {
  int64_t start = static_cast<int64_t>(text.size());
  for (int64_t offset = start; offset > 0;) {
    const UChar32 character = previous(text, offset);
    if (character < 0 || !u_isUWhiteSpace(character))
      break;
    start = offset;
  }
  return text.size() - static_cast<size_t>(start);
}

} // namespace linnet::tokenizer
