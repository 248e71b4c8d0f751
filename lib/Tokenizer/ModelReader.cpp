//===- ModelReader.cpp - reads tokenizer.json -----------------------------===//
//
// One function per section of the file. Whatever this does not know is refused
// by name: a tokenizer that is nearly right gives a model nonsense to read.
//
//===----------------------------------------------------------------------===//

#include "ByteAlphabet.h"
#include "Model.h"

#include "linnet/Support/Quote.h"

#include <limits>

namespace linnet::tokenizer {

namespace {

/// GPT-2's pattern, which the ByteLevel step stands for.
constexpr const char *ByteLevelPattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

class Reader {
public:
  Reader(const Json &root, const std::string &what) : root(root), what(what) {}

  Result<Model> run() {
    if (!root.is_object())
      return makeError(what, ": expected an object, but got ",
                       describeJson(root));
    using Section = Status (Reader::*)();
    for (Section section :
         {&Reader::readBytePairs, &Reader::readNormalizers,
          &Reader::readAddedTokens, &Reader::readPreTokenizers,
          &Reader::readPostProcessors, &Reader::checkDecoder}) {
      if (const Status status = (this->*section)(); !status)
        return status.error();
    }
    return std::move(model);
  }

private:
  /// `section` names an unsupported part: "model 'Unigram'".
  Error unsupported(const std::string &section, const std::string &kind,
                    const std::string &supported) const {
    return makeError(
        what, ": expected ", section, " ", supported, ", but got ",
        quoteName(kind),
        "; tokenize the text elsewhere and pass its ids by --tokens");
  }

  Result<std::string> kindOf(const Json &object,
                             const std::string &section) const {
    return getString(object, "type", what + ": " + section);
  }

  /// Refuses a string option that would change the result.
  Status refuseText(const Json &object, std::string_view key) const {
    const Json *value = findJson(object, key);
    if (value && *value != "")
      return makeError(what, ": key '", key, "': expected null, but got ",
                       describeJson(*value));
    return {};
  }

  /// A token id: a 32-bit integer that is not negative.
  Result<int32_t> readId(const Json &value, std::string_view token) const {
    if (!value.is_number_integer() || value < 0 ||
        value > std::numeric_limits<int32_t>::max() - 1)
      return makeError(what, ": token ", quoteName(token),
                       ": expected an id that is a 32-bit number, but got ",
                       describeJson(value));
    return value.get<int32_t>();
  }

  void note(int32_t id, std::string_view token, bool special) {
    model.pieces[id] = {unspell(token), special};
    model.vocabularySize =
        std::max<int64_t>(model.vocabularySize, int64_t(id) + 1);
  }

  //===--------------------------------------------------------------------===//
  // model
  //===--------------------------------------------------------------------===//

  Status readBytePairs() {
    const Result<const Json *> section = getObject(root, "model", what);
    if (!section)
      return section.error();
    const Json &bpe = **section;
    // Files from before version 0.9 of the format leave the type out.
    const Result<std::string> kind = getString(bpe, "type", what, "BPE");
    if (!kind)
      return kind.error();
    if (*kind != "BPE")
      return unsupported("model type", *kind, "'BPE'");
    for (const char *key : {"continuing_subword_prefix", "end_of_word_suffix"})
      if (const Status status = refuseText(bpe, key); !status)
        return status;
    const Result<bool> fallback = getBool(bpe, "byte_fallback", what, false);
    if (!fallback)
      return fallback.error();
    if (*fallback)
      return unsupported("model with byte_fallback", "true", "'false'");
    if (const Json *dropout = findJson(bpe, "dropout");
        dropout && *dropout != 0.0)
      return makeError(what, ": key 'dropout': expected null, but got ",
                       describeJson(*dropout));
    const Result<bool> ignoreMerges =
        getBool(bpe, "ignore_merges", what, false);
    const Result<bool> fuseUnknown = getBool(bpe, "fuse_unk", what, false);
    if (!ignoreMerges)
      return ignoreMerges.error();
    if (!fuseUnknown)
      return fuseUnknown.error();
    model.merger.ignoreMerges = *ignoreMerges;
    model.merger.fuseUnknown = *fuseUnknown;
    if (const Status status = readVocabulary(bpe); !status)
      return status;
    return readMerges(bpe);
  }

