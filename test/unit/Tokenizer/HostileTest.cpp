//===- HostileTest.cpp - tokenizer.json files that are wrong --------------===//

#include "Samples.h"

#include <filesystem>
#include <fstream>

using namespace linnet;
using namespace linnet::test;

namespace {

TEST(HostileTokenizer, TruncatedFilesAreErrors) {
  const std::string text = byteTokenizer({"ab"}).dump();
  for (size_t length = 0; length < text.size(); length += 7)
    EXPECT_FALSE(Tokenizer::fromJson(text.substr(0, length), "sample"))
        << length;
}

TEST(HostileTokenizer, UnsupportedKindsOfferTokens) {
  for (const char *kind : {"Unigram", "WordLevel"}) {
    Json json = byteTokenizer();
    json["model"]["type"] = kind;
    expectError(json, kind);
    expectError(json, "--tokens");
  }
  const auto refused = [](const char *section, Json value, const char *part) {
    Json json = byteTokenizer();
    json[section] = std::move(value);
    expectError(json, part);
    expectError(json, "--tokens");
  };
  refused("normalizer", {{"type", "Lowercase"}}, "'Lowercase'");
  refused("pre_tokenizer", {{"type", "Metaspace"}}, "'Metaspace'");
  refused("pre_tokenizer", nullptr, "'ByteLevel'");
  refused("pre_tokenizer", stepThenBytes({{"type", "ByteLevel"}}),
          "'ByteLevel' as the last step");
  refused("pre_tokenizer", stepThenBytes(splitBy("a", "MergedWithNext")),
          "'MergedWithNext'");
  refused("post_processor", {{"type", "RobertaProcessing"}},
          "'RobertaProcessing'");
  refused("decoder", {{"type", "WordPiece"}}, "'WordPiece'");
  refused("decoder", nullptr, "'null'");
}

TEST(HostileTokenizer, UnsupportedOptionsAreErrors) {
  const auto refused = [](const char *key, Json value, const char *part) {
    Json json = byteTokenizer();
    json["model"][key] = std::move(value);
    expectError(json, part);
  };
  refused("byte_fallback", true, "byte_fallback");
  refused("continuing_subword_prefix", "##", "continuing_subword_prefix");
  refused("end_of_word_suffix", "</w>", "end_of_word_suffix");
  refused("dropout", 0.1, "dropout");
  refused("unk_token", 3, "unk_token");
  refused("ignore_merges", "yes", "ignore_merges");
}

TEST(HostileTokenizer, WrongVocabulariesAreErrors) {
  const auto refused = [](Json vocabulary, const char *part) {
    Json json = byteTokenizer();
    json["model"]["vocab"] = std::move(vocabulary);
    expectError(json, part);
  };
  refused(nullptr, "vocab");
  refused(Json::array({1}), "vocab");
  refused({{"a", "x"}}, "token 'a'");
  refused({{"a", -1}}, "token 'a'");
  refused({{"a", 1.5}}, "token 'a'");
  refused({{"a", int64_t(1) << 40}}, "token 'a'");
  refused({{"a", 1}, {"b", 1}}, "id 1 twice");
}

TEST(HostileTokenizer, WrongMergesAreErrors) {
  const auto refused = [](Json merges, const char *part) {
    Json json = byteTokenizer({"ab"});
    json["model"]["merges"] = std::move(merges);
    expectError(json, part);
  };
  refused(nullptr, "merges");
  refused(Json::array({Json::object({{"a", "b"}})}), "merge 0");
  refused({"a b", "a zz"}, "merge 1");
  refused({"a c"}, "'ac'");
  refused({"ab"}, "merge 0");
  refused({"a b c"}, "merge 0");
  refused(Json::array({Json::array({"a"})}), "merge 0");
  refused(Json::array({Json::array({"a", 1})}), "merge 0");
}

TEST(HostileTokenizer, WrongAddedTokensAreErrors) {
  const auto refused = [](Json tokens, const char *part) {
    Json json = byteTokenizer();
    json["added_tokens"] = std::move(tokens);
    expectError(json, part);
  };
  refused(3, "added_tokens");
  refused(Json::array({3}), "added_tokens");
  refused({{{"content", "x"}}}, "token 'x'");
  refused({addedToken("a", 7)}, "expected id 97");
  refused({addedToken("<a>", 300), addedToken("<a>", 301)}, "'<a>' twice");
  refused({addedToken("<a>", 300, {{"lstrip", "no"}})}, "lstrip");
}

TEST(HostileTokenizer, WrongTemplatesAreErrors) {
  const auto refused = [](Json single, Json tokens, const char *part) {
    Json json = byteTokenizer();
    json["post_processor"] = {{"type", "TemplateProcessing"},
                              {"single", std::move(single)},
                              {"special_tokens", std::move(tokens)}};
    expectError(json, part);
  };
  const Json text = {{"Sequence", {{"id", "A"}}}};
  const Json special = {{"SpecialToken", {{"id", "<s>"}}}};
  refused(nullptr, Json::object(), "single");
  refused(Json::array(), Json::object(), "sequence 'A'");
  refused(Json::array({text, text}), Json::object(), "sequence 'A'");
  refused(Json::array({special, text}), Json::object(), "<s>");
  refused(Json::array({special, text}), {{"<s>", {{"ids", "x"}}}}, "<s>");
  refused(Json::array({special, text}), {{"<s>", {{"ids", {-4}}}}}, "<s>");
}

TEST(HostileTokenizer, BadPatternsAreErrors) {
  Json json = byteTokenizer();
  json["pre_tokenizer"] = stepThenBytes(splitBy("(a"));
  expectError(json, "'(a'");
  json["pre_tokenizer"] = stepThenBytes(splitBy("(a+)+(a+)+(?=[bc])"));
  const Result<Ids> ids =
      load(json).encode(std::string(5000, 'a') + "!", false);
  ASSERT_FALSE(ids);
  EXPECT_NE(ids.error().str().find("limit"), std::string::npos)
      << ids.error().str();
}

TEST(HostileTokenizer, ErrorsAreOneBoundedLine) {
  const std::string name = "a\nb" + std::string(5000, 'c');
  Json tokens = byteTokenizer();
  tokens["model"]["vocab"][name] = -1;
  Json kind = byteTokenizer();
  kind["model"]["type"] = name;
  Json pattern = byteTokenizer();
  pattern["pre_tokenizer"] = stepThenBytes(splitBy(("(" + name).c_str()));
  for (const Json &json : {tokens, kind, pattern}) {
    const std::string message = loadError(json);
    EXPECT_FALSE(message.empty());
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    EXPECT_LT(message.size(), 1000u);
  }
}

TEST(HostileTokenizer, DirectoriesWithoutOneOfferTokens) {
  const std::string directory = testing::TempDir() + "/linnet-no-tokenizer";
  std::filesystem::remove_all(directory);
  std::filesystem::create_directories(directory);
  Result<Tokenizer> tokenizer = Tokenizer::fromDirectory(directory);
  ASSERT_FALSE(tokenizer);
  EXPECT_NE(tokenizer.error().str().find("tokenizer.json: no such file"),
            std::string::npos);
  EXPECT_NE(tokenizer.error().str().find("--tokens"), std::string::npos);
  std::ofstream(directory + "/tokenizer.model") << "x";
  tokenizer = Tokenizer::fromDirectory(directory);
  ASSERT_FALSE(tokenizer);
  EXPECT_NE(tokenizer.error().str().find("but got tokenizer.model"),
            std::string::npos);
  std::filesystem::remove_all(directory);
}

} // namespace
