//===- WordPieces.cpp - words as their longest known pieces ---------------===//

#include "WordPieces.h"

#include "linnet/Support/Quote.h"

#include <algorithm>
#include <set>

namespace linnet::tokenizer {

WordModel::~WordModel() = default;

void WordPieceMatcher::finishVocabulary() {
  std::set<size_t, std::greater<>> first, later;
  for (const auto &[token, id] : vocabulary) {
    first.insert(token.size());
    if (token.starts_with(prefix))
      later.insert(token.size() - prefix.size());
  }
  // An empty piece would never end.
  first.erase(0);
  later.erase(0);
  firstLengths.assign(first.begin(), first.end());
  laterLengths.assign(later.begin(), later.end());
}

static int64_t countCharacters(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char byte) {
    return (static_cast<uint8_t>(byte) & 0xC0) != 0x80;
  });
}

void WordPieceMatcher::appendAlphabet(std::vector<int32_t> &ids) const {
  for (const auto &[token, id] : vocabulary) {
    std::string_view piece = token;
    if (piece.starts_with(prefix) && piece.size() > prefix.size())
      piece.remove_prefix(prefix.size());
    if (countCharacters(piece) == 1)
      ids.push_back(id);
  }
}

Status WordPieceMatcher::encodeWord(std::string_view word,
                                    std::vector<int32_t> &ids) const {
  bool known = countCharacters(word) <= maxCharacters;
  const size_t before = ids.size();
  std::string piece;
  for (size_t start = 0; known && start < word.size();) {
    const std::vector<size_t> &lengths = start ? laterLengths : firstLengths;
    const size_t prefixSize = start ? prefix.size() : 0;
    if (start)
      piece = prefix;
    piece += word.substr(start, lengths.empty() ? 0 : lengths.front());
    known = false;
    // Tokens and the word are UTF-8, so a match ends where a character does.
    for (size_t length : lengths) {
      if (length > word.size() - start)
        continue;
      const auto found = vocabulary.find(
          std::string_view(piece).substr(0, prefixSize + length));
      if (found == vocabulary.end())
        continue;
      ids.push_back(found->second);
      start += length;
      known = true;
      break;
    }
  }
  if (known)
    return {};
  if (unknownId < 0)
    return makeError("word ", quoteName(word), " of the text has no token: ",
                     "the vocabulary lacks its pieces and the unk_token ",
                     quoteName(unknownToken));
  ids.resize(before);
  ids.push_back(unknownId);
  return {};
}

std::string WordPieceJoiner::text(std::string_view token, bool first) const {
  std::string text;
  if (first)
    text = token;
  else if (token.starts_with(prefix))
    text = token.substr(prefix.size());
  else
    text = " " + std::string(token);
  if (!cleanup)
    return text;
  // In this order; each token by itself, as the reference does it.
  constexpr std::pair<std::string_view, std::string_view> Rules[] = {
      {" .", "."},   {" ?", "?"},     {" !", "!"},    {" ,", ","},
      {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},  {" do not", " don't"},
      {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  for (const auto &[spaced, joined] : Rules)
    for (size_t at = text.find(spaced); at != std::string::npos;
         at = text.find(spaced, at + joined.size()))
      text.replace(at, spaced.size(), joined);
  return text;
}

} // namespace linnet::tokenizer