  Status readVocabulary(const Json &bpe) {
    const Result<const Json *> vocabulary = getObject(bpe, "vocab", what);
    if (!vocabulary)
      return vocabulary.error();
    model.merger.vocabulary.reserve((*vocabulary)->size());
    model.pieces.reserve((*vocabulary)->size());
    for (const auto &[token, value] : (*vocabulary)->items()) {
      const Result<int32_t> id = readId(value, token);
      if (!id)
        return id.error();
      if (model.pieces.count(*id))
        return makeError(what, ": expected one token per id, but got id ", *id,
                         " twice, the second time for ", quoteName(token));
      model.merger.vocabulary.emplace(token, *id);
      note(*id, token, false);
    }
    model.merger.finishVocabulary();
    const Json *unknown = findJson(bpe, "unk_token");
    if (!unknown)
      return {};
    if (!unknown->is_string())
      return makeError(what, ": key 'unk_token': expected a string, but got ",
                       describeJson(*unknown));
    const auto found =
        model.merger.vocabulary.find(unknown->get_ref<const std::string &>());
    // An unk_token outside the vocabulary matters only when it is needed.
    if (found != model.merger.vocabulary.end())
      model.merger.unknownId = found->second;
    return {};
  }

  Status readMerges(const Json &bpe) {
    const Json *merges = findJson(bpe, "merges");
    if (!merges || !merges->is_array())
      return makeError(what, ": key 'merges': expected an array, but got ",
                       merges ? describeJson(*merges) : "nothing");
    model.merger.reserveMerges(merges->size());
    int32_t rank = 0;
    for (const Json &merge : *merges) {
      std::string left, right;
      if (merge.is_array() && merge.size() == 2 && merge[0].is_string() &&
          merge[1].is_string()) {
        left = merge[0];
        right = merge[1];
      } else if (merge.is_string()) {
        const std::string &text = merge.get_ref<const std::string &>();
        const size_t space = text.find(' ');
        if (space != std::string::npos &&
            text.find(' ', space + 1) == std::string::npos) {
          left = text.substr(0, space);
          right = text.substr(space + 1);
        }
      }
      if (left.empty() || right.empty())
        return makeError(what, ": merge ", rank,
                         ": expected two tokens, but got ",
                         describeJson(merge));
      if (!model.merger.addMerge(left, right, rank))
        return makeError(what, ": merge ", rank, ": expected ", quoteName(left),
                         ", ", quoteName(right), " and ",
                         quoteName(left + right),
                         " in the vocabulary, but one of them is not");
      ++rank;
    }
    return {};
  }

  //===--------------------------------------------------------------------===//
  // normalizer
  //===--------------------------------------------------------------------===//

  Status readNormalizers() {
    const Json *normalizer = findJson(root, "normalizer");
    return normalizer ? readNormalizer(*normalizer) : Status();
  }

  Status readNormalizer(const Json &normalizer) {
    const Result<std::string> kind = kindOf(normalizer, "normalizer");
    if (!kind)
      return kind.error();
    if (*kind == "Sequence")
      return forEach(normalizer, "normalizers", &Reader::readNormalizer);
    constexpr std::pair<const char *, Normalization> Forms[] = {
        {"NFC", Normalization::NFC},
        {"NFD", Normalization::NFD},
        {"NFKC", Normalization::NFKC},
        {"NFKD", Normalization::NFKD}};
    for (const auto &[name, form] : Forms) {
      if (*kind == name) {
        model.normalizers.push_back(form);
        return {};
      }
    }
    return unsupported("normalizer", *kind,
                       "'NFC', 'NFD', 'NFKC', 'NFKD' or 'Sequence'");
  }

  Status forEach(const Json &object, const char *key,
                 Status (Reader::*read)(const Json &)) {
    const Json *list = findJson(object, key);
    if (!list || !list->is_array())
      return makeError(what, ": key '", key, "': expected an array, but got ",
                       list ? describeJson(*list) : "nothing");
    for (const Json &element : *list)
      if (const Status status = (this->*read)(element); !status)
        return status;
    return {};
  }

