//===- PreTokenizer.cpp - splits text to words ----------------------------===//

#include "PreTokenizer.h"

#include <algorithm>

namespace linnet::tokenizer {

bool PreTokenizer::usesPatterns() const {
  return std::any_of(steps.begin(), steps.end(), [](const SplitStep &step) {
    return step.pattern.has_value();
  });
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
    if (!step.pattern)
      continue;
    std::vector<std::string_view> finer;
    const auto add = [&](std::string_view part, bool keep) {
      if (keep && !part.empty())
        finer.push_back(part);
    };
    for (std::string_view piece : pieces) {
      const Result<std::vector<Pattern::Range>> matches =
          step.pattern->findAll(piece);
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
