//===- Samples.h - small tokenizers for the tests ---------------*- C++ -*-===//

#ifndef LINNET_TEST_UNIT_TOKENIZER_SAMPLES_H
#define LINNET_TEST_UNIT_TOKENIZER_SAMPLES_H

#include "lib/Tokenizer/ByteAlphabet.h"
#include "linnet/Support/Json.h"
#include "linnet/Tokenizer/Tokenizer.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace linnet::test {

/// A tokenizer.json of the 256 bytes (ids 0 to 255) and `words` (256 on),
/// without normalizer, pattern or merges.
inline Json byteTokenizer(std::initializer_list<const char *> words = {}) {
  Json vocabulary = Json::object();
  for (int byte = 0; byte < 256; ++byte)
    vocabulary[std::string(tokenizer::spellByte(byte))] = byte;
  for (const char *word : words)
    vocabulary[word] = vocabulary.size();
  return {
      {"added_tokens", Json::array()},
      {"normalizer", nullptr},
      {"pre_tokenizer",
       {{"type", "ByteLevel"},
        {"add_prefix_space", false},
        {"use_regex", false}}},
      {"post_processor", nullptr},
      {"decoder", {{"type", "ByteLevel"}}},
      {"model",
       {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", Json::array()}}}};
}

/// A BERT tokenizer.json of "[UNK]" (id 0) and `tokens` (1 on).
inline Json wordPieceTokenizer(std::initializer_list<const char *> tokens) {
  Json vocabulary = {{"[UNK]", 0}};
  for (const char *token : tokens)
    vocabulary[token] = vocabulary.size();
  return {{"added_tokens", Json::array()},
          {"normalizer",
           {{"type", "BertNormalizer"},
            {"clean_text", true},
            {"handle_chinese_chars", true},
            {"strip_accents", nullptr},
            {"lowercase", true}}},
          {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
          {"post_processor", nullptr},
          {"decoder",
           {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", false}}},
          {"model",
           {{"type", "WordPiece"},
            {"unk_token", "[UNK]"},
            {"continuing_subword_prefix", "##"},
            {"max_input_chars_per_word", 100},
            {"vocab", vocabulary}}}};
}

/// An entry of added_tokens.
inline Json addedToken(const char *content, int id,
                       Json more = Json::object()) {
  Json entry = {{"content", content}, {"id", id}, {"special", true}};
  entry.update(more);
  return entry;
}

/// A Split step by a regular expression.
inline Json splitBy(const char *pattern, const char *behavior = "Isolated",
                    bool invert = false) {
  return {{"type", "Split"},
          {"pattern", {{"Regex", pattern}}},
          {"behavior", behavior},
          {"invert", invert}};
}

/// `step` followed by ByteLevel.
inline Json stepThenBytes(Json step) {
  return {{"type", "Sequence"},
          {"pretokenizers",
           {step,
            {{"type", "ByteLevel"},
             {"add_prefix_space", false},
             {"use_regex", false}}}}};
}

inline Tokenizer load(const Json &json) {
  Result<Tokenizer> tokenizer = Tokenizer::fromJson(json.dump(), "sample");
  if (!tokenizer)
    throw std::runtime_error(tokenizer.error().str());
  return tokenizer.take();
}

/// The error of loading `json`, or nothing.
inline std::string loadError(const Json &json) {
  const Result<Tokenizer> tokenizer =
      Tokenizer::fromJson(json.dump(), "sample");
  return tokenizer ? "" : tokenizer.error().str();
}

/// Expects an error that contains `part` and starts with the file's name.
inline void expectError(const Json &json, const std::string &part) {
  const std::string message = loadError(json);
  EXPECT_NE(message.find(part), std::string::npos)
      << "message: '" << message << "'";
  EXPECT_EQ(message.rfind("sample", 0), 0u) << message;
}

using Ids = std::vector<int32_t>;

inline Ids encode(const Tokenizer &tokenizer, std::string_view text,
                  bool special = false) {
  const Result<Ids> ids = tokenizer.encode(text, special);
  if (!ids) {
    ADD_FAILURE() << ids.error().str();
    return {};
  }
  return *ids;
}

} // namespace linnet::test

#endif // LINNET_TEST_UNIT_TOKENIZER_SAMPLES_H