  //===--------------------------------------------------------------------===//
  // added_tokens
  //===--------------------------------------------------------------------===//

  Status readAddedTokens() {
    const Json *tokens = findJson(root, "added_tokens");
    return tokens ? forEach(root, "added_tokens", &Reader::readAddedToken)
                  : Status();
  }

  Status readAddedToken(const Json &entry) {
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
    if (const auto known = model.merger.vocabulary.find(*content);
        known != model.merger.vocabulary.end() && known->second != *id)
      return makeError(what, ": added token ", quoteName(*content),
                       ": expected id ", known->second,
                       " as in the vocabulary, but got ", *id);
    if (!model.addedIds.emplace(*content, *id).second)
      return makeError(what, ": expected added tokens to differ, but got ",
                       quoteName(*content), " twice");
    note(*id, *content, token.special);
    std::string pattern = *content;
    if (token.normalized) {
      for (Normalization form : model.normalizers) {
        Result<std::string> result = normalize(pattern, form);
        if (!result)
          return result.error();
        pattern = result.take();
      }
    }
    (token.normalized ? model.normalizedTokens : model.rawTokens)
        .add(std::move(token), pattern);
    return {};
  }

  //===--------------------------------------------------------------------===//
  // pre_tokenizer
  //===--------------------------------------------------------------------===//

  Status readPreTokenizers() {
    const Json *section = findJson(root, "pre_tokenizer");
    if (section)
      if (const Status status = readPreTokenizer(*section); !status)
        return status;
    if (!byteLevel)
      return unsupported("a pre_tokenizer that ends in",
                         section ? describeJson(*section) : "null",
                         "'ByteLevel'");
    return {};
  }

  Status readPreTokenizer(const Json &section) {
    const Result<std::string> kind = kindOf(section, "pre_tokenizer");
    if (!kind)
      return kind.error();
    if (*kind == "Sequence")
      return forEach(section, "pretokenizers", &Reader::readPreTokenizer);
    // After ByteLevel the text would be in the byte alphabet.
    if (byteLevel)
      return unsupported("pre_tokenizer", *kind,
                         "'ByteLevel' as the last step");
    if (*kind == "ByteLevel")
      return readByteLevel(section);
    if (*kind == "Split")
      return readSplit(section);
    if (*kind == "Digits") {
      const Result<bool> individual =
          getBool(section, "individual_digits", what, false);
      if (!individual)
        return individual.error();
      return addPattern(*individual ? "\\p{N}" : "\\p{N}+", false, SplitStep());
    }
    return unsupported("pre_tokenizer", *kind,
                       "'ByteLevel', 'Split', 'Digits' or 'Sequence'");
  }

  Status addPattern(const std::string &text, bool literal, SplitStep step) {
    Result<Pattern> pattern = Pattern::compile(text, literal);
    if (!pattern)
      return makeError(what, ": pre_tokenizer: ", pattern.error().str());
    step.pattern = pattern.take();
    model.preTokenizer.steps.push_back(std::move(step));
    return {};
  }

  Status readByteLevel(const Json &section) {
    byteLevel = true;
    const Result<bool> prefixSpace =
        getBool(section, "add_prefix_space", what, true);
    const Result<bool> useRegex = getBool(section, "use_regex", what, true);
    if (!prefixSpace)
      return prefixSpace.error();
    if (!useRegex)
      return useRegex.error();
    SplitStep step;
    step.addPrefixSpace = *prefixSpace;
    if (*useRegex)
      return addPattern(ByteLevelPattern, false, std::move(step));
    if (*prefixSpace)
      model.preTokenizer.steps.push_back(std::move(step));
    return {};
  }

  Status readSplit(const Json &section) {
    const Result<const Json *> pattern =
        getObject(section, "pattern", what + ": Split");
    const Result<std::string> behavior =
        getString(section, "behavior", what + ": Split");
    const Result<bool> invert =
        getBool(section, "invert", what + ": Split", false);
    if (!pattern)
      return pattern.error();
    if (!behavior)
      return behavior.error();
    if (!invert)
      return invert.error();
    SplitStep step;
    if (*behavior == "Removed")
      (*invert ? step.keepBetween : step.keepMatches) = false;
    else if (*behavior != "Isolated")
      return unsupported("Split behavior", *behavior,
                         "'Isolated' or 'Removed'");
    const bool literal = findJson(**pattern, "String");
    const Result<std::string> text = getString(
        **pattern, literal ? "String" : "Regex", what + ": Split pattern");
    if (!text)
      return text.error();
    return addPattern(*text, literal, std::move(step));
  }

