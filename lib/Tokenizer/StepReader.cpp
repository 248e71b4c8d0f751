//===- StepReader.cpp - normalizer, splits, template, decoder -------------===//

#include "ModelReader.h"

#include "Unicode.h"

#include "linnet/Support/Quote.h"

namespace linnet::tokenizer {

namespace {

/// GPT-2's pattern, which the ByteLevel step stands for.
constexpr const char *ByteLevelPattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

} // namespace

Status ModelReader::readNormalizers() {
  const Json *normalizer = findJson(root, "normalizer");
  return normalizer ? readNormalizer(*normalizer) : Status();
}

Status ModelReader::readNormalizer(const Json &normalizer) {
  const Result<std::string> kind = kindOf(normalizer, "normalizer");
  if (!kind)
    return kind.error();
  if (*kind == "Sequence")
    return forEach(normalizer, "normalizers", &ModelReader::readNormalizer);
  if (*kind == "BertNormalizer")
    return readBertNormalizer(normalizer);
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
                     "'NFC', 'NFD', 'NFKC', 'NFKD', 'BertNormalizer' or "
                     "'Sequence'");
}

Status ModelReader::readBertNormalizer(const Json &section) {
  const std::string where = what + ": BertNormalizer";
  const Result<bool> clean = getBool(section, "clean_text", where);
  const Result<bool> space = getBool(section, "handle_chinese_chars", where);
  const Result<bool> lower = getBool(section, "lowercase", where);
  for (const Result<bool> *flag : {&clean, &space, &lower})
    if (!*flag)
      return flag->error();
  // Accents go with the case unless the file says otherwise.
  const Result<bool> strip = getBool(section, "strip_accents", where, *lower);
  if (!strip)
    return strip.error();
  const auto addIf = [&](bool wanted, Normalization step) {
    if (wanted)
      model.normalizers.push_back(step);
  };
  addIf(*clean, Normalization::CleanText);
  addIf(*space, Normalization::SpaceIdeographs);
  addIf(*strip, Normalization::NFD);
  addIf(*strip, Normalization::StripMarks);
  addIf(*lower, Normalization::Lowercase);
  return {};
}

Status ModelReader::readPreTokenizers() {
  const Json *section = findJson(root, "pre_tokenizer");
  if (section)
    if (const Status status = readPreTokenizer(*section); !status)
      return status;
  // Tokens that spell bytes need words in the byte alphabet.
  if (!wordPieces && !byteLevel)
    return unsupported("a pre_tokenizer that ends in",
                       section ? describeJson(*section) : "null",
                       "'ByteLevel'");
  return {};
}

Status ModelReader::readPreTokenizer(const Json &section) {
  const Result<std::string> kind = kindOf(section, "pre_tokenizer");
  if (!kind)
    return kind.error();
  if (*kind == "Sequence")
    return forEach(section, "pretokenizers", &ModelReader::readPreTokenizer);
  // After ByteLevel the text would be in the byte alphabet.
  if (byteLevel)
    return unsupported("pre_tokenizer", *kind, "'ByteLevel' as the last step");
  if (*kind == "ByteLevel" && !wordPieces)
    return readByteLevel(section);
  if (*kind == "BertPreTokenizer") {
    SplitStep spaces;
    spaces.characters = isWhiteSpace;
    spaces.keepMatches = false;
    SplitStep marks;
    marks.characters = isPunctuation;
    model.preTokenizer.steps.push_back(std::move(spaces));
    model.preTokenizer.steps.push_back(std::move(marks));
    return {};
  }
  if (*kind == "Split")
    return readSplit(section);
  if (*kind == "Digits") {
    const Result<bool> individual =
        getBool(section, "individual_digits", what, false);
    if (!individual)
      return individual.error();
    return addPattern(*individual ? "\\p{N}" : "\\p{N}+", false, SplitStep());
  }
  return unsupported(
      "pre_tokenizer", *kind,
      wordPieces ? "'BertPreTokenizer', 'Split', 'Digits' or 'Sequence'"
                 : "'ByteLevel', 'BertPreTokenizer', 'Split', 'Digits' or "
                   "'Sequence'");
}

