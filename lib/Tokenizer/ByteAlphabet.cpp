//===- ByteAlphabet.cpp - bytes spelled as printable characters -----------===//

#include "ByteAlphabet.h"

#include "Unicode.h"

#include <array>

namespace linnet::tokenizer {

namespace {

/// The alphabet's last character: 188 bytes stand for themselves, so the other
/// 68 are U+0100 to U+0143.
constexpr char32_t LastCharacter = 0x143;

struct Alphabet {
  std::array<std::string, 256> spelling;
  /// The byte of each character, or -1.
  std::array<int16_t, LastCharacter + 1> byteOf;

  Alphabet() {
    byteOf.fill(-1);
    char32_t free = 0x100;
    for (int byte = 0; byte < 256; ++byte) {
      // 0xAD, the soft hyphen, is in Latin-1 but does not print.
      const bool printable =
          (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte != 0xAD);
      const char32_t character =
          printable ? static_cast<char32_t>(byte) : free++;
      appendUtf8(spelling[byte], character);
      byteOf[character] = static_cast<int16_t>(byte);
    }
  }
};

const Alphabet &alphabet() {
  static const Alphabet instance;
  return instance;
}

} // namespace

std::string_view spellByte(uint8_t byte) { return alphabet().spelling[byte]; }

std::string spell(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (char byte : bytes)
    text += spellByte(static_cast<uint8_t>(byte));
  return text;
}

std::string unspell(std::string_view token) {
  const auto characters = toCodePoints(token);
  if (!characters)
    return std::string(token);
  std::string bytes;
  for (char32_t character : *characters) {
    if (character > LastCharacter || alphabet().byteOf[character] < 0)
      return std::string(token);
    bytes.push_back(static_cast<char>(alphabet().byteOf[character]));
  }
  return bytes;
}

} // namespace linnet::tokenizer
