//===- TokenIds.cpp - tokens that configurations name by id ---------------===//

#include "TokenIds.h"

#include "linnet/Support/Quote.h"

#include <algorithm>

namespace linnet::compress {

TokenNumbers::TokenNumbers(std::span<const int32_t> kept, int64_t size)
    : size(size) {
  for (size_t i = 0; i < kept.size(); ++i)
    numbers.emplace(kept[i], int32_t(i));
}

std::optional<int32_t> TokenNumbers::find(int64_t id) const {
  auto number = numbers.find(id);
  return number == numbers.end() ? std::nullopt : std::optional(number->second);
}

/// Whether `key` names tokens that have a purpose, or else lists of tokens that
/// must not be generated.
static bool namesTokens(const std::string &key) {
  return key.ends_with("_token_id") || key.ends_with("_token_ids") ||
         key.ends_with("_token_index");
}
static bool namesSuppressed(const std::string &key) {
  return key == "suppress_tokens" || key == "begin_suppress_tokens" ||
         key == "bad_words_ids";
}

void collectTokenIds(const Json &config, int64_t size,
                     std::vector<int32_t> &ids) {
  if (!config.is_object())
    return;
  auto take = [&](const Json &value) {
    if (value.is_number_integer() && value >= 0 && value < size)
      ids.push_back(value.get<int32_t>());
  };
  for (const auto &[key, value] : config.items()) {
    collectTokenIds(value, size, ids);
    if (!namesTokens(key))
      continue;
    if (value.is_array())
      for (const Json &id : value)
        take(id);
    take(value);
  }
}

/// The tokens of `list` that stay; of lists of words those of which all do.
static Json keepSuppressed(const Json &list, const TokenNumbers &numbers) {
  Json kept = Json::array();
  for (const Json &entry : list) {
    if (entry.is_array()) {
      Json word = keepSuppressed(entry, numbers);
      if (word.size() == entry.size())
        kept.push_back(word);
    } else if (entry.is_number_integer()) {
      if (auto number = numbers.find(entry.get<int64_t>()))
        kept.push_back(*number);
    }
  }
  return kept;
}

/// The ids that still name a token.
static Json renumber(const Json &value, const TokenNumbers &numbers) {
  if (value.is_array()) {
    Json left = Json::array();
    for (const Json &id : value)
      if (Json number = renumber(id, numbers); !number.is_null())
        left.push_back(number);
    return left;
  }
  // A negative id says that there is none.
  if (!value.is_number_integer() || value < 0)
    return value;
  auto number = numbers.find(value.get<int64_t>());
  return number ? Json(*number) : Json();
}

bool renumberTokenIds(Json &config, const TokenNumbers &numbers,
                      const std::string &file,
                      std::vector<std::string> &notes) {
  bool isSized = false;
  if (!config.is_object())
    return isSized;
  for (auto &[key, value] : config.items()) {
    isSized |= renumberTokenIds(value, numbers, file, notes);
    if (key == "vocab_size" && value == numbers.before()) {
      value = numbers.after();
      isSized = true;
    } else if (namesSuppressed(key) && value.is_array()) {
      value = keepSuppressed(value, numbers);
    } else if (namesTokens(key)) {
      Json left = renumber(value, numbers);
      if ((left.is_null() && !value.is_null()) || left.size() != value.size())
        notes.push_back(file + ": key " + quoteName(key) + ": " +
                        describeJson(value) +
                        " named no token: " + describeJson(left));
      value = left;
    }
  }
  return isSized;
}

} // namespace linnet::compress
