//===- VocabularyTest.cpp - fewer tokens, the same texts ------------------===//
//
// Against the ids that the reference tokenizers give, token by token.
//
//===----------------------------------------------------------------------===//

#include "Samples.h"

#include "linnet/Tokenizer/Vocabulary.h"

#include <algorithm>
#include <set>

using namespace linnet;
using namespace linnet::test;

namespace {

KeptTokens close(const Json &tokenizer, const Ids &ids) {
  Result<KeptTokens> kept = closeVocabulary(tokenizer, "sample", ids);
  if (!kept)
    throw std::runtime_error(kept.error().str());
  return kept.take();
}

/// The ids of `text` in the reduced tokenizer, as the original's.
Ids encodeAsBefore(const Tokenizer &reduced, const KeptTokens &kept,
                   const std::string &text, bool special) {
  Ids ids = encode(reduced, text, special);
  for (int32_t &id : ids)
    id = kept.ids.at(size_t(id));
  return ids;
}

class Reduced : public testing::TestWithParam<const char *> {
protected:
  void SetUp() override {
    std::string directory =
        std::string(LINNET_ORACLE_DIR "/tokenizers/") + GetParam();
    tokenizer = *readJsonFile(directory + "/tokenizer.json");
    cases = (*readJsonFile(directory + "/cases.json")).at("cases");
  }
  Json tokenizer, cases;
};

/// For every text by itself: it becomes the same tokens, and so does every
/// other whose tokens stay; the rest decodes as before.
TEST_P(Reduced, EncodesAsTheReferenceDoes) {
  const Tokenizer whole = load(tokenizer);
  int same = 0, others = 0;
  for (size_t chosen = 0; chosen < cases.size(); chosen += 3) {
    const KeptTokens kept =
        close(tokenizer, cases[chosen].at("ids_plain").get<Ids>());
    ASSERT_TRUE(std::is_sorted(kept.ids.begin(), kept.ids.end()));
    ASSERT_EQ(kept.given + kept.named + kept.alphabet + kept.passed,
              int64_t(kept.ids.size()));
    const Tokenizer reduced = load(renumberTokenizer(tokenizer, kept.ids));
    ASSERT_EQ(reduced.vocabularySize(), int64_t(kept.ids.size()));
    const std::set<int32_t> stays(kept.ids.begin(), kept.ids.end());
    for (size_t i = 0; i < cases.size(); ++i) {
      const std::string text = cases[i].at("text");
      const Ids plain = cases[i].at("ids_plain").get<Ids>();
      const auto isKept = [&](int32_t id) { return stays.count(id) > 0; };
      if (std::all_of(plain.begin(), plain.end(), isKept)) {
        EXPECT_EQ(encodeAsBefore(reduced, kept, text, false), plain) << text;
        EXPECT_EQ(encodeAsBefore(reduced, kept, text, true),
                  cases[i].at("ids").get<Ids>())
            << text;
        ++same;
      } else if (tokenizer.at("model").at("type") == "BPE") {
        // In other tokens, but the same text.
        EXPECT_EQ(reduced.decode(encode(reduced, text), false),
                  cases[i].at("decoded").get<std::string>());
        ++others;
      }
    }
  }
  EXPECT_GE(same, 14);
  if (tokenizer.at("model").at("type") == "BPE")
    EXPECT_GE(others, 100);
}

INSTANTIATE_TEST_SUITE_P(All, Reduced,
                         testing::Values("gpt2-style", "llama3-style",
                                         "qwen-style", "bert-style",
                                         "bert-cased-style"),
                         [](const auto &info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

/// Bytes, "ab" 256, "cd" 257, "abcd" 258 made of these, "bc" 259, "abc" 260
/// that another merge would make.
Json chain() {
  Json json = byteTokenizer({"ab", "cd", "abcd", "bc", "abc"});
  json["model"]["merges"] = {"a b", "c d", "ab cd", "b c", "a bc"};
  return json;
}

TEST(Vocabulary, KeepsWhatMergesPass) {
  const KeptTokens kept = close(chain(), {258});
  EXPECT_EQ(kept.passed, 2);
  EXPECT_EQ(kept.ids.size(), 259u);
  EXPECT_EQ(kept.ids.back(), 258);
  const Json reduced = renumberTokenizer(chain(), kept.ids);
  EXPECT_EQ(reduced.at("model").at("merges"), Json({"a b", "c d", "ab cd"}));
  EXPECT_EQ(encode(load(reduced), "abcdab"), (Ids{258, 256}));
}

TEST(Vocabulary, KeepsNoWayToATokenThatMergesDoNotReach) {
  // "a b" comes first, so "abc" is never made.
  const KeptTokens kept = close(chain(), {260});
  EXPECT_EQ(kept.passed, 0);
  EXPECT_EQ(kept.ids.size(), 257u);
}

TEST(Vocabulary, TokensOfWholeWordsNeedNoMerges) {
  Json json = chain();
  json["model"]["ignore_merges"] = true;
  const KeptTokens kept = close(json, {260});
  const Json reduced = renumberTokenizer(json, kept.ids);
  EXPECT_EQ(encode(load(reduced), "abc"), Ids{256});
}

TEST(Vocabulary, RenumbersEverywhere) {
  Json json = byteTokenizer({"ab", "cd"});
  json["model"]["merges"] = Json::array({Json{"c", "d"}});
  json["added_tokens"] = {addedToken("<s>", 300), addedToken("<pad>", 301)};
  json["padding"] = {{"pad_id", 301}};
  json["post_processor"] = {
      {"type", "Sequence"},
      {"processors",
       {{{"type", "ByteLevel"}},
        {{"type", "TemplateProcessing"},
         {"single",
          {{{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}},
           {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}}},
         {"special_tokens",
          {{"<s>", {{"id", "<s>"}, {"ids", {300}}, {"tokens", {"<s>"}}}}}}}}}};
  const KeptTokens kept = close(json, {257});
  EXPECT_EQ(kept.named, 2);
  EXPECT_EQ(kept.alphabet, 256);
  const Json reduced = renumberTokenizer(json, kept.ids);
  EXPECT_EQ(reduced.at("padding").at("pad_id"), 258);
  EXPECT_EQ(encode(load(reduced), "cd<pad>", true), (Ids{257, 256, 258}));
}

TEST(Vocabulary, KeepsIdsWithoutTokens) {
  const KeptTokens kept = close(byteTokenizer(), {999});
  EXPECT_EQ(kept.ids.back(), 999);
  EXPECT_EQ(load(renumberTokenizer(byteTokenizer(), kept.ids)).vocabularySize(),
            256);
}

TEST(Vocabulary, KeepsPiecesOfOneCharacter) {
  const Json json =
      wordPieceTokenizer({"play", "##ing", "a", "##b", "\xc3\xa9", "##cd"});
  const KeptTokens kept = close(json, {1});
  EXPECT_EQ(kept.ids, (Ids{0, 1, 3, 4, 5}));
  const Tokenizer reduced = load(renumberTokenizer(json, kept.ids));
  EXPECT_EQ(encode(reduced, "play ab playing"), (Ids{1, 2, 3, 0}));
}

TEST(Vocabulary, DeclinesWhatCannotBeRead) {
  Json json = byteTokenizer();
  json["model"]["type"] = "Unigram";
  const Result<KeptTokens> kept = closeVocabulary(json, "sample", Ids{1});
  ASSERT_FALSE(kept);
  EXPECT_NE(kept.error().str().find("'Unigram'"), std::string::npos);
}

} // namespace
