//===- PreTokenizer.cpp - splits text to words ----------------------------===//

#include "PreTokenizer.h"

#include "Unicode.h"

#include <algorithm>

namespace linnet::tokenizer {

Result<std::vector<Pattern::Range>>
SplitStep::findAll(std::string_view text) const {
  if (pattern)
    return pattern->findAll(text);
  std::vector<Pattern::Range> matches;
  size_t open = 0;
  bool matching = false;
  forEachCharacter(text, [&](char32_t character, size_t offset) {
    if (matching)
      matches.emplace_back(open, offset);
    matching = characters(character);
    open = offset;
  });
  if (matching)
    matches.emplace_back(open, text.size());
  return matches;
}

bool PreTokenizer::splits() const {
  return std::any_of(steps.begin(), steps.end(),
                     [](const SplitStep &step) { return step.splits(); });
}

Result<std::vector<std::string_view>>
PreTokenizer::split(std::string_view text,
                    std::deque<std::string> &storage) const {
  std::vector<std::string_view> pieces;
  if (!text.empty())
    pieces.push_back(text);
  for (const SplitStep &step : steps) {
    if (step.addPrefixSpace) {
      for (std::string_view &piece : pieces) {
        if (!piece.starts_with(' '))
          piece = storage.emplace_back(" " + std::string(piece));
      }
    }
    if (!step.splits())
      continue;
    std::vector<std::string_view> finer;
    const auto add = [&](std::string_view part, bool keep) {
      if (keep && !part.empty())
        finer.push_back(part);
    };
    for (std::string_view piece : pieces) {
      const Result<std::vector<Pattern::Range>> matches = step.findAll(piece);
      if (!matches)
        return matches.error();
      size_t done = 0;
      for (const auto &[begin, end] : *matches) {
        add(piece.substr(done, begin - done), step.keepBetween);
        add(piece.substr(begin, end - begin), step.keepMatches);
        done = end;
      }
      add(piece.substr(done), step.keepBetween);
    }
    pieces = std::move(finer);
  }
  return pieces;
}

} // namespace linnet::tokenizer
