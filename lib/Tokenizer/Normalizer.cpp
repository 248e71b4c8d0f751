//===- Normalizer.cpp - changes to text before it is split ----------------===//

#include "Normalizer.h"

#include "Unicode.h"

#include <algorithm>

namespace linnet::tokenizer {

namespace {

/// The blocks of Chinese characters that BERT's tokenizer splits: unified
/// ideographs with the extensions A to E and compatibility ideographs.
bool isIdeograph(char32_t character) {
  constexpr std::pair<char32_t, char32_t> Blocks[] = {
      {0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xF900, 0xFAFF},
      {0x20000, 0x2A6DF}, {0x2A700, 0x2B81F}, {0x2B920, 0x2CEAF},
      {0x2F800, 0x2FA1F}};
  return std::any_of(
      std::begin(Blocks), std::end(Blocks), [&](const auto &block) {
        return block.first <= character && character <= block.second;
      });
}

void appendCleaned(std::string &text, char32_t character) {
  // Tabs and ends of lines are control characters too, so they come first.
  if (character == '\t' || character == '\n' || character == '\r')
    text += ' ';
  else if (character == 0xFFFD || isControl(character))
    return;
  else if (isWhiteSpace(character))
    text += ' ';
  else
    appendUtf8(text, character);
}

void appendSpaced(std::string &text, char32_t character) {
  const bool spaced = isIdeograph(character);
  if (spaced)
    text += ' ';
  appendUtf8(text, character);
  if (spaced)
    text += ' ';
}

void appendUnlessMark(std::string &text, char32_t character) {
  if (!isNonspacingMark(character))
    appendUtf8(text, character);
}

std::string mapCharacters(std::string_view text,
                          void (*append)(std::string &, char32_t)) {
  std::string result;
  result.reserve(text.size());
  forEachCharacter(
      text, [&](char32_t character, size_t) { append(result, character); });
  return result;
}

Result<std::string> normalizeOnce(std::string_view text, Normalization step) {
  switch (step) {
  case Normalization::NFC:
    return toNormalForm(text, NormalForm::NFC);
  case Normalization::NFD:
    return toNormalForm(text, NormalForm::NFD);
  case Normalization::NFKC:
    return toNormalForm(text, NormalForm::NFKC);
  case Normalization::NFKD:
    return toNormalForm(text, NormalForm::NFKD);
  case Normalization::CleanText:
    return mapCharacters(text, appendCleaned);
  case Normalization::SpaceIdeographs:
    return mapCharacters(text, appendSpaced);
  case Normalization::StripMarks:
    return mapCharacters(text, appendUnlessMark);
  case Normalization::Lowercase:
    return mapCharacters(text, appendLowercase);
  }
  return makeError("unknown normalization");
}

} // namespace

Result<std::string> normalize(std::string_view text,
                              std::span<const Normalization> steps) {
  std::string result(text);
  for (Normalization step : steps) {
    Result<std::string> next = normalizeOnce(result, step);
    if (!next)
      return next.error();
    result = next.take();
  }
  return result;
}

} // namespace linnet::tokenizer
