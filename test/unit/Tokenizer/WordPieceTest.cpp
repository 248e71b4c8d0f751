//===- WordPieceTest.cpp - tokenizers of the BERT kind --------------------===//

#include "Samples.h"

#include <chrono>
#include <random>

using namespace linnet;
using namespace linnet::test;

namespace {

TEST(WordPiece, TakesTheLongestPiece) {
  const Tokenizer tokenizer =
      load(wordPieceTokenizer({"a", "ab", "##b", "##c", "##bc", "abcd"}));
  EXPECT_EQ(encode(tokenizer, "ab"), (Ids{2}));
  EXPECT_EQ(encode(tokenizer, "abc"), (Ids{2, 4})); // not "a", "##bc"
  EXPECT_EQ(encode(tokenizer, "abcbc"), (Ids{2, 4, 5}));
  EXPECT_EQ(encode(tokenizer, "abcd a"), (Ids{6, 1}));
  EXPECT_EQ(tokenizer.vocabularySize(), 7);
  EXPECT_EQ(tokenizer.tokenId("##bc"), 5);
}

TEST(WordPiece, WordsWithoutPiecesAreUnknownAsAWhole) {
  const Tokenizer tokenizer = load(wordPieceTokenizer({"a", "##b"}));
  // The greedy match never goes back, whatever it found before.
  EXPECT_EQ(encode(tokenizer, "abx"), (Ids{0}));
  EXPECT_EQ(encode(tokenizer, "b"), (Ids{0}));
  EXPECT_EQ(encode(tokenizer, "aa"), (Ids{0}));
  // Unknown words do not join.
  EXPECT_EQ(encode(tokenizer, "x x ab"), (Ids{0, 0, 1, 2}));
  EXPECT_EQ(encode(load(wordPieceTokenizer({})), "a"), (Ids{0}));
}

TEST(WordPiece, EmptyPiecesAreNotTaken) {
  const Tokenizer tokenizer = load(wordPieceTokenizer({"", "##", "a"}));
  EXPECT_EQ(encode(tokenizer, "a"), (Ids{3}));
  EXPECT_EQ(encode(tokenizer, "ab"), (Ids{0}));
  EXPECT_EQ(encode(tokenizer, "b"), (Ids{0}));
  EXPECT_EQ(encode(tokenizer, ""), (Ids{}));
}

TEST(WordPiece, LongWordsAreUnknown) {
  Json json = wordPieceTokenizer({"é", "##é"});
  json["normalizer"] = nullptr;
  json["model"]["max_input_chars_per_word"] = 3;
  const Tokenizer tokenizer = load(json);
  EXPECT_EQ(encode(tokenizer, "ééé"), (Ids{1, 2, 2})); // 6 bytes
  EXPECT_EQ(encode(tokenizer, "éééé"), (Ids{0}));
  json["model"]["max_input_chars_per_word"] = 0;
  EXPECT_EQ(encode(load(json), "é é"), (Ids{0, 0}));
}

TEST(WordPiece, PrefixIsAnOption) {
  Json json = wordPieceTokenizer({"a", "b", "@b", "##b"});
  json["model"]["continuing_subword_prefix"] = "@";
  EXPECT_EQ(encode(load(json), "ab"), (Ids{1, 3}));
  json["model"]["continuing_subword_prefix"] = "";
  EXPECT_EQ(encode(load(json), "ab"), (Ids{1, 2}));
}

TEST(WordPiece, FilesWithoutATypeAreKnownByTheirKeys) {
  Json json = wordPieceTokenizer({"a", "##b"});
  json["model"].erase("type");
  EXPECT_EQ(encode(load(json), "ab"), (Ids{1, 2}));
}

TEST(WordPiece, UnknownWordsNeedAToken) {
  Json json = wordPieceTokenizer({"a"});
  json["model"]["unk_token"] = "[NONE]";
  const Tokenizer tokenizer = load(json);
  EXPECT_EQ(encode(tokenizer, "a"), (Ids{1}));
  const Result<Ids> ids = tokenizer.encode("a xyz", false);
  ASSERT_FALSE(ids);
  EXPECT_NE(ids.error().str().find("'xyz'"), std::string::npos);
  EXPECT_NE(ids.error().str().find("'[NONE]'"), std::string::npos)
      << ids.error().str();
}

/// Matching as it is defined: every end, from the last, and in the vocabulary?
Ids matchNaively(const Json &vocabulary, const std::string &word) {
  Ids ids;
  for (size_t start = 0; start < word.size();) {
    size_t end = word.size();
    std::string piece;
    for (; end > start; --end) {
      piece = (start ? "##" : "") + word.substr(start, end - start);
      if (vocabulary.contains(piece))
        break;
    }
    if (end == start)
      return {0};
    ids.push_back(vocabulary[piece]);
    start = end;
  }
  return ids;
}

TEST(WordPiece, MatchesLikeTheDefinition) {
  std::mt19937 random(5);
  const auto letters = [&](int most) {
    std::string text;
    for (int i = 1 + random() % most; i > 0; --i)
      text.push_back("abc"[random() % 3]);
    return text;
  };
  int known = 0;
  for (int round = 0; round < 100; ++round) {
    Json json = wordPieceTokenizer({"a", "b", "##b", "##c"});
    Json &vocabulary = json["model"]["vocab"];
    for (int i = 0; i < 12; ++i) {
      const std::string token = (random() % 2 ? "##" : "") + letters(4);
      if (!vocabulary.contains(token))
        vocabulary[token] = vocabulary.size();
    }
    const Tokenizer tokenizer = load(json);
    for (int i = 0; i < 20; ++i) {
      const std::string word = letters(12);
      const Ids ids = encode(tokenizer, word);
      EXPECT_EQ(ids, matchNaively(vocabulary, word)) << word;
      known += ids != Ids{0};
    }
  }
  EXPECT_GT(known, 500);
}

TEST(WordPiece, LongWordsAreNotQuadratic) {
  Json json = wordPieceTokenizer({"a", "##a"});
  json["model"]["max_input_chars_per_word"] = 10'000'000;
  json["model"]["vocab"]["##" + std::string(200'000, 'b')] = 3;
  const Tokenizer tokenizer = load(json);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(encode(tokenizer, std::string(100'000, 'a')).size(), 100'000u);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

TEST(WordPiece, NormalizesAsItsOptionsSay) {
  // The words are what the text is normalized to.
  Json json = wordPieceTokenizer(
      {"ab", "AB", "\u00e9", "e", "\u00c9", "E", "a\u4e2d", "a", "\u4e2d"});
  const auto ids = [&](const char *key, Json value, std::string_view text) {
    Json changed = json;
    changed["normalizer"][key] = std::move(value);
    return encode(load(changed), text);
  };
  EXPECT_EQ(ids("lowercase", true, "AB \u00c9"), (Ids{1, 4}));
  // Accents follow the case when the file says null.
  EXPECT_EQ(ids("lowercase", false, "AB \u00c9"), (Ids{2, 5}));
  EXPECT_EQ(ids("strip_accents", false, "AB \u00c9"), (Ids{1, 3}));
  json["normalizer"]["lowercase"] = false;
  EXPECT_EQ(ids("strip_accents", true, "AB \u00c9"), (Ids{2, 6}));
  EXPECT_EQ(ids("handle_chinese_chars", true, "a\u4e2d"), (Ids{8, 9}));
  EXPECT_EQ(ids("handle_chinese_chars", false, "a\u4e2d"), (Ids{7}));
  EXPECT_EQ(ids("clean_text", true, "a\u200bb"), (Ids{1}));
  EXPECT_EQ(ids("clean_text", true, "A\u200bB"), (Ids{2}));
  EXPECT_EQ(ids("clean_text", false, "A\u200bB"), (Ids{0}));
}

TEST(WordPiece, SplitsAtSpaceAndPunctuation) {
  Json json = wordPieceTokenizer({"a", "b", ".", "$", "\u3002"});
  json["normalizer"] = nullptr;
  const Tokenizer tokenizer = load(json);
  EXPECT_EQ(encode(tokenizer, "  a \n\t b\u3000"), (Ids{1, 2}));
  EXPECT_EQ(encode(tokenizer, "a..b$"), (Ids{1, 3, 3, 2, 4}));
  EXPECT_EQ(encode(tokenizer, "\u3002a\u3002"), (Ids{5, 1, 5}));
  EXPECT_EQ(encode(tokenizer, "\u00a0"), (Ids{}));
}

TEST(WordPiece, TakesOtherStepsToo) {
  Json json = wordPieceTokenizer({"a", "1", "2", "a 1"});
  json["pre_tokenizer"] = {
      {"type", "Sequence"},
      {"pretokenizers",
       {{{"type", "BertPreTokenizer"}},
        {{"type", "Digits"}, {"individual_digits", true}}}}};
  EXPECT_EQ(encode(load(json), "a12"), (Ids{1, 2, 3}));
  json["pre_tokenizer"] = splitBy(" ", "Removed");
  EXPECT_EQ(encode(load(json), "a 1"), (Ids{1, 2}));
  // Without steps the text is one word.
  json["pre_tokenizer"] = nullptr;
  EXPECT_EQ(encode(load(json), "A 1"), (Ids{4}));
}

TEST(WordPiece, BytePairsTakeBertsSteps) {
  Json json = byteTokenizer();
  json["normalizer"] = wordPieceTokenizer({})["normalizer"];
  json["pre_tokenizer"] = stepThenBytes({{"type", "BertPreTokenizer"}});
  EXPECT_EQ(encode(load(json), "\u00c9 b."), (Ids{'e', 'b', '.'}));
}

TEST(WordPiece, FindsAddedTokens) {
  Json json = wordPieceTokenizer({"a", "[MASK]", "##b"});
  json["added_tokens"] = {addedToken("[MASK]", 2),
                          addedToken("N\u00c9W", 9, {{"normalized", true}})};
  const Tokenizer tokenizer = load(json);
  EXPECT_EQ(encode(tokenizer, "a[MASK]a"), (Ids{1, 2, 1}));
  // The text in its own spelling only; what is normalized, in any.
  EXPECT_EQ(encode(tokenizer, "[mask]"), (Ids{0, 0, 0}));
  EXPECT_EQ(encode(tokenizer, "new anew"), (Ids{9, 1, 9}));
  // What follows an added token starts a word.
  EXPECT_EQ(encode(tokenizer, "[MASK]b"), (Ids{2, 0}));
  EXPECT_EQ(tokenizer.vocabularySize(), 10);
  // Text shows it as it was added.
  EXPECT_EQ(tokenizer.decode(Ids{2, 9, 3}, false), "[MASK] N\u00c9Wb");
  EXPECT_EQ(tokenizer.decode(Ids{2, 9, 3}, true), "##b");
}

TEST(WordPiece, AppliesTheTemplates) {
  Json json = wordPieceTokenizer({"a", "[CLS]", "[SEP]"});
  json["post_processor"] = {
      {"type", "BertProcessing"}, {"sep", {"[SEP]", 3}}, {"cls", {"[CLS]", 2}}};
  EXPECT_EQ(encode(load(json), "a", true), (Ids{2, 1, 3}));
  EXPECT_EQ(encode(load(json), "", true), (Ids{2, 3}));
  EXPECT_EQ(encode(load(json), "a", false), (Ids{1}));
  json["post_processor"] = {
      {"type", "Sequence"},
      {"processors", {json["post_processor"], json["post_processor"]}}};
  EXPECT_EQ(encode(load(json), "a", true), (Ids{2, 2, 1, 3, 3}));
}

TEST(WordPiece, RefusesTextThatIsNotUtf8) {
  Json json = wordPieceTokenizer({"a"});
  json["normalizer"] = nullptr;
  json["pre_tokenizer"] = nullptr;
  const Result<Ids> ids = load(json).encode("ab\xff", false);
  ASSERT_FALSE(ids);
  EXPECT_NE(ids.error().str().find("at offset 2"), std::string::npos);
}

TEST(WordPiece, DecodesWordsWithSpaces) {
  Json json = wordPieceTokenizer({"a", "##b", "##", "."});
  json["added_tokens"] = {addedToken("[UNK]", 0)};
  const Tokenizer tokenizer = load(json);
  EXPECT_EQ(tokenizer.decode(Ids{1, 2, 2, 1, 4}, true), "abb a .");
  EXPECT_EQ(tokenizer.decode(Ids{1, 3, 1}, true), "a a");
  // The first token keeps its prefix, whatever was left out before it.
  EXPECT_EQ(tokenizer.decode(Ids{2, 2}, true), "##bb");
  EXPECT_EQ(tokenizer.decode(Ids{0, 99, -1, 2, 1}, true), "##b a");
  EXPECT_EQ(tokenizer.decode(Ids{0, 2, 99, 1}, false), "[UNK]b a");
  EXPECT_EQ(tokenizer.decode(Ids{}, true), "");
}

TEST(WordPiece, DecoderHasItsOwnPrefix) {
  Json json = wordPieceTokenizer({"a", "##b", "@b"});
  json["decoder"]["prefix"] = "@";
  EXPECT_EQ(load(json).decode(Ids{1, 2, 3}, true), "a ##bb");
  json["decoder"]["prefix"] = "";
  EXPECT_EQ(load(json).decode(Ids{1, 2, 3}, true), "a##b@b");
}

TEST(WordPiece, DecoderCleansUp) {
  Json json = wordPieceTokenizer({"a", ".", "?", "!", ",", "n't", "'m", "'s",
                                  "'ve", "'re", "'", "do not", "b ' c . d"});
  const Ids ids = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  EXPECT_EQ(load(json).decode(ids, true),
            "a . ? ! , n't 'm 's 've 're ' do not");
  json["decoder"]["cleanup"] = true;
  const Tokenizer tokenizer = load(json);
  EXPECT_EQ(tokenizer.decode(ids, true), "a.?!,n't'm's've're ' don't");
  // Inside a token too, but not from one token to the next.
  EXPECT_EQ(tokenizer.decode(Ids{13, 11, 1}, true), "b'c. d ' a");
}

TEST(WordPieceStream, GivesOutEachToken) {
  Json json = wordPieceTokenizer({"a", "##b", "[SEP]"});
  json["added_tokens"] = {addedToken("[SEP]", 3)};
  const Tokenizer tokenizer = load(json);
  Tokenizer::Stream stream(tokenizer);
  EXPECT_EQ(stream.push(3), "");
  EXPECT_EQ(stream.push(1), "a");
  EXPECT_EQ(stream.push(2), "b");
  EXPECT_EQ(stream.push(1), " a");
  EXPECT_EQ(stream.finish(), "");
  // After the end a text starts anew.
  EXPECT_EQ(stream.push(1), "a");
}

TEST(WordPieceStream, JoinsToWhatDecodeGives) {
  Json json = wordPieceTokenizer(
      {"a", "##b", "##", "", " ", ".", "n't", "\u4e2d", "##\u00e9", "[SEP]"});
  json["added_tokens"] = {addedToken("[SEP]", 10)};
  json["decoder"]["cleanup"] = true;
  const Tokenizer tokenizer = load(json);
  std::mt19937 random(3);
  for (int round = 0; round < 2000; ++round) {
    Ids ids;
    for (int i = random() % 10; i > 0; --i)
      ids.push_back(random() % 12);
    const bool skip = random() % 2;
    Tokenizer::Stream stream(tokenizer, skip);
    std::string text;
    for (int32_t id : ids)
      text += stream.push(id);
    ASSERT_EQ(text + stream.finish(), tokenizer.decode(ids, skip));
  }
}

} // namespace
