//===- TokenizerTest.cpp - each option of tokenizer.json ------------------===//

#include "Samples.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <random>

using namespace linnet;
using namespace linnet::test;

namespace {

TEST(Tokenizer, MergesByRankThenPosition) {
  Json json = byteTokenizer({"ab", "bc", "abc", "aa", "aaa"});
  json["model"]["merges"] = {"b c", "a b", "ab c", {"a", "a"}, {"aa", "a"}};
  const Tokenizer tokenizer = load(json);
  EXPECT_EQ(encode(tokenizer, "abc"), (Ids{'a', 257})); // "b c" ranks first
  EXPECT_EQ(encode(tokenizer, "aaa"), (Ids{260}));
  EXPECT_EQ(encode(tokenizer, "aaaa"), (Ids{259, 259}));
  EXPECT_EQ(encode(tokenizer, "abab"), (Ids{256, 256}));
}

TEST(Tokenizer, TakesLaterOfRepeatedMerges) {
  Json json = byteTokenizer({"ab", "bc"});
  json["model"]["merges"] = {"a b", "b c", "a b"};
  EXPECT_EQ(encode(load(json), "abc"), (Ids{'a', 257}));
}

/// Merging as it is defined: the pair of lowest rank, leftmost, again and
/// again.
Ids mergeNaively(const std::vector<std::string> &words, std::string text) {
  std::vector<std::string> symbols;
  for (char character : text)
    symbols.emplace_back(1, character);
  for (;;) {
    size_t bestRank = words.size(), best = 0;
    for (size_t i = 0; i + 1 < symbols.size(); ++i) {
      const size_t rank = std::find(words.begin(), words.end(),
                                    symbols[i] + "+" + symbols[i + 1]) -
                          words.begin();
      if (rank < bestRank) {
        bestRank = rank;
        best = i;
      }
    }
    if (bestRank == words.size())
      break;
    symbols[best] += symbols[best + 1];
    symbols.erase(symbols.begin() + best + 1);
  }
  Ids lengths;
  for (const std::string &symbol : symbols)
    lengths.push_back(static_cast<int32_t>(symbol.size()));
  return lengths;
}

TEST(Tokenizer, MergesLikeTheDefinition) {
  std::mt19937 random(7);
  for (int round = 0; round < 60; ++round) {
    Json json = byteTokenizer();
    std::vector<std::string> symbols = {"a", "b", "c"}, merges;
    Json &vocabulary = json["model"]["vocab"];
    for (int i = 0; i < 12; ++i) {
      const std::string left = symbols[random() % symbols.size()];
      const std::string right = symbols[random() % symbols.size()];
      if (std::find(merges.begin(), merges.end(), left + "+" + right) !=
          merges.end())
        continue;
      merges.push_back(left + "+" + right);
      json["model"]["merges"].push_back(left + " " + right);
      if (!vocabulary.contains(left + right)) {
        vocabulary[left + right] = vocabulary.size();
        symbols.push_back(left + right);
      }
    }
    const Tokenizer tokenizer = load(json);
    std::string text;
    for (int i = 0; i < 80; ++i)
      text.push_back("abc"[random() % 3]);
    Ids lengths;
    for (int32_t id : encode(tokenizer, text))
      lengths.push_back(
          static_cast<int32_t>(tokenizer.decode(Ids{id}, false).size()));
    EXPECT_EQ(lengths, mergeNaively(merges, text)) << text;
  }
}

TEST(Tokenizer, LongWordsAreNotQuadratic) {
  Json json = byteTokenizer({"aa", "aaaa"});
  json["model"]["merges"] = {"a a", "aa aa"};
  const Tokenizer tokenizer = load(json);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(encode(tokenizer, std::string(1'000'000, 'a')).size(), 250'000u);
  // Quadratic merging takes hours here.
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

TEST(Tokenizer, IgnoreMergesTakesWholeWords) {
  Json json = byteTokenizer({"hello", "Ġhi"});
  EXPECT_EQ(encode(load(json), "hello").size(), 5u);
  json["model"]["ignore_merges"] = true;
  EXPECT_EQ(encode(load(json), "hello"), (Ids{256}));
  EXPECT_EQ(encode(load(json), " hi"), (Ids{257}));
}

TEST(Tokenizer, AddedTokensAreFoundFirstAndLongest) {
  Json json = byteTokenizer();
  json["added_tokens"] = {addedToken("<a>", 300), addedToken("<a><b>", 301)};
  const Tokenizer tokenizer = load(json);
  EXPECT_EQ(encode(tokenizer, "x<a><b><a>y<"), (Ids{'x', 301, 300, 'y', '<'}));
  EXPECT_EQ(tokenizer.vocabularySize(), 302);
  EXPECT_EQ(tokenizer.tokenId("<a>"), 300);
  EXPECT_EQ(tokenizer.tokenId("Ġ"), ' ');
  EXPECT_EQ(tokenizer.tokenId("<c>"), std::nullopt);
}

TEST(Tokenizer, AddedTokensStrip) {
  Json json = byteTokenizer();
  json["added_tokens"] = {addedToken("<l>", 300, {{"lstrip", true}}),
                          addedToken("<r>", 301, {{"rstrip", true}})};
  const Tokenizer tokenizer = load(json);
  EXPECT_EQ(encode(tokenizer, "a \u3000<l> b"), (Ids{'a', 300, ' ', 'b'}));
  EXPECT_EQ(encode(tokenizer, "a <r> \n\tb"), (Ids{'a', ' ', 301, 'b'}));
  EXPECT_EQ(encode(tokenizer, " <r>  <l> "), (Ids{' ', 301, 300, ' '}));
}

TEST(Tokenizer, AddedTokensMayStartInSpaceTakenBefore) {
  Json json = byteTokenizer();
  json["added_tokens"] = {addedToken("<r>", 300, {{"rstrip", true}}),
                          addedToken(" x", 301, {{"lstrip", true}}),
                          addedToken(" ", 302)};
  const Tokenizer tokenizer = load(json);
  EXPECT_EQ(encode(tokenizer, "a<r> x"), (Ids{'a', 300, 301}));
  EXPECT_EQ(encode(tokenizer, "<r>  xb"), (Ids{300, 302, 301, 'b'}));
}

TEST(Tokenizer, AddedTokensStandAlone) {
  Json json = byteTokenizer();
  json["added_tokens"] = {addedToken("is", 300, {{"single_word", true}})};
  const Tokenizer tokenizer = load(json);
  EXPECT_EQ(encode(tokenizer, "is"), (Ids{300}));
  EXPECT_EQ(encode(tokenizer, "(is)"), (Ids{'(', 300, ')'}));
  EXPECT_EQ(encode(tokenizer, "this"), (Ids{'t', 'h', 'i', 's'}));
  EXPECT_EQ(encode(tokenizer, "is_"), (Ids{'i', 's', '_'}));
}

TEST(Tokenizer, NormalizedAddedTokensMatchNormalizedText) {
  Json json = byteTokenizer();
  json["normalizer"] = {{"type", "Sequence"},
                        {"normalizers", {{{"type", "NFKC"}}}}};
  json["added_tokens"] = {addedToken("ﬁ", 300, {{"normalized", true}}),
                          addedToken("№", 301, {{"normalized", false}})};
  const Tokenizer tokenizer = load(json);
  EXPECT_EQ(encode(tokenizer, "fi"), (Ids{300}));
  EXPECT_EQ(encode(tokenizer, "ﬁ"), (Ids{300}));
  EXPECT_EQ(encode(tokenizer, "№"), (Ids{301}));
}

TEST(Tokenizer, Normalizes) {
  const auto lengthBy = [](const char *form, std::string_view text) {
    Json json = byteTokenizer();
    json["normalizer"] = {{"type", form}};
    return encode(load(json), text).size();
  };
  EXPECT_EQ(lengthBy("NFC", "e\u0301ﬁ"), 2u + 3u);
  EXPECT_EQ(lengthBy("NFD", "éﬁ"), 3u + 3u);
  EXPECT_EQ(lengthBy("NFKC", "e\u0301ﬁ"), 2u + 2u);
  EXPECT_EQ(lengthBy("NFKD", "éﬁ"), 3u + 2u);
}

TEST(Tokenizer, SplitsByPattern) {
  Json json = byteTokenizer({"12", "a1"});
  json["model"]["ignore_merges"] = true;
  json["pre_tokenizer"] = stepThenBytes(splitBy("\\p{N}{1,2}"));
  EXPECT_EQ(encode(load(json), "a123"), (Ids{'a', 256, '3'}));
  json["pre_tokenizer"] = stepThenBytes(splitBy("\\p{N}", "Removed"));
  EXPECT_EQ(encode(load(json), "a1b"), (Ids{'a', 'b'}));
  json["pre_tokenizer"] = stepThenBytes(splitBy("\\p{N}", "Removed", true));
  EXPECT_EQ(encode(load(json), "a1b2"), (Ids{'1', '2'}));
  json["pre_tokenizer"] =
      stepThenBytes({{"type", "Digits"}, {"individual_digits", true}});
  EXPECT_EQ(encode(load(json), "12"), (Ids{'1', '2'}));
  json["pre_tokenizer"] =
      stepThenBytes({{"type", "Digits"}, {"individual_digits", false}});
  EXPECT_EQ(encode(load(json), "12a1"), (Ids{256, 'a', '1'}));
  json["pre_tokenizer"] = stepThenBytes({{"type", "Split"},
                                         {"pattern", {{"String", "."}}},
                                         {"behavior", "Removed"},
                                         {"invert", false}});
  EXPECT_EQ(encode(load(json), "a.1"), (Ids{'a', '1'}));
}

TEST(Tokenizer, AddsPrefixSpace) {
  Json json = byteTokenizer();
  json["pre_tokenizer"]["add_prefix_space"] = true;
  json["added_tokens"] = {addedToken("<a>", 300)};
  const Tokenizer tokenizer = load(json);
  EXPECT_EQ(encode(tokenizer, "a"), (Ids{' ', 'a'}));
  EXPECT_EQ(encode(tokenizer, " a"), (Ids{' ', 'a'}));
  EXPECT_EQ(encode(tokenizer, "<a>b"), (Ids{300, ' ', 'b'}));
  EXPECT_EQ(encode(tokenizer, ""), (Ids{}));
}

TEST(Tokenizer, AppliesTheTemplate) {
  Json json = byteTokenizer();
  json["added_tokens"] = {addedToken("<s>", 300), addedToken("</s>", 301)};
  json["post_processor"] = {
      {"type", "TemplateProcessing"},
      {"single",
       {{{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}},
        {{"Sequence", {{"id", "A"}, {"type_id", 0}}}},
        {{"SpecialToken", {{"id", "</s>"}, {"type_id", 0}}}}}},
      {"special_tokens",
       {{"<s>", {{"id", "<s>"}, {"ids", {300}}}},
        {"</s>", {{"id", "</s>"}, {"ids", {301, 10}}}}}}};
  const Tokenizer tokenizer = load(json);
  EXPECT_EQ(encode(tokenizer, "a", true), (Ids{300, 'a', 301, 10}));
  EXPECT_EQ(encode(tokenizer, "a", false), (Ids{'a'}));
  EXPECT_EQ(tokenizer.decode(Ids{300, 'a', 301}, true), "a");
  EXPECT_EQ(tokenizer.decode(Ids{300, 'a', 301}, false), "<s>a</s>");
}

TEST(Tokenizer, UnknownBytes) {
  Json json = byteTokenizer({"<unk>"});
  json["model"]["vocab"].erase("b");
  const Result<Ids> ids = load(json).encode("abba", false);
  ASSERT_FALSE(ids);
  EXPECT_NE(ids.error().str().find("byte 98"), std::string::npos)
      << ids.error().str();
  json["model"]["unk_token"] = "<unk>";
  EXPECT_EQ(encode(load(json), "abba"), (Ids{'a', 256, 256, 'a'}));
  json["model"]["fuse_unk"] = true;
  EXPECT_EQ(encode(load(json), "abba"), (Ids{'a', 256, 'a'}));
}

TEST(Tokenizer, RefusesTextThatIsNotUtf8) {
  Json json = byteTokenizer();
  json["pre_tokenizer"]["use_regex"] = true;
  const Tokenizer tokenizer = load(json);
  for (const char *bad : {"ab\xff", "ab\xc3", "ab\xed\xa0\x80", "ab\xc0\x80",
                          "ab\xf4\x90\x80\x80"}) {
    const Result<Ids> ids = tokenizer.encode(bad, false);
    ASSERT_FALSE(ids);
    EXPECT_NE(ids.error().str().find("at offset 2"), std::string::npos)
        << ids.error().str();
  }
}

TEST(Tokenizer, DecodesLossily) {
  const Tokenizer tokenizer = load(byteTokenizer());
  EXPECT_EQ(tokenizer.decode(Ids{'a', 0xff, 'b'}, false), "a\uFFFDb");
  // One replacement for each maximal part of a character.
  EXPECT_EQ(tokenizer.decode(Ids{0xe4, 0xb8, 'b', 0xf0, 0x9f, 0x98}, false),
            "\uFFFDb\uFFFD");
  EXPECT_EQ(tokenizer.decode(Ids{0xe0, 0x80, 0x80}, false),
            "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(tokenizer.decode(Ids{'a', 99999, -1, 'b'}, false), "ab");
}

TEST(Stream, GivesOutWholeCharacters) {
  const Tokenizer tokenizer = load(byteTokenizer());
  Tokenizer::Stream stream(tokenizer);
  EXPECT_EQ(stream.push(0xf0), "");
  EXPECT_EQ(stream.push(0x9f), "");
  EXPECT_EQ(stream.push(0x98), "");
  EXPECT_EQ(stream.push(0x80), "😀");
  EXPECT_EQ(stream.push(0xe4), "");
  EXPECT_EQ(stream.push('x'), "\uFFFDx");
  EXPECT_EQ(stream.push(0xc3), "");
  EXPECT_EQ(stream.finish(), "\uFFFD");
  EXPECT_EQ(stream.finish(), "");
}

TEST(Stream, JoinsToWhatDecodeGives) {
  const Tokenizer tokenizer = load(byteTokenizer());
  std::mt19937 random(11);
  // Mostly lead and trail bytes, so that every way to be cut off comes up.
  constexpr uint8_t Bytes[] = {'a',  0x80, 0x9f, 0xa0, 0xbf, 0xc2,
                               0xe0, 0xe4, 0xed, 0xf0, 0xf4, 0xf5};
  for (int round = 0; round < 2000; ++round) {
    Ids ids;
    for (int i = 0; i < 12; ++i)
      ids.push_back(Bytes[random() % std::size(Bytes)]);
    Tokenizer::Stream stream(tokenizer);
    std::string text;
    for (int32_t id : ids)
      text += stream.push(id);
    ASSERT_EQ(text + stream.finish(), tokenizer.decode(ids, true));
  }
}

} // namespace