  //===--------------------------------------------------------------------===//
  // post_processor and decoder
  //===--------------------------------------------------------------------===//

  Status readPostProcessors() {
    const Json *section = findJson(root, "post_processor");
    return section ? readPostProcessor(*section) : Status();
  }

  Status readPostProcessor(const Json &section) {
    const Result<std::string> kind = kindOf(section, "post_processor");
    if (!kind)
      return kind.error();
    if (*kind == "Sequence")
      return forEach(section, "processors", &Reader::readPostProcessor);
    // This one only moves offsets, which Linnet does not report.
    if (*kind == "ByteLevel")
      return {};
    if (*kind == "TemplateProcessing")
      return readTemplate(section);
    return unsupported("post_processor", *kind,
                       "'ByteLevel', 'TemplateProcessing' or 'Sequence'");
  }

  Status readTemplate(const Json &section) {
    const Json *single = findJson(section, "single");
    if (!single || !single->is_array())
      return makeError(what, ": key 'single': expected an array, but got ",
                       single ? describeJson(*single) : "nothing");
    std::vector<int32_t> prefix, suffix;
    bool seenText = false;
    for (const Json &part : *single) {
      if (const Json *text = findJson(part, "Sequence")) {
        const Result<std::string> name =
            getString(*text, "id", what + ": template");
        if (!name)
          return name.error();
        if (*name != "A" || seenText)
          return makeError(what,
                           ": template: expected sequence 'A' once, but got ",
                           describeJson(*single));
        seenText = true;
        continue;
      }
      const Result<std::vector<int32_t>> ids = readSpecialToken(section, part);
      if (!ids)
        return ids.error();
      std::vector<int32_t> &side = seenText ? suffix : prefix;
      side.insert(side.end(), ids->begin(), ids->end());
    }
    if (!seenText)
      return makeError(what, ": template: expected sequence 'A' once, but got ",
                       describeJson(*single));
    // Templates in a sequence wrap one another.
    model.prefix.insert(model.prefix.begin(), prefix.begin(), prefix.end());
    model.suffix.insert(model.suffix.end(), suffix.begin(), suffix.end());
    return {};
  }

  Result<std::vector<int32_t>> readSpecialToken(const Json &section,
                                                const Json &part) {
    const Result<const Json *> token =
        getObject(part, "SpecialToken", what + ": template");
    if (!token)
      return token.error();
    const Result<std::string> name =
        getString(**token, "id", what + ": template");
    if (!name)
      return name.error();
    const Result<const Json *> all =
        getObject(section, "special_tokens", what + ": template");
    if (!all)
      return all.error();
    const Json *entry = findJson(**all, *name);
    const Json *list = entry ? findJson(*entry, "ids") : nullptr;
    if (!list || !list->is_array())
      return makeError(what, ": template token ", quoteName(*name),
                       ": expected an array 'ids', but got ",
                       entry ? describeJson(*entry) : "nothing");
    std::vector<int32_t> ids;
    for (const Json &value : *list) {
      const Result<int32_t> id = readId(value, *name);
      if (!id)
        return id.error();
      ids.push_back(*id);
    }
    return ids;
  }

  Status checkDecoder() {
    const Json *section = findJson(root, "decoder");
    const Result<std::string> kind =
        section ? kindOf(*section, "decoder")
                : Result<std::string>(std::string("null"));
    if (!kind)
      return kind.error();
    if (*kind != "ByteLevel")
      return unsupported("decoder", *kind, "'ByteLevel'");
    return {};
  }

  const Json &root;
  const std::string &what;
  Model model;
  bool byteLevel = false;
};

} // namespace

Result<Model> readModel(const Json &json, const std::string &what) {
  return Reader(json, what).run();
}

} // namespace linnet::tokenizer
