//===- HostileWordPieceTest.cpp - wrong tokenizers of the BERT kind -------===//

#include "Samples.h"

using namespace linnet;
using namespace linnet::test;

namespace {

/// Expects an error that contains `part` after `section`'s `key` becomes
/// `value`, which null leaves out.
void refused(const char *section, const char *key, Json value,
             const std::string &part) {
  Json json = wordPieceTokenizer({"a"});
  if (value.is_null())
    json[section].erase(key);
  else
    json[section][key] = std::move(value);
  expectError(json, part);
}

TEST(HostileWordPiece, TruncatedFilesAreErrors) {
  const std::string text = wordPieceTokenizer({"ab"}).dump();
  for (size_t length = 0; length < text.size(); length += 7)
    EXPECT_FALSE(Tokenizer::fromJson(text.substr(0, length), "sample"))
        << length;
}

TEST(HostileWordPiece, MissingAndWrongKeysAreNamed) {
  struct Case {
    const char *section, *key;
    std::vector<Json> values;
  };
  const Case cases[] = {
      {"model", "unk_token", {nullptr, 3}},
      {"model", "continuing_subword_prefix", {nullptr, true}},
      {"model", "max_input_chars_per_word", {nullptr, "x", -1, 1.5}},
      {"model", "vocab", {nullptr, 3, Json::array()}},
      {"normalizer", "clean_text", {nullptr, 1}},
      {"normalizer", "handle_chinese_chars", {nullptr, "yes"}},
      {"normalizer", "lowercase", {nullptr, 0}},
      {"normalizer", "strip_accents", {3}},
      {"decoder", "prefix", {nullptr, false}},
      {"decoder", "cleanup", {nullptr, "no"}}};
  for (const auto &[section, key, values] : cases)
    for (const Json &value : values)
      refused(section, key, value, std::string("key '") + key + "'");
}

TEST(HostileWordPiece, ErrorsSayWhatWasExpected) {
  refused("model", "max_input_chars_per_word", -1,
          "sample: key 'max_input_chars_per_word': expected a number that is "
          "not negative, but got -1");
  refused("normalizer", "lowercase", nullptr,
          "sample: BertNormalizer: missing key 'lowercase'");
  refused("decoder", "cleanup", 3, "sample: decoder: key 'cleanup': expected ");
}

TEST(HostileWordPiece, WrongVocabulariesAreErrors) {
  refused("model", "vocab", {{"a", "x"}}, "token 'a'");
  refused("model", "vocab", {{"a", -1}}, "token 'a'");
  refused("model", "vocab", {{"a", 1.5}}, "token 'a'");
  refused("model", "vocab", {{"a", int64_t(1) << 40}}, "token 'a'");
  refused("model", "vocab", {{"a", 1}, {"b", 1}}, "id 1 twice");
}

TEST(HostileWordPiece, UnsupportedStepsOfferTokens) {
  const auto unsupported = [](const char *section, Json value,
                              const std::string &part) {
    Json json = wordPieceTokenizer({"a"});
    json[section] = std::move(value);
    expectError(json, part);
    expectError(json, "--tokens");
  };
  const Json bytes = {{"type", "ByteLevel"}};
  // Its words would be in the byte alphabet.
  unsupported("pre_tokenizer", bytes, "but got 'ByteLevel'");
  unsupported("pre_tokenizer", stepThenBytes(splitBy("a")), "'ByteLevel'");
  unsupported("pre_tokenizer", {{"type", "Metaspace"}}, "'BertPreTokenizer'");
  unsupported("normalizer", {{"type", "Lowercase"}}, "'BertNormalizer'");
  unsupported("decoder", bytes, "expected decoder 'WordPiece'");
  unsupported("decoder", nullptr, "but got 'null'");
  unsupported("post_processor", {{"type", "RobertaProcessing"}},
              "'BertProcessing'");
}

TEST(HostileWordPiece, BytePairsNeedTheirOwnDecoder) {
  Json json = byteTokenizer();
  json["decoder"] = wordPieceTokenizer({})["decoder"];
  expectError(json, "expected decoder 'ByteLevel', but got 'WordPiece'");
  json = byteTokenizer();
  json["pre_tokenizer"] = {{"type", "BertPreTokenizer"}};
  expectError(json, "'ByteLevel'");
}

TEST(HostileWordPiece, WrongBertProcessingIsAnError) {
  const auto processing = [](const char *key, Json value,
                             const std::string &part) {
    Json json = wordPieceTokenizer({"a"});
    json["post_processor"] = {{"type", "BertProcessing"},
                              {"sep", Json::array({"[SEP]", 3})},
                              {"cls", Json::array({"[CLS]", 2})}};
    json["post_processor"][key] = std::move(value);
    expectError(json, part);
  };
  for (const char *key : {"cls", "sep"}) {
    const std::string part =
        std::string("BertProcessing: key '") + key + "': expected a token";
    processing(key, nullptr, part);
    processing(key, "[CLS]", part);
    processing(key, Json::array(), part);
    processing(key, Json::array({"[CLS]"}), part);
    processing(key, Json::array({2, "[CLS]"}), part);
    processing(key, Json::array({"[CLS]", 2, 3}), part);
    processing(key, Json::array({"[CLS]", "2"}), "token '[CLS]'");
    processing(key, Json::array({"[CLS]", -2}), "token '[CLS]'");
  }
}

TEST(HostileWordPiece, AddedTokensMustAgreeWithTheVocabulary) {
  Json json = wordPieceTokenizer({"a"});
  json["added_tokens"] = {addedToken("[UNK]", 5)};
  expectError(json, "added token '[UNK]': expected id 0");
}

TEST(HostileWordPiece, ErrorsAreOneBoundedLine) {
  const std::string name = "a\nb" + std::string(5000, 'c');
  Json unknown = wordPieceTokenizer({});
  unknown["model"]["unk_token"] = name;
  unknown["normalizer"] = nullptr;
  unknown["pre_tokenizer"] = nullptr;
  const Result<Ids> ids = load(unknown).encode(name, false);
  ASSERT_FALSE(ids);
  Json pair = wordPieceTokenizer({});
  pair["post_processor"] = {{"type", "BertProcessing"}, {"cls", name}};
  for (const std::string &message : {ids.error().str(), loadError(pair)}) {
    EXPECT_FALSE(message.empty());
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    EXPECT_LT(message.size(), 1000u);
  }
}

} // namespace
