//===- Vocabulary.cpp - a tokenizer of some of its tokens -----------------===//

#include "linnet/Tokenizer/Vocabulary.h"

#include "ModelReader.h"

#include <algorithm>
#include <functional>
#include <unordered_map>
#include <unordered_set>

namespace linnet {

using tokenizer::Model;
using VisitId = std::function<void(Json &)>;

namespace {

/// The member `key` if it is there, or null.
Json *find(Json &object, const char *key) {
  if (!object.is_object())
    return nullptr;
  const auto member = object.find(key);
  return member == object.end() || member->is_null() ? nullptr : &*member;
}

/// Visits the ids in a post-processor: of templates, and of BERT's.
void visitPostProcessor(Json &section, const VisitId &visit) {
  if (Json *parts = find(section, "processors"))
    for (Json &part : *parts)
      visitPostProcessor(part, visit);
  if (Json *tokens = find(section, "special_tokens"))
    for (auto &[name, token] : tokens->items())
      if (Json *ids = find(token, "ids"))
        for (Json &id : *ids)
          visit(id);
  for (const char *key : {"cls", "sep"})
    if (Json *pair = find(section, key); pair && pair->size() == 2)
      visit((*pair)[1]);
}

/// Visits all ids but those of the vocabulary.
void visitIds(Json &root, const VisitId &visit) {
  if (Json *tokens = find(root, "added_tokens"))
    for (Json &token : *tokens)
      visit(token["id"]);
  if (Json *section = find(root, "post_processor"))
    visitPostProcessor(*section, visit);
  if (Json *padding = find(root, "padding"))
    if (Json *id = find(*padding, "pad_id"))
      visit(*id);
}

/// Adds tokens one reason after the other.
class Closure {
public:
  /// Returns how many of `ids` are new.
  int64_t add(std::span<const int32_t> ids) {
    int64_t added = 0;
    for (int32_t id : ids)
      if (known.insert(id).second) {
        kept.push_back(id);
        ++added;
      }
    return added;
  }
  std::vector<int32_t> kept;

private:
  std::unordered_set<int32_t> known;
};

} // namespace

Result<KeptTokens> closeVocabulary(const Json &tokenizer,
                                   const std::string &what,
                                   std::span<const int32_t> ids) {
  const Result<Model> model = tokenizer::readModel(tokenizer, what);
  if (!model)
    return model.error();
  const tokenizer::WordModel &words = *model->words;
  KeptTokens result;
  Closure closure;
  result.given = closure.add(ids);

  std::vector<int32_t> found;
  Json copy = tokenizer;
  visitIds(copy, [&](Json &id) {
    if (id.is_number_integer())
      found.push_back(id.get<int32_t>());
  });
  result.named = closure.add(found);

  found.clear();
  if (words.unknownId >= 0)
    found.push_back(words.unknownId);
  words.appendAlphabet(found);
  result.alphabet = closure.add(found);

  found.clear();
  std::unordered_map<int32_t, std::string_view> spelling;
  for (const auto &[token, id] : words.vocabulary)
    spelling.emplace(id, token);
  for (int32_t id : closure.kept)
    if (const auto token = spelling.find(id); token != spelling.end())
      words.appendPassed(token->second, found);
  result.passed = closure.add(found);

  result.ids = std::move(closure.kept);
  std::sort(result.ids.begin(), result.ids.end());
  return result;
}

Json renumberTokenizer(Json tokenizer, std::span<const int32_t> kept) {
  std::unordered_map<int64_t, int32_t> numbers;
  for (size_t i = 0; i < kept.size(); ++i)
    numbers.emplace(kept[i], static_cast<int32_t>(i));
  visitIds(tokenizer, [&](Json &id) {
    if (id.is_number_integer())
      if (const auto number = numbers.find(id.get<int64_t>());
          number != numbers.end())
        id = number->second;
  });
  Json &model = tokenizer["model"];
  Json vocabulary = Json::object();
  for (const auto &[token, id] : model["vocab"].items())
    if (const auto number = numbers.find(id.get<int64_t>());
        number != numbers.end())
      vocabulary[token] = number->second;
  if (Json *merges = find(model, "merges")) {
    Json left = Json::array();
    for (Json &merge : *merges) {
      const auto [first, second] = tokenizer::readMerge(merge);
      if (vocabulary.contains(first) && vocabulary.contains(second) &&
          vocabulary.contains(first + second))
        left.push_back(std::move(merge));
    }
    *merges = std::move(left);
  }
  model["vocab"] = std::move(vocabulary);
  return tokenizer;
}

} // namespace linnet
