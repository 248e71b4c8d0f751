//===- ModelReader.cpp - vocabulary, merges and added tokens --------------===//

#include "ModelReader.h"

#include "ByteAlphabet.h"

#include "linnet/Support/Quote.h"

#include <limits>

namespace linnet::tokenizer {

Result<Model> ModelReader::run() {
  if (!root.is_object())
    return makeError(what, ": expected an object, but got ",
                     describeJson(root));
  using Section = Status (ModelReader::*)();
  for (Section section :
       {&ModelReader::readWordModel, &ModelReader::readNormalizers,
        &ModelReader::readAddedTokens, &ModelReader::readPreTokenizers,
        &ModelReader::readPostProcessors, &ModelReader::readDecoder}) {
    if (const Status status = (this->*section)(); !status)
      return status.error();
  }
  return std::move(model);
}

Error ModelReader::unsupported(const std::string &section,
                               const std::string &kind,
                               const std::string &supported) const {
  return makeError(
      what, ": expected ", section, " ", supported, ", but got ",
      quoteName(kind),
      "; tokenize the text elsewhere and pass its ids by --tokens");
}

Result<std::string> ModelReader::kindOf(const Json &object,
                                        const std::string &section) const {
  return getString(object, "type", what + ": " + section);
}

Status ModelReader::refuseText(const Json &object, std::string_view key) const {
  const Json *value = findJson(object, key);
  if (value && *value != "")
    return makeError(what, ": key '", key, "': expected null, but got ",
                     describeJson(*value));
  return {};
}

Result<int32_t> ModelReader::readId(const Json &value,
                                    std::string_view token) const {
  if (!value.is_number_integer() || value < 0 ||
      value > std::numeric_limits<int32_t>::max() - 1)
    return makeError(what, ": token ", quoteName(token),
                     ": expected an id that is a 32-bit number, but got ",
                     describeJson(value));
  return value.get<int32_t>();
}

void ModelReader::note(int32_t id, std::string_view token, bool special) {
  model.pieces[id] = {wordPieces ? std::string(token) : unspell(token),
                      special};
  model.vocabularySize =
      std::max<int64_t>(model.vocabularySize, int64_t(id) + 1);
}

Status ModelReader::readWordModel() {
  const Result<const Json *> section = getObject(root, "model", what);
  if (!section)
    return section.error();
  // Files from before version 0.9 of the format leave the type out.
  const Result<std::string> kind = getString(
      **section, "type", what,
      findJson(**section, "max_input_chars_per_word") ? "WordPiece" : "BPE");
  if (!kind)
    return kind.error();
  if (*kind == "BPE")
    return readBytePairs(**section);
  if (*kind == "WordPiece")
    return readWordPieces(**section);
  return unsupported("model type", *kind, "'BPE' or 'WordPiece'");
}

Status ModelReader::readBytePairs(const Json &section) {
  for (const char *key : {"continuing_subword_prefix", "end_of_word_suffix"})
    if (const Status status = refuseText(section, key); !status)
      return status;
  const Result<bool> fallback = getBool(section, "byte_fallback", what, false);
  if (!fallback)
    return fallback.error();
  if (*fallback)
    return unsupported("model with byte_fallback", "true", "'false'");
  if (const Json *dropout = findJson(section, "dropout");
      dropout && *dropout != 0.0)
    return makeError(what, ": key 'dropout': expected null, but got ",
                     describeJson(*dropout));
  const Result<bool> ignoreMerges =
      getBool(section, "ignore_merges", what, false);
  const Result<bool> fuseUnknown = getBool(section, "fuse_unk", what, false);
  if (!ignoreMerges)
    return ignoreMerges.error();
  if (!fuseUnknown)
    return fuseUnknown.error();
  auto merger = std::make_unique<BytePairMerger>();
  merger->ignoreMerges = *ignoreMerges;
  merger->fuseUnknown = *fuseUnknown;
  if (const Status status = readVocabulary(section, *merger); !status)
    return status;
  merger->finishVocabulary();
  if (const Status status = readMerges(section, *merger); !status)
    return status;
  model.words = std::move(merger);
  return {};
}

Status ModelReader::readWordPieces(const Json &section) {
  wordPieces = true;
  const Result<std::string> unknown = getString(section, "unk_token", what);
  const Result<std::string> prefix =
      getString(section, "continuing_subword_prefix", what);
  const Result<int64_t> most =
      getInt(section, "max_input_chars_per_word", what);
  if (!unknown)
    return unknown.error();
  if (!prefix)
    return prefix.error();
  if (!most)
    return most.error();
  if (*most < 0)
    return makeError(what, ": key 'max_input_chars_per_word': expected a ",
                     "number that is not negative, but got ", *most);
  auto matcher = std::make_unique<WordPieceMatcher>();
  matcher->unknownToken = *unknown;
  matcher->prefix = *prefix;
  matcher->maxCharacters = *most;
  if (const Status status = readVocabulary(section, *matcher); !status)
    return status;
  matcher->finishVocabulary();
  model.words = std::move(matcher);
  return {};
}

Status ModelReader::readVocabulary(const Json &section, WordModel &words) {
  const Result<const Json *> vocabulary = getObject(section, "vocab", what);
  if (!vocabulary)
    return vocabulary.error();
  words.vocabulary.reserve((*vocabulary)->size());
  model.pieces.reserve((*vocabulary)->size());
  for (const auto &[token, value] : (*vocabulary)->items()) {
    const Result<int32_t> id = readId(value, token);
    if (!id)
      return id.error();
    if (model.pieces.count(*id))
      return makeError(what, ": expected one token per id, but got id ", *id,
                       " twice, the second time for ", quoteName(token));
    words.vocabulary.emplace(token, *id);
    note(*id, token, false);
  }
  const Json *unknown = findJson(section, "unk_token");
  if (!unknown)
    return {};
  if (!unknown->is_string())
    return makeError(what, ": key 'unk_token': expected a string, but got ",
                     describeJson(*unknown));
  const auto found =
      words.vocabulary.find(unknown->get_ref<const std::string &>());
  // An unk_token outside the vocabulary matters only when it is needed.
  if (found != words.vocabulary.end())
    words.unknownId = found->second;
  return {};
}

std::pair<std::string, std::string> readMerge(const Json &merge) {
  if (merge.is_array() && merge.size() == 2 && merge[0].is_string() &&
      merge[1].is_string())
    return {merge[0], merge[1]};
  if (!merge.is_string())
    return {};
  const std::string &text = merge.get_ref<const std::string &>();
  const size_t space = text.find(' ');
  if (space == std::string::npos ||
      text.find(' ', space + 1) != std::string::npos)
    return {};
  return {text.substr(0, space), text.substr(space + 1)};
}

Status ModelReader::readMerges(const Json &section, BytePairMerger &merger) {
  const Json *merges = findJson(section, "merges");
  if (!merges || !merges->is_array())
    return makeError(what, ": key 'merges': expected an array, but got ",
                     merges ? describeJson(*merges) : "nothing");
  merger.reserveMerges(merges->size());
  int32_t rank = 0;
  for (const Json &merge : *merges) {
    const auto [left, right] = readMerge(merge);
    if (left.empty() || right.empty())
      return makeError(what, ": merge ", rank,
                       ": expected two tokens, but got ", describeJson(merge));
    if (!merger.addMerge(left, right, rank))
      return makeError(what, ": merge ", rank, ": expected ", quoteName(left),
                       ", ", quoteName(right), " and ", quoteName(left + right),
                       " in the vocabulary, but one of them is not");
    ++rank;
  }
  return {};
}

Status ModelReader::forEach(const Json &object, const char *key,
                            Status (ModelReader::*read)(const Json &)) {
  const Json *list = findJson(object, key);
  if (!list || !list->is_array())
    return makeError(what, ": key '", key, "': expected an array, but got ",
                     list ? describeJson(*list) : "nothing");
  for (const Json &element : *list)
    if (const Status status = (this->*read)(element); !status)
      return status;
  return {};
}

Status ModelReader::readAddedTokens() {
  const Json *tokens = findJson(root, "added_tokens");
  return tokens ? forEach(root, "added_tokens", &ModelReader::readAddedToken)
                : Status();
}

Status ModelReader::readAddedToken(const Json &entry) {
  const Result<std::string> content =
      getString(entry, "content", what + ": added_tokens");
  if (!content)
    return content.error();
  const Json *idValue = findJson(entry, "id");
  const Result<int32_t> id = readId(idValue ? *idValue : Json(), *content);
  if (!id)
    return id.error();
  AddedToken token{.content = *content, .id = *id};
  const std::pair<const char *, bool *> flags[] = {
      {"special", &token.special},
      {"single_word", &token.singleWord},
      {"lstrip", &token.stripLeft},
      {"rstrip", &token.stripRight},
      {"normalized", &token.normalized}};
  for (const auto &[key, flag] : flags) {
    const Result<bool> value =
        getBool(entry, key, what + ": token " + quoteName(*content), false);
    if (!value)
      return value.error();
    *flag = *value;
  }
  if (const auto known = model.words->vocabulary.find(*content);
      known != model.words->vocabulary.end() && known->second != *id)
    return makeError(what, ": added token ", quoteName(*content),
                     ": expected id ", known->second,
                     " as in the vocabulary, but got ", *id);
  if (!model.addedIds.emplace(*content, *id).second)
    return makeError(what, ": expected added tokens to differ, but got ",
                     quoteName(*content), " twice");
  note(*id, *content, token.special);
  std::string pattern = *content;
  if (token.normalized) {
    Result<std::string> result = normalize(pattern, model.normalizers);
    if (!result)
      return result.error();
    pattern = result.take();
  }
  (token.normalized ? model.normalizedTokens : model.rawTokens)
      .add(std::move(token), pattern);
  return {};
}

Result<Model> readModel(const Json &json, const std::string &what) {
  return ModelReader(json, what).run();
}

} // namespace linnet::tokenizer
