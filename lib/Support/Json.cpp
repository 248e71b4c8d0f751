//===- Json.cpp - a strict JSON reader with two tolerances ----------------===//
//
// A recursive-descent parser over the raw text. nlohmann's parser is not used
// because it rejects the bare Infinity that Mamba-2 configurations contain,
// keeps the last of duplicate keys silently and does not bound nesting.
//
//===----------------------------------------------------------------------===//

#include "linnet/Support/Json.h"

#include "linnet/Support/File.h"
#include "linnet/Support/Quote.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>

namespace linnet {
namespace {

/// The number that `token` names, if it is one of those JSON lacks.
std::optional<double> nonFinite(std::string_view token) {
  if (token == "Infinity")
    return std::numeric_limits<double>::infinity();
  if (token == "-Infinity")
    return -std::numeric_limits<double>::infinity();
  if (token == "NaN")
    return std::numeric_limits<double>::quiet_NaN();
  return std::nullopt;
}

/// Parses one document. Every parse function returns false after setting the
/// message and leaves `pos` at the offending byte.
class Parser {
public:
  explicit Parser(std::string_view text) : text(text) {
    if (text.starts_with("\xEF\xBB\xBF"))
      pos = 3;
  }

  bool parseDocument(Json &out) {
    skipSpace();
    if (!parseValue(out, 0))
      return false;
    skipSpace();
    return pos == text.size() || fail("expected the end of the document");
  }

  Error error(std::string_view what) const {
    size_t line = 1, lineBegin = 0;
    for (size_t i = 0; i < pos && i < text.size(); ++i)
      if (text[i] == '\n') {
        ++line;
        lineBegin = i + 1;
      }
    return makeError(what, ":", line, ":", pos - lineBegin + 1, ": ", message);
  }

private:
  bool fail(std::string problem) {
    message = std::move(problem);
    return false;
  }

  bool failExpected(std::string_view expected) {
    return fail("expected " + std::string(expected) + ", but got " + found());
  }

  /// What stands at `pos`, printable.
  std::string found() const {
    if (pos >= text.size())
      return "the end of the input";
    unsigned char c = static_cast<unsigned char>(text[pos]);
    if (c >= 0x20 && c < 0x7F)
      return std::string("'") + text[pos] + "'";
    const char *digits = "0123456789abcdef";
    return std::string("byte 0x") + digits[c >> 4] + digits[c & 15];
  }

  char peek() const { return pos < text.size() ? text[pos] : '\0'; }

  void skipSpace() {
    while (pos < text.size() && (text[pos] == ' ' || text[pos] == '\n' ||
                                 text[pos] == '\r' || text[pos] == '\t'))
      ++pos;
  }

  bool consume(std::string_view token) {
    if (!text.substr(pos).starts_with(token))
      return false;
    pos += token.size();
    return true;
  }

  bool parseValue(Json &out, int depth) {
    if (pos >= text.size())
      return failExpected("a value");
    switch (text[pos]) {
    case '{':
    case '[':
      if (depth >= kMaxJsonDepth)
        return fail("nested deeper than " + std::to_string(kMaxJsonDepth) +
                    " levels");
      return text[pos] == '{' ? parseObject(out, depth + 1)
                              : parseArray(out, depth + 1);
    case '"': {
      std::string value;
      if (!parseString(value))
        return false;
      out = std::move(value);
      return true;
    }
    case 't':
    case 'f':
    case 'n':
    case 'N':
    case 'I':
      return parseWord(out);
    default:
      return parseNumber(out);
    }
  }

  bool parseWord(Json &out) {
    if (consume("true"))
      out = true;
    else if (consume("false"))
      out = false;
    else if (consume("null"))
      out = nullptr;
    else if (consume("NaN"))
      out = std::numeric_limits<double>::quiet_NaN();
    else if (consume("Infinity"))
      out = std::numeric_limits<double>::infinity();
    else
      return failExpected("a value");
    return true;
  }

  bool skipDigits() {
    size_t begin = pos;
    while (peek() >= '0' && peek() <= '9')
      ++pos;
    return pos > begin;
  }

  bool parseNumber(Json &out) {
    size_t begin = pos;
    if (peek() == '-') {
      ++pos;
      if (consume("Infinity")) {
        out = -std::numeric_limits<double>::infinity();
        return true;
      }
    }
    if (peek() == '0') {
      ++pos;
      if (peek() >= '0' && peek() <= '9')
        return fail("a number must not have leading zeros");
    } else if (!skipDigits()) {
      return failExpected(pos > begin ? "a digit" : "a value");
    }
    bool integral = true;
    if (peek() == '.') {
      integral = false;
      ++pos;
      if (!skipDigits())
        return failExpected("a digit");
    }
    if (peek() == 'e' || peek() == 'E') {
      integral = false;
      ++pos;
      if (peek() == '+' || peek() == '-')
        ++pos;
      if (!skipDigits())
        return failExpected("a digit");
    }
    return convertNumber(text.substr(begin, pos - begin), integral, out);
  }

