//===- BytePairMerger.cpp - merges the bytes of a word to tokens ----------===//

#include "BytePairMerger.h"

#include "ByteAlphabet.h"

#include <queue>

namespace linnet::tokenizer {

void BytePairMerger::finishVocabulary() {
  for (int byte = 0; byte < 256; ++byte) {
    const auto found = vocabulary.find(spellByte(static_cast<uint8_t>(byte)));
    byteIds[byte] = found == vocabulary.end() ? -1 : found->second;
  }
}

bool BytePairMerger::addMerge(std::string_view left, std::string_view right,
                              int32_t rank) {
  const auto leftId = vocabulary.find(left);
  const auto rightId = vocabulary.find(right);
  const auto joined = vocabulary.find(std::string(left) + std::string(right));
  if (leftId == vocabulary.end() || rightId == vocabulary.end() ||
      joined == vocabulary.end())
    return false;
  merges[pairKey(leftId->second, rightId->second)] = {rank, joined->second};
  return true;
}

void BytePairMerger::mergeSymbols(std::vector<int32_t> &symbols,
                                  std::vector<int32_t> *made) const {
  // A doubly linked list over the symbols and a queue of the pairs that can
  // merge. A queued pair is stale when either symbol has changed since.
  struct Candidate {
    int32_t rank;
    size_t left;
    int32_t leftId, rightId, merged;
    bool operator<(const Candidate &other) const {
      return rank != other.rank ? rank > other.rank : left > other.left;
    }
  };
  const size_t count = symbols.size();
  std::vector<size_t> before(count), after(count);
  std::priority_queue<Candidate> queue;
  const auto offer = [&](size_t left) {
    if (after[left] == count)
      return;
    const int32_t leftId = symbols[left], rightId = symbols[after[left]];
    if (const auto found = merges.find(pairKey(leftId, rightId));
        found != merges.end())
      queue.push({found->second.rank, left, leftId, rightId, found->second.id});
  };
  for (size_t i = 0; i < count; ++i) {
    before[i] = i - 1; // wraps for the first symbol, which is never read
    after[i] = i + 1;
  }
  for (size_t i = 0; i < count; ++i)
    offer(i);
  constexpr int32_t Gone = -1;
  while (!queue.empty()) {
    const Candidate candidate = queue.top();
    queue.pop();
    const size_t left = candidate.left;
    if (symbols[left] != candidate.leftId || after[left] == count ||
        symbols[after[left]] != candidate.rightId)
      continue;
    const size_t right = after[left];
    symbols[left] = candidate.merged;
    if (made)
      made->push_back(candidate.merged);
    symbols[right] = Gone;
    after[left] = after[right];
    if (after[left] != count)
      before[after[left]] = left;
    offer(left);
    if (left != 0)
      offer(before[left]);
  }
  std::erase(symbols, Gone);
}

void BytePairMerger::appendAlphabet(std::vector<int32_t> &ids) const {
  for (int32_t id : byteIds)
    if (id >= 0)
      ids.push_back(id);
}

void BytePairMerger::appendPassed(std::string_view token,
                                  std::vector<int32_t> &ids) const {
  std::vector<int32_t> symbols, made;
  for (char character : unspell(token))
    symbols.push_back(byteIds[static_cast<uint8_t>(character)]);
  mergeSymbols(symbols, &made);
  if (symbols.size() == 1 && symbols.front() == vocabulary.find(token)->second)
    ids.insert(ids.end(), made.begin(), made.end());
}

Status BytePairMerger::encodeWord(std::string_view word,
                                  std::vector<int32_t> &ids) const {
  if (ignoreMerges) {
    if (const auto found = vocabulary.find(spell(word));
        found != vocabulary.end()) {
      ids.push_back(found->second);
      return {};
    }
  }
  std::vector<int32_t> symbols;
  symbols.reserve(word.size());
  bool previousUnknown = false;
  for (char character : word) {
    const uint8_t byte = static_cast<uint8_t>(character);
    const int32_t id = byteIds[byte];
    if (id >= 0) {
      symbols.push_back(id);
    } else if (unknownId < 0) {
      return makeError("byte ", static_cast<int>(byte),
                       " of the text has no token: ", "the vocabulary lacks '",
                       spellByte(byte), "' and names no unk_token");
    } else if (!previousUnknown || !fuseUnknown) {
      symbols.push_back(unknownId);
    }
    previousUnknown = id < 0;
  }
  if (!merges.empty() && symbols.size() > 1)
    mergeSymbols(symbols);
  ids.insert(ids.end(), symbols.begin(), symbols.end());
  return {};
}

} // namespace linnet::tokenizer
