//===- NpyHeader.cpp - the text before a numpy array ----------------------===//
//
// A hand-written parser of the subset of Python literals that numpy writes.
//
//===----------------------------------------------------------------------===//

#include "NpyHeader.h"

#include "linnet/Support/Quote.h"

#include <charconv>
#include <optional>

namespace linnet {
namespace {

constexpr std::string_view kMagic("\x93NUMPY", 6);
/// numpy itself has at most 64 dimensions, so real headers are short.
constexpr size_t kMaxHeaderBytes = 1 << 16;
/// Reads {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }.
class HeaderParser {
public:
  HeaderParser(std::string_view text, const std::string &what)
      : text(text), what(what) {}

  Result<NpyHeader> parse() {
    NpyHeader header;
    bool hasDescr = false, hasOrder = false, hasShape = false;
    if (!consume('{'))
      return malformed("'{'");
    while (!consume('}')) {
      std::optional<std::string> key = string();
      if (!key || !consume(':'))
        return malformed("a key");
      bool *seen = *key == "descr"           ? &hasDescr
                   : *key == "fortran_order" ? &hasOrder
                   : *key == "shape"         ? &hasShape
                                             : nullptr;
      if (!seen || *seen)
        return makeError(what, ": ", seen ? "duplicate" : "unknown", " key ",
                         quoteName(*key), " in the npy header");
      *seen = true;
      if (Status status = value(*key, header); !status)
        return status.error();
      if (!consume(',') && peek() != '}')
        return malformed("',' or '}'");
    }
    skipSpace();
    if (pos != text.size())
      return malformed("the end");
    if (!hasDescr || !hasOrder || !hasShape)
      return makeError(what, ": missing key '",
                       !hasDescr   ? "descr"
                       : !hasOrder ? "fortran_order"
                                   : "shape",
                       "' in the npy header");
    return header;
  }

private:
  Error malformed(std::string_view expected) {
    skipSpace();
    if (pos >= text.size())
      return makeError(what, ": expected ", expected,
                       " in the npy header, but got its end");
    return makeError(what, ": expected ", expected,
                     " in the npy header, but got ",
                     quoteName(text.substr(pos, 20)));
  }

  void skipSpace() {
    while (pos < text.size() &&
           (text[pos] == ' ' || text[pos] == '\n' || text[pos] == '\t'))
      ++pos;
  }

  char peek() {
    skipSpace();
    return pos < text.size() ? text[pos] : '\0';
  }

  bool consume(char c) {
    if (peek() != c)
      return false;
    ++pos;
    return true;
  }

  bool consumeWord(std::string_view word) {
    skipSpace();
    if (!text.substr(pos).starts_with(word))
      return false;
    pos += word.size();
    return true;
  }

  std::optional<std::string> string() {
    char quote = peek();
    if (quote != '\'' && quote != '"')
      return std::nullopt;
    size_t end = text.find(quote, pos + 1);
    if (end == text.npos)
      return std::nullopt;
    std::string content(text.substr(pos + 1, end - pos - 1));
    // No type or key that is understood needs an escape.
    if (content.find('\\') != content.npos)
      return std::nullopt;
    pos = end + 1;
    return content;
  }

  Status value(const std::string &key, NpyHeader &header) {
    if (key == "shape")
      return shape(header.shape);
    if (key == "fortran_order") {
      header.fortranOrder = consumeWord("True");
      if (header.fortranOrder || consumeWord("False"))
        return Status();
      return malformed("True or False");
    }
    if (peek() == '[')
      return makeError(what, ": expected a plain element type, but got a "
                             "structured one");
    std::optional<std::string> descr = string();
    if (!descr)
      return malformed("an element type");
    header.descr = std::move(*descr);
    return Status();
  }

  Status shape(std::vector<int64_t> &out) {
    if (!consume('('))
      return malformed("'('");
    while (!consume(')')) {
      skipSpace();
      int64_t dimension = 0;
      auto [end, code] = std::from_chars(text.data() + pos,
                                         text.data() + text.size(), dimension);
      if (code == std::errc::result_out_of_range)
        return makeError(what, ": a dimension overflows 64 bits");
      if (code != std::errc())
        return malformed("a dimension");
      if (dimension < 0)
        return makeError(what, ": expected non-negative dimensions, but got ",
                         dimension);
      pos = end - text.data();
      // Python 2 wrote its long integers as 3L.
      if (pos < text.size() && text[pos] == 'L')
        ++pos;
      if (out.size() == kMaxNpyRank)
        return makeError(what, ": expected at most ", kMaxNpyRank,
                         " dimensions");
      out.push_back(dimension);
      if (!consume(',') && peek() != ')')
        return malformed("',' or ')'");
    }
    return Status();
  }

  std::string_view text;
  const std::string &what;
  size_t pos = 0;
};

/// Splits `content` into header text and data.
Status splitHeader(std::string_view content, const std::string &what,
                   std::string_view &header, std::string_view &data) {
  if (!content.starts_with(kMagic))
    return makeError(what, ": expected an npy file, but its magic bytes are "
                           "missing");
  auto byte = [&](size_t i) {
    return size_t(static_cast<unsigned char>(content[i]));
  };
  if (content.size() < 10)
    return makeError(what, ": truncated npy header");
  size_t major = byte(6);
  if (major < 1 || major > 3)
    return makeError(what, ": expected npy format version 1, 2 or 3, but got ",
                     major);
  size_t lengthBytes = major == 1 ? 2 : 4;
  size_t begin = 8 + lengthBytes;
  if (content.size() < begin)
    return makeError(what, ": truncated npy header");
  size_t length = 0;
  for (size_t i = lengthBytes; i-- > 0;)
    length = length << 8 | byte(8 + i);
  if (length > content.size() - begin)
    return makeError(what, ": the npy header claims ", length,
                     " bytes, but the file has ", content.size() - begin);
  if (length > kMaxHeaderBytes)
    return makeError(what, ": expected an npy header of at most ",
                     kMaxHeaderBytes, " bytes, but got ", length);
  header = content.substr(begin, length);
  data = content.substr(begin + length);
  return Status();
}

} // namespace

Result<NpyHeader> parseNpyHeader(std::string_view content,
                                 const std::string &what) {
  std::string_view text, data;
  if (Status status = splitHeader(content, what, text, data); !status)
    return status.error();
  Result<NpyHeader> header = HeaderParser(text, what).parse();
  if (header)
    header->dataBegin = content.size() - data.size();
  return header;
}

std::string formatNpyHeader(std::string_view descr,
                            const std::vector<int64_t> &shape) {
  std::string tuple;
  for (int64_t dimension : shape)
    tuple += (tuple.empty() ? "" : ", ") + std::to_string(dimension);
  if (shape.size() == 1)
    tuple += ",";
  std::string text = "{'descr': '" + std::string(descr) +
                     "', 'fortran_order': False, 'shape': (" + tuple + "), }";
  // numpy aligns the data to 64 bytes. A rank-64 shape fits into version 1.
  size_t total = (10 + text.size() + 1 + 63) / 64 * 64;
  text.resize(total - 11, ' ');
  text += '\n';
  std::string header(kMagic);
  header += '\x01';
  header += '\0';
  header += static_cast<char>(text.size() & 0xFF);
  header += static_cast<char>(text.size() >> 8);
  return header + text;
}

} // namespace linnet