  bool convertNumber(std::string_view token, bool integral, Json &out) {
    const char *begin = token.data(), *end = begin + token.size();
    if (integral) {
      if (int64_t value; std::from_chars(begin, end, value).ec == std::errc()) {
        out = value;
        return true;
      }
      if (uint64_t value;
          token[0] != '-' &&
          std::from_chars(begin, end, value).ec == std::errc()) {
        out = value;
        return true;
      }
    }
    double value = 0;
    // from_chars leaves the value alone when it is out of range; strtod tells
    // overflow (an error) from underflow (a zero or subnormal, accepted).
    if (std::from_chars(begin, end, value).ec == std::errc::result_out_of_range)
      value = std::strtod(std::string(token).c_str(), nullptr);
    if (!std::isfinite(value)) {
      pos -= token.size();
      return fail("the number is too large for a double");
    }
    out = value;
    return true;
  }

  bool parseHex(uint32_t &out) {
    out = 0;
    for (int i = 0; i < 4; ++i, ++pos) {
      char c = peek();
      uint32_t digit;
      if (c >= '0' && c <= '9')
        digit = c - '0';
      else if (c >= 'a' && c <= 'f')
        digit = c - 'a' + 10;
      else if (c >= 'A' && c <= 'F')
        digit = c - 'A' + 10;
      else
        return failExpected("four hexadecimal digits");
      out = out * 16 + digit;
    }
    return true;
  }

  bool parseUnicodeEscape(std::string &out) {
    uint32_t code;
    if (!parseHex(code))
      return false;
    if (code >= 0xDC00 && code <= 0xDFFF)
      return fail("unpaired surrogate in a string");
    if (code >= 0xD800 && code <= 0xDBFF) {
      uint32_t low;
      if (!consume("\\u"))
        return fail("unpaired surrogate in a string");
      if (!parseHex(low))
        return false;
      if (low < 0xDC00 || low > 0xDFFF)
        return fail("unpaired surrogate in a string");
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    appendUtf8(out, code);
    return true;
  }

  bool parseEscape(std::string &out) {
    ++pos;
    char c = peek();
    static constexpr std::string_view kNames = "\"\\/bfnrt";
    static constexpr std::string_view kValues = "\"\\/\b\f\n\r\t";
    if (size_t at = kNames.find(c); c != '\0' && at != kNames.npos) {
      ++pos;
      out += kValues[at];
      return true;
    }
    if (c != 'u')
      return failExpected("an escape character");
    ++pos;
    return parseUnicodeEscape(out);
  }

  bool parseString(std::string &out) {
    ++pos;
    while (true) {
      // Runs of plain ASCII are copied at once: tokenizer files are megabytes.
      size_t begin = pos;
      while (pos < text.size() && text[pos] != '"' && text[pos] != '\\' &&
             static_cast<unsigned char>(text[pos]) - 0x20u < 0x60u)
        ++pos;
      out.append(text.substr(begin, pos - begin));
      if (pos >= text.size())
        return failExpected("the end of the string");
      unsigned char c = static_cast<unsigned char>(text[pos]);
      if (c == '"') {
        ++pos;
        return true;
      }
      if (c == '\\') {
        if (!parseEscape(out))
          return false;
        continue;
      }
      if (c < 0x20)
        return fail("control character in a string");
      size_t length = utf8Length(text, pos);
      if (length == 0)
        return fail("invalid UTF-8 in a string");
      out.append(text.substr(pos, length));
      pos += length;
    }
  }

  bool parseArray(Json &out, int depth) {
    ++pos;
    Json::array_t items;
    skipSpace();
    if (peek() == ']') {
      ++pos;
      out = std::move(items);
      return true;
    }
    while (true) {
      skipSpace();
      if (!parseValue(items.emplace_back(), depth))
        return false;
      skipSpace();
      char c = peek();
      if (c != ',' && c != ']')
        return failExpected("',' or ']'");
      ++pos;
      if (c == ']')
        break;
    }
    out = std::move(items);
    return true;
  }

  bool parseObject(Json &out, int depth) {
    ++pos;
    Json::object_t members;
    skipSpace();
    if (peek() == '}') {
      ++pos;
      out = std::move(members);
      return true;
    }
    while (true) {
      skipSpace();
      if (peek() != '"')
        return failExpected("a key");
      size_t keyAt = pos;
      std::string key;
      if (!parseString(key))
        return false;
      auto [member, inserted] = members.try_emplace(std::move(key));
      if (!inserted) {
        pos = keyAt;
        return fail("duplicate key " + describeJson(Json(member->first)));
      }
      skipSpace();
      if (peek() != ':')
        return failExpected("':'");
      ++pos;
      skipSpace();
      if (!parseValue(member->second, depth))
        return false;
      skipSpace();
      char c = peek();
      if (c != ',' && c != '}')
        return failExpected("',' or '}'");
      ++pos;
      if (c == '}')
        break;
    }
    return finishObject(std::move(members), out);
  }

  /// Replaces {"__float__": "Infinity"} by the number it stands for.
  bool finishObject(Json::object_t members, Json &out) {
    if (members.size() == 1 && members.begin()->first == "__float__" &&
        members.begin()->second.is_string()) {
      const auto &name = members.begin()->second.get_ref<const std::string &>();
      if (std::optional<double> value = nonFinite(name)) {
        out = *value;
        return true;
      }
    }
    out = std::move(members);
    return true;
  }

  std::string_view text;
  size_t pos = 0;
  std::string message;
};

} // namespace

Result<Json> parseJson(std::string_view text, std::string_view what) {
  Parser parser(text);
  Json value;
  if (!parser.parseDocument(value))
    return parser.error(what);
  return value;
}

Result<Json> readJsonFile(const std::string &path) {
  Result<std::string> text = readFile(path);
  if (!text)
    return text.error();
  return parseJson(*text, path);
}

} // namespace linnet
