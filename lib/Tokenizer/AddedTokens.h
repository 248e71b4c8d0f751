//===- AddedTokens.h - tokens found before any splitting --------*- C++ -*-===//

#ifndef LINNET_LIB_TOKENIZER_ADDEDTOKENS_H
#define LINNET_LIB_TOKENIZER_ADDEDTOKENS_H

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace linnet::tokenizer {

/// One entry of tokenizer.json's added_tokens.
struct AddedToken {
  std::string content;
  int32_t id = 0;
  bool special = false;
  /// Matches only where no word character adjoins.
  bool singleWord = false;
  /// Takes in the white space to its left or right.
  bool stripLeft = false, stripRight = false;
  /// Is looked for in normalized text.
  bool normalized = false;
};

/// A stretch of text, or an added token in its place.
struct Segment {
  std::string_view text;
  int32_t id = -1;
};

/// Finds added tokens in text: leftmost, and of those the longest.
class AddedTokenMatcher {
public:
  AddedTokenMatcher() : nodes(1) { first.fill(false); }

  /// `pattern` is the token's content, normalized if the text will be.
  void add(AddedToken token, std::string_view pattern);

  /// Splits `text`, valid UTF-8; the segments point into it.
  std::vector<Segment> split(std::string_view text) const;

private:
  struct Node {
    std::map<char, uint32_t> children;
    int32_t token = -1;
  };
  std::vector<AddedToken> tokens;
  std::vector<Node> nodes;
  /// The bytes that some token starts with: most positions stop here.
  std::array<bool, 256> first;
};

} // namespace linnet::tokenizer

#endif // LINNET_LIB_TOKENIZER_ADDEDTOKENS_H