Status ModelReader::addPattern(const std::string &text, bool literal,
                               SplitStep step) {
  Result<Pattern> pattern = Pattern::compile(text, literal);
  if (!pattern)
    return makeError(what, ": pre_tokenizer: ", pattern.error().str());
  step.pattern = pattern.take();
  model.preTokenizer.steps.push_back(std::move(step));
  return {};
}

Status ModelReader::readByteLevel(const Json &section) {
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

Status ModelReader::readSplit(const Json &section) {
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
    return unsupported("Split behavior", *behavior, "'Isolated' or 'Removed'");
  const bool literal = findJson(**pattern, "String");
  const Result<std::string> text = getString(
      **pattern, literal ? "String" : "Regex", what + ": Split pattern");
  if (!text)
    return text.error();
  return addPattern(*text, literal, std::move(step));
}

Status ModelReader::readPostProcessors() {
  const Json *section = findJson(root, "post_processor");
  return section ? readPostProcessor(*section) : Status();
}

Status ModelReader::readPostProcessor(const Json &section) {
  const Result<std::string> kind = kindOf(section, "post_processor");
  if (!kind)
    return kind.error();
  if (*kind == "Sequence")
    return forEach(section, "processors", &ModelReader::readPostProcessor);
  // This one only moves offsets, which Linnet does not report.
  if (*kind == "ByteLevel")
    return {};
  if (*kind == "TemplateProcessing")
    return readTemplate(section);
  if (*kind == "BertProcessing")
    return readBertProcessing(section);
  return unsupported("post_processor", *kind,
                     "'ByteLevel', 'TemplateProcessing', 'BertProcessing' or "
                     "'Sequence'");
}

Status ModelReader::readTemplate(const Json &section) {
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
  wrap(prefix, suffix);
  return {};
}

Status ModelReader::readBertProcessing(const Json &section) {
  std::vector<int32_t> ids;
  for (const char *key : {"cls", "sep"}) {
    const Json *pair = findJson(section, key);
    if (!pair || !pair->is_array() || pair->size() != 2 ||
        !(*pair)[0].is_string())
      return makeError(what, ": BertProcessing: key '", key,
                       "': expected a token and its id, but got ",
                       pair ? describeJson(*pair) : "nothing");
    const Result<int32_t> id =
        readId((*pair)[1], (*pair)[0].get_ref<const std::string &>());
    if (!id)
      return id.error();
    ids.push_back(*id);
  }
  wrap({ids[0]}, {ids[1]});
  return {};
}

void ModelReader::wrap(const std::vector<int32_t> &prefix,
                       const std::vector<int32_t> &suffix) {
  // Templates in a sequence wrap one another.
  model.prefix.insert(model.prefix.begin(), prefix.begin(), prefix.end());
  model.suffix.insert(model.suffix.end(), suffix.begin(), suffix.end());
}

Result<std::vector<int32_t>> ModelReader::readSpecialToken(const Json &section,
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

Status ModelReader::readDecoder() {
  const Json *section = findJson(root, "decoder");
  const Result<std::string> kind =
      section ? kindOf(*section, "decoder")
              : Result<std::string>(std::string("null"));
  if (!kind)
    return kind.error();
  const std::string expected = wordPieces ? "WordPiece" : "ByteLevel";
  if (*kind != expected)
    return unsupported("decoder", *kind, "'" + expected + "'");
  if (!wordPieces)
    return {};
  const std::string where = what + ": decoder";
  const Result<std::string> prefix = getString(*section, "prefix", where);
  const Result<bool> cleanup = getBool(*section, "cleanup", where);
  if (!prefix)
    return prefix.error();
  if (!cleanup)
    return cleanup.error();
  model.joiner = WordPieceJoiner{*prefix, *cleanup};
  return {};
}

} // namespace linnet::tokenizer
