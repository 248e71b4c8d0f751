//===- AddedTokens.cpp - tokens found before any splitting ----------------===//

#include "AddedTokens.h"

#include "Unicode.h"

#include <algorithm>

namespace linnet::tokenizer {

void AddedTokenMatcher::add(AddedToken token, std::string_view pattern) {
  if (pattern.empty())
    return;
  first[static_cast<uint8_t>(pattern.front())] = true;
  uint32_t node = 0;
  for (char byte : pattern) {
    const auto [child, isNew] = nodes[node].children.try_emplace(
        byte, static_cast<uint32_t>(nodes.size()));
    node = child->second;
    if (isNew)
      nodes.emplace_back();
  }
  nodes[node].token = static_cast<int32_t>(tokens.size());
  tokens.push_back(std::move(token));
}

std::vector<Segment> AddedTokenMatcher::split(std::string_view text) const {
  std::vector<Segment> segments;
  // Text before `done` has been given out.
  size_t done = 0;
  for (size_t position = 0; position < text.size();) {
    if (!first[static_cast<uint8_t>(text[position])]) {
      ++position;
      continue;
    }
    int32_t match = -1;
    size_t matchEnd = position;
    uint32_t node = 0;
    for (size_t i = position; i < text.size(); ++i) {
      const auto child = nodes[node].children.find(text[i]);
      if (child == nodes[node].children.end())
        break;
      node = child->second;
      if (nodes[node].token >= 0) {
        match = nodes[node].token;
        matchEnd = i + 1;
      }
    }
    if (match < 0) {
      ++position;
      continue;
    }
    const AddedToken &token = tokens[match];
    size_t start = position, end = matchEnd;
    position = matchEnd;
    if (token.singleWord && (endsWithWord(text.substr(0, start)) ||
                             startsWithWord(text.substr(end))))
      continue;
    // A match may start in the space that the token before has taken in.
    if (token.stripLeft && start > done)
      start -= std::min(trailingSpace(text.substr(0, start)), start - done);
    if (token.stripRight)
      end += leadingSpace(text.substr(end));
    if (start > done)
      segments.push_back({text.substr(done, start - done)});
    segments.push_back({text.substr(start, end - start), token.id});
    done = std::max(done, end);
  }
  if (done < text.size())
    segments.push_back({text.substr(done)});
  return segments;
}

} // namespace linnet::tokenizer
