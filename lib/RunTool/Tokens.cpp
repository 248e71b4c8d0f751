//===- Tokens.cpp - token arrays from the command line --------------------===//

#include "linnet/RunTool/Tokens.h"

#include "linnet/Checkpoint/Npy.h"
#include "linnet/Support/File.h"
#include "linnet/Support/Quote.h"

#include "llvm/ADT/StringRef.h"

#include <charconv>
#include <filesystem>
#include <limits>

namespace linnet::runtool {

std::string pathOf(const std::string &argument) {
  return argument.starts_with("@") ? argument.substr(1) : argument;
}

Tokens makeTokens(std::vector<int32_t> ids, const std::string &name) {
  int64_t length = int64_t(ids.size());
  return {1, length, std::move(ids), name};
}

/// "1,17,5"; an error for anything else.
static Result<Tokens> parseList(const std::string &text) {
  std::vector<int32_t> ids;
  const char *at = text.data(), *end = at + text.size();
  while (true) {
    int32_t id = 0;
    auto [next, code] = std::from_chars(at, end, id);
    if (code != std::errc() || (next != end && *next != ','))
      return makeError(
          "expected @FILE.npy or ids separated by commas, but got ",
          quoteName(text));
    ids.push_back(id);
    if (next == end)
      return makeTokens(std::move(ids), "tokens");
    at = next + 1;
  }
}

Result<Tokens> readTokens(const std::string &argument) {
  if (!argument.starts_with("@") && !argument.ends_with(".npy"))
    return parseList(argument);
  std::string path = pathOf(argument);
  Result<NpyArray> array = readNpy(path);
  if (!array)
    return array.error();
  if (isFloat(array->dtype) || array->shape.empty() || array->shape.size() > 2)
    return makeError(
        quoteName(path), ": expected integers of shape [B, T] or [T], but got ",
        dataTypeName(array->dtype), " ", formatShape(array->shape));
  Result<std::vector<int64_t>> values = array->toI64();
  if (!values)
    return makeError(quoteName(path), ": ", values.error().str());
  Tokens tokens;
  tokens.name = path;
  tokens.rows = array->shape.size() == 2 ? array->shape[0] : 1;
  tokens.length = array->shape.back();
  if (values->empty())
    return makeError(quoteName(path), ": expected at least one token, but got ",
                     "shape ", formatShape(array->shape));
  tokens.ids.reserve(values->size());
  for (int64_t value : *values) {
    if (value < std::numeric_limits<int32_t>::min() ||
        value > std::numeric_limits<int32_t>::max())
      return makeError(quoteName(path), ": expected 32-bit integers, but got ",
                       value);
    tokens.ids.push_back(int32_t(value));
  }
  return tokens;
}

Status checkTokens(const Tokens &tokens, int64_t bound, const char *what) {
  for (int64_t row = 0; row < tokens.rows; ++row)
    for (int64_t column = 0; column < tokens.length; ++column)
      if (int64_t id = tokens.at(row, column); id < 0 || id >= bound)
        return makeError(tokens.name, "[", row, ", ", column, "]: expected ",
                         what, " of 0 to ", bound - 1, ", but got ", id);
  return {};
}

Result<Tokenizer> findTokenizer(const std::vector<std::string> &directories) {
  for (const std::string &directory : directories) {
    std::error_code ignored;
    if (std::filesystem::exists(directory + "/tokenizer.json", ignored))
      return Tokenizer::fromDirectory(directory);
  }
  return Tokenizer::fromDirectory(directories.front());
}

namespace {

/// A text and what encodes it.
struct Text {
  Tokenizer tokenizer;
  std::string content;
};

Result<Text> readText(const std::string &file,
                      const std::vector<std::string> &directories) {
  Result<Tokenizer> tokenizer = findTokenizer(directories);
  if (!tokenizer)
    return tokenizer.error();
  Result<std::string> content = readFile(file);
  if (!content)
    return content.error();
  return Text{tokenizer.take(), content.take()};
}

} // namespace

Result<Tokens> encodeFile(const std::string &file,
                          const std::vector<std::string> &directories,
                          int64_t *bytes) {
  Result<Text> text = readText(file, directories);
  if (!text)
    return text.error();
  Result<std::vector<int32_t>> ids =
      text->tokenizer.encode(text->content, false);
  if (!ids)
    return makeError(quoteName(file), ": ", ids.error().str());
  if (bytes)
    *bytes = int64_t(text->content.size());
  return makeTokens(ids.take(), file);
}

Result<std::vector<Tokens>>
encodeLines(const std::string &file,
            const std::vector<std::string> &directories, int64_t most) {
  Result<Text> text = readText(file, directories);
  if (!text)
    return text.error();
  Result<std::vector<int32_t>> empty = text->tokenizer.encode("", true);
  if (!empty)
    return empty.error();
  std::vector<Tokens> lines;
  int64_t number = 0;
  for (llvm::StringRef rest = text->content; !rest.empty();) {
    auto [line, after] = rest.split('\n');
    rest = after;
    ++number;
    if (line.trim().empty())
      continue;
    Result<std::vector<int32_t>> ids =
        text->tokenizer.encode(line.rtrim("\r").str(), true);
    std::string name = file + ":" + std::to_string(number);
    if (!ids)
      return makeError(quoteName(file), ", line ", number, ": ",
                       ids.error().str());
    // Nothing but what a tokenizer leaves out.
    if (ids->empty())
      continue;
    if (int64_t(ids->size()) > most) {
      int32_t last = ids->back();
      ids->resize(size_t(most));
      if (!empty->empty() && empty->back() == last)
        ids->back() = last;
    }
    lines.push_back(makeTokens(ids.take(), name));
  }
  return lines;
}

} // namespace linnet::runtool
