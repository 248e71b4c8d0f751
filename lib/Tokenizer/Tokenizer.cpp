//===- Tokenizer.cpp - text to token ids and back -------------------------===//

#include "linnet/Tokenizer/Tokenizer.h"

#include "Model.h"
#include "Unicode.h"

#include <filesystem>

namespace linnet {

using tokenizer::Model;
using tokenizer::Segment;

namespace {

/// Encodes words and remembers what short ones became: natural text repeats
/// its words. One per call, so that encode needs no lock.
class WordEncoder {
public:
  explicit WordEncoder(const tokenizer::WordModel &model) : model(model) {}

  Status encode(std::string_view word, std::vector<int32_t> &ids) {
    if (word.size() > LongestKept)
      return model.encodeWord(word, ids);
    auto found = known.find(word);
    if (found == known.end()) {
      std::vector<int32_t> encoded;
      if (const Status status = model.encodeWord(word, encoded); !status)
        return status;
      if (known.size() >= MostKept)
        known.clear();
      found = known.emplace(std::string(word), std::move(encoded)).first;
    }
    ids.insert(ids.end(), found->second.begin(), found->second.end());
    return {};
  }

private:
  static constexpr size_t LongestKept = 128, MostKept = 1 << 16;
  const tokenizer::WordModel &model;
  std::unordered_map<std::string, std::vector<int32_t>, tokenizer::StringHash,
                     std::equal_to<>>
      known;
};

/// One call of encode.
class Encoder {
public:
  explicit Encoder(const Model &model) : model(model), words(*model.words) {}

  Status encode(std::string_view text) {
    for (const Segment &segment : model.rawTokens.split(text)) {
      if (segment.id >= 0) {
        ids.push_back(segment.id);
        continue;
      }
      std::string buffer;
      std::string_view normalized = segment.text;
      if (!model.normalizers.empty()) {
        Result<std::string> result =
            tokenizer::normalize(segment.text, model.normalizers);
        if (!result)
          return result.error();
        buffer = result.take();
        normalized = buffer;
      }
      for (const Segment &part : model.normalizedTokens.split(normalized)) {
        if (part.id >= 0)
          ids.push_back(part.id);
        else if (const Status status = encodePlain(part.text); !status)
          return status;
      }
    }
    return {};
  }

  std::vector<int32_t> ids;

private:
  Status encodePlain(std::string_view text) {
    std::deque<std::string> storage;
    const Result<std::vector<std::string_view>> pieces =
        model.preTokenizer.split(text, storage);
    if (!pieces)
      return pieces.error();
    for (std::string_view piece : *pieces)
      if (const Status status = words.encode(piece, ids); !status)
        return status;
    return {};
  }

  const Model &model;
  WordEncoder words;
};

/// Appends what `id` stands for; `first` until some token has been appended.
void appendPiece(const Model &model, int32_t id, bool skipSpecial, bool &first,
                 std::string &bytes) {
  const auto piece = model.pieces.find(id);
  if (piece == model.pieces.end() || (skipSpecial && piece->second.special))
    return;
  bytes += model.joiner ? model.joiner->text(piece->second.bytes, first)
                        : piece->second.bytes;
  first = false;
}

} // namespace

Result<Tokenizer> Tokenizer::fromDirectory(const std::string &directory) {
  const std::string path = directory + "/tokenizer.json";
  std::error_code code;
  if (!std::filesystem::exists(path, code)) {
    // The other common format deserves to be named.
    for (const char *other : {"tokenizer.model", "vocab.txt", "spiece.model"})
      if (std::filesystem::exists(directory + "/" + other, code))
        return makeError(
            directory, ": expected tokenizer.json, but got ", other,
            "; tokenize the text elsewhere and pass its ids by --tokens");
    return makeError(path, ": no such file; tokenize the text elsewhere and "
                           "pass its ids by --tokens");
  }
  const Result<Json> json = readJsonFile(path);
  if (!json)
    return json.error();
  Result<Model> model = tokenizer::readModel(*json, path);
  if (!model)
    return model.error();
  return Tokenizer(std::make_shared<const Model>(model.take()));
}

Result<Tokenizer> Tokenizer::fromJson(std::string_view text,
                                      const std::string &what) {
  const Result<Json> json = parseJson(text, what);
  if (!json)
    return json.error();
  Result<Model> model = tokenizer::readModel(*json, what);
  if (!model)
    return model.error();
  return Tokenizer(std::make_shared<const Model>(model.take()));
}

Result<std::vector<int32_t>> Tokenizer::encode(std::string_view text,
                                               bool addSpecialTokens) const {
  const bool looksAtCharacters =
      model->words->needsUtf8() || !model->normalizers.empty() ||
      model->preTokenizer.splits() || !model->addedIds.empty();
  if (looksAtCharacters) {
    if (const auto offset = tokenizer::findInvalidUtf8(text))
      return makeError("expected UTF-8 text, but got byte ",
                       static_cast<int>(static_cast<uint8_t>(text[*offset])),
                       " at offset ", *offset);
  }
  Encoder encoder(*model);
  if (addSpecialTokens)
    encoder.ids = model->prefix;
  if (const Status status = encoder.encode(text); !status)
    return status.error();
  if (addSpecialTokens)
    encoder.ids.insert(encoder.ids.end(), model->suffix.begin(),
                       model->suffix.end());
  return std::move(encoder.ids);
}

std::string Tokenizer::decode(std::span<const int32_t> ids,
                              bool skipSpecial) const {
  std::string bytes;
  bool first = true;
  for (int32_t id : ids)
    appendPiece(*model, id, skipSpecial, first, bytes);
  return tokenizer::decodeLossy(bytes);
}

int64_t Tokenizer::vocabularySize() const { return model->vocabularySize; }

std::optional<int32_t> Tokenizer::tokenId(std::string_view token) const {
  for (const tokenizer::TokenIds *table :
       {&model->addedIds, &model->words->vocabulary})
    if (const auto found = table->find(token); found != table->end())
      return found->second;
  return std::nullopt;
}

std::string Tokenizer::Stream::push(int32_t id) {
  appendPiece(*model, id, skipSpecial, first, open);
  const size_t complete = tokenizer::completePrefix(open);
  const std::string text =
      tokenizer::decodeLossy(std::string_view(open).substr(0, complete));
  open.erase(0, complete);
  return text;
}

std::string Tokenizer::Stream::finish() {
  const std::string text = tokenizer::decodeLossy(open);
  open.clear();
  first = true;
  return text;
}

} // namespace linnet
