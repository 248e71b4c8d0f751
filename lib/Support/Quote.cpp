//===- Quote.cpp - names from files in error messages ---------------------===//
//
// Well-formedness follows table 3-7 of the Unicode standard.
//
//===----------------------------------------------------------------------===//

#include "linnet/Support/Quote.h"

namespace linnet {

size_t utf8Length(std::string_view text, size_t at) {
  auto byte = [&](size_t i) -> unsigned {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0;
  };
  auto continues = [&](size_t i) { return (byte(i) & 0xC0) == 0x80; };
  unsigned lead = byte(0);
  if (lead < 0x80)
    return 1;
  if (lead >= 0xC2 && lead <= 0xDF)
    return continues(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    if (!continues(1) || !continues(2))
      return 0;
    if (lead == 0xE0 && byte(1) < 0xA0)
      return 0;
    if (lead == 0xED && byte(1) > 0x9F)
      return 0;
    return 3;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    if (!continues(1) || !continues(2) || !continues(3))
      return 0;
    if (lead == 0xF0 && byte(1) < 0x90)
      return 0;
    if (lead == 0xF4 && byte(1) > 0x8F)
      return 0;
    return 4;
  }
  return 0;
}

void appendUtf8(std::string &out, uint32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | (code >> 6));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | (code >> 12));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (code >> 18));
    out += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  }
}

bool isUtf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    size_t length = utf8Length(text, at);
    if (length == 0)
      return false;
    at += length;
  }
  return true;
}

std::string quoteName(std::string_view name) {
  constexpr size_t kMaxLength = 200;
  std::string quoted = "'";
  size_t at = 0;
  while (at < name.size() && at < kMaxLength) {
    size_t length = utf8Length(name, at);
    unsigned char c = static_cast<unsigned char>(name[at]);
    if (length == 0 || c < 0x20 || c == 0x7F) {
      quoted += "\\x";
      quoted += "0123456789abcdef"[c >> 4];
      quoted += "0123456789abcdef"[c & 15];
      ++at;
    } else {
      quoted += name.substr(at, length);
      at += length;
    }
  }
  if (at < name.size())
    quoted += "...";
  return quoted + "'";
}

} // namespace linnet
